"""An installation of the profile `separated`, for real: four users of the operating system, a kernel, an assessor.

Needs root, since it makes users and becomes them. What it makes stays below one folder, but for the users.
"""

import contextlib
import fcntl
import json
import os
import pty
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from secure_ml_tests.fakes.needed import need
from secure_ml_tests.fakes.small_project import (
    PROJECT,
    Attributes,
    Change,
    as_csv,
    attributes,
    declare_all,
    rows,
    write_policy,
)

KERNEL_USER, RUN_USER, ASSESSOR_USER, PERSON = "smltest-kernel", "smltest-run", "smltest-judge", "smltest-person"
SCIENTIST, COLLEAGUE = "smltest-scientist", "smltest-colleague"
"""People who may read ciphertext, and look at what the kernel gives them the keys of."""

ENVIRONMENT = "training"
_GROUP = "smltest-vault"
_CHECKOUT = Path(__file__).resolve().parents[2]
_MAIN = "import sys; from secure_ml.cli.main import main; sys.argv[0] = 'secure-ml'; main()"
_PATIENCE_SECONDS = 60.0


def require_root() -> None:
    """Ends the test on a machine where this cannot be tried."""
    need(os.geteuid() == 0, "needs root: users are made, and become")


@dataclass
class Separated:
    """The installation below one folder.

    Attributes:
        root: the folder.
        tree: the code that its processes run: a copy, so that a test can plant something in it.
        python: an interpreter that every user can start, and that imports from `tree`.
        environ: what its processes are told.
    """

    root: Path
    tree: Path
    python: Path
    environ: dict[str, str]
    _services: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def kernel_folder(self) -> Path:
        """Keys and state: the kernel's user's alone."""
        return self.root / "kernel"

    @property
    def kernel_socket(self) -> Path:
        return self.root / "run-kernel" / "kernel.sock"

    @property
    def projects(self) -> Path:
        return self.root / "access" / "projects"

    @property
    def assessor_socket(self) -> Path:
        return self.root / "run-assessor" / "assessor.sock"

    def start(self) -> None:
        """Starts kernel and assessor, and waits until both answer."""
        kernel, assessor = self._begin("kernel"), self._begin("assessor")
        self._await(kernel, self.kernel_socket)
        self._await(assessor, self.assessor_socket)

    def start_kernel(self) -> subprocess.Popen[bytes]:
        """Starts the kernel alone."""
        self.kernel_socket.unlink(missing_ok=True)
        kernel = self._begin("kernel")
        self._await(kernel, self.kernel_socket)
        return kernel

    def start_assessor(self) -> None:
        """Starts the assessor alone."""
        self.assessor_socket.unlink(missing_ok=True)
        self._await(self._begin("assessor"), self.assessor_socket)

    def service(self, command: str) -> subprocess.Popen[bytes]:
        """The process of `kernel` or `assessor`."""
        return self._services[command]

    def said(self, command: str) -> str:
        """What `kernel` or `assessor` has printed."""
        return (self.root / f"{command}.out").read_text(encoding="utf-8")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stops both."""
        for service in self._services.values():
            if service.poll() is None:
                service.send_signal(how)
        for service in self._services.values():
            service.wait(_PATIENCE_SECONDS)
        self._services.clear()

    def secure_ml(self, *arguments: str, person: str = PERSON) -> subprocess.CompletedProcess[str]:
        """The command `sudo secure-ml …`, typed by a person."""
        return subprocess.run(
            self.command(*arguments),
            env=self._environ(person),
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def begin(self, *arguments: str, person: str = PERSON) -> subprocess.Popen[str]:
        """As `secure_ml`, without waiting for its end."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self._environ(person),
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def secure_ml_at_a_terminal(self, *arguments: str, person: str = PERSON) -> tuple[int, bytes]:
        """As `secure_ml`, at a terminal of its own: the exit code, and what was shown there."""
        ours, theirs = pty.openpty()
        shown = bytearray()

        def show() -> None:
            # The end of a terminal is an error.
            with contextlib.suppress(OSError):
                while block := os.read(ours, 65_536):
                    shown.extend(block)

        showing = threading.Thread(target=show)
        showing.start()
        environ = {**self._environ(person), "TERM": "xterm", "COLUMNS": "120"}
        command = ["setsid", "--ctty", "--wait", *self.command(*arguments)]
        ended = subprocess.run(
            command, env=environ, cwd=self.root, stdin=theirs, stdout=theirs, stderr=theirs, check=False, timeout=600
        )
        os.close(theirs)
        showing.join()
        os.close(ours)
        return ended.returncode, bytes(shown)

    def as_user(self, login: str, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Python code as one of the users, with nothing but its user to stop it."""
        return subprocess.run(
            self.as_user_command(login, code, *arguments),
            env=self.environ,
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def as_user_command(self, login: str, code: str, *arguments: str) -> list[str]:
        """What starts Python code as one of the users."""
        return [*_becoming(login), str(self.python), "-c", code, *arguments]

    def command(self, *arguments: str) -> list[str]:
        """What starts `secure-ml` with these arguments."""
        return [str(self.python), "-c", _MAIN, *arguments]

    def _environ(self, person: str) -> dict[str, str]:
        return {**self.environ, "SUDO_UID": str(pwd.getpwnam(person).pw_uid)}

    def log(self) -> list[dict[str, object]]:
        """The audit log's entries, read by root behind the kernel's back."""
        code = (
            "import json, os; from secure_ml.installation import open_whole;"
            "whole = open_whole(os.environ, unfinished=lambda error: None);"
            "print(json.dumps([{**vars(e), 'details': dict(e.details)} for e in whole.log.entries()]))"
        )
        read = self.as_user(KERNEL_USER, code)
        assert read.returncode == 0, read.stderr
        entries: list[dict[str, object]] = json.loads(read.stdout)
        return entries

    def _begin(self, command: str) -> subprocess.Popen[bytes]:
        prefix = ["unshare", "--net", "--"] if command == "assessor" else []
        login = ASSESSOR_USER if command == "assessor" else KERNEL_USER
        service = self._services[command] = subprocess.Popen(
            [*prefix, *_becoming(login), *self.command(command)],
            env=self.environ,
            cwd=self.root,
            stdout=(self.root / f"{command}.out").open("ab"),
            stderr=subprocess.STDOUT,
        )
        return service

    def wait_until_prepared(self) -> None:
        """Returns once the assessor has imported what it needs; until then, whoever asks it waits."""
        while "answers on" not in self.said("assessor"):
            time.sleep(0.05)

    def _await(self, service: subprocess.Popen[bytes], socket: Path) -> None:
        waited = time.monotonic() + _PATIENCE_SECONDS
        while not socket.exists():
            if service.poll() is not None or time.monotonic() > waited:
                pytest.fail(f"{socket.stem} did not start: {self.said(socket.stem)}")
            time.sleep(0.05)


@contextmanager
def separated(*, change: Change | None = None, started: bool = True) -> Iterator[Separated]:
    """An installation in a folder of its own, with the small project in it.

    Args:
        change: edits the project's policy before it is written.
        started: whether kernel and assessor run already.
    """
    require_root()
    _make_users()
    # Not below pytest's folders, which every run of pytest closes to other users again.
    with TemporaryDirectory(prefix="separated-", ignore_cleanup_errors=True) as root:
        made = _lay_out(Path(root))
        content = attributes()
        if change is not None:
            change(content)
        add_project(made, content)
        try:
            if started:
                made.start()
            yield made
        finally:
            made.stop()


def project_rows() -> list[dict[str, str]]:
    """The table of a project here: so many people that no side of a keyed split is likely to hold one outcome."""
    return rows(900, members=600)


def add_project(made: Separated, content: Attributes) -> Path:
    """Puts a policy and its table where the kernel looks for projects: in a folder that no run may write."""
    folder = made.projects / str(content["project"])
    write_policy(folder, content)
    (folder / "table.csv").write_text(as_csv(project_rows()), encoding="utf-8")
    return folder


def whole_way(content: Attributes) -> None:
    """Lets the small project pass its checks up to `registered`, with a private model and a budget of ε 3."""
    declare_all(content)
    use = content["columns"]
    use["income"]["use"]["bins"] = [25_000, 30_000, 35_000, 40_000]
    use["region"]["use"]["categories"] = ["north", "south", "east"]
    budget = {"epsilon": 3, "delta": 0.00001}
    content["training"]["estimator"] = {"kind": "dp_additive", "epsilon": 1, "delta": 0.000001, "budget": budget}
    # Two hundred people are too few for a bound on what one feature gives away.
    content["gates"] = {"leakage": {"maximum_single_feature_auc": 1}}


def give_roles(made: Separated, actors: Mapping[str, object]) -> None:
    """Writes `actors.yaml`; the kernel reads it when it starts."""
    (made.root / "access" / "actors.yaml").write_text(json.dumps({"actors": actors}), encoding="utf-8")


ACTORS = {
    "person:asha": {"roles": ["data_engineer", "ml_engineer"], "logins": [PERSON]},
    "service:assessor": {"roles": ["assessor"], "logins": [ASSESSOR_USER]},
}


def _lay_out(root: Path) -> Separated:
    _open_to_others(root)
    folders = {
        "home": (RUN_USER, 0o2750),
        "home/vault": (RUN_USER, 0o2750),
        "kernel": (KERNEL_USER, 0o700),
        "run-kernel": (KERNEL_USER, 0o755),
        "run-assessor": (ASSESSOR_USER, 0o755),
        "access": ("root", 0o755),
        "access/projects": ("root", 0o755),
    }
    for name, (login, mode) in folders.items():
        folder = root / name
        folder.mkdir()
        shutil.chown(folder, login, _GROUP if name.startswith("home") else None)
        folder.chmod(mode)
    tree = root / "tree"
    python = lay_out_code(tree, root / "venv")
    environ = {
        "PATH": os.defpath + ":/usr/sbin:/sbin",
        "LANG": "C.UTF-8",
        "SECURE_ML_PROFILE": "separated",
        "SECURE_ML_HOME": str(root / "home"),
        "SECURE_ML_KEYS": str(root / "kernel" / "keys"),
        "SECURE_ML_STATE_URL": f"sqlite:///{root}/kernel/state/state.db",
        "SECURE_ML_KERNEL_SOCKET": str(root / "run-kernel" / "kernel.sock"),
        "SECURE_ML_ASSESSOR_SOCKET": str(root / "run-assessor" / "assessor.sock"),
        "SECURE_ML_ACTORS": str(root / "access" / "actors.yaml"),
        "SECURE_ML_RUN_USERS": f"{ENVIRONMENT}={RUN_USER}",
        "SECURE_ML_ASSESSOR_USER": ASSESSOR_USER,
        # Most tests here look at one environment alone.
        "SECURE_ML_PROMOTION": "recorded",
    }
    made = Separated(root, tree, python, environ)
    give_roles(made, ACTORS)
    return made


def lay_out_code(tree: Path, venv: Path, *, seen_at: Path | None = None) -> Path:
    """A copy of the checkout, and a virtual environment that every user can enter; the interpreter.

    Args:
        tree: where the copy goes.
        venv: where the environment goes; the developer's own may lie in a closed home.
        seen_at: where the copy is mounted when it is used, with the environment below it; by default where it is.
    """
    for name in ("secure_ml", "data", "secure_ml_tests"):
        shutil.copytree(_CHECKOUT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "dagster.yaml", "workspace.yaml", "requirements.lock"):
        shutil.copy(_CHECKOUT / name, tree / name)
    _open_to_others(tree, *tree.rglob("*"))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = [Path(sys.base_prefix) / "bin" / version, Path("/usr/bin") / version, Path("/usr/local/bin") / version]
    base = next((path for path in found if path.exists() and _reachable(path.resolve())), None)
    if base is None:
        pytest.fail(f"no {version} that other users may start; install the system's own")
    subprocess.run([base, "-m", "venv", "--without-pip", venv], check=True)
    (packages,) = venv.glob("lib/python*/site-packages")
    ours = Path(pytest.__file__).resolve().parents[1]
    if not _reachable(ours):
        subprocess.run(["cp", "-al", ours, venv / "packages"], check=True)
        ours = (seen_at / venv.name if seen_at else venv) / "packages"
    (packages / "tree.pth").write_text(f"{seen_at or tree}\n{ours}\n", encoding="utf-8")
    # As `make setup` does: nobody who runs this code may write beside it.
    subprocess.run([base, "-m", "compileall", "-q", tree / "secure_ml"], check=True)
    script = venv / "bin" / "secure-ml"
    program = "import sys\nfrom secure_ml.cli.main import main\nsys.exit(main())\n"
    script.write_text(f"#!{(seen_at / venv.name if seen_at else venv) / 'bin' / 'python'}\n{program}", encoding="utf-8")
    script.chmod(0o755)
    return venv / "bin" / "python"


def _reachable(path: Path) -> bool:
    """Whether any user may read what is there."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents) and bool(
        path.stat().st_mode & stat.S_IROTH
    )


def _open_to_others(*paths: Path) -> None:
    for path in paths:
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))


def _make_users() -> None:
    making = ["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
    # Tests in other processes make the same ones.
    with (Path(tempfile.gettempdir()) / "smltest-users.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["groupadd", "--system", "--force", _GROUP], check=True, capture_output=True)
        for login in (KERNEL_USER, RUN_USER, ASSESSOR_USER, PERSON, SCIENTIST, COLLEAGUE):
            try:
                pwd.getpwnam(login)
            except KeyError:
                subprocess.run([*making, login], check=True, capture_output=True)
            if login in {RUN_USER, ASSESSOR_USER, SCIENTIST, COLLEAGUE}:
                subprocess.run(["usermod", "-aG", _GROUP, login], check=True, capture_output=True)


def _becoming(login: str) -> list[str]:
    user = pwd.getpwnam(login)
    rights = ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups", *rights, "--"]


__all__ = ["PROJECT", "Separated", "add_project", "give_roles", "separated"]
