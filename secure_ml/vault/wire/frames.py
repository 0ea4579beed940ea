"""Frames: how a message or an error travels over a stream. See docs/formats/kernel-socket.md.

Belongs here: bytes to messages and back. Must stay out: sockets' lives, and what a message means.

A frame is its length (4 bytes, big-endian) and a JSON object: `{"kind": …, "body": …}` with the name of a message's
class and its fields, or `{"error": …, "words": …}` with the name of an error's class and its text.
"""

import json
import socket
import struct
import time
from collections.abc import Mapping

from pydantic import ValidationError

from secure_ml.audit.errors import AuditError
from secure_ml.keys.errors import KeyServiceError
from secure_ml.state.errors import StateError
from secure_ml.vault.errors import VaultError
from secure_ml.vault.messages import Message

LARGEST_FRAME = 16 * 2**20
"""Bytes of a request; a commit of ten thousand parts has about two million."""

LARGEST_ANSWER = 256 * 2**20
"""Bytes of an answer, which only the kernel sends; the keys of 100 columns in 3,000 parts have about fifty million."""

_LENGTH = struct.Struct(">I")
_ERRORS = (VaultError, KeyServiceError, StateError, AuditError)


class WireError(VaultError):
    """The other end broke off, or sent what is no frame; nothing of it was used."""


class TooManyConnections(VaultError):
    """The other end has no place for a further connection now; nothing was asked of it."""


class KernelFailed(VaultError):
    """The kernel met an error that it did not foresee; its own log names the place."""


def send_frame(connection: socket.socket, frame: bytes, *, largest: int = LARGEST_FRAME) -> None:
    """Sends one frame of at most `largest` bytes.

    Raises:
        WireError: it is too large.
        OSError: the connection is gone.
    """
    if len(frame) > largest:
        raise WireError(f"a message has at most {largest} bytes, and this one {len(frame)}")
    connection.sendall(_LENGTH.pack(len(frame)) + frame)


def receive_frame(connection: socket.socket, *, largest: int = LARGEST_FRAME) -> bytes | None:
    """The next frame, of at most `largest` bytes; None where the other end has closed between two.

    Raises:
        WireError: it is cut off or too large.
        OSError: the connection is gone.
    """
    length = receive_length(connection, largest=largest)
    return None if length is None else receive_content(connection, length)


def receive_length(connection: socket.socket, *, largest: int, seconds: float | None = None) -> int | None:
    """The length of the next frame, of at most `largest` bytes; None where the other end has closed before it.

    Args:
        connection: its own time-out, if it has one, is how long it waits for the first byte.
        largest: a frame that says it is longer is refused unread.
        seconds: that the other end has for the rest, however little of it comes at a time.

    Raises:
        WireError: it is cut off or too large.
        OSError: the connection is gone, or too slow.
    """
    head = connection.recv(1)
    if not head:
        return None
    head += _exactly(connection, _LENGTH.size - 1, seconds)
    (length,) = _LENGTH.unpack(head) if len(head) == _LENGTH.size else (largest + 1,)
    if length > largest:
        raise WireError(f"a frame is cut off, or longer than the {largest} bytes that it may have here")
    return int(length)


def receive_content(connection: socket.socket, length: int, *, seconds: float | None = None) -> bytes:
    """The content of a frame whose length was received.

    Raises:
        WireError: it is cut off.
        OSError: the connection is gone, or too slow.
    """
    content = _exactly(connection, length, seconds)
    if len(content) != length:
        raise WireError("the other end broke off inside a frame")
    return content


def encode(message: Message) -> bytes:
    """A message as a frame's content."""
    return b'{"kind":%s,"body":%s}' % (json.dumps(type(message).__name__).encode(), message.model_dump_json().encode())


def encode_error(error: Exception, words: str) -> bytes:
    """An error as a frame's content: its class, and words that hold no value of a person."""
    return json.dumps({"error": type(error).__name__, "words": words}).encode()


def decode(frame: bytes, known: Mapping[str, type[Message]]) -> Message:
    """The message of a frame.

    Args:
        frame: its content.
        known: messages that may arrive, by class name.

    Raises:
        WireError: it is none of them.
        VaultError, KeyServiceError, StateError, AuditError: it is an error of the other end's, raised here again.
    """
    try:
        content = json.loads(frame)
        kind, body = content.get("kind"), content.get("body")
        if "error" in content:
            raise _error(str(content["error"]), str(content["words"]))
        return known[kind].model_validate_json(json.dumps(body))
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError, ValidationError):
        raise WireError("a frame holds no message that is known here") from None


def messages_by_name(base: type[Message] = Message) -> dict[str, type[Message]]:
    """Every class of message that this process knows."""
    found = {base.__name__: base}
    for below in base.__subclasses__():
        found |= messages_by_name(below)
    return found


def may_cross(error: Exception) -> bool:
    """Whether an error's own words were written for whoever asked."""
    return type(error).__module__.startswith("secure_ml.")


def _error(name: str, words: str) -> Exception:
    for base in _ERRORS:
        for kind in (base, *_below(base)):
            if kind.__name__ == name:
                error = kind.__new__(kind)
                error.args = (words,)
                return error
    return KernelFailed(words)


def _below(base: type[Exception]) -> list[type[Exception]]:
    found = []
    for kind in base.__subclasses__():
        found += [kind, *_below(kind)]
    return found


def _exactly(connection: socket.socket, size: int, seconds: float | None) -> bytes:
    received, end = bytearray(), None if seconds is None else time.monotonic() + seconds
    while len(received) < size:
        if end is not None:
            # Set once, it would begin anew with every byte.
            if (left := end - time.monotonic()) <= 0:
                raise TimeoutError
            connection.settimeout(left)
        block = connection.recv(min(size - len(received), 1 << 20))
        if not block:
            break
        received += block
    return bytes(received)
