"""Confinement: what the processes of runs can reach at all, whatever their code tries.

Belongs here: the view of the machine that they get, the user that they become, the sockets that they may open. Must
stay out: which run it is, and its ticket (launcher).

A network namespace alone is no wall. Sockets of the host's services are files: over D-Bus's or systemd-resolved's a
name is looked up with the host's own network, and a name can carry data. A socket to the hypervisor (vsock(7)) belongs
to no namespace, and a terminal that is handed down takes input as if its person had typed it (TIOCSTI). So the view is
a list of what is there, made by bubblewrap; the session is a new one; and a filter of system calls (seccomp(2)) leaves
the families of sockets that a run has a use for.
"""

import ctypes
import errno
import os
import platform
import pwd
import resource
import shutil
import socket
import struct
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from secure_ml.orchestration.runs import RunError
from secure_ml.posture import CONFINEMENT

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/sys/devices/system/cpu")

# Of linux/audit.h and asm/unistd.h: the architecture, and the number of socket(2).
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_IO_URING_SETUP = 425
_ANOTHER_ABI = 0x40000000
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
"""Of these, in a namespace of their own, only AF_UNIX leads to anybody else: to the sockets that are in view."""

# Of linux/bpf_common.h, linux/filter.h and linux/seccomp.h.
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16

_PR_SET_DUMPABLE = 4


def keep_memory_private() -> None:
    """This process can be neither traced nor read by another of its user, and leaves no image of its memory behind.

    What it forks inherits that; what it executes does not (prctl(2)).
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


@contextmanager
def confined(
    user: pwd.struct_passwd, *, readable: Collection[Path], writable: Collection[Path], hidden: Collection[Path] = ()
) -> Iterator[tuple[list[str], int]]:
    """What a command is put behind so that it runs confined, and a descriptor that it must be handed (`pass_fds`).

    It is the first process of a namespace, but for the one that keeps it; runs as `user`, without capabilities or a way
    to any; and has no terminal. The namespace ends with it, and with whoever started it. It sees the system's programs,
    `/etc`, how many processors there are, devices that are nobody's, folders for temporary files of its own, and what
    is named here.

    Args:
        user: becomes the command's user.
        readable: folders and files in view.
        writable: folders in view where the user's own rights decide.
        hidden: folders that are empty where they would be in view; what lies deeper and is named above is there.

    Raises:
        RunError: a tool is missing, or the machine is of a kind whose system calls are not known here.
    """
    for tool, package in CONFINEMENT.items():
        if shutil.which(tool) is None:
            raise RunError(f"{tool} not found: install {package}")
    descriptor = os.memfd_create("socket-filter")
    try:
        os.write(descriptor, socket_filter(platform.machine()))
        os.lseek(descriptor, 0, os.SEEK_SET)
        ways = [option for path in _ways_to({*readable, *writable}) for option in ("--perms", "0755", "--dir", path)]
        mounts = _mounts(readable=readable, writable=writable, hidden=hidden)
        namespaces = ["--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
        system = [option for path in _SYSTEM for option in ("--ro-bind-try", path, path)]
        own = ["--proc", "/proc", "--dev", "/dev"]
        for folder in ("/dev/shm", "/tmp", "/var/tmp"):  # noqa: S108 - mounted empty, for this command alone
            own += ["--perms", "1777", "--tmpfs", folder]
        ends = ["--die-with-parent", "--new-session", "--seccomp", str(descriptor)]
        who = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"]
        rights = ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        view = [*system, *own, *ways, *mounts]
        yield ["bwrap", *namespaces, *view, *ends, "--", "setpriv", *who, *rights, "--"], descriptor
    finally:
        os.close(descriptor)


def socket_filter(machine: str) -> bytes:
    """The program, for classic BPF: sockets of the families above and no others, and no other way to get one.

    Args:
        machine: as `uname -m` says.

    Raises:
        RunError: it is not known which number its system calls have.
    """
    if machine not in _MACHINES:
        raise RunError(f"runs are confined on {' and '.join(_MACHINES)} machines; this one is {machine}")
    architecture, socket_call = _MACHINES[machine]
    unknown, refused = _REFUSE | errno.ENOSYS, _REFUSE | errno.EAFNOSUPPORT
    return b"".join(
        [
            # Each test skips the return that follows it, or does not. Calls of another architecture have other numbers.
            *(_load(_ARCHITECTURE), _test(_EQUAL, architecture, skip_if=True), _return(unknown)),
            *(_load(_NUMBER), _test(_AT_LEAST, _ANOTHER_ABI, skip_if=False), _return(unknown)),
            # Its rings open sockets past this filter.
            *(_test(_EQUAL, _IO_URING_SETUP, skip_if=False), _return(unknown)),
            *(_test(_EQUAL, socket_call, skip_if=True), _return(_ALLOW)),
            _load(_FIRST_ARGUMENT),
            *(part for family in _FAMILIES for part in (_test(_EQUAL, family, skip_if=False), _return(_ALLOW))),
            _return(refused),
        ]
    )


def _load(offset: int) -> bytes:
    return struct.pack("=HBBI", _LOAD, 0, 0, offset)


def _test(kind: int, value: int, *, skip_if: bool) -> bytes:
    return struct.pack("=HBBI", kind, int(skip_if), int(not skip_if), value)


def _return(value: int) -> bytes:
    return struct.pack("=HBBI", _RETURN, 0, 0, value)


def _mounts(*, readable: Collection[Path], writable: Collection[Path], hidden: Collection[Path]) -> list[str]:
    """What lies inside another comes after it, or it would be covered. The whole machine is no view."""
    shown = [Path(path) for path in _SYSTEM] + [*readable, *writable]
    covered = {path for path in hidden if any(path.is_relative_to(place) for place in shown)}
    made = [(path, ["--ro-bind", str(path), str(path)]) for path in readable]
    made += [(path, ["--bind", str(path), str(path)]) for path in writable]
    made += [(path, ["--tmpfs", str(path)]) for path in covered]
    return [
        option
        for path, options in sorted(made, key=lambda mount: len(mount[0].parts))
        if path != Path("/")
        for option in options
    ]


def _ways_to(paths: Collection[Path]) -> list[str]:
    """The folders that lead there, of which nothing else is seen."""
    found = {parent for path in paths for parent in path.parents} - {Path("/")}
    return [str(path) for path in sorted(found, key=lambda path: len(path.parts))]
