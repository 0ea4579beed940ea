import errno
import multiprocessing
import os
import stat
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, event, func, insert, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from secure_ml.state import engine
from secure_ml.state.database import State, StateConflict, StateError, StateSchemaError
from secure_ml.state.tables import budget_charges, budget_limits, heads, metadata

LIMIT = {"project": "p", "epsilon_nano": 1, "delta": "0"}
CANARY = "canary-value-of-a-row"


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'home' / 'state.db'}"


def _projects(state: State) -> list[str]:
    with state.reading() as connection:
        return list(connection.scalars(select(budget_limits.c.project).order_by(budget_limits.c.project)))


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.open(_url(tmp_path))


def test_the_migrated_schema_is_the_declared_one(state: State) -> None:
    with state.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        migrated = dict(connection.execute(text("select name, sql from sqlite_master where type = 'table'")).all())
    for table in metadata.sorted_tables:
        declared = str(CreateTable(table).compile(dialect=sqlite.dialect()))
        # compare_metadata does not look at check constraints.
        assert declared.count("CHECK") == migrated[table.name].count("CHECK")


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_every_table_can_be_made_on_postgresql(table: object) -> None:
    assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=postgresql.dialect()))


def test_file_and_folder_are_private(tmp_path: Path, state: State) -> None:
    folder = tmp_path / "home"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "state.db").stat().st_mode) == 0o600


def test_a_finished_block_is_kept_and_a_failed_one_is_not(tmp_path: Path, state: State) -> None:
    def write_and_fail() -> None:
        with state.transaction() as connection:
            connection.execute(insert(budget_limits).values({**LIMIT, "project": "q"}))
            raise RuntimeError

    with state.transaction() as connection:
        connection.execute(insert(budget_limits).values(LIMIT))
    with pytest.raises(RuntimeError):
        write_and_fail()
    assert _projects(State.open(_url(tmp_path))) == ["p"]


def _write_twice(state: State) -> None:
    with state.transaction() as connection:
        for _ in range(2):
            connection.execute(insert(budget_limits).values({**LIMIT, "delta": CANARY}))


def test_a_conflict_is_typed_and_shows_no_value(state: State) -> None:
    with pytest.raises(StateConflict) as caught:
        _write_twice(state)
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__
    assert _projects(state) == []


def test_a_head_needs_its_manifest(state: State) -> None:
    row = dict.fromkeys(("environment", "project", "stage", "partition", "version_id"), "x")

    def move_head() -> None:
        with state.transaction() as connection:
            connection.execute(insert(heads).values(**row, sequence=1, audit_index=0))

    with pytest.raises(StateConflict):
        move_head()


def test_a_reading_connection_cannot_write(state: State) -> None:
    def write(connection: Connection) -> None:
        connection.execute(insert(budget_limits).values(LIMIT))

    with pytest.raises(StateError, match="read-only"), state.reading() as connection:
        write(connection)
    assert _projects(state) == []


def test_a_reader_keeps_its_snapshot(state: State) -> None:
    with state.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(budget_limits)) == 0
        assert connection.get_isolation_level() == "SERIALIZABLE"
        assert connection.exec_driver_sql("PRAGMA query_only").scalar() == 1


def test_transactions_are_durable_and_foreign_keys_hold(state: State) -> None:
    with state.transaction() as connection:
        found = {
            pragma: connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()
            for pragma in ("synchronous", "foreign_keys", "busy_timeout", "journal_mode", "secure_delete")
        }
    expected = {
        "synchronous": 3,
        "foreign_keys": 1,
        "busy_timeout": 30_000,
        "journal_mode": "delete",
        "secure_delete": 1,
    }
    assert found == expected


def test_a_transaction_inside_another_is_refused_at_once(state: State) -> None:
    def nest() -> None:
        with state.transaction(), state.transaction():
            pass

    with pytest.raises(StateError, match="in this thread"):
        nest()
    with state.transaction() as connection:
        connection.execute(insert(budget_limits).values(LIMIT))


def test_writers_queue_so_that_what_was_read_stays_true(state: State) -> None:
    with state.transaction() as connection:
        connection.execute(insert(budget_limits).values(LIMIT))

    def spend() -> None:
        for _ in range(10):
            with state.transaction() as connection:
                spent = connection.scalar(select(budget_limits.c.epsilon_nano))
                connection.execute(budget_limits.update().values(epsilon_nano=spent + 1))

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with state.reading() as connection:
        assert connection.scalar(select(budget_limits.c.epsilon_nano)) == 41


def test_a_writer_that_waits_too_long_is_told_to_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = State.open(_url(tmp_path))
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_SECONDS", 0)
    second = State.open(_url(tmp_path))

    def write(state: State) -> None:
        with state.transaction():
            pass

    with first.transaction(), pytest.raises(StateError, match="run again"):
        write(second)


def _open_and_write(url: str, barrier: "threading.Barrier", project: str) -> None:
    barrier.wait()
    with State.open(url).transaction() as connection:
        connection.execute(insert(budget_limits).values({**LIMIT, "project": project}))


def test_processes_that_start_together_migrate_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(3)
    processes = [context.Process(target=_open_and_write, args=(_url(tmp_path), barrier, name)) for name in "abc"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert _projects(State.open(_url(tmp_path))) == ["a", "b", "c"]


def test_a_database_of_a_newer_program_is_refused(tmp_path: Path, state: State) -> None:
    with state.transaction() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(StateSchemaError, match="newer"):
        State.open(_url(tmp_path))


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "state.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StateError, match="not a database"):
        State.open(_url(tmp_path))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(StateError, match="home"):
        State.open(_url(tmp_path))


def test_a_full_disk_is_told_and_nothing_is_kept(state: State) -> None:
    def limit_pages(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")

    event.listen(state._writer, "begin", limit_pages)

    def write() -> None:
        with state.transaction() as connection:
            charge = {"project": "p", "epsilon_nano": 1, "delta": "0", "run_id": "", "audit_index": 0}
            connection.execute(insert(budget_charges).values(**charge, charge_id="1", description="x" * 1_000_000))

    with pytest.raises(StateError, match="disk is full"):
        write()
    with state.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(budget_charges)) == 0


def test_a_read_only_home_is_told(tmp_path: Path, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StateError, match="Read-only"):
        State.open(f"sqlite:///{tmp_path / 'other.db'}")


def test_a_current_database_opens_without_being_written(tmp_path: Path, state: State) -> None:
    path = tmp_path / "home" / "state.db"
    before = path.read_bytes()
    State.open(_url(tmp_path))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("mysql://user:secret-word@host/db", "not supported"),
        ("no url, secret-word", "does not parse"),
        ("postgresql+nodriver://user:secret-word@host/db", "driver"),
    ],
)
def test_a_url_that_cannot_serve_is_refused_without_its_password(url: str, says: str) -> None:
    with pytest.raises(StateError, match=says) as caught:
        State.open(url)
    assert "secret-word" not in str(caught.value)
