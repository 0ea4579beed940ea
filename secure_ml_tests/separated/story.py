"""The story that most tests of this folder look at: a project with hostile code is run, once a session.

Belongs here: what happens, and a record of it. Must stay out: what it should have come to (the tests say).
"""

import contextlib
import fcntl
import json
import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from secure_ml_tests.fakes.separated import KERNEL_USER, PERSON, RUN_USER, Separated, separated, whole_way

_PLANTED = "from secure_ml_tests.separated.hostile import plant\nplant()\n"
_REACH = "from secure_ml_tests.separated.hostile.network import main; main()"
_READ_AND_WRITE = """
import json, sys
from types import SimpleNamespace
from secure_ml_tests.separated.hostile import machine
told = json.loads(sys.argv[1])
run = SimpleNamespace(told=told)
looked = {name: machine.look_into(pid) for name, pid in told["processes"].items()}
print(json.dumps({"read": machine.read(run), "write": machine.write(run), "looked": looked}))
"""
_VERIFY = """
import json, os
from secure_ml.installation import open_whole
whole = open_whole(os.environ, unfinished=lambda error: None)
verified = whole.log.verify(earlier_checkpoint=None)
heads = {str(head.address): head.version_id for head in whole.versions.all_heads()}
spent = str(whole.ledger.spent("training/clinic").epsilon)
print(json.dumps({"entries": verified.size, "heads": heads, "spent": spent}))
"""


@dataclass(frozen=True)
class Story:
    """What a run with hostile code came to.

    Attributes:
        code: exit code of `secure-ml run`.
        shown: what its terminal showed.
        masked: what each try came to during `masked`.
        split: what each try came to during `split`.
        reached: which of this machine's listeners something of the run reached.
        outside: the same tries to reach them by the same user outside of a run, and to read and write files.
        reached_outside: which listeners were reached then.
        status: what `secure-ml status` says afterwards.
        log: the audit log.
        verified: what the kernel's user finds: entries, heads, budget spent.
        uid: user id of the runs' user.
    """

    code: int
    shown: str
    masked: dict[str, Any]
    split: dict[str, Any]
    reached: list[str]
    outside: dict[str, Any]
    reached_outside: list[str]
    status: dict[str, Any]
    log: list[dict[str, Any]]
    verified: dict[str, Any]
    uid: int


def shared_story(folder: Path) -> Story:
    """The story of this test session: the first worker that asks makes it, the others wait for it."""
    folder.mkdir(exist_ok=True)
    record = folder / "story.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            record.with_suffix(".partial").write_text(json.dumps(_told()), encoding="utf-8")
            record.with_suffix(".partial").rename(record)
    return Story(**json.loads(record.read_text(encoding="utf-8")))


def _told() -> dict[str, Any]:
    with separated(change=whole_way, started=False) as made, _listening(made.root) as listeners:
        (made.tree / "secure_ml" / "defs" / "addition.py").write_text(_PLANTED, encoding="utf-8")
        made.start()
        told = {**_places(made), "project": str(made.projects / "clinic"), "network": listeners.told()}
        (made.home / "told.json").write_text(json.dumps(told), encoding="utf-8")
        (made.home / "told.json").chmod(0o644)
        code, shown = made.secure_ml_at_a_terminal("run", "clinic")
        reached = listeners.taken()
        story = {"code": code, "shown": shown.decode("utf-8", "replace"), "reached": reached}
        for stage in ("masked", "split"):
            found = made.home / f"found-{stage}.json"
            assert found.exists(), f"{story['shown']}\n{made.said('kernel')}\n{made.said('assessor')}"
            story[stage] = json.loads(found.read_text(encoding="utf-8"))
        story["outside"] = {"reach": _json(made, RUN_USER, _REACH, json.dumps(told["network"]))}
        story["reached_outside"] = listeners.taken()
        story["outside"] |= _json(made, RUN_USER, _READ_AND_WRITE, json.dumps(told))
        status = made.secure_ml("status", "--json", person=PERSON)
        story["status"] = json.loads(status.stdout)
        story["log"], story["verified"] = made.log(), _json(made, KERNEL_USER, _VERIFY)
        story["uid"] = (made.home / "found-split.json").stat().st_uid
        return story


def _json(made: Separated, login: str, code: str, *arguments: str) -> Any:
    ended = made.as_user(login, code, *arguments)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def _places(made: Separated) -> dict[str, Any]:
    processes = {name: made.service(name).pid for name in ("kernel", "assessor")}
    kernel = made.kernel_folder
    secret = [
        *(kernel / name for name in ("keys/root.key", "keys/keys.db", "state/state.db", "keys", "state", ".")),
        *(f"/proc/{pid}/{name}" for pid in processes.values() for name in ("mem", "environ", "maps", "fd")),
        "/etc/shadow",
    ]
    policy = made.projects / "clinic" / "defs.yaml"
    foreign = [
        *(made.root / "access" / "actors.yaml", made.root / "access", made.projects, policy, policy.parent),
        *(made.tree / "secure_ml", made.tree / "secure_ml" / "installation.py", made.root / "venv", made.root),
        *(made.kernel_socket.parent, made.assessor_socket.parent, kernel, "/etc", "/etc/passwd", "/usr/bin", "/root"),
    ]
    return {"processes": processes, "secret": [str(p) for p in secret], "foreign": [str(p) for p in foreign]}


@dataclass
class _Listeners:
    """What listens on this machine, outside of any run, and what has been reached of it.

    Attributes:
        addresses: host and port, for TCP and UDP both.
        abstract: name in the abstract namespace of Unix sockets.
        paths: sockets with a path, which anybody may connect to, as to D-Bus's or systemd-resolved's.
    """

    addresses: list[tuple[str, int]]
    abstract: str
    paths: list[str]
    _reached: set[str] = field(default_factory=set)
    _sockets: list[socket.socket] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        return {"addresses": self.addresses, "abstract": [self.abstract], "paths": self.paths}

    def taken(self) -> list[str]:
        """What was reached since this was asked last."""
        found = sorted(self._reached)
        self._reached.clear()
        return found

    def listen(self, name: str, opened: socket.socket) -> None:
        self._sockets.append(opened)
        wait = self._datagrams if opened.type == socket.SOCK_DGRAM else self._connections
        threading.Thread(target=wait, args=(name, opened), daemon=True).start()

    def _datagrams(self, name: str, opened: socket.socket) -> None:
        self._until_closed(lambda: opened.recvfrom(4096), name)

    def _connections(self, name: str, opened: socket.socket) -> None:
        self._until_closed(lambda: opened.accept()[0].close(), name)

    def _until_closed(self, wait: Callable[[], object], name: str) -> None:
        with contextlib.suppress(OSError):
            while True:
                wait()
                self._reached.add(name)


@contextlib.contextmanager
def _listening(root: Path) -> Iterator[_Listeners]:
    listeners = _Listeners([], f"smltest-{secrets.token_hex(8)}", [])
    folders = [Path(tempfile.mkdtemp(prefix="smltest-", dir=place)) for place in ("/run", "/var/tmp", root)]
    try:
        for host in _own_addresses():
            tcp = socket.create_server((host, 0))
            port = tcp.getsockname()[1]
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.bind((host, port))
            listeners.addresses.append((host, port))
            listeners.listen(f"tcp {host}:{port}", tcp)
            listeners.listen(f"udp {host}:{port}", udp)
        named = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        named.bind("\0" + listeners.abstract)
        named.listen()
        listeners.listen(f"abstract {listeners.abstract}", named)
        for folder in folders:
            folder.chmod(0o755)
            path = folder / "service.sock"
            opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            opened.bind(str(path))
            path.chmod(0o666)
            opened.listen()
            listeners.paths.append(str(path))
            listeners.listen(f"path {path}", opened)
        yield listeners
    finally:
        for opened in listeners._sockets:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()
        for folder in folders:
            shutil.rmtree(folder)


def _own_addresses() -> list[str]:
    """Loopback, and the address under which this machine is reached, where it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ["127.0.0.1"]
        return list(dict.fromkeys(["127.0.0.1", probe.getsockname()[0]]))


if __name__ == "__main__":
    print(json.dumps(_told(), indent=1))  # noqa: T201 - to be looked at
