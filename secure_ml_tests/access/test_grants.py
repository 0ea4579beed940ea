"""A grant's life, its bytes, and what cannot be asked for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_ml.access.grants import (
    GRANTABLE,
    LONGEST_HOURS,
    LONGEST_REASON,
    REQUEST_TTL,
    Grant,
    GrantRefused,
    GrantUnreadable,
)
from secure_ml.access.stages import Stage

NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
HOUR, TICK = timedelta(hours=1), timedelta(microseconds=1)


def requested(**changes: Any) -> Grant:
    fields: dict[str, Any] = {
        "grant_id": "ab" * 16,
        "environment": "training",
        "project": "clinic",
        "stage": Stage.RAW,
        "columns": ("email", "income"),
        "purpose": "decide on invented membership applications",
        "hours": 2,
        "requested_by": "person:scientist-1",
        "requested_at": NOW,
        "reason": "two rows fail the schema and nobody knows why",
    }
    return Grant(**{**fields, **changes})


def approved(**changes: Any) -> Grant:
    return requested(**changes).approved(by="person:steward-1", now=NOW + HOUR)


def test_a_request_waits_for_seven_days() -> None:
    assert requested().state(NOW) == "requested"
    assert requested().state(NOW + REQUEST_TTL - TICK) == "requested"
    assert requested().state(NOW + REQUEST_TTL) == "lapsed"
    assert requested().expires is None


def test_its_hours_begin_with_the_approval() -> None:
    grant = approved()
    assert (grant.approved_by, grant.expires) == ("person:steward-1", NOW + 3 * HOUR)
    assert grant.state(NOW + HOUR) == "open"
    assert grant.state(NOW + 3 * HOUR - TICK) == "open"
    assert grant.state(NOW + 3 * HOUR) == "expired"


def test_a_clock_set_back_opens_nothing() -> None:
    assert approved().state(NOW + HOUR - TICK) == "expired"


def test_who_asked_does_not_approve() -> None:
    with pytest.raises(GrantRefused, match="may not approve it"):
        requested().approved(by="person:scientist-1", now=NOW)


def test_a_revoked_grant_stays_closed() -> None:
    for grant in (requested(), approved()):
        revoked = grant.revoked(by="person:steward-1", now=NOW + HOUR)
        assert revoked.state(NOW + HOUR) == "revoked"
        for change in (revoked.approved, revoked.revoked):
            with pytest.raises(GrantRefused, match="the grant is revoked"):
                change(by="person:steward-2", now=NOW + HOUR)


def test_an_open_grant_is_not_approved_again_for_more_hours() -> None:
    with pytest.raises(GrantRefused, match="the grant is open, so it cannot be approved"):
        approved().approved(by="person:steward-2", now=NOW + 2 * HOUR)


@pytest.mark.parametrize(("grant", "state"), [(requested(), "lapsed"), (approved(), "expired")])
def test_what_has_ended_is_neither_approved_nor_revoked(grant: Grant, state: str) -> None:
    for change in (grant.approved, grant.revoked):
        with pytest.raises(GrantRefused, match=f"the grant is {state}"):
            change(by="person:steward-2", now=NOW + REQUEST_TTL)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hours": 0}, "1 to 72 hours"),
        ({"hours": LONGEST_HOURS + 1}, "1 to 72 hours"),
        ({"hours": -3}, "1 to 72 hours"),
        ({"columns": ()}, "at least one column"),
        ({"columns": ("income", "email")}, "in order"),
        ({"columns": ("email", "email")}, "each once"),
        ({"reason": " \n"}, "needs a purpose and a reason"),
        ({"purpose": ""}, "needs a purpose and a reason"),
        ({"reason": "r" * (LONGEST_REASON + 1)}, "at most 500 characters"),
        *[({"stage": stage}, "no table of people") for stage in Stage if stage not in GRANTABLE],
    ],
)
def test_what_cannot_be_asked_for_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(GrantRefused, match=words):
        requested(**changes)


@given(
    columns=st.frozensets(st.text(max_size=8), min_size=1, max_size=4),
    reason=st.text(min_size=1, max_size=40).filter(str.strip),
    hours=st.integers(1, LONGEST_HOURS),
    stage=st.sampled_from(GRANTABLE),
    life=st.sampled_from(["requested", "approved", "revoked"]),
)
def test_its_bytes_are_read_back_as_they_were(
    columns: frozenset[str], reason: str, hours: int, stage: Stage, life: str
) -> None:
    grant = requested(columns=tuple(sorted(columns)), reason=reason, hours=hours, stage=stage)
    if life != "requested":
        grant = grant.approved(by="person:steward-1", now=NOW)
    if life == "revoked":
        grant = grant.revoked(by="person:steward-2", now=NOW)
    assert Grant.from_bytes(grant.to_bytes()) == grant


def test_the_bytes_of_a_grant_are_those_of_its_format() -> None:
    revoked = approved(columns=("income",)).revoked(by="person:dpo-1", now=NOW + 2 * HOUR)
    assert revoked.to_bytes() == (
        b'{"approved_at":"2031-05-01T13:00:00+00:00","approved_by":"person:steward-1","audit_index":-1,'
        b'"columns":["income"],"environment":"training","format":"secure_ml/grant/1",'
        b'"grant_id":"abababababababababababababababab","hours":2,"project":"clinic",'
        b'"purpose":"decide on invented membership applications",'
        b'"reason":"two rows fail the schema and nobody knows why","requested_at":"2031-05-01T12:00:00+00:00",'
        b'"requested_by":"person:scientist-1","revoked_at":"2031-05-01T14:00:00+00:00","revoked_by":"person:dpo-1",'
        b'"stage":"raw"}'
    )


def test_bytes_of_another_format_are_refused_as_such() -> None:
    with pytest.raises(GrantUnreadable, match="a newer secure_ml may have written it"):
        Grant.from_bytes(requested().to_bytes().replace(b"grant/1", b"grant/2"))
