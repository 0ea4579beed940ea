"""The server's end of a socket: the kernel's, or the assessor's.

Belongs here: who connects, and one thread for each of them. Must stay out: answers (whoever serves gives them).
"""

import contextlib
import logging
import os
import secrets
import signal
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from secure_ml.guard.errors import describe
from secure_ml.vault.caller import Caller
from secure_ml.vault.errors import StorageError
from secure_ml.vault.messages import Message
from secure_ml.vault.wire.frames import (
    LARGEST_ANSWER,
    WireError,
    decode,
    encode,
    encode_error,
    may_cross,
    receive_frame,
    send_frame,
)
from secure_ml.vault.wire.peer import login_of, peer_uid

MOST_CONNECTIONS = 256
MOST_OF_ONE_USER = 64
_PATIENCE = struct.pack("ll", 10, 0)
"""Seconds and microseconds that an answer waits for whoever asked to take of it; else nobody could stop this server."""

_LONGEST_PATH = 107
_logger = logging.getLogger(__name__)


class MessageServer(socketserver.ThreadingUnixStreamServer):
    """Answers messages on a Unix socket until it is shut down.

    Any user of the machine may connect: who it is, the operating system says; what it may, whoever answers decides.

    Args:
        path: the socket; its folder must be this user's alone to write.
        requests: what is answered, by class name.
        answer: gives the answers.
        disconnected: is told of each caller whose connection has ended.

    Raises:
        StorageError: the folder is missing, others may write there, or another process answers on this path.
    """

    daemon_threads = False
    request_queue_size = 128

    def __init__(
        self,
        path: Path,
        requests: Mapping[str, type[Message]],
        answer: Callable[[Message, Caller], Message],
        disconnected: Callable[[Caller], None] = lambda caller: None,
    ) -> None:
        self.requests, self.answer, self.disconnected = requests, answer, disconnected
        self._path = path
        self._open: dict[socket.socket, int] = {}
        self._lock = threading.Lock()
        _require_own_folder(path)
        _remove_stale(path)
        super().__init__(os.fspath(path), _Connection)
        path.chmod(0o666)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Takes a connection, or closes it where too many are open: nobody can keep all others out."""
        if not isinstance(request, socket.socket) or not self._has_place(request):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def _has_place(self, connection: socket.socket) -> bool:
        uid = peer_uid(connection)
        with self._lock:
            users = list(self._open.values())
            free = len(users) < MOST_CONNECTIONS and users.count(uid) < MOST_OF_ONE_USER
            if free:
                self._open[connection] = uid
        if not free:
            _logger.warning("a connection was refused: user %d has %d of %d", uid, users.count(uid), len(users))
        return free

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Serves one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.pop(request, None)  # type: ignore[arg-type]  # a stream's request is its socket

    def handle_error(self, request: object, client_address: object) -> None:
        """Of an error only what may be told goes to the log."""
        error = sys.exception()
        _logger.error("a connection ended badly: %s", describe(error) if error is not None else "")

    def server_close(self) -> None:
        """Stops listening, answers what is being answered, ends all connections, and takes the socket away."""
        with self._lock:
            connections = tuple(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        super().server_close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()


class _Connection(socketserver.BaseRequestHandler):
    server: MessageServer
    request: socket.socket

    def handle(self) -> None:
        caller = Caller(login_of(peer_uid(self.request)), secrets.token_hex(16))
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _PATIENCE)
        try:
            self._answer_all(caller)
        finally:
            self.server.disconnected(caller)

    def _answer_all(self, caller: Caller) -> None:
        while True:
            try:
                frame = receive_frame(self.request)
            except (WireError, OSError):
                return
            if frame is None:
                return
            try:
                answer = encode(self.server.answer(decode(frame, self.server.requests), caller))
            except Exception as error:  # noqa: BLE001 - the boundary of the process: told to whoever asked, never swallowed
                words = describe(error)
                _logger.info("refused or failed: %s", words)
                answer = encode_error(error, words.partition(": ")[2] or words if may_cross(error) else words)
            try:
                if len(answer) > LARGEST_ANSWER:
                    answer = encode_error(WireError(), "the answer is longer than any message may be; ask for less")
                send_frame(self.request, answer, largest=LARGEST_ANSWER)
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
    """The socket of a process that was killed is still there; the one of a living process answers."""
    if not path.exists():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError:
            path.unlink()
            return
    raise StorageError(f"another process answers on {path}; stop it first")


def serve_until_stopped(server: MessageServer) -> None:
    """Serves until SIGTERM or SIGINT; requests that are being answered are answered first."""

    def stop(*_: object) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    for stopping in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stopping, stop)
    with server:
        server.serve_forever(poll_interval=0.2)
