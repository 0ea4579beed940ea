"""What comes after masking, read decrypted through the door, holds none of the source's identifiers.

What the policy lets through is no canary: a region, an age, a kind of work, a remark in which nothing was found.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_ml.access import decisions
from secure_ml.access.stages import PARTITIONED, Stage
from secure_ml.installation import Installation
from secure_ml.policy.columns import ColumnType
from secure_ml.policy.project import Policy
from secure_ml.policy.projects import find_projects
from secure_ml.protection.mask import plan
from secure_ml.protection.mask.keep import Keep
from secure_ml.protection.mask.masking import Masking
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment
from secure_ml.settings import read_settings
from secure_ml.vault.artefacts import ARTEFACTS, read_artefacts
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.door import Door
from secure_ml_tests.adversarial.canaries import (
    AADHAAR,
    ACCOUNT,
    ADDRESS,
    APPLICATION,
    CUSTOMER,
    EMAIL,
    EMPLOYER,
    LOANS,
    NAME,
    PAN,
    PHONE,
    PROJECT_ROOT,
    canaries,
    loan_rows,
)  # fmt: skip
from secure_ml_tests.adversarial.search import Texts, search
from secure_ml_tests.fakes.demo_run import PROJECT, DemoRun

PARTITIONS = tuple(file.stem for file in sorted(LOANS.glob("*.csv")))
PARTITION = PARTITIONS[0]
ARTEFACT_STAGES = (Stage.TRAINED, Stage.VALIDATED, Stage.REGISTERED)
BY_CHANCE = 3
"""Format-preserved numbers of a partition that may be another application's: of 2,000 among 26² · 10⁷, where 24,000 are
somebody's, so many or fewer are with a probability of 1 - 10⁻¹⁰. A column in clear has 2,000."""


def plain(dataset: Dataset) -> dict[str, bytes]:
    """What a reader of the dataset gets, by file or column."""
    if dataset.schema.equals(ARTEFACTS):
        return read_artefacts(dataset)
    table = dataset.read()
    return {
        name: b"\n".join(str(cell).encode() for cell in table[name].to_pylist() if cell is not None)
        for name in table.column_names
    }


def found_in(texts: Texts, dataset: Dataset) -> dict[str, Counter[str]]:
    """The kinds found, by file or column."""
    searched = {name: search(texts, content) for name, content in plain(dataset).items()}
    if 0 < searched.get("application_id", Counter())[APPLICATION] <= BY_CHANCE:
        del searched["application_id"][APPLICATION]
    return {name: kinds for name, kinds in searched.items() if kinds}


@pytest.fixture(scope="module")
def everybody() -> Texts:
    return canaries(loan_rows(), with_remarks=False)


@pytest.fixture
def demo_door(demo_run: DemoRun, monkeypatch: pytest.MonkeyPatch) -> Door:
    # No stage reads registered and no check assesses it: the decision is opened for this search alone.
    checks = {**decisions.CHECKS, Stage.REGISTERED: ("search",)}
    monkeypatch.setattr(decisions, "CHECKS", checks)
    return demo_run.installation().door(environment="training", project=PROJECT, run_id="looking-inside")


@pytest.mark.journey
@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.RAW])
def test_no_identifier_stands_in_what_a_stage_stored(demo_door: Door, everybody: Texts, stage: Stage) -> None:
    for partition in PARTITIONS if stage in PARTITIONED else ("",):
        manifest, dataset = demo_door.assess(stage, partition)
        assert manifest.rows > 0
        assert found_in(everybody, dataset) == {}, partition


@pytest.mark.journey
def test_model_evidence_figures_and_card_are_among_what_was_searched(demo_door: Door) -> None:
    names = {name for stage in ARTEFACT_STAGES for name in plain(demo_door.assess(stage, "")[1])}
    assert names >= {
        "model.skops",
        "facts.json",
        "backtest/facts.json",
        "training.json",
        "evaluation.json",
        "figures/roc.png",
        "figures/explanation.png",
        "model_card.md",
        "registration.json",
    }


@pytest.mark.journey
def test_raw_holds_them_so_that_the_same_search_would_have_found_them(demo_door: Door, everybody: Texts) -> None:
    found: Counter[str] = Counter()
    for kinds in found_in(everybody, demo_door.assess(Stage.RAW, PARTITION)[1]).values():
        found |= kinds
    assert set(found) == set(everybody.count)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    environ = {"SECURE_ML_HOME": str(tmp_path / "home"), "SECURE_ML_KEYS": str(tmp_path / "keys")}
    return Installation(read_settings(environ), find_projects((PROJECT_ROOT / "secure_ml" / "defs",)))


@pytest.fixture(scope="module")
def january() -> Texts:
    return canaries(loan_rows([LOANS / f"{PARTITION}.csv"]), with_remarks=False)


def masked_as_planned(installation: Installation) -> Dataset:
    door = installation.door(environment="training", project=PROJECT, run_id="run-1")
    project = installation.projects[PROJECT]
    masking = Masking(project.policy, key_for=lambda purpose: door.derive_key(purpose, by=Stage.MASKED))
    return masking.apply(door.receive(PARTITION, folder=project.folder, environ={}))


def identity_for(column: str) -> Callable[..., ColumnTreatment | None]:
    """The choice of treatments, but for one column that is let through as it is."""
    choose = plan.column_treatment

    def chosen(policy: Policy, name: str, *, key_for: plan.KeyFor) -> ColumnTreatment | None:
        if name != column:
            return choose(policy, name, key_for=key_for)
        declared = policy.columns[name].model_copy(update={"type": ColumnType.STRING})
        return Keep(ColumnReader(declared, policy.source.missing))

    return chosen


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("full_name", NAME),
        ("email", EMAIL),
        ("phone", PHONE),
        ("address", ADDRESS),
        ("aadhaar", AADHAAR),
        ("pan", PAN),
        ("account_number", ACCOUNT),
        ("customer_id", CUSTOMER),
        ("application_id", APPLICATION),
        ("employer", EMPLOYER),
    ],
)
def test_a_treatment_replaced_by_identity_is_caught(
    installation: Installation, january: Texts, monkeypatch: pytest.MonkeyPatch, column: str, kind: str
) -> None:
    monkeypatch.setattr(plan, "column_treatment", identity_for(column))
    found = found_in(january, masked_as_planned(installation))
    assert set(found) == {column}
    assert found[column][kind] > 100


def test_remarks_that_are_not_scrubbed_are_caught(
    installation: Installation, january: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "column_treatment", identity_for("officer_remarks"))
    found = found_in(january, masked_as_planned(installation))
    assert set(found) == {"officer_remarks"}
    assert all(found["officer_remarks"][kind] > 20 for kind in (NAME, EMAIL, PHONE, AADHAAR))


def test_the_same_partition_with_its_own_treatments_holds_nothing(installation: Installation, january: Texts) -> None:
    masked = masked_as_planned(installation)
    assert found_in(january, masked) == {}
    assert "officer_remarks" in plain(masked)
