"""Files that only their owner may read.

Belongs here: making, reading and replacing them, refusing looser ones. Must stay out: what they hold.
"""

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from secure_ml.keys.errors import KeyServiceError


def make_private_directory(directory: Path) -> None:
    """Make the directory 0700 where it is missing, and refuse it where others may enter.

    Raises:
        KeyServiceError: It cannot be made, is not this user's, or is open to others.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _failed(directory, error) from None
    require_private_directory(directory)


def require_private_directory(directory: Path) -> None:
    """Refuse a directory that is missing, another user's, or open to others.

    Raises:
        KeyServiceError: It is.
    """
    try:
        status = directory.lstat()
    except OSError as error:
        raise _failed(directory, error) from None
    if not stat.S_ISDIR(status.st_mode):
        raise KeyServiceError(f"{directory} is not a directory")
    _require_owner_only(directory, status)


def create_private_file(path: Path, content: bytes) -> None:
    """Write a new file 0600 so that it is there whole or not at all, also after a power loss; never over another.

    Raises:
        KeyServiceError: A file of that name exists, or the disk refuses.
    """
    try:
        with _written_beside(path, content) as unfinished:
            # A link, unlike a rename, fails where the name is taken: two creators cannot replace each other's key.
            os.link(unfinished, path)
        sync_directory(path.parent)
    except FileExistsError:
        raise KeyServiceError(f"{path} exists already; open it instead of creating it") from None
    except OSError as error:
        raise _failed(path, error) from None


def replace_private_file(path: Path, content: bytes) -> None:
    """Put new content in the file's place so that at every moment, also after a power loss, one of both is there whole.

    What an earlier, killed replacement left beside it is removed first. The caller holds the directory's lock.

    Raises:
        KeyServiceError: The disk refuses; which of the two is there, reading says.
    """
    try:
        for beside in path.parent.iterdir():
            if beside.name.startswith(f".{path.name}."):
                beside.unlink()
        with _written_beside(path, content) as unfinished:
            os.rename(unfinished, path)
        sync_directory(path.parent)
    except OSError as error:
        raise _failed(path, error) from None


@contextmanager
def locked_directory(directory: Path) -> Iterator[None]:
    """Exclude every other process and thread that locks this directory; a lock ends with its process.

    Raises:
        KeyServiceError: The directory cannot be locked.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _failed(directory, error) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            raise _failed(directory, error) from None
        yield
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Make durable which files the directory holds.

    Raises:
        KeyServiceError: The disk refuses.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _failed(directory, error) from None


def read_private_file(path: Path, *, maximum_bytes: int) -> bytes:
    """Read a file that nobody but this user may read or write.

    Raises:
        KeyServiceError: It is missing, too large, a link, another user's, or open to others.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise KeyServiceError(f"{path} is not a regular file")
            _require_owner_only(path, status)
            content = file.read(maximum_bytes + 1)
    except OSError as error:
        raise _failed(path, error) from None
    if len(content) > maximum_bytes:
        raise KeyServiceError(f"{path} is longer than the {maximum_bytes} bytes it may have; restore it from a backup")
    return content


def _require_owner_only(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise KeyServiceError(f"{path} belongs to another user; give it to the user that runs secure_ml")
    if stat.S_IMODE(status.st_mode) & 0o077:
        wanted = "700" if stat.S_ISDIR(status.st_mode) else "600"
        raise KeyServiceError(f"{path} is open to other users; run: chmod {wanted} {path}")


@contextmanager
def _written_beside(path: Path, content: bytes) -> Iterator[Path]:
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)


def _failed(path: Path, error: OSError) -> KeyServiceError:
    return KeyServiceError(f"{path}: {os.strerror(error.errno or 0)}; check that it exists and who may use it")
