import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from secure_ml.audit.errors import AuditError
from secure_ml.audit.event import AuditEvent, commit, encode_leaf

SECRET = b"s" * 32
TIME = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
EVENT = AuditEvent(
    "dataset.read",
    "training/loans/raw",
    "allowed",
    "asha",
    "run-1",
    {"columns": ["b", "a"], "rows": 3, "whole": True},
    "audit ü",
)


def _leaf(event: AuditEvent = EVENT, *, index: int = 7, time: datetime = TIME, secret: bytes = SECRET) -> bytes:
    return encode_leaf(event, entry_index=index, time=time, commitment_secret=secret)


def test_the_leaf_is_canonical_json_of_format_1() -> None:
    # A golden: logs of this format must stay verifiable.
    assert _leaf(replace(EVENT, reason="")) == (
        b'{"action":"dataset.read",'
        b'"actor_commitment":"' + commit("actor", "asha", entry_index=7, secret=SECRET).encode() + b'",'
        b'"details":{"columns":["b","a"],"rows":3,"whole":true},"format":1,"index":7,"outcome":"allowed",'
        b'"reason_commitment":"' + commit("reason", "", entry_index=7, secret=SECRET).encode() + b'",'
        b'"resource":"training/loans/raw","run_id":"run-1","time":"2024-05-06T07:08:09.000000+00:00"}'
    )


def test_a_commitment_is_the_one_of_format_1() -> None:
    assert (
        commit("actor", "asha", entry_index=7, secret=SECRET)
        == "67e2bad8cd77c647b5c5fc1b25e17b138d7cb8f222f1b507775d45cb5fe788d2"
    )


def test_actor_and_reason_stand_only_as_commitments() -> None:
    leaf = _leaf()
    assert b"asha" not in leaf
    assert "audit ü".encode() not in leaf


def test_commitments_of_one_text_differ_by_entry_field_and_secret() -> None:
    made = {
        commit("actor", "asha", entry_index=1, secret=SECRET),
        commit("actor", "asha", entry_index=2, secret=SECRET),
        commit("reason", "asha", entry_index=1, secret=SECRET),
        commit("actor", "asha", entry_index=1, secret=b"t" * 32),
    }
    assert len(made) == 4


def test_the_order_of_details_does_not_change_the_leaf() -> None:
    turned = replace(EVENT, details=dict(reversed(EVENT.details.items())))
    assert _leaf(turned) == _leaf()


def test_times_are_written_in_utc() -> None:
    there = TIME.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert json.loads(_leaf(time=there))["time"] == "2024-05-06T07:08:09.000000+00:00"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(AuditError, match="zone"):
        _leaf(time=datetime(2024, 5, 6))


def test_later_changes_of_the_callers_details_do_not_reach_the_event() -> None:
    columns = ["a"]
    details = {"columns": columns}
    event = AuditEvent("a", "r", "done", "asha", "", details)
    columns.append("b")
    details["more"] = ["c"]
    assert event.details == {"columns": ["a"]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "Read it"},
        {"action": ""},
        {"outcome": "maybe"},
        {"resource": ""},
        {"actor": ""},
        {"details": {"Name": 1}},
        {"details": {"share": 0.5}},
        {"details": {"big": 2**53}},
        {"details": {"mixed": ["a", 1]}},
        {"details": {"nothing": None}},
    ],
)
def test_what_the_leaf_cannot_hold_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(AuditError):
        replace(EVENT, **wrong)


@pytest.mark.parametrize("field", ["actor", "resource", "run_id", "reason", "details"])
def test_broken_unicode_is_refused_without_being_shown(field: str) -> None:
    broken: object = {"columns": ["x\ud800"]} if field == "details" else "x\ud800"
    with pytest.raises(AuditError) as caught:
        replace(EVENT, **{field: broken})
    assert caught.value.__suppress_context__
    assert "\\ud800" not in repr(caught.value)


@pytest.mark.parametrize("field", ["resource", "actor", "reason", "run_id"])
def test_an_event_holds_no_nul_character(field: str) -> None:
    fields = {"action": "run.start", "resource": "a", "outcome": "allowed", "actor": "b", "run_id": "", "reason": ""}
    with pytest.raises(AuditError, match="NUL"):
        AuditEvent(**{**fields, field: "a\0b"})  # type: ignore[arg-type]
