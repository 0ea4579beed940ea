from pathlib import Path

import pyarrow as pa
import pytest

from secure_ml.policy.labels import Entity, Identifiability
from secure_ml.protection.classify.errors import FindingsUnreadable
from secure_ml.protection.classify.finding import FINDINGS_SCHEMA, Combination, findings_table, read_findings
from secure_ml.protection.classify.findings import count
from secure_ml_tests.protection.classify.people import people

VECTORS = Path(__file__).parent / "vectors"


@pytest.fixture(scope="module")
def batch() -> pa.RecordBatch:
    return count(iter(people(200).to_batches()), found={})


def replaced(batch: pa.RecordBatch, column: str, value: object) -> pa.RecordBatch:
    rows = batch.to_pylist()
    rows[0][column] = value
    return pa.RecordBatch.from_pylist(rows, schema=FINDINGS_SCHEMA)


def test_findings_survive_their_table(batch: pa.RecordBatch) -> None:
    findings = read_findings(batch)
    assert len(findings) == 25
    assert any(finding.embedded for finding in findings)
    assert any(finding.also for finding in findings)
    assert any(finding.singles_out for finding in findings)
    assert findings_table(findings).equals(batch)


def test_an_empty_table_of_findings_is_readable() -> None:
    assert read_findings(findings_table(())) == ()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("entity", "shoe_size"),
        ("category", "x"),
        ("format", 1),
        ("embedded", "[1]"),
        ("also", "{"),
        ("singles_out", "[1]"),
        ("singles_out", "[{}]"),
    ],
)
def test_a_cell_outside_the_format_is_refused(batch: pa.RecordBatch, column: str, value: object) -> None:
    with pytest.raises(FindingsUnreadable):
        read_findings(replaced(batch, column, value))


def test_other_columns_are_refused() -> None:
    with pytest.raises(FindingsUnreadable, match="columns"):
        read_findings(pa.record_batch({"x": [1]}))


@pytest.mark.parametrize("number", [1, 2])
def test_a_stored_table_of_each_format_is_read(number: int) -> None:
    with pa.ipc.open_stream((VECTORS / f"findings-{number}.arrow").read_bytes()) as stream:
        born, gender = read_findings(stream.read_next_batch())
    assert (born.column, born.entity, born.rows, born.validated) == (
        "date_of_birth",
        Entity.DATE_OF_BIRTH,
        5_000,
        4_900,
    )
    assert dict(born.embedded) == {Entity.PHONE: 2}
    assert (gender.identifiability, gender.also) == (Identifiability.QUASI, (Entity.RELIGION,))
    if number == 1:
        assert (born.distinct, born.distinct_is_exact, born.unique_share, born.singles_out) == (None, None, None, ())
    else:
        pair = Combination(columns=("date_of_birth", "gender"), share=0.25, low=0.2, high=0.31, classes=700)
        assert (born.distinct, born.distinct_is_exact, born.unique_share) == (4_321, False, 0.03125)
        assert born.singles_out == gender.singles_out == (pair,)
