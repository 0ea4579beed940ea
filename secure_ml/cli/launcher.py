"""The launcher: starts runs as the runs' user, confined, under tickets that the asking person's roles allow.

Belongs here: who a run becomes, what it gets to see, and hearing from it. Must stay out: what a run does; the launcher
loads no project's code, since it is root's.
"""

import os
import pwd
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import IO

from dagster._core.utils import make_new_run_id

from secure_ml.cli.confinement import confined
from secure_ml.cli.screen import harmless
from secure_ml.cli.worker import LONGEST_LINE, ask, command, read_outcome
from secure_ml.guard.lines import LineRedactor
from secure_ml.guard.redaction import standard_redactor
from secure_ml.orchestration.resources import ticket_tag
from secure_ml.orchestration.runs import Outcome, Planned, RunError
from secure_ml.policy.projects import Project
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
    outcomes = []
    user = _run_user(client.settings, environment)
    asked = (_ask(client, project, environment, planned) for planned in runs)
    # Whoever may not start the first is told before there is a worker.
    first = next(asked)
    with _worker(client.settings, project, environment, user) as exchange:
        for planned, run_id, line in chain((first,), asked):
            outcome = read_outcome(exchange(line), planned, run_id=run_id)
            outcomes.append(outcome)
            on_done(outcome)
            if not outcome.success:
                break
    return outcomes


def _ask(client: Client, project: Project, environment: str, planned: Planned) -> tuple[Planned, str, str]:
    """A run, its id, and the line that asks a worker for it, with its ticket."""
    run_id = make_new_run_id()
    ticket = client.ticket(
        environment=environment, project=project.policy.project, run_id=run_id, stages=planned.stages
    )
    return planned, run_id, ask(planned, run_id=run_id, ticket=ticket_tag(ticket))


@contextmanager
def _worker(
    settings: Settings, project: Project, environment: str, user: pwd.struct_passwd
) -> Iterator[Callable[[str], str]]:
    """A worker, to which a line is given and which gives one back."""
    readable = {*_code(), settings.projects, project.folder, *_source(project, os.environ)}
    readable |= _places_of(os.environ.get(DAGSTER_URL, ""))
    readable |= {place.parent for place in (settings.kernel_socket, settings.assessor_socket) if place is not None}
    shown = {path for path in readable if path.exists()}
    with confined(user, readable=shown, writable={settings.home}) as (confinement, descriptor):
        process = subprocess.Popen(  # noqa: S603 - fixed tools, and our own module
            [*confinement, *command(project.policy.project, environment)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environ(os.environ, settings, project, user),
            cwd=settings.home,
            pass_fds=(descriptor,),
            # An interrupt at the terminal is this process's to pass on.
            start_new_session=True,
        )
    told, heard, said = process.stdin, process.stdout, process.stderr
    if told is None or heard is None or said is None:
        raise RunError("the worker has no pipes")
    hearing = threading.Thread(target=_pass_on, args=(said,), daemon=True)
    hearing.start()

    def exchange(line: str) -> str:
        try:
            told.write(line.encode())
            told.flush()
            answer = heard.readline(LONGEST_LINE)
        except OSError:
            answer = b""
        if not answer.endswith(b"\n"):
            process.kill()
            raise RunError(
                f"the worker of user {user.pw_name} ended; its message stands above, and the log tells what was done"
            )
        return answer.decode("utf-8", "replace")

    try:
        yield exchange
    finally:
        # Without its line the worker ends, and interrupts a run that is in its way.
        with suppress(OSError):
            told.close()
        try:
            process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        hearing.join(_PATIENCE_SECONDS)
        heard.close()


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
        raise RunError(f"runs execute as the user {login}: start this with sudo, or launch them from Dagster's pages")
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
    source = project.policy.source
    if source.path is None:
        return _places_of(environ.get(source.url_env or "", ""))
    fixed = Path(source.path.partition("{")[0] + "_").parent
    named = project.folder / fixed
    return {named, named.resolve()}


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
    environ: Mapping[str, str], settings: Settings, project: Project, user: pwd.struct_passwd
) -> dict[str, str]:
    """What the worker is told: places, and the source's URL; no secret of the kernel's or of whoever asks."""
    kept = {*_KEPT, project.policy.source.url_env}
    own = {"HOME": user.pw_dir, "XDG_CACHE_HOME": str(settings.temporary)}
    return {name: value for name, value in environ.items() if name in kept} | own
