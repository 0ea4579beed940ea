import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from secure_ml.keys.errors import KeyDestroyed, KeyNotFound, KeyRefused, KeyServiceError
from secure_ml.keys.local_file import LocalFileKeyService
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
    store.destroy("version-2")
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
    assert store.destroy("version-1") == 3
    assert store.destroy("version-1") == 0
    with pytest.raises(KeyDestroyed):
        store.open(FIRST)
    assert store.open(CONTEXTS[3]) == made[CONTEXTS[3]]


def test_a_destroyed_key_is_not_made_again(store: KeyStore) -> None:
    store.create([FIRST])
    store.destroy("version-1")
    with pytest.raises(KeyServiceError):
        store.create([FIRST])
    with pytest.raises(KeyDestroyed):
        store.open(FIRST)


def test_the_wrapped_bytes_of_a_destroyed_key_are_gone_from_the_file(
    tmp_path: Path, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapped: list[bytes] = []
    wrap = LocalFileKeyService.wrap

    def remember(self: LocalFileKeyService, key: bytes, *, context: bytes) -> bytes:
        wrapped.append(wrap(self, key, context=context))
        return wrapped[-1]

    monkeypatch.setattr(LocalFileKeyService, "wrap", remember)
    store.create(CONTEXTS)
    path = tmp_path / "keys" / "keys.db"
    assert all(one in path.read_bytes() for one in wrapped)
    store.destroy("version-1")
    assert [one in path.read_bytes() for one in wrapped] == [False, False, False, True]


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
    assert store.destroy_secret("audit") is True
    assert store.destroy_secret("audit") is False
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


def test_a_key_store_of_another_version_is_refused(
    tmp_path: Path, store: KeyStore, service: LocalFileKeyService
) -> None:
    _execute(tmp_path, "update key_store_format set format = 'secure_ml key store 2'")
    with pytest.raises(KeyServiceError, match="another version"):
        KeyStore.connect(_url(tmp_path), service=service)


def test_a_file_that_is_no_key_store_is_refused(tmp_path: Path, service: LocalFileKeyService) -> None:
    (tmp_path / "keys" / "keys.db").write_bytes(b"not a database" * 100)
    with pytest.raises(KeyServiceError, match="not a database"):
        KeyStore.connect(_url(tmp_path), service=service)
    with pytest.raises(KeyServiceError, match="in memory"):
        KeyStore.connect("sqlite://", service=service)
