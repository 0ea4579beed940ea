"""The kernel's own reckoning of labels: as strict as the flow through the stages' code, and no stricter."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import secure_ml
from secure_ml.access.decisions import readable_columns
from secure_ml.access.stages import PERIOD, SIDE, Stage
from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.policy.load import load_policy
from secure_ml.policy.project import Policy
from secure_ml.policy.treatments import TREATMENTS
from secure_ml.protection.classify.findings import classify
from secure_ml.protection.mask.masking import Masking
from secure_ml.training.split import split
from secure_ml.vault.artefacts import ARTEFACTS
from secure_ml.vault.dataset import Dataset, from_batches
from secure_ml.vault.errors import AccessRefused
from secure_ml.vault.flow import Parents, require_labels, require_opened, require_parents
from secure_ml.vault.labels import PUBLIC, STRICTEST, Label, declared_label, join
from secure_ml.vault.manifest import Address, Manifest
from secure_ml_tests.protection.mask.every_kind import SPECS, TYPES
from secure_ml_tests.protection.mask.tables import COLUMNS, column, key_for, policy

SHIPPED = load_policy(Path(secure_ml.__file__).parent / "defs" / "loan_approval")
TREATED = policy()
"""A policy of many treatments."""

EVERY = policy(
    {
        **COLUMNS,
        **{
            f"{kind} {number}": column(TYPES.get(kind, "string"), {**spec, "kind": kind})
            for kind in TREATMENTS
            for number, spec in enumerate(SPECS[kind])
        },
    }
)
"""A policy with every treatment."""

SUPPRESSING = policy(anonymity={"k": 2, "suppress": True, "sensitive": ["score"]})
"""A policy by which what a quasi-identifier shows depends on the others, and on a sensitive column."""

POLICIES = pytest.mark.parametrize(
    "rule", [SHIPPED, TREATED, EVERY, SUPPRESSING], ids=["shipped", "treated", "every", "suppressing"]
)
UNDECLARED = "noted in haste"
LABELS = st.builds(
    Label,
    st.frozensets(st.sampled_from(Category), min_size=1),
    st.sampled_from(Entity),
    st.sampled_from(Identifiability),
)


def place(stage: Stage, partition: str = "", *, environment: str = "training", project: str = "loans") -> Address:
    return Address(environment, project, stage, partition)


def version(
    stage: Stage, labels: Mapping[str, Label], partition: str = "", *, version_id: str = "v", **where: str
) -> Manifest:
    schema = pa.schema([pa.field(name, pa.string()) for name in labels])
    return Manifest(place(stage, partition, **where), version_id, 1, "00", 0, schema, labels, (), "", (), {}, "run", "")


def raw_labels(rule: Policy) -> dict[str, Label]:
    return {**{name: declared_label(column) for name, column in rule.columns.items()}, UNDECLARED: STRICTEST}


def raw(rule: Policy) -> Dataset:
    labels = raw_labels(rule)
    return from_batches([], schema=pa.schema([pa.field(name, pa.string()) for name in labels]), labels=labels)


def masked(rule: Policy) -> Dataset:
    return Masking(rule, key_for=key_for).apply(raw(rule))


def parents_of(rule: Policy, stage: Stage) -> Parents:
    """What the parents' own code makes."""
    made = {
        Stage.RAW: raw_labels(rule),
        Stage.CLASSIFIED: classify(raw(rule)).labels,
        Stage.MASKED: masked(rule).labels,
        Stage.SPLIT: flowing(rule, Stage.SPLIT) if stage in {Stage.TRAINED, Stage.VALIDATED} else {},
    }
    return {parent: [version(parent, labels)] for parent, labels in made.items()}


def flowing(rule: Policy, stage: Stage) -> dict[str, Label]:
    """The labels that a stage's own code gives what it makes."""
    if stage is Stage.CLASSIFIED:
        return dict(classify(raw(rule)).labels)
    if stage is Stage.MASKED:
        return dict(masked(rule).labels)
    readable = readable_columns(Stage.SPLIT, Stage.MASKED, rule)
    return dict(split({"p": masked(rule).select(readable or ())}, rule, subject_key=bytes(32)).labels)


@POLICIES
@pytest.mark.parametrize("stage", [Stage.CLASSIFIED, Stage.MASKED, Stage.SPLIT], ids=str)
def test_what_a_stages_code_makes_is_accepted_and_less_of_any_column_is_not(rule: Policy, stage: Stage) -> None:
    labels, parents = flowing(rule, stage), parents_of(rule, stage)
    require_labels(place(stage), labels, rule, parents)
    for name, label in labels.items():
        for less in lower(label):
            with pytest.raises(AccessRefused, match="bears less"):
                require_labels(place(stage), {**labels, name: less}, rule, parents)


def lower(label: Label) -> list[Label]:
    """Labels that claim less, in one of the three respects."""
    levels = [level for level in Identifiability if level.rank < label.identifiability.rank]
    found = [Label(label.categories, label.entity, level) for level in levels]
    found += [
        Label(label.categories - {one}, label.entity, label.identifiability)
        for one in label.categories
        if len(label.categories) > 1
    ]
    if label.categories != PUBLIC.categories:
        found.append(Label(PUBLIC.categories, label.entity, label.identifiability))
    if label.entity is not Entity.NONE:
        found.append(Label(label.categories, Entity.NONE, label.identifiability))
    return found


@given(st.dictionaries(st.sampled_from([*COLUMNS, UNDECLARED]), LABELS, min_size=1))
def test_a_masked_column_is_accepted_if_and_only_if_it_is_kept_and_covers_what_its_treatment_leaves(
    labels: dict[str, Label],
) -> None:
    least = flowing(TREATED, Stage.MASKED)
    fits = all(name in least and label.covers(least[name]) for name, label in labels.items())
    try:
        require_labels(place(Stage.MASKED), labels, TREATED, parents_of(TREATED, Stage.MASKED))
    except AccessRefused:
        assert not fits
    else:
        assert fits


def test_a_suppressed_cell_tells_of_all_that_decided_on_it() -> None:
    least = flowing(SUPPRESSING, Stage.MASKED)
    assert least["born"].categories == {Category.PII, Category.FINANCIAL}
    labels = {**least, "born": flowing(TREATED, Stage.MASKED)["born"]}
    with pytest.raises(AccessRefused, match="column born bears less"):
        require_labels(place(Stage.MASKED), labels, SUPPRESSING, parents_of(SUPPRESSING, Stage.MASKED))


def test_a_label_of_raw_above_the_policys_flows_on() -> None:
    stricter = {**raw_labels(TREATED), "employer": STRICTEST}
    parents: Parents = {Stage.RAW: [version(Stage.RAW, stricter)], Stage.CLASSIFIED: []}
    with pytest.raises(AccessRefused, match="column employer"):
        require_labels(place(Stage.MASKED), flowing(TREATED, Stage.MASKED), TREATED, parents)


def test_raw_bears_what_is_declared_and_the_strictest_label_elsewhere() -> None:
    labels = raw_labels(TREATED)
    require_labels(place(Stage.RAW), labels, TREATED, {})
    with pytest.raises(AccessRefused, match="column email"):
        require_labels(place(Stage.RAW), {**labels, "email": PUBLIC}, TREATED, {})
    with pytest.raises(AccessRefused, match="a column bears less"):
        require_labels(place(Stage.RAW), {**labels, UNDECLARED: declared_label(TREATED.columns["email"])}, TREATED, {})
    with pytest.raises(AccessRefused, match="lacks the declared columns pan"):
        require_labels(place(Stage.RAW), {n: label for n, label in labels.items() if n != "pan"}, TREATED, {})


def test_a_column_of_split_bears_the_labels_of_all_its_partitions() -> None:
    labels = flowing(TREATED, Stage.SPLIT)
    one, other = masked(TREATED).labels, {**masked(TREATED).labels, "income": STRICTEST}
    parents: Parents = {Stage.MASKED: [version(Stage.MASKED, one, "p"), version(Stage.MASKED, other, "q")]}
    with pytest.raises(AccessRefused, match="column income"):
        require_labels(place(Stage.SPLIT), labels, TREATED, parents)
    require_labels(place(Stage.SPLIT), {**labels, "income": STRICTEST}, TREATED, parents)


@pytest.mark.parametrize("name", ["phone", UNDECLARED, "__more"])
def test_split_has_no_column_that_models_and_fairness_do_not_need(name: str) -> None:
    labels = {**flowing(TREATED, Stage.SPLIT), name: STRICTEST}
    assert name in masked(TREATED).labels or name not in TREATED.columns
    with pytest.raises(AccessRefused, match="does not make") as refused:
        require_labels(place(Stage.SPLIT), labels, TREATED, parents_of(TREATED, Stage.SPLIT))
    assert name not in str(refused.value)


def test_a_model_bears_all_that_it_could_learn_from() -> None:
    parents = parents_of(TREATED, Stage.TRAINED)
    (made,) = parents[Stage.SPLIT]
    readable = readable_columns(Stage.TRAINED, Stage.SPLIT, TREATED) or ()
    assert {PERIOD, SIDE} < set(readable)
    least = join(made.labels[name] for name in readable)
    require_labels(place(Stage.TRAINED), dict.fromkeys(ARTEFACTS.names, least), TREATED, parents)
    for less in lower(least):
        with pytest.raises(AccessRefused, match="a column bears less"):
            require_labels(place(Stage.TRAINED), {"name": least, "content": less}, TREATED, parents)


@pytest.mark.parametrize("stage", [Stage.TRAINED, Stage.VALIDATED, Stage.REGISTERED], ids=str)
def test_artefacts_have_names_and_contents_and_no_other_column(stage: Stage) -> None:
    parents: Parents = {Stage.SPLIT: [], Stage.TRAINED: [], Stage.VALIDATED: []}
    require_labels(place(stage), dict.fromkeys(ARTEFACTS.names, PUBLIC), TREATED, parents)
    with pytest.raises(AccessRefused, match="does not make"):
        require_labels(place(stage), {"income": STRICTEST}, TREATED, parents)


# Parents


def test_parents_are_those_that_were_opened_and_none_that_was_read_is_left_out() -> None:
    here = place(Stage.MASKED)
    require_opened(here, ("a", "b"), opened=frozenset("abc"), read=frozenset("a"))
    with pytest.raises(AccessRefused, match="has not opened"):
        require_opened(here, ("a", "d"), opened=frozenset("abc"), read=frozenset("a"))
    with pytest.raises(AccessRefused, match="not among the parents"):
        require_opened(here, ("b",), opened=frozenset("abc"), read=frozenset("a"))


MANIFESTS = {
    "raw": version(Stage.RAW, {}, "p"),
    "classified": version(Stage.CLASSIFIED, {}, "p"),
    "raw, older": version(Stage.RAW, {}, "p", version_id="u"),
    "raw of q": version(Stage.RAW, {}, "q"),
    "masked": version(Stage.MASKED, {}, "p"),
    "raw elsewhere": version(Stage.RAW, {}, "p", environment="development"),
    "raw of another project": version(Stage.RAW, {}, "p", project="cards"),
}


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ([], "raw, classified"),
        (["raw"], "no parent of the stage classified"),
        (["classified"], "no parent of the stage raw"),
        (["raw", "raw, older", "classified"], "two versions"),
        (["raw", "raw", "classified"], "two versions"),
        (["raw of q", "classified"], "no parent of it"),
        (["raw", "classified", "masked"], "no parent of it"),
        (["raw elsewhere", "classified"], "no parent of it"),
        (["raw of another project", "classified"], "no parent of it"),
    ],
    ids=str,
)
def test_parents_that_no_masked_is_made_from_are_refused(named: list[str], reason: str) -> None:
    with pytest.raises(AccessRefused, match=reason):
        require_parents(place(Stage.MASKED, "p"), [MANIFESTS[name] for name in named])


def test_parents_are_told_by_stage() -> None:
    found = require_parents(place(Stage.MASKED, "p"), [MANIFESTS["classified"], MANIFESTS["raw"]])
    assert found == {Stage.RAW: [MANIFESTS["raw"]], Stage.CLASSIFIED: [MANIFESTS["classified"]]}
    pieces = [version(Stage.MASKED, {}, "p"), version(Stage.MASKED, {}, "q")]
    assert require_parents(place(Stage.SPLIT), pieces) == {Stage.MASKED: pieces}
    assert require_parents(place(Stage.RAW, "p"), []) == {}
    with pytest.raises(AccessRefused, match="no parent of it"):
        require_parents(place(Stage.RAW, "p"), [MANIFESTS["masked"]])
