"""The drafted policy: what becomes of each column, and that it loads."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from secure_ml.policy.columns import ColumnType
from secure_ml.policy.load import PolicyError, load_policy
from secure_ml.protection.draft import DraftError, PolicyExists, draft_policy, write_draft
from secure_ml_tests.protection.draft.tables import TODAY, attributes, clinic, drafted, write_csv


def test_each_column_gets_a_treatment_and_use_by_what_it_is(tmp_path: Path) -> None:
    draft = drafted(tmp_path, clinic(), subject="patient_id")
    got = {c.column: (c.treatment, c.use) for c in draft.columns}
    assert got == {
        "patient_id": ("token", "subject"),
        "full name": ("drop", "never"),
        "email": ("drop", "never"),
        "date_of_birth": ("generalise_date", "fairness"),
        "gender": ("keep", "fairness"),
        "religion": ("keep", "fairness"),
        "marital_status": ("keep", "fairness"),
        "pin_code": ("generalise_geography", "review"),
        "monthly_income": ("generalise_number", "feature"),
        "remarks": ("scrub_text", "review"),
        "glucose": ("keep", "feature"),
        "ward": ("generalise_category", "feature"),
        "visited": ("generalise_date", "review"),
        "outcome": ("keep", "label"),
    }


def test_an_accepted_draft_loads_as_it_is(tmp_path: Path) -> None:
    draft = drafted(tmp_path, clinic(), subject="patient_id")
    policy = load_policy(write_draft(draft, tmp_path))
    assert draft.loads
    assert policy.source.path == "table.csv"
    assert policy.label.positive == "yes"
    assert {f.bounds_from for f in policy.features.values()} == {"data"}
    assert policy.columns["glucose"].category == "health"
    assert all(not gate.blocking for gate in (*policy.gates.performance, *policy.gates.fairness))
    assert {gate.attribute for gate in policy.gates.fairness} == {
        "date_of_birth", "gender", "religion", "marital_status",
    }  # fmt: skip


def test_a_draft_that_is_not_accepted_fails_with_exactly_the_fields_to_fill(tmp_path: Path) -> None:
    draft = drafted(tmp_path, clinic(), subject="patient_id", accept=False)
    file = write_draft(draft, tmp_path)
    with pytest.raises(PolicyError) as refused:
        load_policy(file)
    named = [line.split(": ")[1] for line in str(refused.value).splitlines()]
    assert draft.fields == ("columns.monthly_income.use", "columns.glucose.use", "columns.ward.use")
    assert named == list(draft.fields)
    assert draft.open_questions


def test_the_commented_proposals_filled_in_make_a_policy_that_loads(tmp_path: Path) -> None:
    draft = drafted(tmp_path, clinic(), subject="patient_id", accept=False)
    file = write_draft(draft, tmp_path)
    file.write_text(re.sub(r"^( +)# (bins|categories|bounds_from):", r"\1\2:", draft.text, flags=re.MULTILINE))
    features = load_policy(file).features.values()
    assert all(f.bins or f.categories for f in features)
    assert {f.bounds_from for f in features} == {"data"}


def test_an_identifier_that_is_the_subject_becomes_a_token(tmp_path: Path) -> None:
    draft = drafted(tmp_path, clinic(), subject="email")
    policy = load_policy(write_draft(draft, tmp_path))
    assert policy.columns["email"].treatment.kind == "token"
    assert policy.columns["patient_id"].treatment.kind == "drop"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_separator_is_recognised(tmp_path: Path, delimiter: str) -> None:
    columns = clinic()
    columns["remarks"] = ["one, two; three | four and a fifth word"] * 400
    file = write_csv(tmp_path / "table.csv", columns, delimiter=delimiter)
    draft = draft_policy(
        file, project="invented", label="outcome", subject=None, accept=True, folder=tmp_path, today=TODAY
    )
    assert attributes(draft)["source"]["delimiter"] == delimiter
    assert len(draft.columns) == len(columns)


def test_a_parquet_file_is_recognised_by_its_content(tmp_path: Path) -> None:
    columns = clinic()
    columns["admitted"] = [i % 3 == 0 for i in range(400)]
    pq.write_table(pa.table(dict(columns)), tmp_path / "table.data")
    draft = draft_policy(
        tmp_path / "table.data",
        project="invented",
        label="outcome",
        subject=None,
        accept=True,
        folder=tmp_path / "x",
        today=TODAY,
    )
    policy = load_policy(write_draft(draft, tmp_path / "x"))
    assert policy.source.format == "parquet"
    assert policy.source.path == str(tmp_path / "table.data")
    assert policy.columns["glucose"].type is ColumnType.NUMBER
    assert policy.features["admitted"].categories == ("false", "true")


AWKWARD = (
    "worst fractal dimension", "a: b", "it's", 'say "so"', "naïve Größe", "年収", "#hash", "yes", "null", "1e5", "12",
    "- dash", "{brace}", "[x]", "a.b", "trailing\\", "*star", "&and", "!bang", "%percent", "@at", "`tick",
    "no\u00a0break", "?", "keep", "x" * 128, "🦉", "~", "a #b", "2024-01-01",
)  # fmt: skip


def test_any_column_name_is_quoted_so_that_it_reads_back(tmp_path: Path) -> None:
    columns = {name: [i * (k + 3) % 101 for i in range(300)] for k, name in enumerate(AWKWARD)}
    columns["outcome: really?"] = [i % 2 for i in range(300)]
    try:
        draft = drafted(tmp_path, columns, label="outcome: really?")
    except DraftError:
        names = [name for name in AWKWARD if not name.isprintable()]
        assert names == ["no\u00a0break"]
        del columns["no\u00a0break"]
        draft = drafted(tmp_path, columns, label="outcome: really?")
    policy = load_policy(write_draft(draft, tmp_path))
    assert list(policy.columns) == list(columns)


def test_a_column_that_tells_the_outcome_is_left_out_and_asked_about(tmp_path: Path) -> None:
    columns = clinic()
    columns["discharged_well"] = [int(value == "yes") for value in columns["outcome"]]
    draft = drafted(tmp_path, columns)
    assert attributes(draft)["columns"]["discharged_well"]["use"]["kind"] == "never"
    assert any("discharged_well" in question for question in draft.to_confirm)


def test_a_single_consent_column_becomes_the_legal_basis(tmp_path: Path) -> None:
    columns = clinic()
    columns["consent_research"] = [("Y", "N")[i % 4 == 0] for i in range(400)]
    policy = load_policy(write_draft(drafted(tmp_path, columns), tmp_path))
    assert policy.legal_basis == "consent"
    assert policy.consent is not None
    assert (policy.consent.column, policy.consent.granted) == ("consent_research", ("Y",))


def test_two_consent_columns_keep_even_an_accepted_draft_from_running(tmp_path: Path) -> None:
    columns = clinic()
    columns["consent_research"] = [("Y", "N")[i % 4 == 0] for i in range(400)]
    columns["consent_marketing"] = [("Y", "N")[i % 3 == 0] for i in range(400)]
    draft = drafted(tmp_path, columns)
    assert draft.fields == ("legal_basis",)
    with pytest.raises(PolicyError, match=r"legal_basis: is missing"):
        load_policy(write_draft(draft, tmp_path))


def test_the_consent_that_is_named_counts_and_the_other_is_left_out(tmp_path: Path) -> None:
    columns = clinic()
    columns["consent_research"] = [("Y", "N")[i % 4 == 0] for i in range(400)]
    columns["consent_marketing"] = [("Y", "N")[i % 3 == 0] for i in range(400)]
    policy = load_policy(write_draft(drafted(tmp_path, columns, consent="consent_research"), tmp_path))
    assert policy.consent is not None
    assert policy.consent.column == "consent_research"
    assert policy.columns["consent_marketing"].treatment.kind == "drop"


@pytest.mark.parametrize(("consent", "words"), [("nowhere", "not in the table"), ("outcome", "cannot be the consent")])
def test_a_consent_that_cannot_be_one_is_refused(tmp_path: Path, consent: str, words: str) -> None:
    with pytest.raises(DraftError, match=words):
        drafted(tmp_path, clinic(), consent=consent)


def test_a_mark_that_stands_for_a_missing_number_is_declared(tmp_path: Path) -> None:
    columns = clinic()
    columns["glucose"] = ["?" if i % 9 == 0 else value for i, value in enumerate(columns["glucose"])]
    draft = drafted(tmp_path, columns)
    said = attributes(draft)
    assert "?" in said["source"]["missing"]
    assert said["columns"]["glucose"]["type"] == "number"


def test_a_number_that_is_a_name_stays_text(tmp_path: Path) -> None:
    columns = clinic()
    columns["branch"] = [f"{i % 7:04d}" for i in range(400)]
    said = attributes(drafted(tmp_path, columns))["columns"]["branch"]
    assert said["type"] == "string"
    assert said["use"]["categories"] == [f"{i:04d}" for i in range(7)]


def test_a_policy_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    draft = drafted(tmp_path, clinic())
    (tmp_path / "defs.yaml").write_text("mine")
    with pytest.raises(PolicyExists, match=r"defs\.yaml"):
        write_draft(draft, tmp_path)
    assert (tmp_path / "defs.yaml").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["defs.yaml", "table.csv"]


def test_the_comments_hold_no_cell(tmp_path: Path) -> None:
    columns = clinic()
    text = drafted(tmp_path, columns, subject="patient_id").text
    secret = [
        str(v) for name in ("patient_id", "full name", "email", "date_of_birth", "remarks") for v in columns[name]
    ]
    assert not [value for value in secret if value in text]
    assert yaml.safe_load(text)["type"] == "secure_ml.orchestration.SensitiveModel"


def test_an_income_is_left_as_the_interval_that_the_model_reads(tmp_path: Path) -> None:
    said = attributes(drafted(tmp_path, clinic()))["columns"]["monthly_income"]
    assert said["treatment"] == {"kind": "generalise_number", "cuts": said["use"]["bins"]}
    assert len(said["use"]["bins"]) == 4


def test_a_folder_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    draft = drafted(tmp_path, clinic())
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DraftError, match=r"taken: the draft cannot be written \(FileExistsError\)"):
        write_draft(draft, tmp_path / "taken")


def test_a_mark_of_byte_order_and_lines_of_another_system_are_read(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "table.csv", clinic())
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    draft = draft_policy(
        file, project="p", label="outcome", subject="patient_id", accept=True, folder=tmp_path, today=TODAY
    )
    assert draft.columns[0].column == "patient_id"
    assert load_policy(write_draft(draft, tmp_path)).label.positive == "yes"
