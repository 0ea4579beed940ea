"""Both ends of the kernel's socket, in one process and over a real one."""

import contextlib
import getpass
import os
import select
import socket
import socketserver
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from secure_ml.access.stages import Stage
from secure_ml.keys.context import KeyContext
from secure_ml.keys.errors import KeyDestroyed
from secure_ml.vault import messages as m
from secure_ml.vault.caller import Caller
from secure_ml.vault.errors import AccessRefused, StorageError
from secure_ml.vault.wire import server
from secure_ml.vault.wire.client import KernelUnavailable, SocketKernel, _effective_user
from secure_ml.vault.wire.frames import (
    LARGEST_FRAME,
    KernelFailed,
    TooManyConnections,
    WireError,
    decode,
    encode,
    messages_by_name,
    receive_frame,
)
from secure_ml.vault.wire.server import MOST_OF_ONE_USER, SMALL_FRAME, MessageServer
from secure_ml_tests.fakes.needed import need
from secure_ml_tests.fakes.small_project import SmallProject

CANARY = "Zorblax Quillfeather"


class Answers:
    """Answers for the kernel, and keeps who asked."""

    def __init__(self) -> None:
        self.callers: list[Caller] = []
        self.error: Exception | None = None

    def __call__(self, request: m.Message, caller: Caller) -> m.Message:
        self.callers.append(caller)
        if self.error is not None:
            raise self.error
        return m.Recorded(audit_index=len(self.callers))


ASKED = m.IssueTicket(environment="training", project="clinic", run_id="r", stages=(Stage.RAW,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "run"
    made.mkdir(mode=0o755)
    return made


@pytest.fixture
def answers(folder: Path) -> Iterator[Answers]:
    answering = Answers()
    with serving(MessageServer(folder / "kernel.sock", {"IssueTicket": m.IssueTicket}, answering)):
        yield answering


def framed(frame: bytes) -> bytes:
    return struct.pack(">I", len(frame)) + frame


class serving:  # noqa: N801 - used as a block
    def __init__(self, server: MessageServer) -> None:
        self.server = server

    def __enter__(self) -> MessageServer:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self.server

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_an_answer_comes_back_and_the_caller_is_who_the_system_says(folder: Path, answers: Answers) -> None:
    kernel = SocketKernel(folder / "kernel.sock")
    assert kernel.send(ASKED) == m.Recorded(audit_index=1)
    assert kernel.send(ASKED) == m.Recorded(audit_index=2)
    assert {caller.login for caller in answers.callers} == {getpass.getuser()}
    assert len({caller.session for caller in answers.callers}) == 1


def test_each_connection_is_a_session_of_its_own(folder: Path, answers: Answers) -> None:
    for _ in range(3):
        SocketKernel(folder / "kernel.sock").send(ASKED)
    assert len({caller.session for caller in answers.callers}) == 3


def test_a_forked_child_does_not_speak_on_its_parents_connection(folder: Path, answers: Answers) -> None:
    kernel = SocketKernel(folder / "kernel.sock")
    kernel.send(ASKED)
    child = os.fork()
    if child == 0:
        try:
            kernel.send(ASKED)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    kernel.send(ASKED)
    sessions = [caller.session for caller in answers.callers]
    assert sessions[0] == sessions[2] != sessions[1]


def test_a_refusal_crosses_with_its_words(folder: Path, answers: Answers) -> None:
    answers.error = AccessRefused("the purpose does not give it")
    with pytest.raises(AccessRefused, match="the purpose does not give it"):
        SocketKernel(folder / "kernel.sock").send(ASKED)


def test_the_text_of_an_unforeseen_error_does_not_cross(folder: Path, answers: Answers) -> None:
    answers.error = ValueError(f"could not convert {CANARY}")
    with pytest.raises(KernelFailed) as failed:
        SocketKernel(folder / "kernel.sock").send(ASKED)
    assert CANARY not in str(failed.value)
    assert "ValueError" in str(failed.value)


def test_a_message_that_is_not_answered_here_is_refused(folder: Path, answers: Answers) -> None:
    with pytest.raises(Exception, match="no message that is known"):
        SocketKernel(folder / "kernel.sock").send(m.Recorded(audit_index=0))
    assert answers.callers == []


def test_garbage_ends_its_own_connection_only(folder: Path, answers: Answers) -> None:
    for garbage in (b"\xff" * 64, struct.pack(">I", 5) + b"hello", struct.pack(">I", 2**31), b"GET / HTTP/1.1\r\n\r\n"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as raw:
            raw.connect(str(folder / "kernel.sock"))
            raw.sendall(garbage)
            raw.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                while raw.recv(4096):
                    pass
    assert SocketKernel(folder / "kernel.sock").send(ASKED) == m.Recorded(audit_index=1)


def test_more_connections_than_one_user_may_have_are_closed_and_places_come_back(
    folder: Path, answers: Answers
) -> None:
    held = []
    for _ in range(MOST_OF_ONE_USER):
        one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        one.connect(str(folder / "kernel.sock"))
        held.append(one)
    late = SocketKernel(folder / "kernel.sock")
    for _ in range(2):
        with pytest.raises(TooManyConnections, match=f"{MOST_OF_ONE_USER} of them this user's"):
            late.send(ASKED)
    for one in held:
        one.close()
    for _ in range(100):
        try:
            late.send(ASKED)
            break
        except TooManyConnections:
            threading.Event().wait(0.05)
    else:
        pytest.fail("no place came back")


def connected(folder: Path, *, uid: int | None = None) -> socket.socket:
    """A connection on which nothing was said yet; of root's, as another user."""
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    opened.settimeout(20)
    with _effective_user(uid):
        opened.connect(str(folder / "kernel.sock"))
    return opened


def ended(connection: socket.socket) -> bool:
    """Whether the server has ended it, or does in the next seconds, without a word."""
    with contextlib.suppress(ConnectionResetError):
        return connection.recv(1) == b""
    return True


def told(connection: socket.socket) -> m.Message:
    return decode(receive_frame(connection) or b"", messages_by_name())


def padded(size: int) -> bytes:
    """A request of this many bytes, in its frame."""
    return framed(encode(ASKED).ljust(size))


@pytest.mark.parametrize("sent", [b"", b"\x00", b"\x00\x00\x01\x00", b"\x00\x00\x01\x00{"], ids=range(4))
def test_whoever_falls_silent_before_a_message_is_whole_is_cut_off(
    folder: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(server, "PATIENCE_SECONDS", 0.2)
        with connected(folder) as silent:
            silent.sendall(sent)
            assert ended(silent)
    assert answers.callers == []
    assert SocketKernel(folder / "kernel.sock").send(ASKED) == m.Recorded(audit_index=1)


def test_whoever_sends_a_byte_at_a_time_is_cut_off_all_the_same(
    folder: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PATIENCE_SECONDS", 0.2)
    began = time.monotonic()
    with connected(folder) as slow, contextlib.suppress(ConnectionError):
        for byte in padded(SMALL_FRAME):
            slow.send(bytes([byte]))
            time.sleep(0.02)
    assert answers.callers == []
    assert time.monotonic() - began < 10


def test_whoever_was_answered_may_be_silent_for_longer_than_any_patience(
    folder: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PATIENCE_SECONDS", 0.5)
    kernel = SocketKernel(folder / "kernel.sock")
    kernel.send(ASKED)
    time.sleep(1)
    kernel.send(ASKED)
    assert len({caller.session for caller in answers.callers}) == 1


def test_a_stranger_sends_small_messages_only(folder: Path, answers: Answers) -> None:
    with connected(folder) as stranger:
        stranger.sendall(struct.pack(">I", SMALL_FRAME + 1))
        with pytest.raises(WireError, match=f"longer than the {SMALL_FRAME} bytes"):
            told(stranger)
        assert ended(stranger)
    answers.error = AccessRefused("no actor here")
    with connected(folder) as refused:
        refused.sendall(padded(SMALL_FRAME))
        with pytest.raises(AccessRefused):
            told(refused)
        refused.sendall(struct.pack(">I", SMALL_FRAME + 1))
        with pytest.raises(WireError, match=f"longer than the {SMALL_FRAME} bytes"):
            told(refused)
    answers.error = None
    with connected(folder) as known:
        for size in (SMALL_FRAME, SMALL_FRAME + 1, LARGEST_FRAME):
            known.sendall(padded(size))
            assert isinstance(told(known), m.Recorded)
        known.sendall(struct.pack(">I", LARGEST_FRAME + 1))
        with pytest.raises(WireError, match=f"longer than the {LARGEST_FRAME} bytes"):
            told(known)


def test_large_messages_of_one_user_take_turns_and_small_ones_do_not_wait(folder: Path, answers: Answers) -> None:
    SocketKernel(folder / "kernel.sock").send(ASKED)
    with connected(folder) as half, connected(folder) as whole, connected(folder) as small:
        half.sendall(padded(SMALL_FRAME + 1)[:-1])
        small.sendall(padded(100))
        told(small)
        whole.sendall(padded(SMALL_FRAME + 1))
        small.sendall(padded(100))
        told(small)
        assert not select.select([whole], [], [], 0.3)[0]
        half.close()
        assert isinstance(told(whole), m.Recorded)


def test_a_place_comes_back_where_no_thread_could_be_started(
    folder: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(socketserver.ThreadingMixIn, "process_request", fail)
        for _ in range(MOST_OF_ONE_USER + 1):
            with connected(folder) as unlucky:
                assert ended(unlucky)
    assert SocketKernel(folder / "kernel.sock").send(ASKED) == m.Recorded(audit_index=1)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that other users reach."""
    need(os.geteuid() == 0, "only root can connect as other users")
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


def test_many_connections_of_one_user_do_not_keep_another_out(open_folder: Path) -> None:
    path = open_folder / "kernel.sock"
    with (
        serving(MessageServer(path, {"IssueTicket": m.IssueTicket}, Answers())),
        contextlib.ExitStack() as held,
    ):
        for _ in range(MOST_OF_ONE_USER):
            held.enter_context(connected(open_folder, uid=12345))
        with pytest.raises(TooManyConnections):
            SocketKernel(path, act_as=12345).send(ASKED)
        assert SocketKernel(path, act_as=12346).send(ASKED) == m.Recorded(audit_index=1)


def test_where_all_places_are_taken_strangers_make_way_and_nobody_else(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 4)
    monkeypatch.setattr(server, "MOST_OF_ONE_USER", 2)
    path = open_folder / "kernel.sock"
    with (
        serving(MessageServer(path, {"IssueTicket": m.IssueTicket}, Answers())),
        contextlib.ExitStack() as held,
    ):
        strangers = [held.enter_context(connected(open_folder, uid=uid)) for uid in (21, 21, 22, 22)]
        known = [SocketKernel(path, act_as=uid) for uid in (31, 31, 32, 32)]
        for number, (kernel, stranger) in enumerate(zip(known, strangers, strict=True), start=1):
            assert kernel.send(ASKED) == m.Recorded(audit_index=number)
            assert ended(stranger)
        with connected(open_folder, uid=23) as late, pytest.raises(TooManyConnections, match="4 connections are open"):
            told(late)
        for kernel in known:
            kernel.send(ASKED)


def test_whoever_takes_no_answers_does_not_keep_a_server_from_stopping(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PATIENCE_SECONDS", 0.2)
    asked = framed(encode(ASKED))
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as greedy,
        serving(MessageServer(folder / "kernel.sock", {"IssueTicket": m.IssueTicket}, Answers())),
    ):
        greedy.connect(str(folder / "kernel.sock"))
        greedy.settimeout(1)
        with contextlib.suppress(OSError):
            for _ in range(100_000):
                greedy.sendall(asked)
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 10


def test_without_a_kernel_nothing_is_done_and_the_words_say_how_to_start_it(folder: Path) -> None:
    with pytest.raises(KernelUnavailable, match="secure-ml kernel"):
        SocketKernel(folder / "kernel.sock").send(ASKED)


def test_a_kernel_that_dies_is_told_and_one_that_came_back_is_found(folder: Path) -> None:
    kernel = SocketKernel(folder / "kernel.sock")
    with serving(MessageServer(folder / "kernel.sock", {"IssueTicket": m.IssueTicket}, Answers())):
        kernel.send(ASKED)
    assert not (folder / "kernel.sock").exists()
    with pytest.raises(KernelUnavailable):
        kernel.send(ASKED)
    with serving(MessageServer(folder / "kernel.sock", {"IssueTicket": m.IssueTicket}, Answers())):
        assert kernel.send(ASKED) == m.Recorded(audit_index=1)


def test_who_kept_a_connection_finds_a_kernel_that_was_started_again(folder: Path) -> None:
    kernel = SocketKernel(folder / "kernel.sock")
    for _ in range(3):
        with serving(MessageServer(folder / "kernel.sock", {"IssueTicket": m.IssueTicket}, Answers())):
            assert kernel.send(ASKED) == m.Recorded(audit_index=1)


def test_a_listener_that_does_not_own_the_folder_is_not_spoken_to(folder: Path, answers: Answers) -> None:
    need(os.geteuid() == 0, "only root can give a folder away")
    os.chown(folder, 12345, 12345)
    with pytest.raises(KernelUnavailable, match="not the owner"):
        SocketKernel(folder / "kernel.sock").send(ASKED)
    assert answers.callers == []


def test_a_folder_that_others_may_write_is_not_used_by_either_end(folder: Path, answers: Answers) -> None:
    folder.chmod(0o777)
    with pytest.raises(KernelUnavailable, match="others may write"):
        SocketKernel(folder / "kernel.sock").send(ASKED)
    with pytest.raises(StorageError, match="chmod 755"):
        MessageServer(folder / "other.sock", {}, Answers())


def test_a_second_kernel_on_the_same_path_is_refused_and_a_killed_ones_socket_replaced(
    folder: Path, answers: Answers
) -> None:
    with pytest.raises(StorageError, match="another process answers"):
        MessageServer(folder / "kernel.sock", {}, Answers())
    stale = folder / "stale.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(stale))
    with serving(MessageServer(stale, {"IssueTicket": m.IssueTicket}, Answers())):
        assert SocketKernel(stale).send(ASKED) == m.Recorded(audit_index=1)


def test_a_path_that_is_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="at most 107 bytes"):
        MessageServer(tmp_path / ("x" * 120), {}, Answers())


def test_the_door_works_over_the_socket_as_in_process(folder: Path, checked_project: SmallProject) -> None:
    core = checked_project.installation.core
    with serving(MessageServer(folder / "kernel.sock", core.requests, core.answer)):
        remote = checked_project.through(lambda kernel: SocketKernel(folder / "kernel.sock"))
        door = remote.door("remote")
        rows = door.open(Stage.RAW, "", by=Stage.MASKED).read()
        assert rows.equals(checked_project.door("local").open(Stage.RAW, "", by=Stage.MASKED).read())
        with pytest.raises(AccessRefused, match="may not read"):
            door.open(Stage.RAW, "", by=Stage.TRAINED)


def test_a_ticket_serves_one_connection(folder: Path, checked_project: SmallProject) -> None:
    core = checked_project.installation.core
    with serving(MessageServer(folder / "kernel.sock", core.requests, core.answer)):
        first = checked_project.through(lambda kernel: SocketKernel(folder / "kernel.sock"))
        door = first.door("victim")
        door.open(Stage.RAW, "", by=Stage.MASKED)
        ticket = door._ticket
        thief = SocketKernel(folder / "kernel.sock")
        where = {"ticket": ticket, "environment": "training", "project": "clinic"}
        with pytest.raises(AccessRefused, match="in use by another process"):
            thief.send(m.DescribeLineage.model_validate({**where, "version_ids": ()}))
    assert checked_project.log("lineage.read")[-1].outcome == "refused"


def test_what_a_process_began_to_write_is_abandoned_when_it_ends(folder: Path, checked_project: SmallProject) -> None:
    core, keys = checked_project.installation.core, checked_project.installation.keys
    with serving(MessageServer(folder / "kernel.sock", core.requests, core.answer, core.disconnected)):
        kernel = SocketKernel(folder / "kernel.sock")
        door = checked_project.through(lambda _: kernel).door("killed")
        begin = {"stage": Stage.MASKED, "partition": "", "categories": ("pii",), "sections": ("data",), "buckets": 1}
        begun = door.send(m.BeginWrite, m.WriteBegun, **begin)
        contexts = [KeyContext.parse(key_id) for key_id in begun.keys]
        assert keys.open_all(contexts)
        kernel._close()
        for _ in range(100):
            if checked_project.log("version.abandon"):
                break
            threading.Event().wait(0.05)
    (entry,) = checked_project.log("version.abandon")
    assert (entry.run_id, entry.details["error"]) == ("killed", "ProcessEnded")
    with pytest.raises(KeyDestroyed):
        keys.open_all(contexts)


def test_many_clients_at_once_each_get_their_own_answers(folder: Path, checked_project: SmallProject) -> None:
    core = checked_project.installation.core
    with serving(MessageServer(folder / "kernel.sock", core.requests, core.answer)):

        def read(index: int) -> int:
            remote = checked_project.through(lambda kernel: SocketKernel(folder / "kernel.sock"))
            return remote.door(f"run-{index}").open(Stage.RAW, "", by=Stage.MASKED).read().num_rows

        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(read, range(32))) == {60}
