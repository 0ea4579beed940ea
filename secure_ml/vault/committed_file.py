"""Files that are read only as they were committed: verified whole, and again block by block as they are parsed.

Belongs here: comparing bytes with a hash. Must stay out: what the bytes mean.

A file that is verified and then parsed can be changed in between, and PME accepts a plaintext file in place of an
encrypted one. So the verification seals each block with GMAC (NIST SP 800-38D) under a fresh key that nobody else has,
and a block that is handed out must bear its seal: ten times faster than SHA-256 a second time. A seal's nonce is the
block's number, used once under that key; no seal leaves the process, so there is nothing to forge one from.
"""

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from secure_ml.vault.errors import StorageError, Tampered

_BLOCK_BYTES = 1 << 16
_NONCE_BYTES = 12


@dataclass(frozen=True)
class CommittedFile:
    """A file that was the committed one when it was verified.

    Attributes:
        path: where it is.
        size_bytes: its length.
        seals: a tag over each block.
        sealer: holds the key of the seals.
    """

    path: Path
    size_bytes: int
    seals: tuple[bytes, ...] = field(repr=False)
    sealer: AESGCM = field(repr=False)

    @contextmanager
    def open(self) -> Iterator["_CommittedBytes"]:
        """The bytes, each block verified again before it is handed out.

        Raises:
            Tampered: the file is gone or was changed since.
            StorageError: the disk refused.
        """
        with _opened(self.path) as descriptor:
            yield _CommittedBytes(self, descriptor)


def verify_file(path: Path, *, size_bytes: int, sha256: str) -> CommittedFile:
    """Compares a file with what was committed.

    Args:
        path: the file.
        size_bytes: its length, from the verified manifest.
        sha256: its SHA-256, hexadecimal, from the verified manifest.

    Raises:
        Tampered: it is missing, no regular file, or another one. Names the file.
        StorageError: the disk refused.
    """
    digest, sealer, seals = hashlib.sha256(), AESGCM(AESGCM.generate_key(256)), []
    with _opened(path) as descriptor:
        if os.fstat(descriptor).st_size != size_bytes:
            raise _changed(path)
        for number, start in enumerate(range(0, size_bytes, _BLOCK_BYTES)):
            block = _read(descriptor, path, start=start)
            digest.update(block)
            seals.append(sealer.encrypt(_nonce(number), b"", block))
    if digest.hexdigest() != sha256:
        raise _changed(path)
    return CommittedFile(path, size_bytes, tuple(seals), sealer)


class _CommittedBytes(io.RawIOBase):
    """A seekable reader over verified blocks."""

    def __init__(self, file: CommittedFile, descriptor: int) -> None:
        self._file, self._descriptor, self._at = file, descriptor, 0
        self._number, self._block = -1, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size_bytes}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self._file.size_bytes if size is None or size < 0 else min(self._at + size, self._file.size_bytes)
        pieces = []
        while self._at < end:
            number, inside = divmod(self._at, _BLOCK_BYTES)
            pieces.append(self._verified(number)[inside : inside + end - self._at])
            self._at += len(pieces[-1])
        return b"".join(pieces)

    def _verified(self, number: int) -> bytes:
        if number != self._number:
            block = _read(self._descriptor, self._file.path, start=number * _BLOCK_BYTES)
            try:
                self._file.sealer.decrypt(_nonce(number), self._file.seals[number], block)
            except InvalidTag:
                raise _changed(self._file.path) from None
            self._number, self._block = number, block
        return self._block


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    # Neither a link is followed nor a pipe waited for: both are not what was committed.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise Tampered(f"{path}: the file is missing; restore it from a backup") from None
    except PermissionError:
        raise StorageError(f"{path}: this user may not read the file; correct its permissions") from None
    except OSError:
        raise _changed(path) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _changed(path)
        yield descriptor
    finally:
        os.close(descriptor)


def _read(descriptor: int, path: Path, *, start: int) -> bytes:
    try:
        return os.pread(descriptor, _BLOCK_BYTES, start)
    except OSError as error:
        raise StorageError(f"{path}: the disk refused to read it ({type(error).__name__}); check the disk") from None


def _nonce(number: int) -> bytes:
    return number.to_bytes(_NONCE_BYTES, "big")


def _changed(path: Path) -> Tampered:
    return Tampered(f"{path}: not the file that was committed; restore it from a backup")
