"""Names, partitions, configurations and cursors: what may be stored in clear because programs read it back."""

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from secure_ml.orchestration.names import (
    NameRefused,
    require_configuration,
    require_name,
    require_partition,
    safe_position,
    vocabulary,
)
from secure_ml_tests.fakes.small_project import attributes, write_policy

VALUES = ("98765 01234", "9876501234", "zorblax@invented.example", "ABCPE1234F", "2345-6789-0124", "password=hunter2")


@pytest.fixture(autouse=True)
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation without projects of its own; its folder of projects."""
    monkeypatch.setenv("SECURE_ML_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SECURE_ML_KEYS", str(tmp_path / "keys"))
    vocabulary.cache_clear()
    return tmp_path / "home" / "projects"


@pytest.mark.parametrize(
    "name",
    [
        "training/loans/raw",
        "training__loans__raw",
        "1f895b61-4f3b-4084-9e6a-1e92e9355068",
        "loans__protect",
        "step[one]",
    ],
)
def test_a_name_is_a_name(name: str) -> None:
    assert require_name(name, "a step") == name


@pytest.mark.parametrize("value", VALUES)
def test_a_name_that_looks_like_a_value_is_refused_and_not_quoted(value: str) -> None:
    with pytest.raises(NameRefused, match=r"^a step looks like .* name it by a word") as refused:
        require_name(f"step[{value}]", "a step")
    assert value not in str(refused.value)


@pytest.mark.parametrize(
    "key", ["", "2024-10", "2024-11-24", "2024-11-24-03:00", "north", "north|2024-11-24", "a.b", "q4"]
)
def test_partition_keys_of_every_kind_are_keys(key: str) -> None:
    assert require_partition(key, "a partition") == key


@pytest.mark.parametrize("key", [*VALUES, "Zorblax Quillfeather", "a/b", "x" * 300, "-a", "a\nb"])
def test_what_is_no_partition_key_is_refused_and_not_quoted(key: str) -> None:
    with pytest.raises(NameRefused) as refused:
        require_partition(key, "a partition")
    assert key not in str(refused.value)


def test_a_number_that_a_policy_declares_as_a_partition_is_its_name(installation: Path) -> None:
    with pytest.raises(NameRefused):
        require_partition("88012345", "a partition")

    policy: dict[str, Any] = attributes(partitioned=True)
    policy["source"]["partitions"] = {"kind": "static", "keys": ["88012345", "88012346"]}
    write_policy(installation / "clinic", policy)

    # A process that has looked before looks again.
    assert require_partition("88012345", "a partition") == "88012345"
    with pytest.raises(NameRefused):
        require_partition("88012347", "a partition")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"ops": {"split": {"config": {"through": "2024-10"}}}},
        {"seed": 4_294_967_295, "share": 0.8, "bytes": 16 << 30, "when": 1732431234.5, "since": "2024-11-24"},
        {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}, "on": True, "none": None, "list": ["a", 1]},
        {"not a number": float("nan")},
    ],
)
def test_a_configuration_of_words_and_counts_passes(config: dict[str, object]) -> None:
    require_configuration(config, "configuration")


@pytest.mark.parametrize("value", [*VALUES, 9876501234, 9876501234.0, [{"who": 234567890124}]])
def test_a_configuration_with_a_value_is_refused_by_its_place(value: object) -> None:
    with pytest.raises(NameRefused, match=r"configuration\.ops\.a\.b") as refused:
        require_configuration({"ops": {"a": {"b": value}}}, "configuration")
    assert str(value) not in str(refused.value)


@pytest.mark.parametrize("key", VALUES)
def test_a_value_as_a_key_of_a_configuration_is_refused(key: str) -> None:
    with pytest.raises(NameRefused):
        require_configuration({"ops": {key: 1}}, "configuration")


@pytest.mark.parametrize(
    "cursor",
    [
        "5",
        "1795503980.5",
        "2024-11-24",
        "2024-11-24T03:47:12+00:00",
        "loans/2024-10.csv",
        json.dumps({"loans.csv": 1795503980.25, "rows": 10_000_000}),
        base64.b64encode(zlib.compress(b'{"evaluations": "9876501234"}')).decode(),
        json.dumps({"__class__": "RunStatusSensorCursor", "record_id": 12, "update_timestamp": "2024-11-24T03:47:12"}),
    ],
)
def test_a_position_stays(cursor: str) -> None:
    assert safe_position(cursor) == cursor


@pytest.mark.parametrize(
    ("cursor", "left"),
    [
        ("98765 01234", "[number]"),
        ("9876501234", '"[number]"'),
        ("seen zorblax@invented.example", "seen [email]"),
        (json.dumps({"ABCPE1234F": [9876501234, "98765 01234"]}), '{"[pan]": ["[number]", "[number]"]}'),
    ],
)
def test_a_cursor_that_holds_a_value_loses_it(cursor: str, left: str) -> None:
    assert safe_position(cursor) == left
