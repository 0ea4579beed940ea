"""The launcher: starts runs as the runs' user, confined, under tickets that the asking person's roles allow.

Belongs here: who a run becomes, what it gets to see, and hearing from it. Must stay out: what a run does; the launcher
loads no project's code, since it is root's.

The source is all that a run can meet in clear, and `raw` alone reads it. So the runs that make `raw` have a worker of
their own. In the view of the others there is no source, and no URL of one was ever in their memory.
"""

import os
import pwd
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from itertools import groupby
from pathlib import Path
from typing import IO, Self

from dagster._core.utils import make_new_run_id

from secure_ml.access.actions import Environment
from secure_ml.access.stages import Stage
from secure_ml.cli.confinement import confined
from secure_ml.cli.screen import harmless
from secure_ml.cli.worker import LONGEST_LINE, PREPARED, ask, command, read_outcome
from secure_ml.guard.lines import LineRedactor
from secure_ml.guard.redaction import standard_redactor
from secure_ml.orchestration.resources import ticket_tag
from secure_ml.orchestration.runs import Outcome, Planned, RunError
from secure_ml.policy.projects import POLICY_FILE, Project
from secure_ml.posture import DAGSTER_URL
from secure_ml.settings import Settings
from secure_ml.vault.client import Client

_KEPT = (
    *("PATH", "LANG", "LC_ALL", "TZ", "SECURE_ML_HOME", "SECURE_ML_KEYS", "SECURE_ML_PROFILE", "SECURE_ML_ACTORS"),
    *("SECURE_ML_KERNEL_SOCKET", "SECURE_ML_ASSESSOR_SOCKET", "SECURE_ML_RUN_USERS", "SECURE_ML_ASSESSOR_USER"),
    DAGSTER_URL,
)
"""Variables that a worker is told: places and names, and where Dagster's records are."""

_PATIENCE_SECONDS = 30


def launch(
    client: Client,
    project: Project,
    environment: str,
    runs: Sequence[Planned],
    *,
    on_done: Callable[[Outcome], None],
) -> list[Outcome]:
    """Runs them in order, each in a process of its own, as the environment's user and without network.

    Stops at the first that fails.

    Raises:
        RunError: this process is not root's, the runs' user does not exist, or runs cannot be confined here.
        AccessRefused: whoever asks may not start the run.
    """
    user = _run_user(client.settings, environment)
    # Whoever may not start the first is told before there is a worker.
    first = _ask(client, project, environment, runs[0])
    outcomes: list[Outcome] = []
    with ExitStack() as workers:

        def start(part: Sequence[Planned]) -> _Worker:
            program = command(project.policy.project, environment, part[0].job)
            process = begin(client, project, environment, user, program, with_source=_reads_source(part[0]))
            return workers.enter_context(_Worker(process, user.pw_name))

        parts = [tuple(part) for _, part in groupby(runs, key=_reads_source)]
        worker = start(parts[0])
        for part, following in zip(parts, (*parts[1:], None), strict=True):
            # Not all at once, since each makes Dagster's records where there are none: the next while this one works.
            worker.wait_until_prepared()
            successor = None if following is None else start(following)
            for planned in part:
                run_id, line = _ask(client, project, environment, planned) if outcomes else first
                outcomes.append(read_outcome(worker.execute(line), planned, run_id=run_id))
                on_done(outcomes[-1])
                if not outcomes[-1].success:
                    return outcomes
            worker.close()
            worker = successor or worker
    return outcomes


def _reads_source(planned: Planned) -> bool:
    return Stage.RAW in planned.stages


def _ask(client: Client, project: Project, environment: str, planned: Planned) -> tuple[str, str]:
    """The id of a run, and the line that asks a worker for it, with its ticket."""
    run_id = make_new_run_id()
    ticket = client.ticket(
        environment=environment, project=project.policy.project, run_id=run_id, stages=planned.stages
    )
    return run_id, ask(planned, run_id=run_id, ticket=ticket_tag(ticket))


def begin(
    client: Client,
    project: Project,
    environment: str,
    user: pwd.struct_passwd,
    program: Sequence[str],
    *,
    with_source: bool,
) -> subprocess.Popen[bytes]:
    """Starts a program in the view that a project's runs have.

    Args:
        client: knows the installation, and the other projects, whose tables are nobody's here.
        project: the project, as the environment sees it.
        environment: one of those that `user` runs.
        user: becomes its user.
        program: the worker's command.
        with_source: whether the project's table, or the URL of its database, is in view.

    Raises:
        RunError: runs cannot be confined here, or the table is not apart from what every run needs.
    """
    settings, own = client.settings, _source(project, os.environ) if with_source else set()
    needed = {*_code(), settings.home, *_places_of(os.environ.get(DAGSTER_URL, ""))}
    needed |= {place.parent for place in (settings.kernel_socket, settings.assessor_socket) if place is not None}
    policies = {each.folder / POLICY_FILE for each in client.projects.values()}
    # Tables may lie beside policies, those of unfinished drafts among them.
    closed = {settings.projects, *_tables(client.projects.values())} - own
    hidden = {folder for folder in closed if folder.is_dir()}
    if shared := sorted(hidden & needed):
        raise RunError(
            f"{shared[0]} holds a project's table, and what every run needs: put the table into a folder of its own, "
            "and name that in the policy"
        )
    shown = {path for path in needed | policies | own if path.exists()} - {settings.home}
    with confined(user, readable=shown, writable={settings.home}, hidden=hidden) as (confinement, descriptor):
        return subprocess.Popen(  # noqa: S603 - fixed tools, and our own module
            [*confinement, *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environ(os.environ, settings, user, also=project.policy.source.url_env if with_source else None),
            cwd=settings.home,
            pass_fds=(descriptor,),
            # An interrupt at the terminal is this process's to pass on.
            start_new_session=True,
        )


class _Worker:
    """A worker, which is given a line for each run and gives one back.

    Args:
        process: it.
        login: its user.
    """

    def __init__(self, process: subprocess.Popen[bytes], login: str) -> None:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise RunError("the worker has no pipes")
        self._process, self._login, self._was_asked = process, login, False
        self._told, self._heard = process.stdin, process.stdout
        self._hearing = threading.Thread(target=_pass_on, args=(process.stderr,), daemon=True)
        self._hearing.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait_until_prepared(self) -> None:
        """Returns once it waits for its first line."""
        if self._answer() != PREPARED:
            raise self._ended()

    def execute(self, line: str) -> str:
        """What a run came to that is asked for by this line."""
        self._was_asked = True
        try:
            self._told.write(line.encode())
            self._told.flush()
        except OSError:
            raise self._ended() from None
        return self._answer()

    def close(self) -> None:
        """Ends it, once or again: without its line it ends by itself, and interrupts a run that is in its way."""
        with suppress(OSError):
            self._told.close()
        if not self._was_asked:
            self._process.kill()
        try:
            self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._hearing.join(_PATIENCE_SECONDS)
        self._heard.close()

    def _answer(self) -> str:
        answer = self._heard.readline(LONGEST_LINE)
        if not answer.endswith(b"\n"):
            raise self._ended()
        return answer.decode("utf-8", "replace")

    def _ended(self) -> RunError:
        self._process.kill()
        return RunError(
            f"the worker of user {self._login} ended; its message stands above, and the log tells what was done"
        )


def _pass_on(said: IO[bytes]) -> None:
    """What the worker prints, redacted, and without what a terminal would obey.

    The runs' code has no part in this process's own standard error: that may be the terminal of whoever called sudo.
    """
    lines = LineRedactor(standard_redactor().redact)
    with said:
        while block := said.readline(LONGEST_LINE):
            sys.stderr.write(harmless(lines.feed(block.decode("utf-8", "replace"))))
        sys.stderr.write(harmless(lines.finish()))


def _run_user(settings: Settings, environment: str) -> pwd.struct_passwd:
    login = settings.run_users.get(environment)
    if login is None:
        raise RunError(f"SECURE_ML_RUN_USERS names no user for {environment}; add {environment}=LOGIN")
    if os.geteuid() != 0:
        raise RunError(f"runs execute as the user {login}: start this with sudo, as docs/separated.md says")
    try:
        user = pwd.getpwnam(login)
    except KeyError:
        raise RunError(f"there is no user {login} on this machine; make it, as docs/separated.md says") from None
    if user.pw_uid == 0:
        raise RunError("runs do not execute as root; name another user in SECURE_ML_RUN_USERS")
    return user


def _code() -> set[Path]:
    """Where this interpreter and what it imports lie: the worker is the same program."""
    found = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parents[1]}
    # The checkout, where the package runs from one.
    found.add(Path(__file__).resolve().parents[2])
    return found | {Path(entry) for entry in sys.path if Path(entry).is_absolute()}


def _source(project: Project, environ: Mapping[str, str]) -> set[Path]:
    """Where the project's own table is: a folder, or the socket or file of a database."""
    if project.policy.source.path is None:
        return _places_of(environ.get(project.policy.source.url_env or "", ""))
    named = _folder(project)
    return {named, named.resolve()}


def _tables(projects: Iterable[Project]) -> set[Path]:
    """The folders of the tables of these projects, in every environment."""
    seen = [project.seen_in(environment) for project in projects for environment in Environment]
    return {_folder(project).resolve() for project in seen if project.policy.source.path is not None}


def _folder(project: Project) -> Path:
    fixed = (project.policy.source.path or "").partition("{")[0]
    return project.folder / Path(fixed + "_").parent


def _places_of(database_url: str) -> set[Path]:
    """The folders that a database's URL names, such as that of its socket; without a network there is no other way."""
    if not database_url:
        return set()
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(database_url)
    except ArgumentError:
        # Whoever opens it says what is wrong with it.
        return set()
    values = [url.database or "", *(value for value in url.query.values() if isinstance(value, str))]
    places = [Path(value) for value in values if value.startswith("/")]
    return {place if place.is_dir() else place.parent for place in places}


def _environ(
    environ: Mapping[str, str], settings: Settings, user: pwd.struct_passwd, *, also: str | None
) -> dict[str, str]:
    """What a worker is told: places, and `also`, the source's URL; no secret of the kernel's or of whoever asks."""
    own = {"HOME": user.pw_dir, "XDG_CACHE_HOME": str(settings.temporary)}
    return {name: value for name, value in environ.items() if name in {*_KEPT, also}} | own
