"""The client's end of a socket: the kernel's, or the assessor's.

Belongs here: one connection, kept for the life of the process. Must stay out: what is asked.
"""

import os
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from secure_ml.vault import messages as m
from secure_ml.vault.errors import VaultError
from secure_ml.vault.wire.frames import (
    LARGEST_ANSWER,
    TooManyConnections,
    WireError,
    decode,
    encode,
    messages_by_name,
    receive_frame,
    send_frame,
)
from secure_ml.vault.wire.peer import peer_uid

_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 600.0


class KernelUnavailable(VaultError):
    """Nobody answers where the kernel, or the assessor, should; nothing is done without it."""


class SocketKernel:
    """A kernel, or an assessor, in another process. Safe to share between threads, which take turns.

    Args:
        path: its socket.
        started_by: the command that starts it.
        act_as: user id under which a process of root's connects, so that whoever listens sees who asks.
    """

    def __init__(self, path: Path, *, started_by: str = "secure-ml kernel", act_as: int | None = None) -> None:
        self._path, self._started_by, self._act_as = path, started_by, act_as
        self._connection: socket.socket | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def send(self, request: m.Message) -> m.Message:
        """See `messages.Kernel`.

        Raises:
            KernelUnavailable: it does not answer. What was asked may have happened, and the log knows.
            TooManyConnections: it has no place for this process; nothing was asked.
        """
        with self._lock:
            try:
                connection = self._connected()
                # Who closes at once has said why.
                with suppress(BrokenPipeError, ConnectionResetError):
                    send_frame(connection, encode(request))
                frame = receive_frame(connection, largest=LARGEST_ANSWER)
            except (OSError, WireError) as error:
                self._close()
                raise self._unavailable(type(error).__name__) from None
            if frame is None:
                self._close()
                raise self._unavailable("it closed the connection")
            try:
                return decode(frame, messages_by_name())
            except TooManyConnections:
                # It closes this one, perhaps not before something more is asked on it.
                self._close()
                raise

    def _connected(self) -> socket.socket:
        # A forked child must not speak on its parent's connection: answers would cross.
        if self._connection is None or self._owner != os.getpid() or _ended(self._connection):
            folder = self._path.parent.stat()
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(_CONNECT_SECONDS)
            with _effective_user(self._act_as):
                connection.connect(os.fspath(self._path))
            if folder.st_mode & 0o022 or peer_uid(connection) != folder.st_uid:
                connection.close()
                raise KernelUnavailable(
                    f"{self._path}: who listens is not the owner of the socket's folder, or others may write there; "
                    "let the user who listens make and own that folder"
                )
            connection.settimeout(_ANSWER_SECONDS)
            self._connection, self._owner = connection, os.getpid()
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _unavailable(self, reason: str) -> KernelUnavailable:
        return KernelUnavailable(
            f"nobody answers on {self._path} ({reason}); its own user starts it with `{self._started_by}`"
        )


def _ended(connection: socket.socket) -> bool:
    """Whether the other end has closed it since its last answer: it was stopped, or started again."""
    waiting = select.poll()
    waiting.register(connection, select.POLLIN)
    # Between two requests nothing is said: what can be read is the end.
    return bool(waiting.poll(0))


@contextmanager
def _effective_user(uid: int | None) -> Iterator[None]:
    """A socket's credentials are those of the moment at which it connects (unix(7))."""
    before = os.geteuid()
    if uid is not None:
        os.seteuid(uid)
    try:
        yield
    finally:
        if uid is not None:
            os.seteuid(before)
