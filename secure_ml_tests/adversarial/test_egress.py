"""Code that wants out: what the tripwire stops, what passes by it, and that a network namespace stops all of it.

Everything happens in a namespace where one machine elsewhere seems to exist: its address, 192.0.2.1, leads to loopback.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_ml_tests.fakes.namespaces import namespace_command

Act = Callable[[], None]

_ELSEWHERE = """
ip link set lo up
ip route add local 192.0.2.0/24 dev lo
mount --bind "$1" /etc/resolv.conf
mount --bind "$2" /etc/hosts
shift 2
exec "$@"
"""
_SERVER = """
import json, socket, subprocess, sys, threading
reached = set()
def tcp(server):
    while True:
        client, _ = server.accept()
        reached.add(server.getsockname()[1])
        client.close()
def udp(opened):
    while True:
        opened.recvfrom(4096)
        reached.add(opened.getsockname()[1])
for port in range(4001, 4011):
    threading.Thread(target=tcp, args=(socket.create_server(("192.0.2.1", port)),), daemon=True).start()
for port in (53, 4001, 4002):
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(("192.0.2.1", port))
    threading.Thread(target=udp, args=(opened,), daemon=True).start()
ended = subprocess.run(sys.argv[1:], capture_output=True, text=True)
json.dump({"reached": sorted(reached), "said": ended.stdout, "failed": ended.stderr}, sys.stdout)
"""


def python_connect() -> None:
    import socket

    socket.create_connection(("192.0.2.1", 4001), 1).close()


def python_sendto() -> None:
    import socket

    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"9876 5432 1098", ("192.0.2.1", 4002))


def c_library_by_ctypes() -> None:
    import ctypes
    import socket
    import struct

    opened = socket.socket()
    address = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(4003), socket.inet_aton("192.0.2.1"))
    ctypes.CDLL(None).connect(opened.fileno(), address, len(address))


def tool() -> None:
    import subprocess

    subprocess.run(["curl", "--silent", "--max-time", "1", "http://192.0.2.1:4004"], check=False)


def look_up() -> None:
    import socket

    socket.getaddrinfo("9876-5432-1098.looked-up.example", 80)


def c_library_by_cffi() -> None:
    import socket
    import struct

    import cffi

    ffi = cffi.FFI()
    ffi.cdef("int connect(int, const char *, unsigned int);")
    opened = socket.socket()
    address = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(4005), socket.inet_aton("192.0.2.1"))
    ffi.dlopen(None).connect(opened.fileno(), address, len(address))


def child() -> None:
    import subprocess
    import sys

    program = "import socket; socket.create_connection(('192.0.2.1', 4006), 1)"
    subprocess.run([sys.executable, "-c", program], check=False, stderr=subprocess.DEVNULL)


def arrow_flight() -> None:
    import pyarrow.flight

    pyarrow.flight.FlightClient("grpc://192.0.2.1:4007").wait_for_available(timeout=1)


def name_given_to_connect() -> None:
    import socket

    opened = socket.socket()
    opened.settimeout(1)
    opened.connect(("9876-5432-1098.connected.example", 80))


def declared() -> None:
    import socket

    socket.create_connection(("declared.example", 4008), 1).close()


def neighbour_of_a_declared_port() -> None:
    import socket

    socket.create_connection(("declared.example", 4009), 1).close()


STOPPED: dict[Act, int] = {
    python_connect: 4001,
    python_sendto: 4002,
    c_library_by_ctypes: 4003,
    look_up: 53,
}
PASSING: dict[Act, int] = {
    c_library_by_cffi: 4005,
    child: 4006,
    arrow_flight: 4007,
    name_given_to_connect: 53,
}
EVERY = STOPPED | PASSING
PORTS = EVERY | {tool: 4004, declared: 4008, neighbour_of_a_declared_port: 4009}


def attempt(act: Act, tmp_path: Path, *, guarded: bool, boundary: bool) -> tuple[bool, dict[str, object]]:
    """Runs one function as a program of its own: whether the machine elsewhere heard of it, and what the program said.

    Args:
        act: the function.
        tmp_path: for the files of the namespace.
        guarded: whether the tripwire is on, with port 4008 of declared.example allowed.
        boundary: whether the program is in a network namespace of its own, beside the machine elsewhere.
    """
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.1\noptions timeout:1 attempts:1\n")
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n192.0.2.1 declared.example\n")
    guard = (
        "tripwire(allowed=[Destination('declared.example', 4008)], report=told.append)" if guarded else "nullcontext()"
    )
    program = f"""
import json, sys
from contextlib import nullcontext
from secure_ml.guard.egress import Destination, network_boundary, tripwire
{_source(act)}
told, said = [], {{"boundary": network_boundary(), "error": ""}}
with {guard}:
    try:
        {act.__name__}()
    except Exception as error:
        said["error"] = type(error).__name__
said["told"] = [[attempt.kind, attempt.port] for attempt in told]
json.dump(said, sys.stdout)
"""
    inner = [*(["unshare", "-n"] if boundary else []), sys.executable, "-c", program]
    files = tmp_path / "resolv.conf", tmp_path / "hosts"
    command = namespace_command(_ELSEWHERE, *files, sys.executable, "-c", _SERVER, *inner)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["said"], found["failed"]
    return PORTS[act] in found["reached"], json.loads(found["said"])


def _source(act: Act) -> str:
    text = Path(__file__).read_text(encoding="utf-8")
    (found,) = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef) and n.name == act.__name__]
    return ast.unparse(found)


@pytest.mark.parametrize("act", EVERY, ids=lambda act: act.__name__)
def test_without_guard_and_boundary_it_gets_out(act: Act, tmp_path: Path) -> None:
    reached, _ = attempt(act, tmp_path, guarded=False, boundary=False)
    assert reached


@pytest.mark.parametrize("act", STOPPED, ids=lambda act: act.__name__)
def test_the_tripwire_stops_and_tells(act: Act, tmp_path: Path) -> None:
    reached, said = attempt(act, tmp_path, guarded=True, boundary=False)
    assert (reached, said["error"]) == (False, "EgressRefused")
    assert len(said["told"]) == 1


@pytest.mark.parametrize("act", PASSING, ids=lambda act: act.__name__)
def test_these_pass_by_the_tripwire_as_its_module_says(act: Act, tmp_path: Path) -> None:
    reached, _ = attempt(act, tmp_path, guarded=True, boundary=False)
    assert reached


@pytest.mark.parametrize("act", EVERY, ids=lambda act: act.__name__)
def test_a_network_namespace_stops_all_of_it_without_the_tripwire(act: Act, tmp_path: Path) -> None:
    reached, said = attempt(act, tmp_path, guarded=False, boundary=True)
    assert (reached, said["boundary"]) == (False, "namespace")


def test_a_program_of_the_network_is_stopped_before_it_starts(tmp_path: Path) -> None:
    reached, said = attempt(tool, tmp_path, guarded=True, boundary=False)
    assert (reached, said["error"], said["told"]) == (False, "EgressRefused", [["program", None]])


def test_a_declared_destination_is_reached_by_the_address_of_its_name(tmp_path: Path) -> None:
    reached, said = attempt(declared, tmp_path, guarded=True, boundary=False)
    assert (reached, said["error"], said["told"]) == (True, "", [])


def test_another_port_of_a_declared_destination_is_not(tmp_path: Path) -> None:
    reached, said = attempt(neighbour_of_a_declared_port, tmp_path, guarded=True, boundary=False)
    assert (reached, said["error"], said["told"]) == (False, "EgressRefused", [["connect", 4009]])


def test_a_second_interface_is_no_boundary() -> None:
    told = f"{sys.executable} -c 'from secure_ml.guard.egress import network_boundary; print(network_boundary())'"
    pair = "ip link add one type veth peer name two"
    command = namespace_command(f"{told}; ip link set lo up; {pair}; {told}; ip link set one up; {told}")
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.stdout.split() == ["namespace", "namespace", "none"], ended.stderr
