"""What a run tries on its machine: files, processes, rights, and the terminal of whoever started it."""

import ctypes
import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from secure_ml_tests.separated.hostile import HOME, Run, during, outcome

_PTRACE_ATTACH = 16
_TIOCSTI = 0x5412


@during("masked")
def read(run: Run) -> dict[str, object]:
    return {place: outcome(_some_of, Path(place)) for place in run.told["secret"]}


@during("masked")
def write(run: Run) -> dict[str, object]:
    return {place: outcome(_open_to_write, Path(place)) for place in run.told["foreign"]}


def _some_of(path: Path) -> object:
    if path.is_dir() or path.name == "fd":
        return os.listdir(path)
    with path.open("rb") as file:
        return repr(file.read(16))


def _open_to_write(path: Path) -> str:
    if path.is_dir():
        (path / "planted.py").write_text("planted", encoding="utf-8")
    else:
        path.open("ab").close()
    return "done"


@during("masked")
@during("split")
def source(run: Run) -> list[str]:
    """What lies where the project's policy and table are."""
    return sorted(os.listdir(run.told["project"]))


@during("masked")
def processes(run: Run) -> dict[str, int]:
    """User of each process that is in view."""
    return {pid: Path("/proc", pid).stat().st_uid for pid in os.listdir("/proc") if pid.isdigit()}


@during("masked")
def worker(run: Run) -> dict[str, object]:
    """It hears of every ticket of its runs. To end it is to end oneself, and is not tried."""
    return look_into(os.getppid(), signals=False)


@during("masked")
def keeper(run: Run) -> dict[str, object]:
    """Who keeps the namespace, and who sees to it that nothing outlives it."""
    return look_into(1)


def look_into(pid: int, *, signals: bool = True) -> dict[str, object]:
    """What a process says to everything by which its memory or its descriptors could be had."""
    library = ctypes.CDLL(None, use_errno=True)
    library.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    found: dict[str, object] = {
        name: outcome(lambda name=name: _some_of(Path(f"/proc/{pid}", name)))
        for name in ("mem", "environ", "maps", "fd")
    }
    found["ptrace"] = _said(library.ptrace(_PTRACE_ATTACH, pid, None, None))
    read = ctypes.create_string_buffer(16)
    here, there = _Vector(ctypes.addressof(read), 16), _Vector(4096, 16)
    found["process_vm_readv"] = _said(library.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))
    found["pidfd_getfd"] = outcome(lambda: _said(library.pidfd_getfd(os.pidfd_open(pid), 0, 0)))
    if signals:
        found["kill"] = outcome(os.kill, pid, signal.SIGTERM)
    return found


class _Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def _said(result: int) -> str:
    return "done" if result >= 0 else errno.errorcode[ctypes.get_errno()]


@during("masked")
def leave_something_running(run: Run) -> str:
    """A process that would outlive its run, and take up the ticket of the next from Dagster's records."""
    beat = "import sys, time\nwhile True: open(sys.argv[1], 'w').write(str(time.time())); time.sleep(0.05)"
    subprocess.Popen([sys.executable, "-I", "-c", beat, str(HOME / "beat")], start_new_session=True)
    while not (HOME / "beat").exists():
        time.sleep(0.05)
    return "started"


@during("split")
def what_was_left_running(run: Run) -> float:
    """Seconds since it last gave a sign."""
    return time.time() - (HOME / "beat").stat().st_mtime


@during("masked")
def rights(run: Run) -> dict[str, str]:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    wanted = ("Uid", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines) if name in wanted}


@during("masked")
def become_another(run: Run) -> dict[str, str]:
    as_root = ["id", "-u"]
    commands = {
        "sudo": ["sudo", "-n", *as_root],
        "su": ["su", "-c", "id -u"],
        "mount": ["mount", "-t", "tmpfs", "none", str(HOME / "tmp")],
        "nsenter": ["nsenter", "--net=/proc/1/ns/net", *as_root],
        # Root of a namespace of its own is root of nothing outside of it.
        "unshare": ["unshare", "--user", "--map-root-user", "cat", run.told["secret"][0]],
        "chroot": ["unshare", "--user", "--map-root-user", "chroot", "/proc/1/root", "cat", run.told["secret"][0]],
        "umount": ["unshare", "--user", "--map-root-user", "--mount", "umount", "/tmp"],
    }
    return {name: _came_to(command) for name, command in commands.items()}


def _came_to(command: list[str]) -> str:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        return "not there"
    return "refused" if ended.returncode else f"done: {ended.stdout}"


@during("masked")
def terminal(run: Run) -> dict[str, object]:
    """Descriptors that lead to one, whether one can be opened, and whether it takes what nobody typed."""
    descriptors = [int(name) for name in os.listdir("/proc/self/fd")]
    return {
        "held": [number for number in descriptors if outcome(os.isatty, number) is True],
        "opened": outcome(os.open, "/dev/tty", os.O_RDWR),
        "typed": [outcome(fcntl.ioctl, number, _TIOCSTI, b"x") for number in descriptors],
    }
