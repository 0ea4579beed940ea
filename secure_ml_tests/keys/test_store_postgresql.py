"""The key store and the log on a PostgreSQL server: the same promises, but for bytes that the server keeps."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from secure_ml.keys import rotation
from secure_ml.keys.custody import KeyCustody
from secure_ml.keys.errors import KeyDestroyed, KeyStoreRolledBack
from secure_ml.keys.store import KeyContext
from secure_ml_tests.fakes.postgres_server import PostgresServer, postgres_server
from secure_ml_tests.keys.opened_custody import FIRST, Place, contexts
from secure_ml_tests.keys.test_rotation import rotate

OTHER = replace(FIRST, version_id="version-2")


@dataclass(frozen=True)
class OnPostgres(Place):
    """The folder holds the root key; the tables of both databases are the server's."""

    server: PostgresServer

    @property
    def store_url(self) -> str:
        return self.server.url.replace("postgresql://", "postgresql+psycopg2://")

    @property
    def state_url(self) -> str:
        return self.store_url

    def execute(self, *statements: str) -> None:
        engine = create_engine(self.store_url)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, server: PostgresServer) -> OnPostgres:
    place = OnPostgres(tmp_path, server)
    place.execute("drop schema public cascade", "create schema public")
    return place


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "PAGE_KEYS", 7)


def at_once(work: Callable[[KeyCustody], None], opened: list[KeyCustody]) -> None:
    """Do the same with each of them at once; fails where one does."""
    barrier, failures = threading.Barrier(len(opened)), list[BaseException]()

    def run(own: KeyCustody) -> None:
        barrier.wait()
        try:
            work(own)
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_keys_are_made_opened_and_destroyed_on_record(place: OnPostgres) -> None:
    custody = place.custody()
    made = custody.create([*contexts(3), replace(FIRST, environment="test")])
    secret = custody.secret("project/training/loans", create=True)
    assert custody.destroy("version-1") == 6
    again = place.custody()
    assert again.secret("project/training/loans", create=True) == secret
    assert again.open(OTHER) == made[OTHER]
    with pytest.raises(KeyDestroyed):
        again.open(FIRST)
    assert place.store().mark().generation == 2


def test_an_older_copy_opens_nothing(place: OnPostgres) -> None:
    custody = place.custody()
    custody.create([FIRST, OTHER])
    tables = ("key_store", "environment_keys", "wrapped_keys")
    place.execute(*(f"create table kept_{name} as select * from {name}" for name in tables))
    custody.destroy("version-1")
    place.execute(
        *(f"delete from {name}" for name in tables),
        *(f"insert into {name} select * from kept_{name}" for name in tables),
    )
    assert place.store().open(FIRST)
    for opened in (custody, place.custody()):
        with pytest.raises(KeyStoreRolledBack):
            opened.open(OTHER)


def test_first_starts_at_once_make_one_store_with_one_key(place: OnPostgres) -> None:
    made: dict[KeyContext, bytes] = {}
    names = iter(range(4))
    place.custody()

    def write(own: KeyCustody) -> None:
        made.update(own.create([replace(FIRST, version_id=f"version-{next(names)}")]))

    at_once(write, [place.custody() for _ in range(4)])
    assert place.custody().open_all(list(made)) == made
    assert len(made) == 4
    assert place.told("key.store") == [("key.store", "keys", "done")]
    state, _ = place.custody().describe()
    assert [(one.environment, one.epoch) for one in state.environments] == [("training", 1)]


def test_a_store_that_several_open_first_is_made_once(place: OnPostgres) -> None:
    barrier, marks, failures = threading.Barrier(6), set[object](), list[BaseException]()

    def connect() -> None:
        barrier.wait()
        try:
            marks.add(place.store().mark())
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    place.service()
    threads = [threading.Thread(target=connect) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(marks) == 1


def test_destroying_at_once_makes_every_change_once(place: OnPostgres) -> None:
    custody = place.custody()
    custody.create(contexts(6, each=2))
    versions = [f"version-{number}" for number in range(1, 7)]

    def destroy(own: KeyCustody) -> None:
        for version in versions:
            own.destroy(version)

    at_once(destroy, [place.custody() for _ in range(3)])
    done = [entry for entry in place.log() if (entry.action, entry.outcome) == ("key.destroy", "done")]
    assert [entry.details["generation"] for entry in done] == list(range(1, 7))
    assert sorted(entry.resource for entry in done) == versions


def test_readers_writers_and_rotations_at_once_lose_no_key(place: OnPostgres) -> None:
    custody = place.custody()
    made = custody.create([*contexts(6), replace(FIRST, environment="test")])
    numbers = iter(range(1000))
    new: dict[KeyContext, bytes] = {}

    def work(own: KeyCustody) -> None:
        if next(numbers) % 2:
            for _ in range(2):
                rotate(own, "test", "training", seconds=0)
            return
        for _ in range(30):
            assert own.open_all(list(made)) == made
            new.update(own.create([replace(FIRST, version_id=f"new-{next(numbers)}")]))

    at_once(work, [place.custody() for _ in range(4)])
    again = place.custody()
    assert again.open_all([*made, *new]) == made | new
    state, _ = again.describe()
    assert [(one.left, one.rotating) for one in state.environments] == [(0, False)] * 2
    assert state.older_roots == ()
    assert len(place.service()._read().key_ids) == 1


def test_what_the_server_keeps_of_a_destroyed_key_opens_nothing_once_the_environment_is_rotated(
    place: OnPostgres,
) -> None:
    custody = place.custody()
    custody.create([FIRST, OTHER])
    engine = create_engine(place.store_url)
    with engine.begin() as connection:
        found = connection.execute(text("select key_id, wrapped from wrapped_keys")).all()
        [above] = connection.execute(text("select environment, epoch, wrapped from environment_keys")).all()
    engine.dispose()
    wrapped = {row.key_id: bytes(row.wrapped) for row in found}
    custody.destroy("version-1")
    place.server.checkpoint()
    files = [path.read_bytes() for path in place.server.data.rglob("*") if path.is_file()]
    assert any(wrapped[FIRST.key_id] in content for content in files), "nothing is promised of PostgreSQL's files"

    old_service = place.service()
    context = f"environment-key/{above.environment}/{above.epoch}".encode()
    old_service.unwrap(bytes(above.wrapped), context=context)
    rotate(custody)
    for service in (old_service, place.service()):
        with pytest.raises(Exception, match="retired"):
            service.unwrap(bytes(above.wrapped), context=context)
