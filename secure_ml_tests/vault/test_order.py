"""The intent is durably in the log before a key is released or a byte is moved; without the log nothing moves."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from secure_ml.access.stages import Stage
from secure_ml.audit.log import AuditLog
from secure_ml.keys.environment_keys import EnvironmentKey
from secure_ml.keys.errors import KeyDestroyed
from secure_ml.keys.store import KeyStore
from secure_ml.state import engine
from secure_ml.state.errors import StateError
from secure_ml.vault import door as door_module
from secure_ml.vault import source
from secure_ml.vault.errors import AccessRefused
from secure_ml_tests.fakes.masked_table import masked_table
from secure_ml_tests.fakes.small_project import SmallProject


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens, in order: log entries as they become durable, keys made and released, files touched."""
    happened: list[str] = []

    def traced(owner: object, name: str, say: Callable[..., str], *, after: bool = False) -> None:
        original = getattr(owner, name)

        def call(*arguments: object, **named: object) -> object:
            if not after:
                happened.append(say(*arguments, **named))
            result = original(*arguments, **named)
            if after:
                happened.append(say(*arguments, **named))
            return result

        monkeypatch.setattr(owner, name, call)

    traced(AuditLog, "record", lambda log, event: f"log {event.action} {event.outcome}", after=True)
    traced(KeyStore, "create", lambda store, contexts: "make keys")
    traced(EnvironmentKey, "unseal", lambda key, wrapped, *, key_id: f"unwrap {key_id.split('/')[0]}")
    traced(KeyStore, "apply", lambda store, change, **named: f"{change.kind} in the store")
    traced(door_module, "verify_file", lambda path, **named: "read file")
    traced(door_module, "PartWriter", lambda folder, **named: "make file")
    traced(source, "_csv", lambda policy, path: "read source")
    return happened


def without_repeats(happened: list[str]) -> list[str]:
    return [step for index, step in enumerate(happened) if index == 0 or happened[index - 1] != step]


def test_a_read_is_in_the_log_before_keys_and_keys_before_files(
    checked_project: SmallProject, trace: list[str]
) -> None:
    door = checked_project.door()
    trace.clear()
    door.open(Stage.RAW, "", by=Stage.MASKED).read()
    assert without_repeats(trace) == [
        "log version.open allowed",
        "log version.read allowed",
        "unwrap v1",
        "read file",
    ]


def test_a_write_is_in_the_log_before_keys_and_keys_before_files(
    checked_project: SmallProject, trace: list[str]
) -> None:
    door = checked_project.door()
    dataset = masked_table(origins=checked_project.parents(Stage.MASKED, door=door))
    trace.clear()
    door.write(Stage.MASKED, "", dataset)
    assert without_repeats(trace) == ["log version.write allowed", "make keys", "unwrap secret", "make file"]


def test_a_source_is_read_after_the_log_has_it(checked_project: SmallProject, trace: list[str]) -> None:
    checked_project.receive()
    assert trace[0] == "log run.start allowed"
    assert trace[1:] == ["log source.read allowed", "read source"]


def test_a_refused_read_releases_nothing(checked_project: SmallProject, trace: list[str]) -> None:
    with pytest.raises(AccessRefused, match="may not read"):
        checked_project.door().open(Stage.RAW, "", by=Stage.TRAINED)
    assert trace == ["log run.start allowed", "log version.open refused"]


@pytest.fixture
def unavailable(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on, the log takes no entry."""

    def stop() -> None:
        def refuse(*arguments: object, **named: object) -> int:
            raise StateError("the log is unavailable")

        monkeypatch.setattr(AuditLog, "append", refuse)

    return stop


def contents(project: SmallProject) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in project.home.rglob("*") if path.is_file()}


def test_without_the_log_nothing_is_opened_received_written_or_derived(
    checked_project: SmallProject, trace: list[str], unavailable: Callable[[], None]
) -> None:
    door = checked_project.door()
    dataset = door.open(Stage.RAW, "", by=Stage.MASKED)
    manifest, _ = door.assess(Stage.RAW, "")
    unavailable()
    trace.clear()
    before = contents(checked_project)
    asked: list[Callable[[], object]] = [
        lambda: door.open(Stage.RAW, "", by=Stage.MASKED),
        lambda: door.assess(Stage.RAW, ""),
        lambda: next(dataset.scan()),
        lambda: door.receive("", folder=checked_project.folder, environ={}),
        lambda: door.write(Stage.MASKED, "", masked_table()),
        lambda: door.derive_key("subject", by=Stage.SPLIT),
        lambda: door.record_verdict(manifest, check="quality", passed=True, blocking=True, facts={}),
    ]
    for ask in asked:
        with pytest.raises(StateError, match="unavailable"):
            ask()
    assert trace == []
    assert contents(checked_project) == before


def test_a_commit_that_the_log_does_not_take_moves_no_head(
    checked_project: SmallProject, unavailable: Callable[[], None]
) -> None:
    def lose_the_log() -> Iterator[object]:
        unavailable()
        yield from masked_table().scan()

    dataset = replace(masked_table(), open=lambda columns: lose_the_log())
    with pytest.raises(StateError):
        checked_project.write(Stage.MASKED, dataset)
    with closing(sqlite3.connect(checked_project.home / "state" / "state.db")) as connection:
        assert set(connection.execute("SELECT stage FROM heads")) == {("raw",), ("classified",)}


def test_a_state_database_that_another_process_holds_stops_the_read(
    checked_project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_SECONDS", 0)
    dataset = checked_project.reopened().door().open(Stage.RAW, "", by=Stage.MASKED)
    with closing(sqlite3.connect(checked_project.home / "state" / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StateError, match="another process held it"):
            next(dataset.scan())
    assert dataset.read().num_rows == 60


def test_an_abandoned_write_is_in_the_log_before_its_keys_are_destroyed(
    checked_project: SmallProject, trace: list[str]
) -> None:
    def fail() -> Iterator[object]:
        yield from masked_table(8).scan()
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - raised without a text
        checked_project.write(Stage.MASKED, replace(masked_table(), open=lambda columns: fail()))
    assert without_repeats(trace)[-2:] == ["log version.abandon failed", "key.destroy in the store"]


def test_a_destroyed_key_closes_its_version_at_once(checked_project: SmallProject) -> None:
    door = checked_project.door()
    dataset = door.open(Stage.RAW, "", by=Stage.MASKED)
    assert dataset.read().num_rows == 60
    checked_project.installation.keys.destroy(dataset.origins[0])
    with pytest.raises(KeyDestroyed):
        dataset.read()
