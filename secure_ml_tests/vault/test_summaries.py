"""The closed vocabulary of summaries: all that the stages say is in it, and nothing that somebody else could say."""

from typing import get_args

import pytest

from secure_ml.access.stages import Stage
from secure_ml.assessment.records import SUPPRESSED
from secure_ml.policy.project import Policy
from secure_ml.policy.source import MonthlyPartitions
from secure_ml.policy.training import DpAdditive, HistGradientBoosting
from secure_ml.privacy.charge import scientific
from secure_ml.release.validation import METRICS
from secure_ml.training.estimators.port import GIVEN_MASKED, NONE, PRIVATE, VOID, Unit
from secure_ml.vault.errors import AccessRefused
from secure_ml.vault.manifest import Address
from secure_ml.vault.summaries import FIGURES, WORDS, require_summary
from secure_ml_tests.fakes.small_project import attributes

POLICY = Policy.model_validate(attributes(partitioned=True))
LOSS = DpAdditive.model_validate(
    {"kind": "dp_additive", "epsilon": "0.80", "delta": "0.000001", "budget": {"epsilon": 5, "delta": "0.001"}}
)
PRIVATELY = POLICY.model_copy(update={"training": POLICY.training.model_copy(update={"estimator": LOSS})})
MONTHLY = POLICY.model_copy(
    update={
        "source": POLICY.source.model_copy(
            update={"partitions": MonthlyPartitions(kind="monthly", start="2031-01", end="2031-12")}
        )
    }
)
CANARY = "Zorblax Quillfeather"
TRAINED = {
    "estimator": "dp_additive",
    "guarantee": PRIVATE,
    "epsilon": "0.8",
    "delta": scientific(LOSS.delta),
    "unit": "subject",
}


def require(stage: Stage, summary: dict[str, int | float | str], *, policy: Policy = PRIVATELY) -> None:
    columns = {*policy.columns, "undeclared_column_3"}
    require_summary(Address("training", "clinic", stage, ""), summary, policy=policy, columns=columns, rows=60)


def test_the_vocabulary_has_the_words_that_the_stages_say() -> None:
    kinds = {
        kind for model in (DpAdditive, HistGradientBoosting) for kind in get_args(model.model_fields["kind"].annotation)
    }
    assert {SUPPRESSED, PRIVATE, GIVEN_MASKED, VOID, NONE, *get_args(Unit), *kinds} <= WORDS
    assert set(METRICS) == FIGURES[Stage.VALIDATED]


@pytest.mark.parametrize(
    ("stage", "summary"),
    [
        (Stage.RAW, {}),
        (Stage.CLASSIFIED, {"found.email": "email, direct", "found.undeclared_column_3": "none, none"}),
        (Stage.MASKED, {"rows_read": 60, "unknown.income": 0}),
        (Stage.SPLIT, {"rows_train": 40, "no_subject": 0}),
        (Stage.TRAINED, {**TRAINED, "first_period": "first", "last_period": "second"}),
        (Stage.TRAINED, {"estimator": "hist_gradient_boosting", "guarantee": NONE, "first_period": "all"}),
        (Stage.VALIDATED, {"auc": 0.75, "f1": "suppressed", "equalized_odds_difference.gender": 0.1}),
        (Stage.REGISTERED, {"registered_model": "training.clinic", "model_version": 1, "mlflow_run": "0a" * 16}),
    ],
)
def test_what_a_stage_says_is_accepted(stage: Stage, summary: dict[str, int | float | str]) -> None:
    require(stage, summary)


def test_a_month_of_the_source_is_a_period_and_another_is_not() -> None:
    require(Stage.TRAINED, {"first_period": "2031-01", "last_period": "2031-12"}, policy=MONTHLY)
    for period in ("2030-12", "2032-01", "2031-13", "first"):
        with pytest.raises(AccessRefused):
            require(Stage.TRAINED, {"first_period": period}, policy=MONTHLY)


@pytest.mark.parametrize(
    ("epsilon", "delta"),
    [("1", "0.00001"), ("0.123456789012345678901234567890", "1.25e-7"), ("100", "1e-15"), ("0.000001", "0.001")],
)
def test_a_loss_is_told_as_the_policy_declares_it_however_exact(epsilon: str, delta: str) -> None:
    declared = DpAdditive.model_validate({**LOSS.model_dump(), "epsilon": epsilon, "delta": delta})
    policy = POLICY.model_copy(update={"training": POLICY.training.model_copy(update={"estimator": declared})})
    told = {"epsilon": f"{declared.epsilon.normalize():f}", "delta": scientific(declared.delta)}
    require(Stage.TRAINED, {**TRAINED, **told}, policy=policy)
    for other in ("0.5", "0.80", "1e-9"):
        with pytest.raises(AccessRefused):
            require(Stage.TRAINED, {"epsilon": other}, policy=policy)


def test_a_project_without_privacy_tells_of_no_loss() -> None:
    with pytest.raises(AccessRefused):
        require(Stage.TRAINED, {"epsilon": "0.8"}, policy=POLICY)


@pytest.mark.parametrize(
    ("stage", "summary"),
    [
        (Stage.RAW, {"rows_read": 1}),
        (Stage.MASKED, {CANARY: 1}),
        (Stage.MASKED, {"zorblax_quillfeather": 1}),
        (Stage.MASKED, {f"unknown.{CANARY}": 1}),
        (Stage.MASKED, {"unknown.": 1}),
        (Stage.MASKED, {"rows_read": CANARY}),
        (Stage.MASKED, {"rows_read.income": 1}),
        (Stage.MASKED, {"unknown": 1}),
        (Stage.MASKED, {"rows_read": int.from_bytes(CANARY.encode())}),
        (Stage.MASKED, {"rows_read": -int.from_bytes(CANARY.encode())}),
        (Stage.MASKED, {"rows_read": float("nan")}),
        (Stage.MASKED, {"rows_read": 61}),
        (Stage.MASKED, {"rows_read": 9_876_501_234}),
        (Stage.MASKED, {"unknown.income": -98_765}),
        (Stage.MASKED, {"unknown.income": 12345.5}),
        (Stage.MASKED, {"rows_masked": "suppressed"}),
        (Stage.SPLIT, {"rows_train": 98_765_01234}),
        (Stage.TRAINED, {"delta": 2**53 + 1}),
        (Stage.MASKED, {"auc": 0.5}),
        (Stage.CLASSIFIED, {"found.email": CANARY}),
        (Stage.CLASSIFIED, {"found.email": "email, direct\n"}),
        (Stage.TRAINED, {**TRAINED, "first_period": "third"}),
        (Stage.TRAINED, {**TRAINED, "epsilon": "9876501234"}),
        (Stage.TRAINED, {**TRAINED, "epsilon": "0.8\n"}),
        (Stage.TRAINED, {**TRAINED, "unit": "0.8"}),
        (Stage.VALIDATED, {f"equalized_odds_difference.{CANARY}": 0.1}),
        (Stage.REGISTERED, {"registered_model": "training.other"}),
        (Stage.REGISTERED, {"mlflow_run": CANARY}),
        (Stage.REGISTERED, {"status": "0a" * 16}),
        (Stage.REGISTERED, {"artefacts": f"file:///{CANARY}"}),
    ],
)
def test_anything_else_is_refused_and_not_repeated(stage: Stage, summary: dict[str, int | float | str]) -> None:
    with pytest.raises(AccessRefused, match="stands in clear") as refused:
        require(stage, summary)
    told = str(refused.value)
    assert all(str(part) not in told for name, value in summary.items() for part in (value, name) if len(str(part)) > 4)
