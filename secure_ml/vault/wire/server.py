"""The kernel's end of its socket.

Belongs here: who connects, and one thread for each of them. Must stay out: answers (the kernel's core gives them).
"""

import contextlib
import logging
import os
import secrets
import socket
import socketserver
import threading
from pathlib import Path

from secure_ml.guard.errors import describe
from secure_ml.vault.caller import Caller
from secure_ml.vault.errors import StorageError
from secure_ml.vault.kernel import KernelCore
from secure_ml.vault.wire.frames import WireError, decode, encode, encode_error, may_cross, receive_frame, send_frame
from secure_ml.vault.wire.peer import login_of, peer_uid

MOST_CONNECTIONS = 256
_LONGEST_PATH = 107
_logger = logging.getLogger(__name__)


class KernelServer(socketserver.ThreadingUnixStreamServer):
    """Answers on a Unix socket until it is shut down.

    Any user of the machine may connect: who it is, the operating system says; what it may, the kernel decides.

    Args:
        path: the socket; its folder must be this user's alone to write.
        core: gives the answers.

    Raises:
        StorageError: the folder is missing, others may write there, or another kernel answers on this path.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, path: Path, core: KernelCore) -> None:
        self.core = core
        self._path = path
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        _require_own_folder(path)
        _remove_stale(path)
        super().__init__(os.fspath(path), _Connection)
        path.chmod(0o666)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Takes a connection, or closes it where too many are open."""
        if not self._places.acquire(blocking=False):
            _logger.warning("a connection was refused: %d are open", MOST_CONNECTIONS)
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Serves one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing of an error's text goes to the terminal."""
        _logger.exception("a connection ended with an error", exc_info=False)

    def server_close(self) -> None:
        """Stops listening, and takes the socket away."""
        super().server_close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()


class _Connection(socketserver.BaseRequestHandler):
    server: KernelServer
    request: socket.socket

    def handle(self) -> None:
        caller = Caller(login_of(peer_uid(self.request)), secrets.token_hex(16))
        known = self.server.core.requests
        while True:
            try:
                frame = receive_frame(self.request)
            except (WireError, OSError):
                return
            if frame is None:
                return
            try:
                answer = encode(self.server.core.answer(decode(frame, known), caller))
            except Exception as error:  # noqa: BLE001 - the boundary of the process: told to whoever asked, never swallowed
                words = describe(error)
                _logger.info("refused or failed: %s", words)
                answer = encode_error(error, words.partition(": ")[2] or words if may_cross(error) else words)
            try:
                send_frame(self.request, answer)
            except OSError:
                return


def _require_own_folder(path: Path) -> None:
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise StorageError(f"{path}: a socket's path has at most {_LONGEST_PATH} bytes; choose a shorter one")
    try:
        status = path.parent.stat()
    except OSError as error:
        raise StorageError(f"{path.parent}: cannot be used ({type(error).__name__}); make it for this user") from None
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise StorageError(f"{path.parent} must belong to this user, and be writable for nobody else (chmod 755)")


def _remove_stale(path: Path) -> None:
    """The socket of a kernel that was killed is still there; the one of a living kernel answers."""
    if not path.exists():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError:
            path.unlink()
            return
    raise StorageError(f"another kernel answers on {path}; stop it first")
