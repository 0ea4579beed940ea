"""`secure-ml kernel` and `secure-ml assessor`: the two services of an installation whose runs are another user's."""

import logging
import os
from pathlib import Path

from secure_ml.cli.confinement import keep_memory_private
from secure_ml.cli.screen import out
from secure_ml.guard.errors import describe
from secure_ml.policy.load import PolicyError
from secure_ml.policy.projects import POLICY_FILE
from secure_ml.settings import Settings, SettingsError, read_settings
from secure_ml.vault.wire.peer import login_of


def kernel() -> None:
    """Hold keys, log, ledger, heads and verdicts, and answer the doors of runs on a Unix socket, until stopped."""
    from secure_ml.installation import open_whole
    from secure_ml.vault.wire.server import MessageServer, serve_until_stopped

    settings = _separated()
    socket = settings.kernel_socket
    if socket is None:
        raise _no_service()
    _require_apart(settings)
    _require_own(settings.projects)
    core = open_whole(os.environ, unfinished=_leave_out).core
    server = MessageServer(socket, core.requests, core.answer, core.disconnected)
    _say(f"the kernel answers on {socket}")
    serve_until_stopped(server)


def assessor() -> None:
    """Judge versions for runs, which may not judge what they have written, until stopped."""
    from secure_ml.installation import open_client
    from secure_ml.orchestration.assessor import Assessor, import_what_judges_need
    from secure_ml.vault.wire.server import MessageServer, serve_until_stopped

    settings = _separated()
    socket = settings.assessor_socket
    if socket is None:
        raise _no_service()
    # Libraries that judge keep caches; they must not meet those of any other user.
    private = socket.parent / "tmp"
    private.mkdir(mode=0o700, exist_ok=True)
    os.environ.update(TMPDIR=str(private), MPLCONFIGDIR=str(private))
    judge = Assessor(open_client(os.environ, unfinished=_leave_out))
    server = MessageServer(socket, judge.requests, judge.answer)
    import_what_judges_need()
    _say(f"the assessor answers on {socket}")
    serve_until_stopped(server)


def _separated() -> Settings:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    os.umask(0o027)
    keep_memory_private()
    return read_settings(os.environ)


def _require_apart(settings: Settings) -> None:
    """Returns if kernel, assessor and runs are different users, without which nothing here holds."""
    own, runs = login_of(os.geteuid()), set(settings.run_users.values())
    if own in runs or settings.assessor_user in runs or settings.assessor_user == own:
        raise SettingsError(
            "the kernel, the assessor and the runs are users of their own: let SECURE_ML_RUN_USERS and "
            f"SECURE_ML_ASSESSOR_USER name others than {own}, and than each other"
        )


def _require_own(projects: Path) -> None:
    """Returns if nobody else could have written the policies: whoever does, writes what binds the runs."""
    folder = (projects,) if projects.exists() else ()
    for path in (*folder, *projects.glob("*"), *projects.glob(f"*/{POLICY_FILE}")):
        status = path.stat()
        if status.st_uid not in {0, os.geteuid()} or status.st_mode & 0o022:
            raise SettingsError(
                f"{path} is another user's, or others may write there; give it to root: chown root and chmod go-w"
            )


def _no_service() -> SettingsError:
    return SettingsError(
        "in the profile personal the kernel is in every process and needs no service; set SECURE_ML_PROFILE=separated"
    )


def _say(words: str) -> None:
    out.print(words, soft_wrap=True)


def _leave_out(error: PolicyError) -> None:
    logging.getLogger(__name__).warning("left out: %s", describe(error))
