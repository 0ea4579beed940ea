"""The client's end of the kernel's socket.

Belongs here: one connection, kept for the life of the process. Must stay out: what is asked.
"""

import os
import socket
import threading
from pathlib import Path

from secure_ml.vault import messages as m
from secure_ml.vault.errors import VaultError
from secure_ml.vault.wire.frames import WireError, decode, encode, messages_by_name, receive_frame, send_frame
from secure_ml.vault.wire.peer import peer_uid

_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 600.0


class KernelUnavailable(VaultError):
    """No kernel answers where one should; nothing is done without it."""


class SocketKernel:
    """A kernel in another process. Safe to share between threads, which take turns.

    Args:
        path: its socket.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: socket.socket | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def send(self, request: m.Message) -> m.Message:
        """See `messages.Kernel`.

        Raises:
            KernelUnavailable: it does not answer. What was asked may have happened, and the log knows.
        """
        with self._lock:
            try:
                connection = self._connected()
                send_frame(connection, encode(request))
                frame = receive_frame(connection)
            except (OSError, WireError) as error:
                self._close()
                raise self._unavailable(type(error).__name__) from None
            if frame is None:
                self._close()
                raise self._unavailable("it closed the connection")
        return decode(frame, messages_by_name())

    def _connected(self) -> socket.socket:
        # A forked child must not speak on its parent's connection: answers would cross.
        if self._connection is None or self._owner != os.getpid():
            folder = self._path.parent.stat()
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(_CONNECT_SECONDS)
            connection.connect(os.fspath(self._path))
            if folder.st_mode & 0o022 or peer_uid(connection) != folder.st_uid:
                connection.close()
                raise KernelUnavailable(
                    f"{self._path}: who listens is not the owner of the socket's folder, or others may write there; "
                    "let the kernel's own user make and own that folder"
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
            f"the kernel does not answer on {self._path} ({reason}); its user starts it with `secure-ml kernel`"
        )
