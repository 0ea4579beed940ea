"""Hostile code of a run at the kernel's socket, with its genuine ticket: what that does not give is refused."""

from typing import Any

import pytest

from secure_ml_tests.fakes.separated import project_rows
from secure_ml_tests.separated.story import Story

pytestmark = pytest.mark.journey

ANOTHER_PLACE = "AccessRefused: the run's ticket is for another environment or project"
ANOTHER_PROCESS = "AccessRefused: the run's ticket is in use by another process"
NO_MESSAGE = "WireError: a frame holds no message that is known here"
NOT_NAMED = "AccessRefused: the run's ticket does not name the stage"


def asserted(found: dict[str, Any], expected: dict[str, str]) -> None:
    assert found.keys() == expected.keys()
    for name, words in expected.items():
        assert words in found[name], name


def test_no_other_data_than_the_tickets(story: Story) -> None:
    expected = {
        "dropped column": "does not give masked the columns full_name",
        "unknown column": "has no column of a name that was asked for",
        "version not opened": "has not opened the version",
        "stage not in the ticket": NOT_NAMED,
        "no parent": "classified may not read masked",
        "another project": ANOTHER_PLACE,
        "another environment": ANOTHER_PLACE,
        "another derivation": "masked may not derive a key",
    }
    asserted(story.masked["read_beyond"], expected)


def test_a_run_that_trains_reads_neither_what_came_before_nor_its_own_exam(story: Story) -> None:
    expected = {
        "another category": "does not give split the columns diagnosis",
        "raw as split": "split may not read raw",
        "raw as masked": NOT_NAMED,
        "test side as trained": "may open only the sides train",
        "no side": "may open only the sides train",
    }
    asserted(story.split["read_beyond_in_training"], expected)


def test_plain_pyarrow_reads_the_columns_whose_keys_were_released_and_no_others(story: Story) -> None:
    found = story.split["read_the_ciphertext"]
    assert set(found["keys"]) == {found["footer"], "income"}
    assert "batches" in found["income"]
    assert found["diagnosis"] == []


def test_no_verdict_but_the_assessors(story: Story) -> None:
    expected = {
        "its own version": "verdict.record of raw in training is not among what",
        "another stage": NOT_NAMED,
        "made-up ticket": "the signature is not",
        "open as a check": "a run judges no version",
        "keys as a check": "a run judges no version",
    }
    asserted(story.masked["forge_a_verdict"], expected)
    believed = [entry["actor"] for entry in story.log if entry["action"] == "verdict.record"]
    assert set(believed) == {"service:assessor"}


def test_the_assessor_judges_for_its_environments_runs_and_does_nothing_else(story: Story) -> None:
    expected = {
        "no project": "nothing of that name to be judged",
        "another environment": "only the runs of an environment have its versions judged",
        "another message": NO_MESSAGE,
    }
    asserted(story.masked["ask_the_assessor"], expected)


def test_what_is_changed_before_or_after_its_verdict_is_neither_judged_nor_used(story: Story) -> None:
    found = story.masked["spoil_what_is_judged"]
    assert found.pop("judged genuine") == [True, True]
    assert found.pop("used genuine") == len(project_rows())
    changed = "not the file that was committed"
    expected = dict.fromkeys(("judged changed", "judged another", "used changed", "used another"), changed)
    asserted(found, {"unjudged": "ChecksNotPassed", **expected})


def test_no_version_under_lower_labels_or_of_other_parents(story: Story) -> None:
    expected = {
        "lower labels": "bears less than the label that flows into it",
        "invented parents": "names a parent that this run has not opened",
        "a parent left out": "names no parent of the stage classified",
        "no parents": "has read a version for it that is not among the parents",
        "none": "Committed",
    }
    asserted(story.masked["commit_lies"], expected)


def test_no_write_elsewhere_and_none_that_would_fill_the_kernel(story: Story) -> None:
    expected = {
        "stage not in the ticket": NOT_NAMED,
        "another project": ANOTHER_PLACE,
        "another environment": ANOTHER_PLACE,
        "more keys than there are": "has one bucket, or as many as the policy says",
        "a charge": NOT_NAMED,
    }
    asserted(story.masked["write_beyond"], expected)


def test_without_a_ticket_the_runs_user_is_nobody(story: Story) -> None:
    found = story.masked["act_without_a_ticket"]
    assert len(found) == 12
    assert all("this user of the operating system is no actor here" in words for words in found.values())


def test_there_is_no_message_that_writes_the_log(story: Story) -> None:
    found = story.masked["say_what_is_no_message"]
    assert {words.partition(" here")[0] + " here" for words in found.values()} == {NO_MESSAGE}


def test_a_ticket_serves_one_process_and_none_after_it(story: Story) -> None:
    elsewhere = story.masked["show_the_ticket_elsewhere"]
    assert ANOTHER_PROCESS in elsewhere["another connection"]
    assert ANOTHER_PROCESS in elsewhere["a child"]
    assert len(elsewhere["many at once"]) == 1
    assert ANOTHER_PROCESS in elsewhere["many at once"][0]
    assert ANOTHER_PROCESS in story.split["show_the_ticket_of_a_run_that_ended"]


def test_no_more_is_spent_than_the_budget(story: Story) -> None:
    found = story.split["overspend"]
    assert found.pop("within").startswith("BudgetCharged")
    assert len(at_once := found.pop("at once")) == 1
    assert ANOTHER_PROCESS in at_once[0]
    exhausted, none = "BudgetExhausted: ", "BudgetError: "
    expected = {
        **dict.fromkeys(("beyond epsilon", "beyond delta", "the rest and more"), exhausted),
        **dict.fromkeys(("negative", "negative delta", "nothing", "no number", "too long to add up"), none),
        "another project's": ANOTHER_PLACE,
    }
    asserted(found, expected)
    # The hostile charge within the budget, and the genuine training.
    assert float(story.verified["spent"]) == 1.5


REFUSED = {
    "budget.charge", "egress.attempt", "key.derive", "keys.destroy", "keys.rotate", "keys.status", "log.read",
    "log.verify", "run.start", "source.draft", "status.read", "verdict.write", "version.commit", "version.open",
    "version.read", "version.write",
}  # fmt: skip


def test_the_log_has_every_kind_of_refusal(story: Story) -> None:
    assert {entry["action"] for entry in story.log if entry["outcome"] == "refused"} == REFUSED


def test_after_all_that_the_genuine_run_ends_well_and_everything_verifies(story: Story) -> None:
    assert story.code == 0, story.shown
    stages = story.status["projects"]["clinic"]["stages"]
    assert [stage["versions"] for stage in stages.values()] == [1] * 7
    assert not any(stage["unchecked"] or stage["closed_by_checks"] for stage in stages.values())
    assert story.verified["entries"] == len(story.log)
    committed = {e["resource"]: e["details"]["version_id"] for e in story.log if e["action"] == "version.commit"
                 and e["outcome"] == "done"}  # fmt: skip
    assert story.verified["heads"] == committed
