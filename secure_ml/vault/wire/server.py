"""The server's end of a socket: the kernel's, or the assessor's.

Belongs here: who connects, one thread for each of them, and what each may take of it. Must stay out: answers (whoever
serves gives them).

Anybody on the machine may connect, so what one can hold is bounded, in time and in number. Users who were never given
an answer but an error are strangers: they send small messages only, and make way where places are scarce.
"""

import contextlib
import logging
import os
import secrets
import signal
import socket
import socketserver
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from secure_ml.guard.errors import describe
from secure_ml.vault.caller import Caller
from secure_ml.vault.errors import StorageError
from secure_ml.vault.messages import Message
from secure_ml.vault.wire.frames import (
    LARGEST_ANSWER,
    LARGEST_FRAME,
    TooManyConnections,
    WireError,
    decode,
    encode,
    encode_error,
    may_cross,
    receive_content,
    receive_length,
    send_frame,
)
from secure_ml.vault.wire.peer import login_of, peer_uid

MOST_CONNECTIONS = 256
MOST_OF_ONE_USER = 64
SMALL_FRAME = 64 * 2**10
"""Bytes of the largest message of a stranger; of larger ones one is taken from each user at a time."""

PATIENCE_SECONDS = 30.0
"""Until a connection begins its first frame, until a frame's content is there, and until an answer is taken."""

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
        self._answered: set[int] = set()
        self._turns = defaultdict[int, threading.Lock](threading.Lock)
        self._lock = threading.Lock()
        _require_own_folder(path)
        _remove_stale(path)
        super().__init__(os.fspath(path), _Connection)
        path.chmod(0o666)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Takes a connection, or refuses it where too many are open: nobody can keep all others out."""
        if not isinstance(request, socket.socket) or not self._has_place(request):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def _has_place(self, connection: socket.socket) -> bool:
        uid = peer_uid(connection)
        with self._lock:
            own = list(self._open.values()).count(uid)
            if own < MOST_OF_ONE_USER:
                self._make_way()
            total = len(self._open)
            free = total < MOST_CONNECTIONS and own < MOST_OF_ONE_USER
            if free:
                self._open[connection] = uid
        if not free:
            _logger.warning("a connection was refused: user %d has %d of %d", uid, own, total)
            words = f"{total} connections are open here, {own} of them this user's; close one, or try again later"
            connection.setblocking(False)
            with contextlib.suppress(OSError):
                send_frame(connection, encode_error(TooManyConnections(), words))
        return free

    def _make_way(self) -> None:
        """Ends the stranger's connection that is open for longest, if there is no place left."""
        strangers = (one for one, uid in self._open.items() if uid not in self._answered)
        if len(self._open) >= MOST_CONNECTIONS and (oldest := next(strangers, None)) is not None:
            del self._open[oldest]
            with contextlib.suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)

    def largest_of(self, uid: int) -> int:
        """Bytes of the largest message that is taken from a user."""
        return LARGEST_FRAME if uid in self._answered else SMALL_FRAME

    def turn_of(self, uid: int, length: int) -> contextlib.AbstractContextManager[object]:
        """The block in which a message of this length is received and answered."""
        with self._lock:
            return self._turns[uid] if length > SMALL_FRAME else contextlib.nullcontext()

    def was_answered(self, uid: int) -> None:
        """This user is no stranger from now on."""
        self._answered.add(uid)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Ends a connection and gives its place back."""
        if isinstance(request, socket.socket):
            with self._lock:
                self._open.pop(request, None)
            # What is unread when it is closed would reset it, and with it the last words to the other end.
            with contextlib.suppress(OSError):
                request.setblocking(False)
                request.shutdown(socket.SHUT_RD)
                while request.recv(SMALL_FRAME):
                    pass
        super().shutdown_request(request)

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
        uid = peer_uid(self.request)
        caller = Caller(login_of(uid), secrets.token_hex(16))
        try:
            self._answer_all(caller, uid)
        finally:
            self.server.disconnected(caller)

    def _answer_all(self, caller: Caller, uid: int) -> None:
        # Whoever has asked something may compute for hours before it asks again.
        self.request.settimeout(PATIENCE_SECONDS)
        try:
            while (length := self._next_length(uid)) is not None:
                with self.server.turn_of(uid, length):
                    answer = self._answer(receive_content(self.request, length, seconds=PATIENCE_SECONDS), caller, uid)
                self._say(answer)
                self.request.settimeout(None)
        except WireError as error:
            with contextlib.suppress(OSError):
                self._say(encode_error(error, str(error)))
        except OSError:
            return

    def _next_length(self, uid: int) -> int | None:
        return receive_length(self.request, largest=self.server.largest_of(uid), seconds=PATIENCE_SECONDS)

    def _answer(self, content: bytes, caller: Caller, uid: int) -> bytes:
        try:
            answer = encode(self.server.answer(decode(content, self.server.requests), caller))
        except Exception as error:  # noqa: BLE001 - the boundary of the process: told to whoever asked, never swallowed
            words = describe(error)
            _logger.info("refused or failed: %s", words)
            return encode_error(error, words.partition(": ")[2] or words if may_cross(error) else words)
        self.server.was_answered(uid)
        if len(answer) > LARGEST_ANSWER:
            return encode_error(WireError(), "the answer is longer than any message may be; ask for less")
        return answer

    def _say(self, answer: bytes) -> None:
        self.request.settimeout(PATIENCE_SECONDS)
        send_frame(self.request, answer, largest=LARGEST_ANSWER)


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
