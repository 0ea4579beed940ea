"""One masked value given back: to whom, from where, what the log has of it, and what nobody gets."""

import hmac
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from secure_ml.access.stages import Stage
from secure_ml.audit.log import AuditEntry, AuditLog
from secure_ml.keys.custody import KeyCustody
from secure_ml.keys.derivation import derive
from secure_ml.keys.errors import KeyServiceError
from secure_ml.protection.mask.revealing import NotMaskedHere, RevealValue, ValueRevealed, reveal
from secure_ml.state.errors import StateError
from secure_ml.vault.client import NoSuchProject
from secure_ml.vault.errors import AccessRefused, ChecksNotPassed, NothingThere, StaleVersion
from secure_ml.vault.messages import Kernel
from secure_ml_tests.fakes.appointed_people import ACTORS, AppointedPeople, Clock, open_appointed_people
from secure_ml_tests.fakes.json_kernel import JsonKernel
from secure_ml_tests.fakes.reversible_columns import REVERSIBLE, mask, masked_cell, with_reversible_columns
from secure_ml_tests.fakes.small_project import (
    ENVIRONMENT,
    PROJECT,
    attributes,
    make_small_project,
    rows,
    write_policy,
)

REASON = "the member has to be told that the decision was wrong"
PLACE = f"{ENVIRONMENT}/{PROJECT}/masked"
AGREED = [row for row in rows() if row["agreed"] == "yes"]
ONE = AGREED[7]


@dataclass(frozen=True)
class Masked:
    """The small project once masked, in an installation that has people; and what stands in its table."""

    people: AppointedPeople
    cells: dict[str, list[str]]

    def kernel_of(self, login: str) -> Kernel:
        return JsonKernel(self.people.kernel_of(login))

    def cell(self, column: str) -> str:
        """What stands for the value of `ONE`."""
        return self.cells[column][AGREED.index(ONE)]

    def ask(self, column: str = "email", *, login: str = "steward", **changes: Any) -> str:
        fields: dict[str, Any] = {
            "environment": ENVIRONMENT,
            "project": PROJECT,
            "partition": "",
            "column": column,
            "masked_value": self.cell("email"),
            "case": "K-47/11",
            "reason": REASON,
        }
        return reveal(self.kernel_of(login), RevealValue(**{**fields, **changes})).value

    def told(self, count: int) -> list[AuditEntry]:
        """The newest entries of the log."""
        return list(self.people.installation.log.entries())[-count:]

    def bytes_of_log(self) -> bytes:
        return b"".join(file.read_bytes() for file in (self.people.root / "home" / "state").iterdir())


def open_masked(root: Path, cells: dict[str, list[str]]) -> Masked:
    return Masked(open_appointed_people(root, Clock()), cells)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Masked:
    root = tmp_path_factory.mktemp("masked")
    table = mask(make_small_project(root, change=with_reversible_columns).reopened(clock=Clock()))
    (root / "actors.yaml").write_text(ACTORS, encoding="utf-8")
    return open_masked(root, {name: table[name].to_pylist() for name in REVERSIBLE})


@pytest.fixture
def masked(kept: Masked, tmp_path: Path) -> Masked:
    for name in ("home", "keys", "defs"):
        shutil.copytree(kept.people.root / name, tmp_path / name)
    shutil.copy(kept.people.root / "actors.yaml", tmp_path)
    return open_masked(tmp_path, kept.cells)


@pytest.mark.parametrize("column", REVERSIBLE)
def test_a_steward_has_back_what_was_masked(kept: Masked, column: str) -> None:
    assert [kept.ask(column, masked_value=cell) for cell in kept.cells[column][:5]] == [
        row[column] for row in AGREED[:5]
    ]
    assert kept.cell(column) != ONE[column]


@pytest.mark.parametrize(
    ("login", "words"),
    [
        ("scientist", "value.reveal of masked in training is not among what the role data_scientist allows"),
        ("keeper", "value.reveal is never for admin, whatever other roles"),
        ("auditor", "value.reveal is never for auditor"),
        ("dpo", "value.reveal is never for data_protection_officer"),
        ("stranger", "no actor here"),
        ("training-run", "no actor here"),
    ],
)
def test_nobody_but_a_steward_has_a_value_back(kept: Masked, login: str, words: str) -> None:
    with pytest.raises(AccessRefused, match=words):
        kept.ask(login=login)
    (entry,) = kept.told(1)
    assert (entry.action, entry.resource, entry.outcome) == ("value.reveal", PLACE, "refused")
    assert words in (entry.reason or "")


def test_a_message_that_is_sent_again_is_decided_and_logged_again(kept: Masked) -> None:
    kept.ask()
    first = kept.told(2)
    with pytest.raises(AccessRefused):
        kept.ask(login="colleague")
    kept.ask()
    assert [(e.outcome, e.actor) for e in kept.told(3)] == [
        ("refused", "person:scientist-2"),
        ("allowed", "person:steward-1"),
        ("done", "person:steward-1"),
    ]
    assert kept.told(1)[0].entry_index == first[-1].entry_index + 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"column": "member_id"}, "member_id is treated by token, which cannot be undone"),
        ({"column": "income"}, "income is treated by keep, which cannot be undone"),
        ({"column": "remark"}, "remark is treated by drop, which cannot be undone"),
        ({"column": "zorblax.00007@invented.example"}, "declares no column of that name"),
        ({"environment": "development"}, "in development is not among"),
        ({"environment": "elsewhere"}, "names one of the environments"),
        ({"partition": "9876543210"}, "has no partition of that key"),
        ({"case": ""}, "say for which case"),
        ({"case": "Zorblax Quillfeather"}, "say for which case"),
        ({"case": "K-47\n"}, "say for which case"),
        ({"case": "7" * 33}, "say for which case"),
        ({"reason": ""}, "say why"),
        ({"reason": "  because   "}, "say why"),
        ({"reason": "r" * 501}, "say why"),
        ({"masked_value": ""}, "give one value"),
        ({"masked_value": "d" * 16_385}, "give one value"),
    ],
    ids=str,
)
def test_a_request_that_does_not_say_all_that_it_must_is_refused_and_in_the_log(
    kept: Masked, changes: dict[str, Any], words: str
) -> None:
    before = kept.people.installation.log.size()
    with pytest.raises(AccessRefused, match=words):
        kept.ask(**changes)
    assert kept.people.installation.log.size() == before + 1
    (entry,) = kept.told(1)
    assert (entry.action, entry.outcome) == ("value.reveal", "refused")
    for typed in ("zorblax", "9876543210", "Quillfeather"):
        assert typed not in str(entry)


@pytest.mark.parametrize(
    ("cell", "case"), [("9876543210", "9876543210"), ("98765 43210", "c/98765-43210"), ("K4x", "k4X")]
)
def test_a_masked_value_is_not_taken_for_the_number_of_a_case(kept: Masked, cell: str, case: str) -> None:
    with pytest.raises(AccessRefused, match="the number of the case is the masked value"):
        kept.ask(masked_value=cell, case=case)
    (entry,) = kept.told(1)
    assert entry.outcome == "refused"
    assert case not in str(entry)


def test_an_unknown_project_is_told_as_such(kept: Masked) -> None:
    with pytest.raises(NoSuchProject, match="there are: clinic"):
        kept.ask(project="dental")


@pytest.mark.parametrize(
    "value",
    [
        ONE["email"],
        "ds1_" + "a" * 40,
        "no such thing",
        "[REDACTED]",
        "ds1_",
        "\N{SNOWMAN}",
        "a\0b",
        " ",
    ],
)
def test_what_the_project_never_made_is_refused_without_its_text(kept: Masked, value: str) -> None:
    with pytest.raises(NotMaskedHere, match="no value that the column email can hold") as refused:
        kept.ask(masked_value=value)
    assert value.strip() == "" or value not in str(refused.value)
    allowed, failed = kept.told(2)
    assert (allowed.outcome, failed.outcome, failed.details["error"]) == ("allowed", "failed", "NotMaskedHere")
    assert failed.actor == "person:steward-1"


def test_a_cell_with_half_a_surrogate_pair_is_refused_and_in_the_log_like_any_other(kept: Masked) -> None:
    place = {"environment": ENVIRONMENT, "project": PROJECT, "partition": "", "column": "email"}
    request = RevealValue(**place, masked_value="a\udc80b", case="K-47/11", reason=REASON)
    with pytest.raises(NotMaskedHere):
        kept.people.kernel_of("steward").send(request)
    assert [entry.outcome for entry in kept.told(2)] == ["allowed", "failed"]


@pytest.mark.parametrize("place", [{"environment": "production"}, {"environment": "test"}])
def test_a_text_that_proves_where_it_is_from_is_refused_from_anywhere_else(kept: Masked, place: dict[str, str]) -> None:
    elsewhere = masked_cell(kept.people.installation, "email", ONE["email"], **place)
    with pytest.raises(NotMaskedHere):
        kept.ask(masked_value=elsewhere)


def test_a_text_of_another_column_or_with_a_letter_changed_is_refused(kept: Masked) -> None:
    for value in (kept.cell("full_name"), kept.cell("email")[:-1] + "7", kept.cell("email").upper()):
        with pytest.raises(NotMaskedHere):
            kept.ask(masked_value=value)


def test_a_format_preserving_value_of_another_environment_gives_another_persons_name_at_most(kept: Masked) -> None:
    elsewhere = masked_cell(kept.people.installation, "full_name", ONE["full_name"], environment="production")
    assert elsewhere != kept.cell("full_name")
    with suppress(NotMaskedHere):
        assert kept.ask("full_name", masked_value=elsewhere) != ONE["full_name"]


def test_the_log_has_who_what_and_why_and_neither_the_value_nor_the_masked_one(kept: Masked) -> None:
    reason = f"{ONE['email']} complained of {kept.cell('email')}"
    kept.ask(reason=reason)
    kept.ask(reason=reason)
    allowed, done, again, _ = kept.told(4)
    assert [(e.action, e.resource, e.outcome, e.actor) for e in (allowed, done)] == [
        ("value.reveal", PLACE, "allowed", "person:steward-1"),
        ("value.reveal", PLACE, "done", "person:steward-1"),
    ]
    assert allowed.reason == "by the role data_steward; case K-47/11: [email] complained of [value]"
    assert (allowed.details["column"], allowed.details["treatment"]) == ("email", "deterministic_encryption")
    assert allowed.details == done.details
    stored = kept.bytes_of_log()
    for word in (ONE["email"], ONE["full_name"], kept.cell("email"), kept.cell("full_name")):
        assert word.encode() not in stored
    with closing(sqlite3.connect(kept.people.root / "home" / "state" / "state.db")) as connection:
        leaves = b"".join(leaf for (leaf,) in connection.execute("SELECT leaf FROM audit_entries"))
    assert b"K-47/11" not in leaves
    assert b"steward-1" not in leaves
    # Nobody sees that it was the same cell.
    assert not {allowed.details[name] for name in ("value_salt", "value_commitment")} & {
        again.details[name] for name in ("value_salt", "value_commitment")
    }
    kept.people.installation.log.verify()


def test_whoever_has_the_logs_secret_can_check_a_guess_as_the_page_says(kept: Masked) -> None:
    kept.ask()
    details = kept.told(1)[0].details
    there = kept.people.installation
    secret = there.keys.secret("audit/commitments", create=False)
    key = derive(secret, purpose="masked value")

    def commitment(guess: str) -> str:
        text = f"{details['value_salt']}\0{ENVIRONMENT}/{PROJECT}/email\0{guess}"
        return hmac.digest(key, text.encode(), "sha256").hex()

    assert commitment(kept.cell("email")) == details["value_commitment"]
    assert commitment(kept.cells["email"][3]) != details["value_commitment"]


def test_the_intent_is_in_the_log_before_a_key_is_opened(kept: Masked, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str]] = []
    opened = KeyCustody.secret

    def secret(custody: KeyCustody, scope: str, *, create: bool) -> bytes:
        seen.append((scope, kept.told(1)[0].outcome))
        assert not create
        return opened(custody, scope, create=create)

    monkeypatch.setattr(KeyCustody, "secret", secret)
    kept.ask()
    assert seen == [(f"project/{ENVIRONMENT}/{PROJECT}", "allowed")]


def test_a_value_whose_outcome_the_log_does_not_take_is_not_told(kept: Masked, monkeypatch: pytest.MonkeyPatch) -> None:
    record, taken = AuditLog.record, iter((True, False))

    def failing(log: AuditLog, event: Any) -> int:
        if next(taken):
            return record(log, event)
        raise StateError("the log is unavailable")

    monkeypatch.setattr(AuditLog, "record", failing)
    with pytest.raises(StateError):
        kept.ask()


def test_a_secret_that_is_lost_is_not_made_anew(kept: Masked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KeyCustody, "_read", _nothing_there)
    with pytest.raises(KeyServiceError):
        kept.ask()
    assert kept.told(1)[0].outcome == "failed"


def _nothing_there(*_: object, **__: object) -> dict[str, bytes]:
    from secure_ml.keys.errors import KeyNotFound

    raise KeyNotFound("there is no such key")


def test_under_another_policy_than_the_one_that_masked_nothing_is_given_back(masked: Masked) -> None:
    content = attributes()
    with_reversible_columns(content)
    content["columns"]["full_name"]["treatment"]["alphabet"] = "abcdefghijklmnopqrstuvwxyz0123456789"
    write_policy(masked.people.root / "defs" / PROJECT, content)
    changed = Masked(masked.people.reopened(), masked.cells)
    with pytest.raises(StaleVersion):
        changed.ask("full_name", masked_value=masked.cell("full_name"))
    assert (changed.told(1)[0].outcome, changed.told(1)[0].details["error"]) == ("failed", "StaleVersion")


def test_where_nothing_was_masked_or_judged_nothing_is_given_back(tmp_path: Path, kept: Masked) -> None:
    with pytest.raises(NothingThere):
        kept.ask(environment="production")
    project = make_small_project(tmp_path, change=with_reversible_columns)
    mask(project)
    project.pass_checks(Stage.MASKED, failing=("no_residual_identifiers",))
    (tmp_path / "actors.yaml").write_text(ACTORS, encoding="utf-8")
    unjudged = open_masked(tmp_path, kept.cells)
    with pytest.raises(ChecksNotPassed):
        unjudged.ask()


def with_a_table_of_its_own_in_test(content: dict[str, Any]) -> None:
    with_reversible_columns(content)
    partitions = {"kind": "static", "keys": ["trial"]}
    content["environments"] = {
        "test": {"source": {"format": "csv", "path": "{partition}.csv", "partitions": partitions}}
    }


def test_the_partitions_are_those_of_the_environments_own_table(tmp_path: Path, kept: Masked) -> None:
    make_small_project(tmp_path, change=with_a_table_of_its_own_in_test)
    (tmp_path / "actors.yaml").write_text(ACTORS, encoding="utf-8")
    tried = open_masked(tmp_path, kept.cells)
    with pytest.raises(NothingThere):
        tried.ask(environment="test", partition="trial")
    for place in ({"environment": "test"}, {"partition": "trial"}):
        with pytest.raises(AccessRefused, match="has no partition of that key"):
            tried.ask(**place)


def test_a_message_shows_neither_value_nor_case_nor_reason() -> None:
    place = {"environment": ENVIRONMENT, "project": PROJECT, "partition": "", "column": "email"}
    shown = [
        repr(RevealValue(**place, masked_value="ds1_zorblax", case="zorblax-1", reason="zorblax complained")),
        str(ValueRevealed(value="zorblax", audit_index=3)),
    ]
    assert not [text for text in shown if "zorblax" in text]
    with pytest.raises(ValidationError) as refused:
        RevealValue.model_validate({**place, "masked_value": ["zorblax"], "case": "c", "reason": "r"})
    assert "zorblax" not in str(refused.value)
