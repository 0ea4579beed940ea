"""`secure-ml kernel` and `secure-ml assessor`: the two services of an installation whose runs are another user's."""

import logging
import os

from secure_ml.cli.screen import out
from secure_ml.guard.errors import describe
from secure_ml.policy.load import PolicyError
from secure_ml.settings import Settings, SettingsError, read_settings


def kernel() -> None:
    """Hold keys, log, ledger, heads and verdicts, and answer the doors of runs on a Unix socket, until stopped."""
    from secure_ml.installation import open_whole
    from secure_ml.vault.wire.server import MessageServer, serve_until_stopped

    settings = _separated()
    socket = settings.kernel_socket
    if socket is None:
        raise _no_service()
    core = open_whole(os.environ, unfinished=_leave_out).core
    server = MessageServer(socket, core.requests, core.answer, core.disconnected)
    _say(f"the kernel answers on {socket}")
    serve_until_stopped(server)


def assessor() -> None:
    """Judge versions for runs, which may not judge what they have written, until stopped."""
    from secure_ml.installation import open_client
    from secure_ml.orchestration.assessor import Assessor
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
    _say(f"the assessor answers on {socket}")
    serve_until_stopped(server)


def _separated() -> Settings:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    os.umask(0o027)
    return read_settings(os.environ)


def _no_service() -> SettingsError:
    return SettingsError(
        "in the profile personal the kernel is in every process and needs no service; set SECURE_ML_PROFILE=separated"
    )


def _say(words: str) -> None:
    out.print(words, soft_wrap=True)


def _leave_out(error: PolicyError) -> None:
    logging.getLogger(__name__).warning("left out: %s", describe(error))
