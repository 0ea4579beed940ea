import dataclasses
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from secure_ml.assessment.evaluation import Evaluation
from secure_ml.assessment.explanation import Explanation, Importance
from secure_ml.assessment.gates import judge
from secure_ml.policy.project import Policy
from secure_ml.release.errors import CardError
from secure_ml.release.model_card import CardFacts, model_card
from secure_ml.release.record import StoredVersion
from secure_ml.training.estimators.port import GIVEN_MASKED, NONE, PRIVATE, VOID
from secure_ml_tests.assessment.people import counted
from secure_ml_tests.assessment.whole import evaluation

FEATURE = {
    "kind": "feature",
    "reason": "Income says whether instalments can be paid.",
    "bins": [20000, 50000],
}
ESTIMATOR = {
    "kind": "dp_additive",
    "epsilon": "1",
    "delta": "0.000001",
    "budget": {"epsilon": "3", "delta": "0.00001"},
}


def _column(kind: str, use: dict[str, Any], **more: Any) -> dict[str, Any]:
    column = {
        "description": "A column of the table.",
        "type": "string",
        "category": "financial",
        "identifiability": "none",
        "treatment": {"kind": kind},
        "use": use,
    }
    return column | more


def _policy(**changes: Any) -> Policy:
    content: dict[str, Any] = {
        "project": "loan_approval",
        "title": "Approval of loans",
        "purpose": "Credit scoring as advice to the officer who decides.",
        "legal_basis": "contract",
        "owners": ["team:credit_risk"],
        "source": {
            "format": "csv",
            "path": "{partition}.csv",
            "partitions": {"kind": "monthly", "start": "2031-01", "end": "2031-07"},
        },
        "subject": {"column": "customer"},
        "label": {"column": "approved", "positive": "yes"},
        "columns": {
            "customer": _column("token", {"kind": "administrative"}, category="pii", identifiability="pseudonym"),
            "approved": _column("keep", {"kind": "administrative"}),
            "income": _column(
                "generalise_number", FEATURE, type="number", treatment={"kind": "generalise_number", "step": 5000}
            ),
            "colour": _column("keep", {"kind": "fairness"}, category="pii"),
            "full_name": _column(
                "drop", {"kind": "never", "reason": "Says nothing about credit."}, identifiability="direct"
            ),
            "remarks": _column("scrub_text", {"kind": "review"}),
        },
        "training": {"estimator": ESTIMATOR, "backtest": {"periods": 3, "epsilon": "0.5"}},
        "gates": {
            "performance": [{"metric": "auc", "minimum": 0.7}, {"metric": "log_loss", "maximum": 0.01}],
            "fairness": [{"attribute": "colour", "metric": "equalized_odds_difference", "maximum": 0.5}],
        },
        "approvals": {"required": 2, "roles": ["risk_officer"]},
        "retention": {"raw_days": 90, "masked_days": 365, "model_days": 1825},
    }
    return Policy.model_validate(content | changes)


TRAINING = {
    "estimator": "dp_additive",
    "algorithm": "additive logistic model",
    "hyperparameters": {"rounds": 200, "learning_rate": 10.0},
    "guarantee": PRIVATE,
    "guarantee_reason": "",
    "unit": "subject",
    "neighbouring": "one subject with all their rows added or removed",
    "epsilon": "1",
    "delta": "0.000001",
    "accountant": "exact Gaussian composition",
    "noise_scale": 3.5,
    "releases": 201,
    "not_covered": ["metrics and row counts", "timing of the training"],
    "seed_policy": "noise from the operating system",
}


def _version(stage: str, partition: str = "") -> StoredVersion:
    return StoredVersion(stage, partition, f"{stage}-{partition or 'whole'}-id", "d" * 64)


def _facts(*, policy: Policy | None = None, measured: Evaluation | None = None, **changes: Any) -> CardFacts:
    declared = _policy() if policy is None else policy
    made = (measured or evaluation()).model_copy(update={"policy_digest": declared.digest})
    facts = CardFacts(
        policy=declared,
        model=_version("trained"),
        model_digest="a" * 64,
        datasets=[_version("masked", "2031-01"), _version("masked", "2031-07"), _version("split")],
        rows={"train": 16800, "validation": 3600, "test": 3600},
        training=TRAINING,
        evaluation=made,
        judgements=judge(made, declared.gates),
        started_by="asha@bank.example",
        trained_at=datetime(2031, 8, 1, 12, 30, tzinfo=UTC),
        code_version="1.2.3",
        environment_lock_digest="e" * 64,
        profile="personal",
        profile_limits=["code that runs as the same user", "a root user of the machine"],
    )
    return dataclasses.replace(facts, **changes)


def _section(card: str, title: str) -> str:
    return card.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_card_has_the_fields_headings_in_order() -> None:
    titles = re.findall(r"^## (.+)$", model_card(_facts()), re.MULTILINE)
    assert titles == [
        "Model details",
        "Intended use",
        "Training and evaluation data",
        "Features",
        "Excluded columns",
        "Training",
        "Privacy",
        "Performance",
        "Over time",
        "Fairness",
        "Gates",
        "Explanation",
        "Ethical considerations and limitations",
        "Approval and retention",
        "Reproduction",
    ]


def test_the_same_facts_give_the_same_card_in_any_time_zone() -> None:
    elsewhere = datetime(2031, 8, 1, 18, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert model_card(_facts()) == model_card(_facts(trained_at=elsewhere))
    assert "2031-08-01 12:30:00 UTC" in model_card(_facts())


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Model details", ["asha@bank.example", "`trained-whole-id`", "`team:credit_risk`", "a" * 64]),
        ("Intended use", ["Credit scoring", "GDPR Art. 6 (1) (b)", "`approved` = `yes`", "Not for:", "Art. 22"]),
        (
            "Training and evaluation data",
            ["2031-01 to 2031-07 (2)", "16800", "`split-whole-id`", "all rows of a subject"],
        ),
        ("Features", ["`income`", "rounded down to steps of 5000", "3 bins, declared by the steward", "instalments"]),
        ("Excluded columns", ["`full_name`", "not used: Says nothing about credit.", "to compare groups only"]),
        ("Training", ["`dp_additive`", "`rounds` | `200`", "noise from the operating system"]),
        ("Performance", ["AUC", "bootstrap draws of subjects", "Expected calibration error"]),
        ("Over time", ["A second model", "`2031-06`", "suppressed", "Stability index"]),
        ("Fairness", ["By `colour`", "amber", "unknown | suppressed", "Equalized odds difference"]),
        ("Gates", ["at least 0.7 | pass", "at most 0.01 | **fail** | yes"]),
        ("Explanation", ["`income` | 1.700 | 50000 and more (+0.900) | below 20000 (-0.800)"]),
        (
            "Ethical considerations and limitations",
            ["`personal` does not protect against", "a root user of the machine"],
        ),
        ("Approval and retention", ["2 different people", "`risk_officer`", "1825 days"]),
        ("Reproduction", ["`1.2.3`", "e" * 64, "secure_ml/evaluation/1"]),
    ],
)
def test_a_section_says_what_a_reader_must_know(title: str, words: list[str]) -> None:
    found = _section(model_card(_facts()), title)
    for word in words:
        assert word in found, word


def test_published_figures_are_those_of_the_evaluation() -> None:
    auc = evaluation().performance.auc
    assert f"| AUC | {auc.value:.3f} [{auc.low:.3f}, {auc.high:.3f}] |" in model_card(_facts())


def test_a_tiny_group_is_counted_and_not_named() -> None:
    card = model_card(_facts())
    assert "canary" not in card
    assert "too small to be named: 1" in card


def test_a_failing_blocking_gate_stands_at_the_top() -> None:
    assert "**Not fit for registration**: 1 of 3 gates fail and block." in model_card(_facts()).split("\n## ")[0]
    gates = {"performance": [{"metric": "auc", "minimum": 0.99, "blocking": False}]}
    assert "1 of 1 gates fail, none of which blocks" in model_card(_facts(policy=_policy(gates=gates)))
    passing = {"performance": [{"metric": "auc", "minimum": 0.51}]}
    assert "All 1 gates pass." in model_card(_facts(policy=_policy(gates=passing)))


def test_a_private_model_states_unit_neighbours_and_parameters() -> None:
    found = _section(model_card(_facts()), "Privacy")
    assert "**Differentially private.**" in found
    for words in ("| ε | 1 |", "| δ | 0.000001 |", "subject", "one subject with all their rows", "exact Gaussian"):
        assert words in found
    assert "another ε = 0.5" in found
    assert "may spend ε = 3" in found
    assert "- timing of the training" in found


def test_what_was_asked_of_the_masked_table_is_told() -> None:
    asked = {
        "k": 4, "maximum_prosecutor_risk": 0.1, "quasi_identifiers": ["colour"], "sensitive": ["approved"],
        "l_diversity": {"kind": "entropy", "minimum": 1.5}, "t_closeness": 0.2, "suppress": True,
    }  # fmt: skip
    told = _section(model_card(_facts(policy=_policy(anonymity=asked))), "Anonymity of the masked table")
    assert "- at least 10 subjects share each combination of `colour`\n" in told
    assert "`approved`, each has l ≥ 1.5 (entropy l-diversity)" in told
    assert "t ≤ 0.2" in told
    assert "suppressed, in at most 5.0% of the rows" in told
    assert "Anonymity" not in model_card(_facts())


def test_a_guarantee_given_the_masked_table_says_that_it_is_no_more() -> None:
    facts = TRAINING | {"guarantee": GIVEN_MASKED, "guarantee_reason": "rare combinations were suppressed"}
    found = _section(model_card(_facts(training=facts)), "Privacy")
    assert "**Differentially private given the masked table**, and not before it: rare combinations were" in found
    assert "| ε | 1 |" in found


def test_a_void_guarantee_is_no_promise() -> None:
    facts = TRAINING | {"guarantee": VOID, "guarantee_reason": "bins were drafted from the data for: income"}
    found = _section(model_card(_facts(training=facts)), "Privacy")
    assert "**Noise added, no differential-privacy guarantee**: bins were drafted from the data for: income" in found
    assert "not a promise" in found
    assert "Differentially private" not in found


def test_a_model_without_privacy_says_so_and_shows_no_epsilon() -> None:
    estimator = {"kind": "hist_gradient_boosting", "no_privacy_reason": "Public data, nobody to protect."}
    policy = _policy(training={"estimator": estimator})
    facts = TRAINING | {
        "guarantee": NONE,
        "guarantee_reason": "Public data",
        "epsilon": "",
        "delta": "",
        "accountant": "",
    }
    found = _section(model_card(_facts(policy=policy, training=facts)), "Privacy")
    assert "**No differential privacy**: Public data." in found
    assert "ε" not in found


@pytest.mark.parametrize(
    "change",
    [
        {"guarantee": "very private indeed"},
        {"guarantee": None},
        {"epsilon": ""},
        {"delta": ""},
        {"unit": ""},
        {"neighbouring": ""},
        {"accountant": ""},
        {"guarantee": VOID, "guarantee_reason": ""},
        {"guarantee": GIVEN_MASKED, "guarantee_reason": ""},
        {"not_covered": []},
        {"not_covered": "nothing"},
        {"estimator": ""},
        {"hyperparameters": "many"},
    ],
)
def test_a_card_is_refused_rather_than_written_with_a_hole(change: dict[str, object]) -> None:
    with pytest.raises(CardError, match="training fact"):
        model_card(_facts(training=TRAINING | change))


def test_facts_that_do_not_belong_together_are_refused() -> None:
    other_policy = _facts().evaluation.model_copy(update={"policy_digest": "f" * 64})
    with pytest.raises(CardError, match="another policy"):
        model_card(_facts(evaluation=other_policy))
    with pytest.raises(CardError, match="another model"):
        model_card(_facts(model_digest="f" * 64))
    with pytest.raises(CardError, match="time zone"):
        model_card(_facts(trained_at=datetime(2031, 8, 1)))
    with pytest.raises(CardError, match="does not protect"):
        model_card(_facts(profile_limits=[]))


def test_an_overridden_finding_is_told_with_its_reason() -> None:
    override = {"entity": "card", "reason": "order numbers of the shop; some pass Luhn"}
    columns = dict(_policy().model_dump(mode="json")["columns"])
    columns["colour"] = columns["colour"] | {"override": override}
    told = _section(model_card(_facts(policy=_policy(columns=columns))), "Overridden findings")
    assert "| `colour` | card | kept as string | order numbers of the shop; some pass Luhn |" in told
    assert "Overridden findings" not in model_card(_facts())


def test_words_from_outside_are_no_markup() -> None:
    hostile = "Loans | <script>alert(1)</script> [here](javascript:x) **all gates pass**\n\n## Gates `x`"
    card = model_card(_facts(policy=_policy(title=hostile), started_by=hostile, code_version="a`b|c\n## d"))
    assert "<script" not in card
    assert re.search(r"(?<!\\)\]\(", card) is None
    assert "**all gates pass**" not in card
    assert card.count("\n## Gates") == 1
    assert "\n## d" not in card
    assert "`a'b¦c ## d`" in card


def test_every_table_has_as_many_cells_in_each_row() -> None:
    hostile = _policy(purpose="Scoring | of | credit applications")
    for block in re.findall(r"(?:^\|.*\|\n)+", model_card(_facts(policy=hostile)), re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(cells) == 1, block


def test_few_rows_on_a_side_are_suppressed() -> None:
    assert "| test | suppressed |" in model_card(_facts(rows={"train": 300, "test": 12}))


def test_a_card_of_suppressed_figures_says_so() -> None:
    measured = evaluation(counted(amber=(8, 8), blue=(5, 4)), backtest=False)
    hidden = measured.model_copy(
        update={"explanation": Explanation(method="permutation", importances="suppressed", curves=())}
    )
    card = model_card(_facts(measured=hidden))
    assert "| AUC | suppressed |" in card
    assert "Test side: suppressed rows" in card
    assert "importance of features is suppressed" in card
    assert "No second model was trained" in card
    assert "auc is suppressed, since too few people stand behind it" in card.replace("\\", "")


def test_permutation_importances_are_listed() -> None:
    importances = (Importance(feature="income", value=0.123, spread=0.004),)
    explanation = Explanation(method="permutation", importances=importances, curves=())
    card = model_card(_facts(measured=evaluation().model_copy(update={"explanation": explanation})))
    assert "| `income` | 0.123 | 0.004 |" in card
