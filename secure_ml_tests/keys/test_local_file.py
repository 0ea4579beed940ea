import hashlib
import os
import pwd
import resource
import shutil
import signal
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_ml.keys.environment_secret import EnvironmentSecret
from secure_ml.keys.errors import KeyNotFound, KeyRefused, KeyServiceError
from secure_ml.keys.local_file import LocalFileKeyService
from secure_ml.keys.passphrase import Passphrase
from secure_ml.keys.root_file import MAXIMUM_ROOT_KEYS
from secure_ml.keys.service import KeyService
from secure_ml_tests.keys.contract import CONTEXT, KEY, KeyServiceContract

SECRET = EnvironmentSecret(bytes(range(32)))
OTHER_SECRET = EnvironmentSecret(bytes(range(1, 33)))
PASSPHRASE = Passphrase("correct horse battery staple")


class TestUnprotected(KeyServiceContract):
    protection: EnvironmentSecret | None = None

    @pytest.fixture
    def service(self, tmp_path: Path) -> KeyService:
        return LocalFileKeyService.create(tmp_path / "keys", protection=self.protection)

    @pytest.fixture
    def reopen(self, service: KeyService, tmp_path: Path) -> Callable[[], KeyService]:
        return lambda: LocalFileKeyService.open(tmp_path / "keys", protection=self.protection)

    @pytest.fixture
    def other(self, tmp_path: Path) -> KeyService:
        return LocalFileKeyService.create(tmp_path / "other", protection=self.protection)


class TestProtected(TestUnprotected):
    protection = SECRET


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def test_file_and_directory_are_private(directory: Path) -> None:
    LocalFileKeyService.create(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "root.key").stat().st_mode) == 0o600
    assert [path.name for path in directory.iterdir()] == ["root.key"]


def test_a_loose_umask_does_not_loosen_them(directory: Path) -> None:
    before = os.umask(0)
    try:
        LocalFileKeyService.create(directory)
    finally:
        os.umask(before)
    LocalFileKeyService.open(directory)


def test_a_root_key_is_made_once(directory: Path) -> None:
    key_id = LocalFileKeyService.create(directory).key_id
    with pytest.raises(KeyServiceError, match="exists already"):
        LocalFileKeyService.create(directory)
    assert LocalFileKeyService.open(directory).key_id == key_id


def test_a_lost_root_key_is_never_replaced_in_silence(directory: Path) -> None:
    LocalFileKeyService.create(directory)
    (directory / "keys.db").write_bytes(b"wrapped")
    (directory / "root.key").unlink()
    assert not LocalFileKeyService.exists(directory)
    with pytest.raises(KeyNotFound, match="check that it exists"):
        LocalFileKeyService.open(directory)
    with pytest.raises(KeyServiceError, match="restore the root key"):
        LocalFileKeyService.create(directory)


def test_a_missing_directory_opens_nothing_and_is_not_made(directory: Path) -> None:
    with pytest.raises(KeyServiceError):
        LocalFileKeyService.open(directory)
    assert not directory.exists()


def test_creators_at_once_make_one_root_key(directory: Path) -> None:
    made: list[str] = []
    barrier = threading.Barrier(8)

    def create() -> None:
        barrier.wait()
        try:
            made.append(LocalFileKeyService.create(directory).key_id)
        except KeyServiceError:
            return

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [LocalFileKeyService.open(directory).key_id]
    assert [path.name for path in directory.iterdir()] == ["root.key"]


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)


def _resum(path: Path, change: Callable[[bytes], bytes]) -> None:
    content = change(path.read_bytes()[:-8])
    path.write_bytes(content + hashlib.sha256(content).digest()[:8])


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "readable by the group": (lambda path: path.chmod(0o640), "chmod 600"),
    "readable by others": (lambda path: path.chmod(0o604), "chmod 600"),
    "writable by the group": (lambda path: path.chmod(0o620), "chmod 600"),
    "directory open to the group": (lambda path: path.parent.chmod(0o750), "chmod 700"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-1]), "damaged"),
    "emptied": (lambda path: path.write_bytes(b""), "damaged"),
    "one bit flipped": (_flip, "damaged"),
    "longer by a byte": (lambda path: path.write_bytes(path.read_bytes() + b"\0"), "damaged"),
    "too long": (lambda path: path.write_bytes(path.read_bytes() + bytes(4096)), "longer"),
    "of a later version": (lambda path: _resum(path, lambda content: content[:4] + b"\x03" + content[5:]), "newer"),
    "without a root key": (lambda path: _resum(path, lambda content: content[:25]), "damaged"),
    "with half a root key more": (lambda path: _resum(path, lambda content: content + bytes(16)), "damaged"),
    "with too many root keys": (lambda path: _resum(path, lambda content: content + bytes(32 * 64)), "damaged"),
    "of version 1 and longer": (lambda path: _resum(path, lambda content: b"SMLR\x01" + bytes(64)), "damaged"),
    "with a protection of its own": (
        lambda path: _resum(path, lambda content: content[:5] + b"\7" + content[6:]),
        "asked",
    ),
    "a symbolic link": (_link, "root.key"),
    "a pipe": (_pipe, "not a regular file"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_root_key_file_that_cannot_be_trusted_is_refused(name: str, directory: Path) -> None:
    LocalFileKeyService.create(directory)
    secret = (directory / "root.key").read_bytes()[25:57]
    spoil, says = SPOILED[name]
    spoil(directory / "root.key")
    with pytest.raises(KeyServiceError, match=says) as caught:
        LocalFileKeyService.open(directory)
    assert secret.hex() not in str(caught.value)


@pytest.mark.parametrize("name", ["root.key", ""])
def test_a_root_key_of_another_user_is_refused(name: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = LocalFileKeyService.create(directory)
    if os.geteuid() == 0:
        os.chown(directory / name, pwd.getpwnam("nobody").pw_uid, -1)
    else:
        # Who may not give it away, becomes another.
        monkeypatch.setattr(os, "geteuid", lambda: directory.stat().st_uid + 1)
    for use in (
        lambda: LocalFileKeyService.open(directory),
        lambda: service.wrap(KEY, context=CONTEXT),
        service.rotate,
    ):
        with pytest.raises(KeyServiceError, match="another user"):
            use()


def test_what_is_loosened_later_stops_the_service_that_is_open(directory: Path) -> None:
    service = LocalFileKeyService.create(directory)
    wrapped = service.wrap(KEY, context=CONTEXT)
    (directory / "root.key").chmod(0o644)
    for use in (
        lambda: service.wrap(KEY, context=CONTEXT),
        lambda: service.unwrap(wrapped, context=CONTEXT),
        service.rotate,
        lambda: service.retire("0" * 32),
        lambda: service.key_id,
    ):
        with pytest.raises(KeyServiceError, match="chmod 600"):
            use()


def test_a_failed_write_leaves_no_key_behind(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KeyServiceError, match="No space"):
        LocalFileKeyService.create(directory)
    assert list(directory.iterdir()) == []


def test_its_text_shows_no_key(directory: Path) -> None:
    service = LocalFileKeyService.create(directory)
    assert repr(service) == f"LocalFileKeyService(key_id={service.key_id})"


def _root_keys(directory: Path) -> list[bytes]:
    body = (directory / "root.key").read_bytes()[25:-8]
    return [body[at : at + 32] for at in range(0, len(body), 32)]


def test_what_the_first_version_of_the_file_held_rotates_into_this_one(directory: Path) -> None:
    LocalFileKeyService.create(directory)
    content = b"SMLR\x01" + bytes(range(32))
    (directory / "root.key").write_bytes(content + hashlib.sha256(content).digest()[:8])
    service = LocalFileKeyService.open(directory)
    wrapped = service.wrap(KEY, context=CONTEXT)
    service.rotate()
    assert (directory / "root.key").read_bytes()[:6] == b"SMLR\x02\x00"
    assert _root_keys(directory)[1] == bytes(range(32))
    assert LocalFileKeyService.open(directory).unwrap(wrapped, context=CONTEXT) == KEY


def test_a_swapped_file_opens_nothing_and_says_so(directory: Path, tmp_path: Path) -> None:
    service = LocalFileKeyService.create(directory)
    wrapped = service.wrap(KEY, context=CONTEXT)
    LocalFileKeyService.create(tmp_path / "other")
    os.replace(tmp_path / "other" / "root.key", directory / "root.key")
    for swapped in (service, LocalFileKeyService.open(directory)):
        with pytest.raises(KeyRefused, match="another installation's"):
            swapped.unwrap(wrapped, context=CONTEXT)


def test_an_old_file_put_back_after_a_rotation_opens_nothing_made_since(directory: Path) -> None:
    service = LocalFileKeyService.create(directory)
    old_id, old = service.key_id, (directory / "root.key").read_bytes()
    service.rotate()
    wrapped = service.wrap(KEY, context=CONTEXT)
    service.retire(old_id)
    (directory / "root.key").write_bytes(old)
    with pytest.raises(KeyRefused, match="an older copy"):
        LocalFileKeyService.open(directory).unwrap(wrapped, context=CONTEXT)


def test_versions_have_a_limit_that_loses_none(directory: Path) -> None:
    service = LocalFileKeyService.create(directory)
    oldest = service.key_id
    wrapped = service.wrap(KEY, context=CONTEXT)
    for _ in range(MAXIMUM_ROOT_KEYS - 1):
        service.rotate()
    with pytest.raises(KeyServiceError, match="retire the oldest"):
        service.rotate()
    assert LocalFileKeyService.open(directory).unwrap(wrapped, context=CONTEXT) == KEY
    service.retire(oldest)
    service.rotate()


def test_rotations_at_once_lose_no_version(directory: Path) -> None:
    service = LocalFileKeyService.create(directory)
    made = [service.key_id]
    threads = [threading.Thread(target=lambda: made.append(_rotate_anew(directory))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 13
    wrapped = service.wrap(KEY, context=CONTEXT)
    for key_id in set(made) - {service.key_id}:
        service.retire(key_id)
    assert service.unwrap(wrapped, context=CONTEXT) == KEY


def _rotate_anew(directory: Path) -> str:
    return LocalFileKeyService.open(directory).rotate()


def test_the_protected_file_shows_no_root_key(directory: Path) -> None:
    service = LocalFileKeyService.create(directory, protection=SECRET)
    sealed = (directory / "root.key").read_bytes()
    [root_key] = service._read().root_keys
    assert root_key[:8] not in sealed
    assert repr(SECRET) == "EnvironmentSecret()"
    assert "horse" not in repr(PASSPHRASE)


@pytest.mark.parametrize("wrong", [OTHER_SECRET, PASSPHRASE, None])
def test_a_protected_file_opens_by_its_own_secret_only(
    wrong: EnvironmentSecret | Passphrase | None, directory: Path
) -> None:
    LocalFileKeyService.create(directory, protection=SECRET)
    with pytest.raises(KeyServiceError) as refused:
        LocalFileKeyService.open(directory, protection=wrong)
    assert isinstance(refused.value, KeyRefused) == (wrong is OTHER_SECRET)


def test_a_passphrase_opens_what_it_protects_and_another_does_not(directory: Path) -> None:
    service = LocalFileKeyService.create(directory, protection=PASSPHRASE)
    wrapped = service.wrap(KEY, context=CONTEXT)
    assert LocalFileKeyService.open(directory, protection=PASSPHRASE).unwrap(wrapped, context=CONTEXT) == KEY
    with pytest.raises(KeyRefused) as refused:
        LocalFileKeyService.open(directory, protection=Passphrase("correct horse battery stable"))
    # A fingerprint of the derived key would be something to try guesses on.
    assert not any(
        len(word) >= 16 and all(c in "0123456789abcdef" for c in word) for word in str(refused.value).split()
    )


@pytest.mark.parametrize("protection", [SECRET, PASSPHRASE])
def test_an_unprotected_file_is_not_taken_for_a_protected_one(
    protection: EnvironmentSecret | Passphrase, directory: Path, tmp_path: Path
) -> None:
    service = LocalFileKeyService.create(directory, protection=protection)
    LocalFileKeyService.create(tmp_path / "other")
    os.replace(tmp_path / "other" / "root.key", directory / "root.key")
    for use in (
        lambda: service.wrap(KEY, context=CONTEXT),
        service.rotate,
        lambda: LocalFileKeyService.open(directory, protection=protection),
    ):
        with pytest.raises(KeyServiceError, match="none"):
            use()


def test_rotation_keeps_the_protection(directory: Path) -> None:
    service = LocalFileKeyService.create(directory, protection=PASSPHRASE)
    wrapped = service.wrap(KEY, context=CONTEXT)
    service.rotate()
    with pytest.raises(KeyServiceError, match="passphrase"):
        LocalFileKeyService.open(directory)
    assert LocalFileKeyService.open(directory, protection=PASSPHRASE).unwrap(wrapped, context=CONTEXT) == KEY


def test_a_service_that_is_open_does_not_survive_another_protection(directory: Path, tmp_path: Path) -> None:
    service = LocalFileKeyService.create(directory, protection=SECRET)
    LocalFileKeyService.create(tmp_path / "other", protection=OTHER_SECRET)
    os.replace(tmp_path / "other" / "root.key", directory / "root.key")
    with pytest.raises(KeyRefused):
        service.wrap(KEY, context=CONTEXT)


def _rotate(service: LocalFileKeyService) -> None:
    service.rotate()


def _retire(service: LocalFileKeyService) -> None:
    service.retire(service._read().key_ids[1])


CHANGES = {"rotate": _rotate, "retire": _retire}
TOUCHES_THE_DISK = ("open", "fdopen", "fsync", "rename", "unlink", "listdir")


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _disk_fails() -> None:
    raise OSError(5, "Input/output error")


def _strike(number: int, strike: Callable[[], None], *, after: bool, patch: pytest.MonkeyPatch) -> list[str]:
    # Before or after the n-th call that touches the disk; returns the calls as they come.
    seen: list[str] = []

    def watched(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def called(*arguments: object, **named: object) -> object:
            seen.append(name)
            if len(seen) == number and not after:
                strike()
            here = len(seen)
            try:
                return call(*arguments, **named)
            finally:
                if here == number and after:
                    strike()

        return called

    for name in TOUCHES_THE_DISK:
        patch.setattr(os, name, watched(name, getattr(os, name)))
    return seen


def _in_a_child(work: Callable[[], int]) -> int:
    child = os.fork()
    if child == 0:
        status = 99
        try:
            status = work()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _opened(directory: Path) -> LocalFileKeyService:
    return LocalFileKeyService.open(directory, protection=SECRET)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("strike", [_killed, _disk_fails])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_stopped_at_any_point_loses_no_key(
    name: str, strike: Callable[[], None], after: bool, tmp_path: Path
) -> None:
    change = CHANGES[name]
    pristine = LocalFileKeyService.create(tmp_path / "pristine", protection=SECRET)
    old = pristine.wrap(KEY, context=CONTEXT)
    pristine.rotate()
    new = pristine.wrap(KEY, context=CONTEXT)

    for number in range(1, 100):
        directory = tmp_path / str(number)
        shutil.copytree(tmp_path / "pristine", directory)
        service = LocalFileKeyService.open(directory, protection=SECRET)

        def stopped(service: LocalFileKeyService = service, number: int = number) -> int:
            seen = _strike(number, strike, after=after, patch=pytest.MonkeyPatch())
            try:
                change(service)
            except KeyServiceError:
                return 1
            return 0 if len(seen) < number else 2

        ended = _in_a_child(stopped)
        if ended == 0:
            break
        assert ended == (-signal.SIGKILL if strike is _killed else 1)

        # Who was open before goes on, and who opens now finds every key.
        for user in (service, _opened(directory)):
            assert user.unwrap(new, context=CONTEXT) == KEY
            if change is not _retire:
                assert user.unwrap(old, context=CONTEXT) == KEY
        made = _opened(directory).wrap(KEY, context=CONTEXT)
        again = _opened(directory)
        if change is not _retire or len(again._read().key_ids) == 2:
            change(again)
        assert again.unwrap(made, context=CONTEXT) == KEY
        assert _opened(directory).unwrap(new, context=CONTEXT) == KEY
        again.rotate()
        # Nothing of a stopped change is left: it would hold what was retired.
        assert [path.name for path in directory.iterdir()] == ["root.key"]
    assert number > 10


def test_a_new_file_that_may_not_be_durable_wraps_nothing(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = LocalFileKeyService.create(directory)
    LocalFileKeyService.open(directory).rotate()
    monkeypatch.setattr(os, "fsync", lambda _: _disk_fails())
    with pytest.raises(KeyServiceError, match="Input/output"):
        service.wrap(KEY, context=CONTEXT)
    with pytest.raises(KeyServiceError, match="Input/output"):
        LocalFileKeyService.open(directory)


def test_a_rotation_on_a_full_disk_leaves_the_file_before(directory: Path) -> None:
    service = LocalFileKeyService.create(directory)
    before = (directory / "root.key").read_bytes()

    def full() -> int:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))
        try:
            service.rotate()
        except KeyServiceError:
            return 1
        return 0

    assert _in_a_child(full) == 1
    assert (directory / "root.key").read_bytes() == before
    assert [path.name for path in directory.iterdir()] == ["root.key"]


def test_content_is_durable_before_its_name_and_its_name_before_it_counts(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = LocalFileKeyService.create(directory)
    seen = _strike(0, _killed, after=False, patch=monkeypatch)
    service.rotate()
    durable = [name for name in seen if name in ("fsync", "rename")]
    assert durable[:3] == ["fsync", "rename", "fsync"]
