"""Grants by message: who asks, who agrees, what the log knows, and what an edited row gives."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from secure_ml.access.grants import Grant
from secure_ml.access.stages import Stage
from secure_ml.audit.log import AuditEvent
from secure_ml.vault.errors import AccessRefused, HeadMoved, NothingThere, Tampered, UnknownFormat, VaultError
from secure_ml.vault.grant_store import GrantStore
from secure_ml.vault.granting import ApproveGrant, ListGrants, RequestGrant, RevokeGrant, change_grant, list_grants
from secure_ml_tests.fakes.appointed_people import AppointedPeople, make_appointed_people
from secure_ml_tests.fakes.json_kernel import JsonKernel
from secure_ml_tests.fakes.small_project import PROJECT, attributes, make_small_project, write_policy

PLACE = {"environment": "training", "project": PROJECT}
PURPOSE = attributes()["purpose"]


@pytest.fixture
def people(tmp_path: Path) -> AppointedPeople:
    return make_appointed_people(tmp_path)


def ask(people: AppointedPeople, login: str = "scientist", **changes: Any) -> Grant:
    fields: dict[str, Any] = {
        "stage": Stage.RAW,
        "columns": ("income", "email"),
        "purpose": PURPOSE,
        "hours": 8,
        "reason": "two rows fail the schema",
    }
    return change_grant(JsonKernel(people.kernel_of(login)), RequestGrant(**{**PLACE, **fields, **changes}))


def approve(people: AppointedPeople, grant: Grant, login: str = "steward") -> Grant:
    return change_grant(people.kernel_of(login), ApproveGrant(**PLACE, grant_id=grant.grant_id))


def revoke(people: AppointedPeople, grant: Grant, login: str = "steward") -> Grant:
    return change_grant(people.kernel_of(login), RevokeGrant(**PLACE, grant_id=grant.grant_id))


def store_of(people: AppointedPeople) -> GrantStore:
    there = people.installation
    return GrantStore(there.state, there.log, there.signing_key, there.versions.index)


def stored(people: AppointedPeople) -> tuple[Grant, ...]:
    return store_of(people).of(**PLACE)


def told(people: AppointedPeople) -> list[tuple[str, str, str | None]]:
    """What the log tells of grants: action, outcome, actor."""
    return [(e.action, e.outcome, e.actor) for e in people.installation.log.entries() if e.action.startswith("grant.")]


def edit(people: AppointedPeople, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(people.root / "home" / "state" / "state.db")) as connection, connection:
        assert connection.execute(statement, values).rowcount > 0


def test_a_grant_is_asked_for_approved_by_another_and_ends(people: AppointedPeople) -> None:
    asked = ask(people)
    assert (asked.requested_by, asked.columns, asked.state(people.clock())) == (
        "person:scientist-1", ("email", "income"), "requested",
    )  # fmt: skip
    people.clock.pass_hours(1)
    opened = approve(people, asked)
    assert (opened.approved_by, opened.approved_at, opened.state(people.clock())) == (
        "person:steward-1", people.clock(), "open",
    )  # fmt: skip
    assert stored(people.reopened()) == (opened,)
    people.clock.pass_hours(8)
    assert stored(people)[0].state(people.clock()) == "expired"
    assert told(people) == [
        ("grant.request", "allowed", "person:scientist-1"),
        ("grant.request", "done", "person:scientist-1"),
        ("grant.approve", "allowed", "person:steward-1"),
        ("grant.approve", "done", "person:steward-1"),
    ]


def test_the_log_names_grant_columns_and_hours_and_keeps_the_reason_beside_the_leaf(people: AppointedPeople) -> None:
    asked = ask(people)
    entry = list(people.installation.log.entries())[-1]
    assert entry.entry_index == asked.audit_index
    assert entry.details == {"grant_id": asked.grant_id, "columns": ["email", "income"], "hours": 8}
    assert (entry.resource, entry.reason) == (f"training/{PROJECT}/raw", "two rows fail the schema")
    with closing(sqlite3.connect(people.root / "home" / "state" / "state.db")) as connection:
        leaves = b"".join(leaf for (leaf,) in connection.execute("SELECT leaf FROM audit_entries"))
    assert b"two rows fail" not in leaves
    assert b"scientist-1" not in leaves
    people.installation.log.verify()


def test_a_reason_that_quotes_a_person_is_stored_without_the_value(people: AppointedPeople) -> None:
    asked = ask(people, reason="why does zorblax.00007@invented.example have no income")
    assert asked.reason == "why does [email] have no income"
    assert b"zorblax" not in (people.root / "home" / "state" / "state.db").read_bytes()


@pytest.mark.parametrize("login", ["scientist", "both", "colleague", "keeper", "auditor", "stranger"])
def test_nobody_approves_who_asked_or_lacks_the_role(people: AppointedPeople, login: str) -> None:
    asked = ask(people, "both" if login == "both" else "scientist")
    with pytest.raises(AccessRefused):
        approve(people, asked, login)
    assert stored(people) == (asked,)
    assert told(people)[-1][:2] == ("grant.approve", "refused")


@pytest.mark.parametrize("login", ["steward", "dpo", "both"])
def test_a_steward_or_the_data_protection_officer_approves_and_revokes(people: AppointedPeople, login: str) -> None:
    assert approve(people, ask(people), login).state(people.clock()) == "open"
    assert revoke(people, stored(people)[0], login).state(people.clock()) == "revoked"


@pytest.mark.parametrize("login", ["steward", "dpo", "keeper", "auditor", "stranger"])
def test_nobody_asks_without_the_role(people: AppointedPeople, login: str) -> None:
    with pytest.raises(AccessRefused):
        ask(people, login)
    assert stored(people) == ()
    assert told(people)[-1][:2] == ("grant.request", "refused")


def test_one_gives_ones_own_grant_back_and_no_one_elses(people: AppointedPeople) -> None:
    opened = approve(people, ask(people))
    with pytest.raises(AccessRefused):
        revoke(people, opened, "colleague")
    assert revoke(people, opened, "scientist").revoked_by == "person:scientist-1"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"purpose": "marketing"}, "for the purpose that its policy declares"),
        ({"environment": "production"}, "grant.request of raw in production"),
        ({"environment": "elsewhere"}, "names one of the environments"),
        ({"stage": Stage.TRAINED}, "grant.request of trained"),
        ({"columns": ("income", "salary")}, "one is not among them"),
        ({"columns": ()}, "at least one column"),
        ({"hours": 73}, "1 to 72 hours"),
        ({"hours": 0}, "1 to 72 hours"),
        ({"reason": "  "}, "needs a purpose and a reason"),
        ({"reason": "r" * 501}, "at most 500 characters"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_and_logged(
    people: AppointedPeople, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(AccessRefused, match=words):
        ask(people, **changes)
    assert told(people)[-1][1] in {"refused", "failed"}
    assert stored(people) == ()


def test_a_grant_for_another_purpose_than_todays_is_not_approved(people: AppointedPeople) -> None:
    asked = ask(people)
    content = attributes()
    content["purpose"] = "decide on something else altogether"
    write_policy(people.root / "defs" / PROJECT, content)
    changed = people.reopened()
    with pytest.raises(AccessRefused, match="the policy's purpose is another one"):
        approve(changed, asked)
    assert told(changed)[-1][:2] == ("grant.approve", "failed")


def test_what_lapsed_or_was_revoked_is_not_approved(people: AppointedPeople) -> None:
    refused = revoke(people, ask(people))
    lapsed = ask(people)
    people.clock.pass_hours(24 * 7)
    for grant, state in ((refused, "revoked"), (lapsed, "lapsed")):
        with pytest.raises(AccessRefused, match=f"the grant is {state}"):
            approve(people, grant)


def test_whether_a_grant_exists_is_told_to_those_who_may_act_on_it_only(people: AppointedPeople) -> None:
    asked = ask(people)
    for request in (ApproveGrant(**PLACE, grant_id="00" * 16), RevokeGrant(**PLACE, grant_id="00" * 16)):
        with pytest.raises(NothingThere, match="there is no such grant"):
            people.kernel_of("steward").send(request)
        with pytest.raises(AccessRefused):
            people.kernel_of("colleague").send(request)
    elsewhere = ApproveGrant(environment="test", project=PROJECT, grant_id=asked.grant_id)
    with pytest.raises(NothingThere):
        people.kernel_of("steward").send(elsewhere)


def test_all_grants_are_listed_to_those_who_watch_and_ones_own_to_each(people: AppointedPeople) -> None:
    first, second = ask(people), ask(people, "colleague")

    def listed(login: str, *, own: bool) -> list[str]:
        return [grant.grant_id for grant in list_grants(JsonKernel(people.kernel_of(login)), **PLACE, own=own)]

    for login in ("steward", "dpo", "auditor"):
        assert listed(login, own=False) == [first.grant_id, second.grant_id]
    assert listed("scientist", own=True) == [first.grant_id]
    assert listed("colleague", own=True) == [second.grant_id]
    for login, own in (("scientist", False), ("keeper", False), ("stranger", True), ("stranger", False)):
        with pytest.raises(AccessRefused):
            listed(login, own=own)
    assert told(people)[-1][:2] == ("grant.list", "refused")


def test_two_who_decide_at_once_do_not_both_succeed(people: AppointedPeople) -> None:
    asked = ask(people)
    approve(people, asked)
    entries = people.installation.log.size()
    event = AuditEvent("grant.revoke", "training/clinic/raw", "done", "person:dpo-1", "", {"grant_id": asked.grant_id})
    with pytest.raises(HeadMoved, match="changed meanwhile"):
        store_of(people).record(asked.revoked(by="person:dpo-1", now=people.clock()), event=event)
    assert people.installation.log.size() == entries


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"approved_by":""', b'"approved_by":"person:steward-1"'),
        (b'"hours":8', b'"hours":72'),
        (b'"requested_by":"person:scientist-1"', b'"requested_by":"person:scientist-2"'),
        (b'"columns":["email"', b'"columns":["diagnosis","email"'),
    ],
)
def test_an_edited_row_gives_nothing(people: AppointedPeople, old: bytes, new: bytes) -> None:
    body = ask(people).to_bytes()
    assert old in body
    edit(people, "UPDATE access_grants SET body = ?", body.replace(old, new))
    with pytest.raises(Tampered, match="does not bear this installation's signature"):
        stored(people)


def test_an_older_state_put_back_gives_nothing(people: AppointedPeople) -> None:
    opened = approve(people, ask(people))
    with closing(sqlite3.connect(people.root / "home" / "state" / "state.db")) as connection:
        row = connection.execute("SELECT body, signature, audit_index FROM access_grants").fetchone()
    revoke(people, opened)
    edit(people, "UPDATE access_grants SET body = ?, signature = ?, audit_index = ?", *row)
    for seen in (people, people.reopened()):
        with pytest.raises(Tampered, match="not the one that the audit log recorded last"):
            stored(seen)


@pytest.mark.parametrize(("column", "other"), [("grant_id", "cd" * 16), ("environment", "test"), ("project", "loans")])
def test_a_row_in_anothers_place_gives_nothing(people: AppointedPeople, column: str, other: str) -> None:
    ask(people)
    edit(people, f"UPDATE access_grants SET {column} = ?", other)
    with pytest.raises(Tampered, match="not the one that the audit log recorded last"):
        store_of(people).of(**{**PLACE, **({column: other} if column in PLACE else {})})


def test_a_signed_grant_that_the_log_never_saw_gives_nothing(people: AppointedPeople) -> None:
    forged = replace(approve(people, ask(people)), grant_id="cd" * 16)
    signature = people.installation.signing_key.sign(forged.to_bytes(), kind="grant.v1")
    edit(
        people,
        "INSERT INTO access_grants VALUES (?, 'training', ?, ?, ?, ?)",
        forged.grant_id, PROJECT, forged.to_bytes(), signature, forged.audit_index,
    )  # fmt: skip
    with pytest.raises(Tampered, match="not the one that the audit log recorded last"):
        stored(people)


def test_a_removed_row_gives_nothing_and_stops_nothing(people: AppointedPeople) -> None:
    first, second = ask(people), ask(people, "colleague")
    edit(people, "DELETE FROM access_grants WHERE grant_id = ?", first.grant_id)
    assert stored(people) == (second,)
    with pytest.raises(NothingThere):
        approve(people, first)
    people.installation.log.verify()


def test_a_format_that_is_not_known_is_refused_as_such(people: AppointedPeople) -> None:
    body = ask(people).to_bytes().replace(b"grant/1", b"grant/2")
    signature = people.installation.signing_key.sign(body, kind="grant.v1")
    edit(people, "UPDATE access_grants SET body = ?, signature = ?", body, signature)
    with pytest.raises(UnknownFormat, match="a newer secure_ml"):
        stored(people)


def test_in_a_personal_installation_nobody_can_agree_so_nobody_asks(tmp_path: Path) -> None:
    kernel = make_small_project(tmp_path).kernel
    fields = {"stage": Stage.RAW, "columns": ("income",), "purpose": PURPOSE, "hours": 1, "reason": "to see"}
    for request in (
        RequestGrant(**PLACE, **fields),
        ApproveGrant(**PLACE, grant_id="00" * 16),
        ListGrants(**PLACE, own=True),
    ):
        with pytest.raises(VaultError, match="needs a second person"):
            kernel.send(request)
