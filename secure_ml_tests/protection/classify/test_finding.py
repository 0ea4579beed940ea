import pyarrow as pa
import pytest

from secure_ml.protection.classify.classifier import Classifier
from secure_ml.protection.classify.errors import FindingsUnreadable
from secure_ml.protection.classify.finding import FINDINGS_SCHEMA, findings_table, read_findings
from secure_ml_tests.protection.classify.people import people


@pytest.fixture(scope="module")
def batch() -> pa.RecordBatch:
    classifier = Classifier()
    for part in people(200).to_batches():
        classifier.update(part)
    return findings_table(classifier.findings())


def replaced(batch: pa.RecordBatch, column: str, value: object) -> pa.RecordBatch:
    rows = batch.to_pylist()
    rows[0][column] = value
    return pa.RecordBatch.from_pylist(rows, schema=FINDINGS_SCHEMA)


def test_findings_survive_their_table(batch: pa.RecordBatch) -> None:
    findings = read_findings(batch)
    assert len(findings) == 25
    assert any(finding.embedded for finding in findings)
    assert any(finding.also for finding in findings)
    assert findings_table(findings).equals(batch)


def test_an_empty_table_of_findings_is_readable() -> None:
    assert read_findings(findings_table(())) == ()


@pytest.mark.parametrize(
    ("column", "value"), [("entity", "shoe_size"), ("category", "x"), ("format", 2), ("embedded", "[1]"), ("also", "{")]
)
def test_a_cell_outside_the_format_is_refused(batch: pa.RecordBatch, column: str, value: object) -> None:
    with pytest.raises(FindingsUnreadable):
        read_findings(replaced(batch, column, value))


def test_other_columns_are_refused() -> None:
    with pytest.raises(FindingsUnreadable, match="columns"):
        read_findings(pa.record_batch({"x": [1]}))
