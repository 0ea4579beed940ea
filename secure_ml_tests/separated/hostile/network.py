"""What a run tries to reach: other machines, and this machine's other services, by every way there is.

`main` is a process of its own, where no audit hook of the run's is in the way. Outside of a run it shows that each way
leads somewhere: `python -c "from …network import main; main()" '<json>'`.
"""

import ctypes
import errno
import json
import os
import socket
import struct
import subprocess
import sys
from typing import Any

from secure_ml_tests.separated.hostile import Run, during, outcome

_IO_URING_SETUP = 425
_X32_SOCKET = 0x40000000 | 41
_CANARY = b"Zorblax Quillfeather"


@during("masked")
def reach_in_python(run: Run) -> dict[str, object]:
    """Where the interpreter tells its audit hooks: the tripwire is there first."""
    host, port = run.told["network"]["addresses"][-1]
    elsewhere = ("192.0.2.1", 443)
    return {
        "connect": outcome(socket.create_connection, elsewhere, 1),
        "sendto": outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(_CANARY, elsewhere)),
        "look up": outcome(socket.getaddrinfo, "zorblax.invented.example", 443),
        "ctypes": outcome(lambda: ctypes.CDLL(None).connect),
        "here": outcome(socket.create_connection, (host, port), 1),
    }


@during("masked")
def reach_in_a_child(run: Run) -> Any:
    """Past all hooks."""
    program = f"from {__name__} import main; main()"
    command = [sys.executable, "-I", "-c", program, json.dumps(run.told["network"])]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return json.loads(ended.stdout) if ended.returncode == 0 else ended.stderr


def main() -> None:
    """Tries every way to what is told as JSON in the first argument, and prints what came of it."""
    told = json.loads(sys.argv[1])
    found: dict[str, object] = {}
    for host, port in told["addresses"]:
        where = f"{host}:{port}"
        found[f"tcp {where}"] = outcome(_connect, socket.AF_INET, (host, port))
        found[f"udp {where}"] = outcome(_send, host, port)
        found[f"c library {where}"] = outcome(_connect_by_ctypes, host, port)
        found[f"program {where}"] = _program(host, port)
        found[f"flight {where}"] = outcome(_flight, host, port)
    for name in told["abstract"]:
        found[f"abstract {name}"] = outcome(_connect, socket.AF_UNIX, "\0" + name)
    for path in told["paths"]:
        found[f"path {path}"] = outcome(_connect, socket.AF_UNIX, path)
    found["look up"] = outcome(socket.getaddrinfo, "zorblax.invented.example", 443)
    found["vsock"] = outcome(lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close())
    found["packet"] = outcome(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close())
    found["io_uring"] = _system_call(_IO_URING_SETUP, 1, ctypes.create_string_buffer(120))
    found["another abi"] = _system_call(_X32_SOCKET, int(socket.AF_VSOCK), int(socket.SOCK_STREAM), 0)
    found["another's network"] = outcome(_enter, "/proc/1/ns/net")
    print(json.dumps(found))  # noqa: T201 - its answer


def _connect(family: socket.AddressFamily, address: Any) -> str:
    with socket.socket(family, socket.SOCK_STREAM) as opened:
        opened.settimeout(3)
        opened.connect(address)
        opened.sendall(_CANARY)
    return "done"


def _send(host: str, port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.sendto(_CANARY, (host, port))
    return "done"


def _connect_by_ctypes(host: str, port: int) -> str:
    library = ctypes.CDLL(None, use_errno=True)
    opened = library.socket(int(socket.AF_INET), int(socket.SOCK_STREAM), 0)
    address = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), socket.inet_aton(host))
    return "done" if library.connect(opened, address, len(address)) == 0 else errno.errorcode[ctypes.get_errno()]


def _program(host: str, port: int) -> str:
    ended = subprocess.run(["bash", "-c", f"echo canary > /dev/tcp/{host}/{port}"], capture_output=True, timeout=10)
    return "refused" if ended.returncode else "done"


def _flight(host: str, port: int) -> str:
    import pyarrow.flight

    client = pyarrow.flight.FlightClient(f"grpc://{host}:{port}")
    list(client.list_flights(options=pyarrow.flight.FlightCallOptions(timeout=2)))
    return "done"


def _system_call(*arguments: Any) -> str:
    library = ctypes.CDLL(None, use_errno=True)
    return "done" if library.syscall(*arguments) >= 0 else errno.errorcode[ctypes.get_errno()]


def _enter(path: str) -> str:
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(path, os.O_RDONLY)
    return "done" if library.setns(descriptor, 0) == 0 else errno.errorcode[ctypes.get_errno()]
