"""A version that has not passed its checks is closed in every later run, whatever Dagster's events say."""

import getpass
from collections.abc import Iterator

import dagster as dg
import pytest

from secure_ml.access.stages import CHECKS, Stage
from secure_ml.cli.opened import Opened, opened
from secure_ml.orchestration.keys import asset_key
from secure_ml.orchestration.runs import Outcome
from secure_ml_tests.fakes.loan_installation import (
    ENVIRONMENT,
    Attributes,
    LoanInstallation,
    Row,
    add_project,
    failures,
    loan_installation,
    materialise_without_checks,
    run_until,
)  # fmt: skip

LEAKY, UNDECLARED, UNCHECKED = "leaky", "undeclared", "unchecked"


def declare_the_leak_a_feature(attributes: Attributes) -> None:
    attributes["columns"]["sanction_letter_days"] |= {
        "treatment": {"kind": "keep"},
        "use": {"kind": "feature", "reason": "It looks as if it helped.", "bins": [1, 4, 7, 10, 14]},
    }


def add_a_column_of_telephones(rows: list[Row]) -> None:
    for row in rows:
        row["reachable_at"] = row["phone"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoanInstallation]:
    with loan_installation(tmp_path_factory.mktemp("gates")) as made:
        add_project(made, LEAKY, change=declare_the_leak_a_feature)
        add_project(made, UNDECLARED, rows=300, edit=add_a_column_of_telephones)
        add_project(made, UNCHECKED, rows=300)
        yield made


@pytest.fixture
def running(installed: LoanInstallation) -> Iterator[Opened]:
    with opened(ENVIRONMENT) as made:
        yield made


@pytest.fixture(scope="module")
def leaky_outcomes(installed: LoanInstallation) -> list[Outcome]:
    return run_until(LEAKY, Stage.REGISTERED)


def forge_passing_checks(running: Opened, name: str, stage: Stage) -> None:
    """What somebody with Dagster's API, or its database, can report."""
    key = asset_key(ENVIRONMENT, name, stage)
    for check in CHECKS[stage]:
        running.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(asset_key=key, check_name=check, passed=True, metadata={})
        )
    running.instance.report_runless_asset_event(dg.AssetMaterialization(asset_key=key))


def require_nothing_trained(installed: LoanInstallation) -> None:
    assert installed.head(LEAKY, Stage.TRAINED) is None
    assert installed.installation().ledger.spent(f"{ENVIRONMENT}/{LEAKY}").epsilon == 0
    assert installed.log(LEAKY, "budget.charge") == []


def test_the_column_that_gives_the_label_away_is_caught_when_it_is_declared_a_feature(
    installed: LoanInstallation, leaky_outcomes: list[Outcome]
) -> None:
    protected, trained = leaky_outcomes
    assert protected.success
    assert not trained.success
    ((check, words, blocking),) = trained.failed_checks
    assert check == "split.no_feature_gives_the_label_away"
    assert "sanction_letter_days" in words
    assert blocking
    require_nothing_trained(installed)


def test_a_later_run_of_trained_alone_is_refused_and_spends_nothing(
    installed: LoanInstallation, leaky_outcomes: list[Outcome], running: Opened
) -> None:
    result = materialise_without_checks(running, LEAKY, [Stage.TRAINED])
    assert not result.success
    assert "no_feature_gives_the_label_away" in failures(result)
    require_nothing_trained(installed)


def test_forged_check_events_open_nothing(
    installed: LoanInstallation, leaky_outcomes: list[Outcome], running: Opened
) -> None:
    forge_passing_checks(running, LEAKY, Stage.SPLIT)
    result = materialise_without_checks(running, LEAKY, [Stage.TRAINED])
    assert not result.success
    assert "no_feature_gives_the_label_away" in failures(result)
    require_nothing_trained(installed)


def test_an_undeclared_sensitive_column_blocks_at_classified(installed: LoanInstallation, running: Opened) -> None:
    (outcome,) = run_until(UNDECLARED, Stage.MASKED)
    assert not outcome.success
    ((check, words, blocking),) = outcome.failed_checks
    assert check == "classified.no_undeclared_sensitive_column"
    assert "reachable_at" in words
    assert blocking
    later = materialise_without_checks(running, UNDECLARED, [Stage.MASKED])
    assert not later.success
    assert "no_undeclared_sensitive_column" in failures(later)
    assert installed.head(UNDECLARED, Stage.CLASSIFIED) is not None
    assert installed.head(UNDECLARED, Stage.MASKED) is None


def test_a_version_without_verdicts_is_closed_until_its_own_checks_have_passed(
    installed: LoanInstallation, running: Opened
) -> None:
    assert materialise_without_checks(running, UNCHECKED, [Stage.RAW]).success
    for forged in (False, True):
        if forged:
            forge_passing_checks(running, UNCHECKED, Stage.RAW)
        refused = materialise_without_checks(running, UNCHECKED, [Stage.CLASSIFIED])
        assert not refused.success
        assert "schema" in failures(refused)
        assert installed.head(UNCHECKED, Stage.CLASSIFIED) is None
    (outcome,) = run_until(UNCHECKED, Stage.RAW)
    assert outcome.success
    assert materialise_without_checks(running, UNCHECKED, [Stage.CLASSIFIED]).success


def test_a_run_of_all_stages_without_checks_stops_at_the_second(installed: LoanInstallation, running: Opened) -> None:
    result = materialise_without_checks(running, UNCHECKED, [Stage.RAW, Stage.CLASSIFIED, Stage.MASKED])
    assert not result.success
    assert installed.head(UNCHECKED, Stage.MASKED) is None


def test_tags_that_a_client_sends_change_neither_who_nor_what(installed: LoanInstallation, running: Opened) -> None:
    tags = {"secure_ml/actor": "auditor", "secure_ml/ticket": "{}", "secure_ml/assess": "true", "user": "auditor"}
    result = materialise_without_checks(running, UNDECLARED, [Stage.RAW], tags=tags)
    assert result.success
    refused = materialise_without_checks(running, UNDECLARED, [Stage.CLASSIFIED], tags=tags)
    assert not refused.success
    entry = installed.log(UNDECLARED, "version.open")[-1]
    assert entry.run_id == refused.run_id
    assert entry.actor == f"os-user:{getpass.getuser()}"
