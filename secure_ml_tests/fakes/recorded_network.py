"""A network that leads nowhere and tells of everything that a program sent into it.

In a namespace of its own every address leads to loopback, where nothing answers, and a recorder sees each packet: of
Python or native code, of this process or a child, look-ups and connections alike. Loopback itself is left out.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from secure_ml_tests.fakes.namespaces import namespace_command

NAMESERVER = "192.0.2.53"  # RFC 5737: nobody has it.

_EVERYWHERE = """
ip link set lo up
ip route add local default dev lo
ip -6 route add local default dev lo
mount --bind "$1" /etc/resolv.conf
shift
exec "$@"
"""
_RECORDER = r"""
import ipaddress, json, os, socket, struct, subprocess, sys, threading

def name_of(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("latin-1"))
        at += 1 + query[at]
    return ".".join(labels)

def read(packet):
    version = packet[14] >> 4
    if version == 4:
        destination = ipaddress.ip_address(packet[30:34])
        protocol, payload = packet[23], packet[14 + 4 * (packet[14] & 15) :]
    else:
        destination = ipaddress.ip_address(packet[38:54])
        protocol, payload = packet[20], packet[54:]
    if destination.is_loopback or protocol not in (6, 17):
        return
    port = struct.unpack_from(">H", payload, 2)[0]
    # What answers from an address that was tried is sent by this very machine: only who began counts.
    if protocol == 6 and payload[13] & 0x3F != 0x02:
        return
    told = {"to": str(destination), "port": port, "protocol": {6: "tcp", 17: "udp"}[protocol], "name": ""}
    if protocol == 17 and port == 53:
        told["name"] = name_of(payload[8:])
    yield told

found = []
def record(tap):
    while True:
        packet, source = tap.recvfrom(65535)
        if source[2] == 4:  # PACKET_OUTGOING: each packet of loopback is seen twice
            found.extend(read(packet))

tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
tap.bind(("lo", 0))
threading.Thread(target=record, args=(tap,), daemon=True).start()
where, *command = sys.argv[1:]
code = subprocess.run(command).returncode
threading.Event().wait(0.5)
with open(where, "w") as file:
    json.dump(found, file)
sys.exit(code)
"""


@dataclass(frozen=True)
class Sent:
    """One packet that began something.

    Attributes:
        to: the address.
        port: the port.
        protocol: `tcp` or `udp`.
        name: for a look-up, what was asked for.
    """

    to: str
    port: int
    protocol: str
    name: str


@dataclass(frozen=True)
class Recorded:
    """What a command came to, and all that it sent."""

    exit_code: int
    output: str
    sent: tuple[Sent, ...]


def record_network(
    folder: Path, command: list[str], environ: Mapping[str, str], *, cwd: Path, timeout: float
) -> Recorded:
    """Runs a command in the recorded network.

    Args:
        folder: for the recorder's files.
        command: the command.
        environ: its environment.
        cwd: its working directory.
        timeout: seconds.
    """
    resolver, found = folder / "resolv.conf", folder / "sent.json"
    resolver.write_text(f"nameserver {NAMESERVER}\noptions timeout:1 attempts:1\n", encoding="utf-8")
    recorder = [sys.executable, "-I", "-c", _RECORDER, str(found)]
    ended = subprocess.run(
        namespace_command(_EVERYWHERE, resolver, *recorder, *command),
        env=dict(environ),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    )
    assert found.exists(), ended.stdout
    sent = tuple(Sent(**told) for told in json.loads(found.read_text(encoding="utf-8")))
    return Recorded(ended.returncode, ended.stdout, sent)
