"""A wrong policy is answered by file, line, field and what is allowed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from secure_ml.policy.load import PolicyError, load_policy
from secure_ml_tests.fakes.small_project import HEADER, Attributes, attributes, write_policy

Change = Callable[[Attributes], object]


def put(path: str, value: Any) -> Change:
    """Sets the field at a dotted path."""

    def change(content: Attributes) -> None:
        *steps, last = path.split(".")
        for step in steps:
            content = content[step]
        content[last] = value

    return change


def remove(path: str) -> Change:
    def change(content: Attributes) -> None:
        *steps, last = path.split(".")
        for step in steps:
            content = content[step]
        del content[last]

    return change


def both(*changes: Change) -> Change:
    return lambda content: [change(content) for change in changes]


PRIVATE = {
    "kind": "dp_additive", "epsilon": 1, "delta": "1e-6", "budget": {"epsilon": 3, "delta": "1e-5"},
}  # fmt: skip

REGION = attributes()["columns"]["region"]

# The change; the line's text in the file where the editor should look; the field; what is said.
FAULTS: dict[str, tuple[Change, str, str, str]] = {
    "misspelt field": (put("legal_bases", "consent"), "legal_bases:", "legal_bases", "no such field"),
    "missing field": (remove("purpose"), "project:", "purpose", "is missing"),
    "unknown legal basis": (put("legal_basis", "curiosity"), "legal_basis:", "legal_basis", "'legitimate_interests'"),
    "bad project name": (put("project", "My Clinic"), "project:", "project", "pattern"),
    "owner is no team": (put("owners", ["risk"]), "owners:", "owners", "team:name"),
    "unknown format": (put("source.format", "excel"), "format:", "source.format", "'csv', 'parquet' or 'sql'"),
    "sql without query": (
        put("source", {"format": "sql", "url_env": "URL"}), "source:", "source", "needs url_env and query",
    ),
    "unknown partitions": (
        put("source.partitions", {"kind": "weekly"}), "partitions:", "source.partitions", "'monthly'",
    ),
    "partition not in path": (
        put("source.partitions", {"kind": "static", "keys": ["a"]}), "source:", "source", "{partition} in path",
    ),
    "partition key with a dot": (
        both(put("source.path", "{partition}.csv"), put("source.partitions", {"kind": "static", "keys": ["a.b"]})),
        "keys:", "source.partitions.keys", "letters, digits",
    ),
    "month that is none": (
        both(put("source.path", "{partition}.csv"), put("source.partitions", {"kind": "monthly", "start": "2024-13"})),
        "start:", "source.partitions.start", "pattern",
    ),
    "unknown category": (put("columns.income.category", "secret"), "category:", "columns.income.category", "'pii'"),
    "unknown treatment": (
        put("columns.income.treatment", {"kind": "encrypt"}), "treatment:", "columns.income.treatment", "'redact'",
    ),
    "treatment without kind": (
        put("columns.income.treatment", {"to": "year"}), "treatment:", "columns.income.treatment", "needs a `kind`",
    ),
    "unknown use": (put("columns.income.use", {"kind": "input"}), "use:", "columns.income.use", "'feature'"),
    "feature without reason": (
        put("columns.income.use", {"kind": "feature"}), "use:", "columns.income.use.reason", "is missing",
    ),
    "direct identifier kept": (
        put("columns.email.treatment", {"kind": "keep"}), "email:", "columns.email", "use drop, redact, partial_mask",
    ),
    "token as a feature": (
        put("columns.income.treatment", {"kind": "token"}), "income:", "columns.income", "cannot be a feature",
    ),
    "free text kept": (
        both(put("columns.remark.treatment", {"kind": "keep"}), put("columns.remark.identifiability", "quasi")),
        "remark:", "columns.remark", "free text cannot be kept",
    ),
    "cuts that descend": (
        put("columns.income.treatment", {"kind": "generalise_number", "cuts": [2, 1]}),
        "treatment:", "columns.income.treatment", "strictly ascending",
    ),
    "step and cuts": (
        put("columns.income.treatment", {"kind": "generalise_number", "step": 1, "cuts": [1]}),
        "treatment:", "columns.income.treatment", "either step or cuts",
    ),
    "cut that is no number": (
        put("columns.income.treatment", {"kind": "generalise_number", "cuts": [float("nan")]}),
        "treatment:", "columns.income.treatment", "finite numbers",
    ),
    "group in itself": (
        put("columns.region.treatment", {"kind": "generalise_category", "groups": {"a": ["b"], "b": ["a"]}}),
        "groups:", "columns.region.treatment.groups", "among its own groups",
    ),
    "bounds that cross": (
        put("columns.income.treatment", {"kind": "top_bottom_code", "bottom": 5, "top": 1}),
        "treatment:", "columns.income.treatment", "bottom must be below top",
    ),
    "dates that move by a day": (
        put("columns.birth_date.treatment", {"kind": "date_shift", "max_days": 1}),
        "max_days:", "columns.birth_date.treatment.max_days", "greater than or equal to 7",
    ),
    "dates that move without a subject": (
        both(put("columns.birth_date.treatment", {"kind": "date_shift", "max_days": 30}), remove("subject")),
        "treatment:", "columns.birth_date.treatment", "needs the field subject",
    ),
    "surrogate of nothing known": (
        put("columns.diagnosis.treatment", {"kind": "surrogate"}),
        "diagnosis:", "columns.diagnosis", "nothing is invented for health",
    ),
    "label that is no column": (put("label.column", "outcome"), "column: outcome", "label.column", "not among columns"),
    "subject that is no column": (put("subject.column", "who"), "column: who", "subject.column", "not among columns"),
    "subject that is no token": (
        both(put("columns.member_id.treatment", {"kind": "drop"}), put("columns.member_id.use", {"kind": "never"})),
        "treatment:", "columns.member_id.treatment", "must be token",
    ),
    "label that is dropped": (
        both(put("columns.approved.treatment", {"kind": "drop"}), put("columns.approved.use", {"kind": "never"})),
        "approved:", "columns.approved", "treatment keep and use administrative",
    ),
    "consent without its column": (remove("consent"), "legal_basis:", "legal_basis", "needs the field consent"),
    "no feature": (
        both(*(put(f"columns.{name}.use", {"kind": "never"}) for name in ("income", "region"))),
        "columns:", "columns", "no column has the use feature",
    ),
    "private training without bins": (
        put("training.estimator", PRIVATE), "use:", "columns.income.use", "from the policy, never from the data",
    ),
    "no reason for no privacy": (
        put("training.estimator", {"kind": "hist_gradient_boosting"}),
        "estimator:", "training.estimator.no_privacy_reason", "is missing",
    ),
    "epsilon of zero": (
        put("training.estimator", {**PRIVATE, "epsilon": 0}), "epsilon:", "training.estimator.epsilon", "greater than",
    ),
    "backtest of one piece": (
        put("training.backtest", {"periods": 2}), "backtest:", "training.backtest", "needs a partitioned source",
    ),
    "shares that leave nothing": (put("split", {"test": 0.6}), "test:", "split.test", "less than 0.5"),
    "fairness gate on a feature": (
        put("gates", {"fairness": [
            {"attribute": "region", "metric": "demographic_parity_difference", "maximum": 0.1}
        ]}),
        "attribute:", "gates.fairness.0.attribute", "use is not fairness",
    ),
    "expectation on no column": (
        put("quality", {"expectations": [{"expect": "not_null", "column": "salary"}]}),
        "column: salary", "quality.expectations.0.column", "not among columns",
    ),
    "expectation without a bound": (
        put("quality", {"expectations": [{"expect": "between", "column": "income"}]}),
        "expect: between", "quality.expectations.0", "give minimum, maximum or both",
    ),
    "no buckets": (put("storage.buckets", 0), "buckets:", "storage.buckets", "greater than or equal to 1"),
    "retention of no day": (put("retention.raw_days", 0), "raw_days:", "retention.raw_days", "greater than or equal"),
    "column of ours": (put("columns.__side", REGION), "columns:", "columns", "start with '__'"),
    "column name with a line end": (
        put("columns.a\nb", REGION), "columns:", "columns", "printable",
    ),
}  # fmt: skip


def faults_of(folder: Path, change: Change) -> tuple[Path, list[str]]:
    content = attributes()
    change(content)
    file = write_policy(folder, content)
    with pytest.raises(PolicyError) as refused:
        load_policy(file)
    return file, str(refused.value).splitlines()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_by_file_line_field_and_what_is_allowed(tmp_path: Path, name: str) -> None:
    change, at, field, said = FAULTS[name]
    file, faults = faults_of(tmp_path, change)
    named = [fault for fault in faults if f": {field}: " in fault]
    assert len(named) == 1, faults
    place, _, rest = named[0].partition(f": {field}: ")
    assert said in rest
    path, _, line = place.rpartition(":")
    assert path == str(file)
    assert file.read_text().splitlines()[int(line) - 1].strip().removeprefix("- ").startswith(at)


def test_every_fault_of_a_file_is_named_at_once(tmp_path: Path) -> None:
    _, faults = faults_of(tmp_path, both(put("storage.buckets", 0), put("legal_bases", "x"), remove("title")))
    assert len(faults) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected the fields type and attributes"),
        ("- a\n- b\n", "expected the fields type and attributes"),
        ("type: other\nattributes: {}\n", "expected `type: secure_ml.orchestration.SensitiveModel`"),
        ("type: secure_ml.orchestration.SensitiveModel\n", "a mapping under `attributes`"),
        ("type: a\nattributes:\n  x: [1\n", ":4: not valid YAML"),
        ("type: a\nattributes: &here\n  x: *here\n", "expected `type"),
        ("type: a\n\tattributes: x\n", ":2: not valid YAML"),
        ("a: &x 1\nb: !!python/object/apply:os.getcwd []\n", ":2: not valid YAML"),
    ],
)
def test_a_file_that_is_no_policy_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "defs.yaml"
    file.write_text(text)
    with pytest.raises(PolicyError) as refused:
        load_policy(file)
    assert str(refused.value).startswith(f"{file}:")
    assert said in str(refused.value)


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(tmp_path / "defs.yaml")
    (tmp_path / "defs.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(tmp_path)


def test_a_key_written_twice_is_refused(tmp_path: Path) -> None:
    file = write_policy(tmp_path, attributes())
    text = file.read_text()
    for twice in ("  storage:\n    buckets: 7\n", "  label:\n    column: approved\n    positive: yes\n"):
        file.write_text(text.replace("  training:\n", f"{twice}  training:\n", 1))
        with pytest.raises(PolicyError, match=rf"{file}:\d+: (storage|label): is written twice"):
            load_policy(file)


def test_a_good_policy_answers_what_stages_ask(tmp_path: Path) -> None:
    policy = load_policy(write_policy(tmp_path, attributes()).parent)
    assert tuple(policy.columns) == HEADER
    assert tuple(policy.features) == ("income", "region")
    assert policy.columns_used_as("fairness", "review") == ("diagnosis", "gender")


@pytest.mark.parametrize(
    ("change", "data_too"),
    [
        (put("title", "Another title"), False),
        (put("retention.raw_days", 31), False),
        (put("training.estimator.no_privacy_reason", "another reason altogether"), False),
        (put("gates", {"leakage": {"maximum_single_feature_auc": 0.9}}), False),
        (put("purpose", "another purpose than before"), True),
        (put("columns.region.treatment", {"kind": "redact"}), True),
        (put("storage.buckets", 2), True),
        (put("split", {"test": 0.2}), True),
    ],
)
def test_digests_change_with_what_they_govern(tmp_path: Path, change: Change, data_too: bool) -> None:
    def loaded(name: str, *changes: Change) -> Any:
        content = attributes()
        for each in changes:
            each(content)
        return load_policy(write_policy(tmp_path / name, content))

    keeps_features = put("columns.region.use", {"kind": "never"})
    before, after = loaded("before", keeps_features), loaded("after", keeps_features, change)
    assert before.digest != after.digest
    assert (before.data_digest != after.data_digest) == data_too
