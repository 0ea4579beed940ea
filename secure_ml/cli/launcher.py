"""The launcher: starts runs as the runs' user and without network, under tickets that the asking person's roles allow.

Belongs here: users and namespaces. Must stay out: what a run does; the launcher loads no project's code, since it is
root's.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from dagster._core.utils import make_new_run_id

from secure_ml.cli.worker import ask, command, read_outcome
from secure_ml.orchestration.resources import ticket_tag
from secure_ml.orchestration.runs import Outcome, Planned, RunError
from secure_ml.policy.projects import Project
from secure_ml.settings import Settings
from secure_ml.vault.client import Client

_KEPT = (
    *("PATH", "LANG", "LC_ALL", "TZ", "SECURE_ML_HOME", "SECURE_ML_KEYS", "SECURE_ML_PROFILE", "SECURE_ML_ACTORS"),
    *("SECURE_ML_KERNEL_SOCKET", "SECURE_ML_ASSESSOR_SOCKET", "SECURE_ML_RUN_USERS", "SECURE_ML_ASSESSOR_USER"),
)
"""Variables that a worker is told: places and names, no secret."""

_TOOLS = ("unshare", "setpriv")
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
        RunError: this process is not root's, the runs' user does not exist, or the tools to change user are missing.
        AccessRefused: whoever asks may not start the run.
    """
    outcomes = []
    with _worker(client.settings, project, environment) as exchange:
        for planned in runs:
            run_id = make_new_run_id()
            name = project.policy.project
            ticket = client.ticket(environment=environment, project=name, run_id=run_id, stages=planned.stages)
            tag = ticket_tag(ticket)
            outcome = exchange(ask(planned, project=name, environment=environment, run_id=run_id, ticket=tag))
            outcomes.append(outcome)
            on_done(outcome)
            if not outcome.success:
                break
    return outcomes


@contextmanager
def _worker(settings: Settings, project: Project, environment: str) -> Iterator[Callable[[str], Outcome]]:
    """A worker, to which a line is given and which gives an outcome back."""
    user = _run_user(settings, environment)
    process = subprocess.Popen(  # noqa: S603 - fixed tools, and our own module
        _confined(user),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=_environ(os.environ, project, user),
        cwd=settings.home,
        text=True,
        encoding="utf-8",
    )
    told, heard = process.stdin, process.stdout
    if told is None or heard is None:
        raise RunError("the worker has no pipes")

    def exchange(line: str) -> Outcome:
        try:
            told.write(line)
            told.flush()
            return read_outcome(heard.readline())
        except (OSError, ValueError, KeyError, TypeError):
            process.kill()
            raise RunError(
                f"the worker of user {user.pw_name} ended; its message stands above, and the log tells what was done"
            ) from None

    try:
        yield exchange
    finally:
        told.close()
        heard.close()
        try:
            process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _run_user(settings: Settings, environment: str) -> pwd.struct_passwd:
    login = settings.run_users.get(environment)
    if login is None:
        raise RunError(f"SECURE_ML_RUN_USERS names no user for {environment}; add {environment}=LOGIN")
    if os.geteuid() != 0:
        raise RunError(f"runs execute as the user {login}: start this with sudo, or launch them from Dagster's pages")
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        raise RunError(f"{' and '.join(missing)} not found: install util-linux")
    try:
        user = pwd.getpwnam(login)
    except KeyError:
        raise RunError(f"there is no user {login} on this machine; make it, as docs/separated.md says") from None
    if user.pw_uid == 0:
        raise RunError("runs do not execute as root; name another user in SECURE_ML_RUN_USERS")
    return user


def _confined(user: pwd.struct_passwd) -> list[str]:
    """The worker's command: a network namespace of its own, another user, and no way back."""
    rights = ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
    who = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"]
    return ["unshare", "--net", "--", "setpriv", *who, *rights, "--", *command()]


def _environ(environ: Mapping[str, str], project: Project, user: pwd.struct_passwd) -> dict[str, str]:
    """What the worker is told: places, and the source's URL; no secret of the kernel's or of whoever asks."""
    kept = {*_KEPT, project.policy.source.url_env}
    return {name: value for name, value in environ.items() if name in kept} | {"HOME": user.pw_dir}
