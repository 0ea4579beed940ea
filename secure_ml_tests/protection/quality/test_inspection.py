"""The pass over a raw version: schema, label, undeclared columns, batches."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.protection.quality import great_expectations_suite, inspect_quality
from secure_ml.protection.quality.errors import ColumnNotReadable
from secure_ml.vault.dataset import Dataset, from_batches
from secure_ml.vault.labels import STRICTEST
from secure_ml_tests.protection.mask.tables import raw
from secure_ml_tests.protection.quality.tables import ROWS, declared, inspected

ASKED: tuple[dict[str, Any], ...] = (
    {"column": "customer", "expect": "not_null", "mostly": 0.8},
    {"column": "born", "expect": "parses", "mostly": 0.75},
    {"column": "score", "expect": "between", "minimum": 300, "maximum": 900, "mostly": 0.5},
    {"column": "agreed", "expect": "in_set", "values": ["Y", "N"], "mostly": 0.81},
    {"column": "email", "expect": "matches", "pattern": "[a-z]@", "mostly": 0.75},
)
_PARTITIONED = {"format": "csv", "path": "{partition}.csv", "partitions": {"kind": "static", "keys": ["a", "b"]}}


def _table(columns: dict[str, pa.Array]) -> Dataset:
    batch = pa.RecordBatch.from_pydict(columns)
    return from_batches([batch], schema=batch.schema, labels=dict.fromkeys(columns, STRICTEST))


def test_a_clean_table_has_no_fault_and_every_count() -> None:
    report = inspected(*ASKED)
    assert report.rows == len(ROWS)
    assert (report.schema_faults, report.notes, report.undeclared) == ((), (), ())
    assert [result.passed for result in report.expectations] == [True, True, True, False, True]


@settings(max_examples=12, deadline=None)
@given(
    rows=st.lists(st.sampled_from(ROWS), min_size=1, max_size=25), batch=st.integers(1, 25), chunk=st.integers(1, 30)
)
def test_batch_boundaries_change_nothing(rows: list[dict[str, str | None]], batch: int, chunk: int) -> None:
    whole = inspected(*ASKED, rows=rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(great_expectations_suite, "CHUNK_ROWS", chunk)
        assert inspected(*ASKED, rows=rows, batch_size=batch) == whole


def test_mostly_is_applied_to_the_sums_even_where_a_batch_alone_would_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(great_expectations_suite, "CHUNK_ROWS", 2)
    (result,) = inspected({"column": "born", "expect": "parses", "mostly": 0.75}, batch_size=2).expectations
    assert result.passed


def test_chunks_are_also_cut_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = inspected(*ASKED)
    monkeypatch.setattr(great_expectations_suite, "CHUNK_BYTES", 1)
    assert inspected(*ASKED, batch_size=2) == whole


def test_a_missing_column_is_a_fault_and_fails_its_expectations() -> None:
    against = declared({"column": "born", "expect": "parses", "mostly": 0.01}, ASKED[0])
    dataset = raw(ROWS, against).select([name for name in against.columns if name != "born"])
    report = inspect_quality(dataset, against)
    assert report.schema_faults == ("column born is declared and not there: deliver it, or correct the policy",)
    lost, kept = report.expectations
    assert (lost.passed, lost.share, lost.element_count) == (False, 0.0, 0)
    assert (kept.passed, kept.element_count) == (True, len(ROWS))


def test_a_table_without_any_declared_column_is_faulty_throughout_and_its_rows_are_counted() -> None:
    report = inspect_quality(_table({"other": pa.array(["x", "y"])}), declared(*ASKED))
    assert (report.rows, report.undeclared, len(report.schema_faults)) == (2, ("other",), 7)
    assert not any(result.passed for result in report.expectations)


def test_too_few_rows_are_a_fault() -> None:
    assert inspected(minimum_rows=7).schema_faults == ("6 rows came, at least 7 are needed",)
    assert inspected(minimum_rows=6).schema_passed


def test_no_row_at_all_is_a_fault_and_no_error() -> None:
    report = inspected(*ASKED, rows=())
    assert report.schema_faults[0] == "0 rows came, at least 1 are needed"
    assert all(result.passed and result.element_count == 0 for result in report.expectations)


def test_a_column_that_does_not_read_as_its_type_is_named_with_share_and_bound() -> None:
    assert inspected(parses_mostly=0.8).schema_faults == (
        "column born: share 0.7500 of its cells reads as date, at least 0.8 is needed",
    )
    assert inspected(parses_mostly=0.75).schema_passed


def test_undeclared_columns_are_reported_never_read_and_no_fault() -> None:
    against = declared(*ASKED)
    dataset = raw(ROWS, against)
    wider = Dataset(
        dataset.schema.append(pa.field("secret", pa.string())), {**dataset.labels, "secret": STRICTEST}, dataset.open
    )
    report = inspect_quality(wider, against)
    assert report.undeclared == ("secret",)
    assert report.schema_passed


def test_columns_that_are_stored_typed_are_judged_like_text() -> None:
    against = declared(
        {"column": "score", "expect": "between", "minimum": 300}, {"column": "income", "expect": "not_null"}
    )
    texts = raw(ROWS, against).read()
    columns = {name: texts[name].combine_chunks() for name in texts.column_names}
    columns |= {
        "score": pa.array([1, 300, None, 4, 900, 700]),
        "income": pa.array([1.5, float("nan"), None, 1.0, 2.0, 3.0]),
    }
    between, present = inspect_quality(_table(columns), against).expectations
    assert (between.missing_count, between.unexpected_count) == (1, 2)
    assert present.unexpected_count == 2


@pytest.mark.parametrize("kept", [("approved",), ("refused",), ()])
def test_a_label_without_two_classes_is_a_fault_of_a_whole_table_and_a_note_on_a_partition(
    kept: tuple[str, ...],
) -> None:
    rows = [{**row, "approved": row["approved"] if row["approved"] in kept else None} for row in ROWS]
    whole, partition = inspected(rows=rows), inspected(rows=rows, source=_PARTITIONED)
    words = f"label column approved: {'one class' if kept else 'no class'} came, two are needed to learn from"
    assert (whole.schema_faults, whole.notes) == ((words,), ())
    assert (partition.schema_faults, partition.notes) == ((), (words,))


def test_a_nested_column_is_refused_by_name() -> None:
    against = declared()
    texts = raw(ROWS, against).read()
    columns = {name: texts[name].combine_chunks() for name in texts.column_names}
    with pytest.raises(ColumnNotReadable, match="'income'"):
        inspect_quality(_table({**columns, "income": pa.array([["x"]] * len(ROWS))}), against)


def test_one_pass_reads_the_table_once() -> None:
    against, passes = declared(*ASKED), []
    dataset = raw(ROWS, against)

    def counted(columns: Any) -> Any:
        passes.append(tuple(columns))
        return dataset.open(columns)

    inspect_quality(Dataset(dataset.schema, dataset.labels, counted), against)
    assert passes == [tuple(against.columns)]
