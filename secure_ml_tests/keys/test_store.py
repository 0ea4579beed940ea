import os
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from secure_ml.keys.change import Change
from secure_ml.keys.context import INSTALLATION
from secure_ml.keys.envelope import unseal
from secure_ml.keys.environment_keys import EnvironmentKey
from secure_ml.keys.errors import KeyDestroyed, KeyNotFound, KeyRefused, KeyServiceError, KeyStoreRolledBack
from secure_ml.keys.local_file import LocalFileKeyService
from secure_ml.keys.service import KeyService
from secure_ml.keys.store import KeyContext, KeyStore

FIRST = KeyContext("training", "loans", "version-1", "data", 0, "financial")
CONTEXTS = [FIRST, replace(FIRST, category="pii"), replace(FIRST, bucket=1), replace(FIRST, version_id="version-2")]


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'keys' / 'keys.db'}"


@pytest.fixture
def service(tmp_path: Path) -> LocalFileKeyService:
    return LocalFileKeyService.create(tmp_path / "keys")


@pytest.fixture
def store(tmp_path: Path, service: LocalFileKeyService) -> KeyStore:
    return KeyStore.connect(_url(tmp_path), service=service)


def _destroy(store: KeyStore, target: str) -> int | None:
    return store.apply(Change(store.mark().generation + 1, "key.destroy", target))


def _execute(folder: Path, statement: str, **values: object) -> None:
    engine = create_engine(_url(folder))
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


def test_each_context_has_a_fresh_key_that_opens_again(tmp_path: Path, store: KeyStore) -> None:
    made = store.create(CONTEXTS)
    assert {len(key) for key in made.values()} == {32}
    assert len(set(made.values())) == len(CONTEXTS)
    again = KeyStore.connect(_url(tmp_path), service=LocalFileKeyService.open(tmp_path / "keys"))
    assert {context: again.open(context) for context in CONTEXTS} == made


def test_many_keys_open_at_once_as_they_open_one_by_one(store: KeyStore) -> None:
    many = [replace(FIRST, bucket=bucket) for bucket in range(1200)]
    made = store.create(many)
    assert store.open_all(many) == made
    assert store.open_all(()) == {}


def test_one_destroyed_or_foreign_key_among_many_opens_none(store: KeyStore) -> None:
    store.create(CONTEXTS)
    with pytest.raises(KeyNotFound):
        store.open_all([*CONTEXTS, replace(FIRST, bucket=9)])
    _destroy(store, "version-2")
    with pytest.raises(KeyDestroyed):
        store.open_all(CONTEXTS)


def test_no_key_stands_in_the_file_and_nobody_else_reads_it(tmp_path: Path, store: KeyStore) -> None:
    keys = [*store.create(CONTEXTS).values(), store.secret("audit", create=True)]
    path = tmp_path / "keys" / "keys.db"
    assert not [key for key in keys if key in path.read_bytes()]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_context_gets_its_key_once_and_all_or_none_are_made(store: KeyStore) -> None:
    key = store.create([FIRST])[FIRST]
    with pytest.raises(KeyServiceError, match="made once"):
        store.create([CONTEXTS[1], FIRST])
    assert store.open(FIRST) == key
    with pytest.raises(KeyNotFound):
        store.open(CONTEXTS[1])


def test_no_contexts_make_no_keys(store: KeyStore) -> None:
    assert store.create([]) == {}


def test_a_destroyed_version_opens_no_more_and_others_do(store: KeyStore) -> None:
    made = store.create(CONTEXTS)
    assert _destroy(store, "version-1") == 3
    assert _destroy(store, "version-1") == 0
    with pytest.raises(KeyDestroyed):
        store.open(FIRST)
    assert store.open(CONTEXTS[3]) == made[CONTEXTS[3]]


def test_a_destroyed_key_is_not_made_again(store: KeyStore) -> None:
    store.create([FIRST])
    _destroy(store, "version-1")
    with pytest.raises(KeyServiceError):
        store.create([FIRST])
    with pytest.raises(KeyDestroyed):
        store.open(FIRST)


def test_the_wrapped_bytes_of_a_destroyed_key_are_gone_from_every_file_of_the_store(
    tmp_path: Path, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapped: list[bytes] = []
    seal = EnvironmentKey.seal

    def remember(self: EnvironmentKey, key: bytes, *, key_id: str) -> bytes:
        wrapped.append(seal(self, key, key_id=key_id))
        return wrapped[-1]

    monkeypatch.setattr(EnvironmentKey, "seal", remember)
    many = [replace(FIRST, version_id=f"other-{number}", bucket=bucket) for number in range(40) for bucket in range(5)]
    store.create([*many[:100], *CONTEXTS, *many[100:]])

    def found() -> list[bool]:
        files = [path.read_bytes() for path in (tmp_path / "keys").iterdir() if path.name != "root.key"]
        return [any(one in content for content in files) for one in wrapped]

    assert all(found())
    _destroy(store, "version-1")
    _destroy(store, "other-7")
    gone = set(range(100, 103)) | set(range(35, 40))
    assert [at for at, there in enumerate(found()) if not there] == sorted(gone)


def test_a_wrapped_key_put_in_anothers_place_is_refused(tmp_path: Path, store: KeyStore) -> None:
    store.create(CONTEXTS)
    statement = (
        "update wrapped_keys set wrapped = (select wrapped from wrapped_keys where key_id = :other) where key_id = :one"
    )
    _execute(tmp_path, statement, one=FIRST.key_id, other=CONTEXTS[1].key_id)
    with pytest.raises(KeyRefused):
        store.open(FIRST)


def test_a_secret_is_made_once_and_only_when_asked(store: KeyStore) -> None:
    with pytest.raises(KeyNotFound):
        store.secret("audit", create=False)
    made = store.secret("audit", create=True)
    assert len(made) == 32
    assert store.secret("audit", create=True) == store.secret("audit", create=False) == made
    assert store.secret("tokens", create=True) != made
    with pytest.raises(KeyServiceError):
        store.secret("", create=True)


def test_a_destroyed_secret_is_gone_for_ever(store: KeyStore) -> None:
    store.secret("audit", create=True)
    assert _destroy(store, "secret/audit") == 1
    assert _destroy(store, "secret/audit") == 0
    for create in (True, False):
        with pytest.raises(KeyDestroyed):
            store.secret("audit", create=create)


def test_makers_of_one_secret_at_once_get_the_same(tmp_path: Path, service: LocalFileKeyService) -> None:
    found: list[bytes] = []
    barrier = threading.Barrier(4)

    def ask() -> None:
        barrier.wait()
        found.append(KeyStore.connect(_url(tmp_path), service=service).secret("audit", create=True))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def test_under_another_root_key_nothing_opens(tmp_path: Path, store: KeyStore) -> None:
    store.create([FIRST])
    other = KeyStore.connect(_url(tmp_path), service=LocalFileKeyService.create(tmp_path / "other"))
    with pytest.raises(KeyRefused, match="root key"):
        other.open(FIRST)


@pytest.mark.parametrize("written", ["secure_ml key store 1", "secure_ml key store 3"])
def test_a_key_store_of_another_version_is_refused_by_its_name(
    tmp_path: Path, store: KeyStore, service: LocalFileKeyService, written: str
) -> None:
    _execute(tmp_path, "update key_store_format set format = :written", written=written)
    with pytest.raises(KeyServiceError, match=f"of the format '{written}'.*begin a new installation"):
        KeyStore.connect(_url(tmp_path), service=service)


def test_a_file_that_is_no_key_store_is_refused(tmp_path: Path, service: LocalFileKeyService) -> None:
    (tmp_path / "keys" / "keys.db").write_bytes(b"not a database" * 100)
    with pytest.raises(KeyServiceError, match="not a database"):
        KeyStore.connect(_url(tmp_path), service=service)
    with pytest.raises(KeyServiceError, match="in memory"):
        KeyStore.connect("sqlite://", service=service)


# Environments


class Counting:
    """A key service that counts what it is asked."""

    def __init__(self, service: KeyService) -> None:
        self._service, self.asked = service, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._service, name)

    def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        self.asked += 1
        return self._service.unwrap(wrapped, context=context)


def _ids(folder: Path) -> list[tuple[str, int, bytes]]:
    engine = create_engine(_url(folder))
    with engine.begin() as connection:
        rows = connection.execute(text("select environment, epoch, wrapped from environment_keys order by 1, 2")).all()
    engine.dispose()
    return [tuple(row) for row in rows]


def test_thousands_of_keys_cost_one_call_of_the_key_service(
    tmp_path: Path, store: KeyStore, service: LocalFileKeyService
) -> None:
    many = [
        replace(FIRST, version_id=f"version-{number}", bucket=bucket) for number in range(400) for bucket in range(5)
    ]
    made = store.create(many)
    counting = Counting(service)
    again = KeyStore.connect(_url(tmp_path), service=counting)
    assert again.open_all(many) == made
    for context in many[:50]:
        again.open(context)
    again.create([replace(FIRST, version_id="new")])
    assert counting.asked == 1


def test_each_environment_and_the_installation_have_a_key_of_their_own(tmp_path: Path, store: KeyStore) -> None:
    other = replace(FIRST, environment="test")
    made = store.create([FIRST, other])
    store.secret("audit", create=True)
    store.secret("project/test/loans", create=True)
    assert [(name, epoch) for name, epoch, _ in _ids(tmp_path)] == [(INSTALLATION, 1), ("test", 1), ("training", 1)]
    assert store.open_all([FIRST, other]) == made


def test_an_environment_that_is_not_served_is_refused_by_name(tmp_path: Path, service: LocalFileKeyService) -> None:
    whole = KeyStore.connect(_url(tmp_path), service=service)
    whole.create([FIRST])
    whole.secret("audit", create=True)
    counting = Counting(service)
    narrow = KeyStore.connect(_url(tmp_path), service=counting, environments=frozenset({"development"}))
    narrow.create([replace(FIRST, environment="development")])
    before = counting.asked
    attempts: list[Callable[[], object]] = [
        lambda: narrow.open(FIRST),
        lambda: narrow.create([replace(FIRST, version_id="new")]),
        lambda: narrow.secret("project/training/loans", create=True),
        lambda: narrow.environment_keys.begin("training"),
        lambda: narrow.move("training", go_on=lambda: True),
    ]
    for attempt in attempts:
        with pytest.raises(KeyServiceError, match="no keys of training: it serves development"):
            attempt()
    with pytest.raises(KeyServiceError, match=f"no keys of {INSTALLATION}"):
        narrow.secret("audit", create=False)
    assert counting.asked == before


def test_developments_credentials_open_nothing_of_training_with_the_whole_store_at_hand(tmp_path: Path) -> None:
    services = {name: LocalFileKeyService.create(tmp_path / name) for name in ("development", "training", INSTALLATION)}
    store = KeyStore.connect(_url(tmp_path), service=services.__getitem__)
    development = replace(FIRST, environment="development")
    keys = store.create([FIRST, development])
    secret = store.secret("project/training/loans", create=True)

    stolen = services["development"]
    thief = KeyStore.connect(_url(tmp_path), service=stolen)
    assert thief.open(development) == keys[development]
    for attempt in (lambda: thief.open(FIRST), lambda: thief.secret("project/training/loans", create=False)):
        with pytest.raises(KeyRefused, match="the key of training is not one that this key service wrapped"):
            attempt()

    # Past our code: every stored byte, under every key that these credentials open, for every context there is.
    engine = create_engine(_url(tmp_path))
    with engine.begin() as connection:
        above = connection.execute(text("select environment, epoch, wrapped from environment_keys")).all()
        below = connection.execute(text("select key_id, wrapped from wrapped_keys")).all()
    engine.dispose()
    contexts = [f"environment-key/{row.environment}/{row.epoch}".encode() for row in above]
    contexts += [row.key_id.encode() for row in below]
    opened: set[bytes] = set()
    for row in above:
        for context in contexts:
            try:
                opened.add(stolen.unwrap(row.wrapped, context=context))
            except KeyRefused:
                continue
    assert len(opened) == 1
    for row in below:
        for context in contexts:
            for key in list(opened):
                try:
                    opened.add(unseal(key, row.wrapped, context=context))
                except KeyRefused:
                    continue
    assert keys[development] in opened
    assert len(opened) == 2
    assert not {keys[FIRST], secret} & opened


def test_an_environments_key_put_in_anothers_place_is_refused(tmp_path: Path, service: LocalFileKeyService) -> None:
    store = KeyStore.connect(_url(tmp_path), service=service)
    store.create([FIRST, replace(FIRST, environment="development")])
    _execute(
        tmp_path,
        "update environment_keys set (wrapped, fingerprint) = "
        "(select wrapped, fingerprint from environment_keys where environment = 'training')",
    )
    again = KeyStore.connect(_url(tmp_path), service=service)
    with pytest.raises(KeyRefused, match="the key of development"):
        again.open(replace(FIRST, environment="development"))


def test_another_fingerprint_on_an_environments_key_is_refused(tmp_path: Path, service: LocalFileKeyService) -> None:
    KeyStore.connect(_url(tmp_path), service=service).create([FIRST])
    _execute(tmp_path, "update environment_keys set fingerprint = :other", other=os.urandom(16).hex())
    with pytest.raises(KeyRefused, match="fingerprint"):
        KeyStore.connect(_url(tmp_path), service=service).open(FIRST)


def test_a_key_of_an_environment_is_not_a_key_of_another(store: KeyStore, tmp_path: Path) -> None:
    other = replace(FIRST, environment="development")
    store.create([FIRST, other])
    _execute(
        tmp_path,
        "update wrapped_keys set wrapped = (select wrapped from wrapped_keys where key_id = :other) "
        "where key_id = :one",
        one=FIRST.key_id,
        other=other.key_id,
    )
    with pytest.raises(KeyRefused):
        store.open(FIRST)


def test_first_users_of_an_environment_at_once_make_one_key(tmp_path: Path, service: LocalFileKeyService) -> None:
    barrier = threading.Barrier(4)
    made: dict[KeyContext, bytes] = {}

    def write(number: int) -> None:
        own = KeyStore.connect(_url(tmp_path), service=service)
        barrier.wait()
        made.update(own.create([replace(FIRST, version_id=f"version-{number}")]))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(name, epoch) for name, epoch, _ in _ids(tmp_path)] == [("training", 1)]
    assert KeyStore.connect(_url(tmp_path), service=service).open_all(list(made)) == made


# Changes


def test_a_change_is_made_once_and_in_its_order(store: KeyStore) -> None:
    store.create(CONTEXTS)
    assert store.mark().generation == 0
    assert store.apply(Change(1, "key.destroy", "version-1")) == 3
    assert store.apply(Change(1, "key.destroy", "version-2")) is None
    assert store.mark().generation == 1
    store.open(CONTEXTS[3])
    with pytest.raises(KeyStoreRolledBack):
        store.apply(Change(3, "key.destroy", "version-2"))
    store.open(CONTEXTS[3])


def test_a_secret_is_made_by_its_change_or_only_the_number_is_taken(store: KeyStore) -> None:
    assert store.apply(Change(1, "key.create", "secret/a"), secret=b"s" * 32) == 1
    assert store.secret("a", create=False) == b"s" * 32
    assert store.apply(Change(2, "key.create", "secret/b")) == 0
    assert (store.mark().generation, store.holds("secret/b")) == (2, False)
    assert store.apply(Change(2, "key.create", "secret/b"), secret=b"s" * 32) is None
    assert not store.holds("secret/b")


def test_the_only_key_of_an_environment_is_never_destroyed(store: KeyStore) -> None:
    key = store.create([FIRST])[FIRST]
    with pytest.raises(KeyServiceError, match="still wraps keys; rotate training first"):
        _destroy(store, "environment-key/training/1")
    assert (store.mark().generation, store.open(FIRST)) == (0, key)


def test_a_store_is_told_from_every_other(tmp_path: Path, store: KeyStore, service: LocalFileKeyService) -> None:
    again = KeyStore.connect(_url(tmp_path), service=service)
    other = KeyStore.connect(f"sqlite:///{tmp_path / 'other' / 'keys.db'}", service=service)
    assert again.mark() == store.mark() != other.mark()
