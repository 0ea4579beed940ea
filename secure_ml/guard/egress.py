"""The egress tripwire: what Python code of a run tries to send elsewhere is refused and told.

Belongs here: what counts as leaving, the audit hook, whether there is a boundary. Must stay out: the log (a port, see
`Report`), and which destinations a project needs.

It is a tripwire, not a wall. It sees what the interpreter announces (PEP 578): sockets, look-ups, programs that are
started, symbols that ctypes asks for. It does not see native code that opens a socket of its own (Arrow Flight, gRPC,
drivers of databases), the inside of a program that was started, or the look-up of a name that is given straight to
`connect`; and code of the same process can take it apart. What stops all of that is a network namespace or a network
policy; `network_boundary` tells whether this process is in a namespace.
"""

import errno
import functools
import ipaddress
import json
import os
import re
import socket
import struct
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlsplit

AttemptKind = Literal["connect", "send", "listen", "look_up", "program", "symbol"]
Boundary = Literal["namespace", "none"]

ATTEMPTS_REPORTED = 100
"""Different attempts of one run that are told. A loop must not fill the log; all are refused."""

NETWORK_PROGRAMS = frozenset(
    {
        "curl", "dig", "ftp", "nc", "ncat", "netcat", "nslookup", "ping", "rsync", "scp", "sftp", "socat", "ssh",
        "telnet", "wget",
    }
)  # fmt: skip
"""Programs that are there to reach other machines; no stage has a use for one."""

NETWORK_SYMBOLS = frozenset(
    {
        "connect", "getaddrinfo", "gethostbyname", "gethostbyname2", "gethostbyname_r", "io_uring_setup", "res_query",
        "res_search", "sendmmsg", "sendmsg", "sendto", "syscall",
    }
)  # fmt: skip
"""Functions of the C library that reach other machines, as ctypes would ask for them."""

_SHELL_BREAKS = re.compile(r"[\s;|&(){}<>`$\"'\\]+")
_SHELLS = frozenset({"ash", "bash", "dash", "ksh", "sh", "zsh"})
_LONGEST_HOST = 255
_IFF_UP, _IFF_LOOPBACK = 0x1, 0x8
_SIOCGIFFLAGS = 0x8913


class EgressRefused(Exception):
    """Code of a run tried to reach another machine."""


@dataclass(frozen=True)
class Destination:
    """Where a run may connect to.

    Attributes:
        host: a name or an address.
        port: its port; None for any.
    """

    host: str
    port: int | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", _text(self.host))

    @classmethod
    def of_url(cls, url: str) -> "Destination | None":
        """The destination of a URL; None for one that leads nowhere: that of a file, or one that is wrong."""
        try:
            parts = urlsplit(url)
            return cls(parts.hostname, parts.port) if parts.hostname else None
        except ValueError:
            return None


@dataclass(frozen=True)
class Attempt:
    """What was tried.

    Attributes:
        kind: how.
        host: the name or address; for `program` and `symbol`, what was asked for. It may carry data: never log it.
        port: the port, where there is one.
    """

    kind: AttemptKind
    host: str = field(repr=False)
    port: int | None = None


Report = Callable[[Attempt], None]
"""Told of each attempt that is not allowed, before it is refused. What it raises is what the code of the run gets."""


def network_boundary() -> Boundary:
    """Whether this process reaches other machines at all.

    Returns:
        `namespace` where no interface but loopback is up; `none` where there is one, or where the system cannot tell. A
        network policy outside of this machine is not seen from here.
    """
    if not sys.platform.startswith("linux"):
        return "none"
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            answer = fcntl.ioctl(probe.fileno(), _SIOCGIFFLAGS, struct.pack("256s", name.encode()))
            flags: int = struct.unpack_from("H", answer, 16)[0]
            if flags & _IFF_UP and not flags & _IFF_LOOPBACK:
                return "none"
    return "namespace"


@contextmanager
def tripwire(*, allowed: Collection[Destination], report: Report) -> Iterator[None]:
    """Until the block ends, this process and what it forks reach loopback, Unix sockets and `allowed` only.

    Blocks that overlap do not loosen each other: what leaves must be allowed by each of them.

    Args:
        allowed: what the run has a declared use for.
        report: see `Report`. What forked children try is reported when the block ends.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    scope = _Scope(frozenset(allowed), report, os.getpid(), writing)
    leave = _hook()(scope)
    try:
        yield
    finally:
        leave()
        os.close(writing)
        with os.fdopen(reading, "rb") as told:
            os.set_blocking(reading, False)
            for attempt in _read_children(told.read() or b""):
                scope.tell(attempt)


class _Scope:
    """One block: what it allows, and what has been told of it."""

    def __init__(self, allowed: frozenset[Destination], report: Report, process: int, writing: int) -> None:
        self._allowed, self._report, self._process, self._writing = allowed, report, process, writing
        self._addresses: set[tuple[str, str]] = set()
        self._told: set[Attempt] = set()
        self._reporting = threading.local()

    def note(self, host: str, address: str) -> None:
        """A name was looked up, and this is one of its addresses."""
        if any(host == destination.host for destination in self._allowed):
            self._addresses.add((host, address))

    def allows(self, attempt: Attempt) -> bool:
        """Whether a destination of this block is what the attempt is for."""
        if attempt.kind == "look_up":
            return any(attempt.host == destination.host for destination in self._allowed)
        if attempt.kind not in ("connect", "send"):
            return False
        names = {attempt.host} | {host for host, address in self._addresses if address == attempt.host}
        return any(d.host in names and d.port in (None, attempt.port) for d in self._allowed)

    def tell(self, attempt: Attempt) -> None:
        """Reports an attempt once."""
        if attempt in self._told or len(self._told) >= ATTEMPTS_REPORTED:
            return
        self._told.add(attempt)
        if os.getpid() != self._process:
            self._tell_parent(attempt)
        # A report that itself reaches out is refused like anything else, and reports nothing more.
        elif not getattr(self._reporting, "busy", False):
            self._reporting.busy = True
            try:
                self._report(attempt)
            finally:
                self._reporting.busy = False

    def _tell_parent(self, attempt: Attempt) -> None:
        """A forked child has its parent's connections to log and kernel, and may use none of them."""
        line = json.dumps([attempt.kind, attempt.host, attempt.port]) + "\n"
        try:
            os.write(self._writing, line.encode())
        except OSError as error:
            # The parent is gone, or a child has filled the pipe with what it tried before: there is nobody to tell.
            if error.errno not in {errno.EPIPE, errno.EAGAIN, errno.EBADF}:
                raise


def _read_children(told: bytes) -> Iterator[Attempt]:
    for line in told.splitlines():
        kind, host, port = json.loads(line)
        yield Attempt(kind, host, port)


@functools.cache
def _hook() -> Callable[[_Scope], Callable[[], None]]:
    """Adds the hook, once a process: it can never be removed. What it returns opens a block and gives its end."""
    scopes: list[_Scope] = []
    judges: Mapping[str, Callable[..., Attempt | None]] = MappingProxyType(_JUDGES)

    def enter(scope: _Scope) -> Callable[[], None]:
        scopes.append(scope)
        return lambda: scopes.remove(scope)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if not scopes or (judge := judges.get(event)) is None:
            return
        attempt = judge(*arguments)
        if attempt is None:
            return
        refusing = [scope for scope in scopes if not scope.allows(attempt)]
        for scope in refusing:
            scope.tell(attempt)
        if refusing:
            raise EgressRefused(_words(attempt))

    look_up = socket.getaddrinfo

    @functools.wraps(look_up)
    def noted(host: Any, *arguments: Any, **named: Any) -> Any:
        found = look_up(host, *arguments, **named)
        for scope in scopes:
            for entry in found:
                scope.note(_text(host), str(entry[4][0]))
        return found

    # A connection goes to an address; only here is it seen which name the address stands for.
    socket.getaddrinfo = noted
    sys.addaudithook(hook)
    return enter


def _words(attempt: Attempt) -> str:
    told = {
        "connect": "connect to another machine",
        "send": "send to another machine",
        "listen": "listen to other machines",
        "look_up": "look up the name of another machine",
        "program": "start a program that reaches other machines",
        "symbol": "reach other machines through the C library",
    }[attempt.kind]
    port = "" if attempt.port is None else f" (port {attempt.port})"
    return f"code of this run tried to {told}{port}; it was refused, and the log has it: find out what asked for it"


def _text(host: object) -> str:
    """A host as it is compared: a name in lower case, an address in its shortest form and without a zone."""
    if isinstance(host, bytes | bytearray):
        host = bytes(host).decode("utf-8", "replace")
    text = str(host or "").partition("%")[0].lower()
    return str(_address(text) or text)[:_LONGEST_HOST]


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def _is_here(host: str, *, unspecified: bool) -> bool:
    """Whether a host is this machine by its form alone; `unspecified`: whether 0.0.0.0 is (to a client it is)."""
    address = _address(host)
    if address is None:
        return host == "localhost" or (unspecified and host == "")
    return address.is_loopback or (unspecified and address.is_unspecified)


def _to(kind: AttemptKind) -> Callable[..., Attempt | None]:
    def judge(opened: socket.socket, address: Any) -> Attempt | None:
        if address is None or opened.family == socket.AF_UNIX:
            return None
        # Any other family reaches past this process's own network stack: packets, virtual machines, Bluetooth.
        if opened.family not in (socket.AF_INET, socket.AF_INET6):
            return Attempt(kind, "")
        host, port = _text(address[0]), int(address[1])
        return None if _is_here(host, unspecified=kind != "listen") else Attempt(kind, host, port)

    return judge


def _look_up(host: object, *_: object) -> Attempt | None:
    name = _text(host)
    return None if _is_here(name, unspecified=True) or _address(name) is not None else Attempt("look_up", name)


def _look_up_address(where: object, *_: object) -> Attempt | None:
    name = _text(where[0] if isinstance(where, tuple) else where)
    return None if _is_here(name, unspecified=True) else Attempt("look_up", name)


def _program(path: object, arguments: object = (), *_: object) -> Attempt | None:
    words = [_word(word) for word in arguments] if isinstance(arguments, list | tuple) else [_word(arguments)]
    started = {PurePath(_word(path)).name, *(PurePath(word).name for word in words[:1])}
    if started & _SHELLS:
        started |= {PurePath(word).name for text in words[1:] for word in _SHELL_BREAKS.split(text)}
    found = sorted(started & NETWORK_PROGRAMS)
    return Attempt("program", found[0]) if found else None


def _shell(command: object) -> Attempt | None:
    return _program("sh", ["sh", "-c", command])


def _word(part: object) -> str:
    return os.fsdecode(part) if isinstance(part, str | bytes | os.PathLike) else ""


def _symbol(_library: object, name: object, *_: object) -> Attempt | None:
    return Attempt("symbol", name) if isinstance(name, str) and name in NETWORK_SYMBOLS else None


_JUDGES: Mapping[str, Callable[..., Attempt | None]] = {
    "socket.connect": _to("connect"),
    "socket.sendto": _to("send"),
    "socket.sendmsg": _to("send"),
    "socket.bind": _to("listen"),
    "socket.getaddrinfo": _look_up,
    "socket.gethostbyname": _look_up,
    "socket.gethostbyaddr": _look_up_address,
    "socket.getnameinfo": _look_up_address,
    "subprocess.Popen": _program,
    "os.exec": _program,
    "os.posix_spawn": _program,
    "os.system": _shell,
    "ctypes.dlsym": _symbol,
    "ctypes.dlsym/handle": _symbol,
}
