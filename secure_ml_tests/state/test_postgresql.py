"""The state on a PostgreSQL server: the promises of the file, kept by another database and between processes."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, func, insert, select, text

from secure_ml.state.database import State, StateConflict, StateError, StateSchemaError
from secure_ml.state.tables import audit_entries, budget_limits, heads, metadata
from secure_ml_tests.fakes.certificates import Authority
from secure_ml_tests.fakes.postgres_server import PostgresServer, postgres_server

LIMIT = {"project": "p", "epsilon_nano": 1, "delta": "0"}
CANARY = "canary-value-of-a-row"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[PostgresServer]:
    with postgres_server(certificate=lambda folder: authority.issue(folder, "localhost")) as running:
        yield running


@pytest.fixture
def url(server: PostgresServer) -> str:
    """An empty database."""
    engine = create_engine(server.url.replace("postgresql://", "postgresql+psycopg2://"))
    with engine.begin() as connection:
        connection.execute(text("drop schema public cascade"))
        connection.execute(text("create schema public"))
    engine.dispose()
    return server.url


@pytest.fixture
def state(url: str) -> Iterator[State]:
    state = State.open(url)
    yield state
    state.close()


def projects(state: State) -> list[str]:
    with state.reading() as connection:
        return list(connection.scalars(select(budget_limits.c.project).order_by(budget_limits.c.project)))


def test_the_migrated_schema_is_the_declared_one(state: State) -> None:
    with state.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_bytes_come_back_as_they_went(state: State) -> None:
    content = bytes(range(256)) * 40
    with state.transaction() as connection:
        row = {"entry_index": 0, "leaf": content, "leaf_hash": b"\0", "actor": "a\u20b9", "reason": None}
        connection.execute(insert(audit_entries).values(row))
    with state.reading() as connection:
        found = connection.execute(select(audit_entries)).one()
    assert (bytes(found.leaf), bytes(found.leaf_hash), found.actor, found.reason) == (content, b"\0", "a\u20b9", None)


def test_a_finished_block_is_kept_and_a_failed_one_is_not(state: State, url: str) -> None:
    def write_and_fail() -> None:
        with state.transaction() as connection:
            connection.execute(insert(budget_limits).values({**LIMIT, "project": "q"}))
            raise RuntimeError

    with state.transaction() as connection:
        connection.execute(insert(budget_limits).values(LIMIT))
    with pytest.raises(RuntimeError):
        write_and_fail()
    assert projects(State.open(url)) == ["p"]


@pytest.mark.parametrize(
    "write",
    [
        lambda c: [c.execute(insert(budget_limits).values({**LIMIT, "delta": CANARY})) for _ in range(2)],
        lambda c: c.execute(insert(budget_limits).values({**LIMIT, "epsilon_nano": -1, "delta": CANARY})),
        lambda c: c.execute(
            insert(heads).values(
                **dict.fromkeys(("environment", "project", "stage", "partition", "version_id"), CANARY),
                sequence=1,
                audit_index=0,
            )
        ),
    ],
    ids=["twice", "negative", "without its manifest"],
)
def test_a_conflict_is_typed_and_shows_no_value(state: State, write: Callable[[Connection], object]) -> None:
    def change() -> None:
        with state.transaction() as connection:
            write(connection)

    with pytest.raises(StateConflict) as caught:
        change()
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__
    assert projects(state) == []


def test_a_reading_connection_cannot_write(state: State) -> None:
    def write() -> None:
        with state.reading() as connection:
            connection.execute(insert(budget_limits).values(LIMIT))

    with pytest.raises(StateError, match="SQLSTATE 25006"):
        write()
    assert projects(state) == []


def test_a_reader_keeps_its_snapshot_and_holds_no_writer_up(state: State) -> None:
    with state.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(budget_limits)) == 0
        assert connection.scalar(text("show transaction_isolation")) == "serializable"
        with state.transaction() as writing:
            writing.execute(insert(budget_limits).values(LIMIT))
        assert connection.scalar(select(func.count()).select_from(budget_limits)) == 0
    assert projects(state) == ["p"]


def spend(url: str, barrier: "threading.Barrier", times: int) -> None:
    state = State.open(url)
    barrier.wait()
    for _ in range(times):
        with state.transaction() as connection:
            spent = connection.scalar(select(budget_limits.c.epsilon_nano))
            connection.execute(budget_limits.update().values(epsilon_nano=spent + 1))
        with state.reading() as connection:
            connection.scalar(select(budget_limits.c.epsilon_nano))
    state.close()


def in_processes(target: Callable[..., None], arguments: list[tuple[object, ...]]) -> list[int | None]:
    """Exit codes of as many processes, which begin together."""
    # No connection of this process may live on in another.
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(arguments))
    processes = [context.Process(target=target, args=(first, barrier, *rest)) for first, *rest in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def test_writers_of_several_processes_queue_so_that_what_was_read_stays_true(state: State, url: str) -> None:
    with state.transaction() as connection:
        connection.execute(insert(budget_limits).values(LIMIT))
    assert in_processes(spend, [(url, 40)] * 3) == [0, 0, 0]
    with state.reading() as connection:
        assert connection.scalar(select(budget_limits.c.epsilon_nano)) == 1 + 3 * 40


def open_and_write(url: str, barrier: "threading.Barrier", project: str) -> None:
    barrier.wait()
    with State.open(url).transaction() as connection:
        connection.execute(insert(budget_limits).values({**LIMIT, "project": project}))


def test_processes_that_start_together_migrate_once(url: str) -> None:
    assert in_processes(open_and_write, [(url, name) for name in "abc"]) == [0, 0, 0]
    assert projects(State.open(url)) == ["a", "b", "c"]


def test_a_database_of_a_newer_program_is_refused(state: State, url: str) -> None:
    with state.transaction() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(StateSchemaError, match="newer"):
        State.open(url)


def test_a_connection_that_the_server_cuts_keeps_nothing_and_the_next_one_works(state: State) -> None:
    def write() -> None:
        with state.transaction() as connection:
            connection.execute(insert(budget_limits).values({**LIMIT, "delta": CANARY}))
            own = connection.scalar(text("select pg_backend_pid()"))
            with state.reading() as other:
                other.execute(text("select pg_terminate_backend(:pid)"), {"pid": own})
            connection.execute(insert(budget_limits).values({**LIMIT, "project": "q"}))

    with pytest.raises(StateError) as caught:
        write()
    assert CANARY not in str(caught.value)
    assert projects(state) == []
    with state.transaction() as connection:
        connection.execute(insert(budget_limits).values(LIMIT))
    assert projects(state) == ["p"]


def test_a_new_database_is_not_begun_until_the_log_has_an_entry(state: State) -> None:
    assert not state.is_begun()
    with state.transaction() as connection:
        row = {"entry_index": 0, "leaf": b"", "leaf_hash": b"", "actor": "", "reason": ""}
        connection.execute(insert(audit_entries).values(row))
    assert state.is_begun()


# TLS on loopback: what `is_protected` asks of a URL is what the driver does with it.


@pytest.fixture
def trusted(authority: Authority, tmp_path: Path) -> str:
    return str(authority.write(tmp_path / "ca.pem"))


def test_a_server_that_proves_its_name_is_spoken_to(server: PostgresServer, url: str, trusted: str) -> None:
    state = State.open(server.on_loopback("localhost", sslmode="verify-full", sslrootcert=trusted))
    with state.reading() as connection:
        query = text("select ssl, version from pg_stat_ssl where pid = pg_backend_pid()")
        encrypted, version = connection.execute(query).one()
    assert encrypted
    assert version in {"TLSv1.2", "TLSv1.3"}


def test_a_server_of_another_name_is_not(server: PostgresServer, url: str, trusted: str) -> None:
    with pytest.raises(StateError):
        State.open(server.on_loopback("127.0.0.1", sslmode="verify-full", sslrootcert=trusted))
    assert State.open(server.on_loopback("127.0.0.1", sslmode="verify-ca", sslrootcert=trusted))


def test_a_server_of_another_authority_is_not(server: PostgresServer, url: str, tmp_path: Path) -> None:
    other = str(Authority("another").write(tmp_path / "other.pem"))
    with pytest.raises(StateError):
        State.open(server.on_loopback("localhost", sslmode="verify-full", sslrootcert=other))


def test_without_a_trusted_authority_nothing_is_spoken_to(
    server: PostgresServer, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StateError):
        State.open(server.on_loopback("localhost", sslmode="verify-full", sslrootcert=str(tmp_path / "none.pem")))


def test_this_server_speaks_to_nobody_in_the_open(server: PostgresServer, url: str) -> None:
    with pytest.raises(StateError):
        State.open(server.on_loopback("localhost", sslmode="disable"))


def test_an_error_shows_no_password(server: PostgresServer) -> None:
    with pytest.raises(StateError) as caught:
        State.open(server.url.replace("postgres@", "nobody:secret-word@"))
    assert "secret-word" not in str(caught.value)
    with pytest.raises(StateError) as away:
        State.open("postgresql://u:secret-word@127.0.0.1:1/x?connect_timeout=2")
    assert "secret-word" not in str(away.value)
