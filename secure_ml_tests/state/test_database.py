import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, select, text

from secure_ml.state.database import State, StateConflict, StateError, StateSchemaError
from secure_ml.state.tables import budget_limits, heads, metadata


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'home' / 'state.db'}"


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.open(_url(tmp_path))


LIMIT = {"project": "p", "epsilon_nano": 1, "delta": "0"}


def test_the_migrated_schema_is_the_declared_one(state: State) -> None:
    with state.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_file_and_folder_are_private(tmp_path: Path, state: State) -> None:
    folder = tmp_path / "home"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "state.db").stat().st_mode) == 0o600


def test_a_finished_block_is_kept_and_a_failed_one_is_not(tmp_path: Path, state: State) -> None:
    with state.transaction() as connection:
        connection.execute(insert(budget_limits).values(LIMIT))
    with pytest.raises(RuntimeError), state.transaction() as connection:
        connection.execute(insert(budget_limits).values({**LIMIT, "project": "q"}))
        raise RuntimeError
    with State.open(_url(tmp_path)).reading() as connection:
        assert connection.scalars(select(budget_limits.c.project)).all() == ["p"]
