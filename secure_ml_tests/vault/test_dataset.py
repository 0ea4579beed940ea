from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from threading import Barrier

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.mask.redact import Redact
from secure_ml.protection.mask.treatment import ColumnReader
from secure_ml.training.split import can_be_learned_from
from secure_ml.vault.artefacts import artefacts, read_artefacts
from secure_ml.vault.dataset import Dataset, DatasetError, Output, concatenate, copied, from_batches
from secure_ml.vault.labels import PUBLIC, STRICTEST, Label, LabelError, join
from secure_ml_tests.protection.mask.tables import column_policy

NAMES = ("a", "b", "c")
SCHEMA = pa.schema([pa.field(name, pa.int64()) for name in NAMES])
PII = Label(frozenset({Category.PII}), Entity.EMAIL, Identifiability.DIRECT)
FINANCIAL = Label(frozenset({Category.FINANCIAL}), Entity.INCOME, Identifiability.QUASI)
HEALTH = Label(frozenset({Category.HEALTH}), Entity.HEALTH, Identifiability.NONE)


def table(labels: Sequence[Label] = (PUBLIC, PUBLIC, PUBLIC), *, origins: tuple[str, ...] = ("v1",)) -> Dataset:
    batches = [
        pa.RecordBatch.from_arrays([pa.array([n, n + 1]), pa.array([10, 20]), pa.array([0, None])], schema=SCHEMA)
        for n in (1, 3)
    ]
    return from_batches(batches, schema=SCHEMA, labels=dict(zip(NAMES, labels, strict=True)), origins=origins)


def copy_of(column: str, *, name: str) -> Output:
    return Output(name, pa.int64(), (column,), lambda cells: cells)


def redaction() -> Redact:
    return Redact(ColumnReader(column_policy(treatment="redact"), ()))


def test_an_output_bears_the_join_of_what_it_reads_and_no_more() -> None:
    a, b, c = PII, FINANCIAL, HEALTH
    both = Output("x", pa.int64(), ("a", "b"), pc.add)
    made = table([a, b, c]).map([both, *copied(SCHEMA, ["a", "c"]), Output("n", pa.int64(), (), lambda: pa.scalar(1))])
    assert made.labels == {"x": join([a, b]), "a": a, "c": c, "n": PUBLIC}


def test_a_label_falls_only_by_the_declassifiers_own_code() -> None:
    dataset = table([STRICTEST] * 3)
    redacted = Output("x", pa.string(), ("a",), partial(redaction().treat, name="x", counts=Counter()))
    made = dataset.map([redacted, Output("y", pa.int64(), ("a",), lambda cells: cells), *copied(SCHEMA, ["a"])])
    assert made.labels == {"x": PUBLIC, "y": STRICTEST, "a": STRICTEST}
    again = made.map([Output("z", pa.int64(), ("x", "a"), lambda x, a: a)])
    assert again.labels["z"] == STRICTEST


def test_a_function_is_handed_the_columns_that_it_declares_and_nothing_else() -> None:
    seen: list[object] = []

    def function(*columns: pa.Array) -> pa.Array:
        seen.append([column.to_pylist() for column in columns])
        return columns[0]

    table().map([Output("x", pa.int64(), ("b",), function), *copied(SCHEMA, ["a", "c"])]).read()
    assert seen == [[[10, 20]], [[10, 20]]]


def test_a_pass_reads_what_the_columns_asked_for_are_made_from() -> None:
    opened: list[tuple[str, ...]] = []

    def scan(columns: Sequence[str]):
        opened.append(tuple(columns))
        yield from table().open(columns)

    whole = replace(table(), open=scan)
    made = whole.map(
        [copy_of("a", name="x"), copy_of("c", name="y"), Output("n", pa.int64(), (), lambda: pa.scalar(1))]
    )
    assert made.read(["x"])["x"].to_pylist() == [1, 2, 3, 4]
    assert made.read(["n"])["n"].to_pylist() == [1, 1, 1, 1]
    assert opened == [("a",), ("a",)]
    opened.clear()
    assert whole.where(lambda b: pc.greater(b, 10), reads=("b",)).read(["c"])["c"].to_pylist() == [None, None]
    assert opened == [("c", "b")]


def test_the_rows_that_are_left_tell_what_decided_on_them() -> None:
    a, b, c = PII, FINANCIAL, HEALTH
    kept = table([a, b, c]).where(lambda cells: pc.greater(cells, 2), reads=("a",))
    assert kept.read().to_pydict() == {"a": [3, 4], "b": [10, 20], "c": [0, None]}
    assert kept.labels == {"a": a, "b": join([a, b]), "c": join([a, c])}
    constant = Output("n", pa.int64(), (), lambda: pa.scalar(1))
    redacted = Output("x", pa.string(), ("c",), redaction().treat)
    assert kept.map([constant, redacted]).labels == {"n": a, "x": a}


def test_rows_left_by_a_declassifier_tell_nothing() -> None:
    labels = [PII, FINANCIAL, HEALTH]
    kept = table(labels).where(partial(can_be_learned_from, counts=Counter()), reads=("c",))
    assert kept.read()["c"].to_pylist() == [0, 0]
    assert list(kept.labels.values()) == labels


def test_null_decides_no() -> None:
    kept = table().where(lambda cells: pc.equal(cells, 0), reads=("c",))
    assert kept.read()["a"].to_pylist() == [1, 3]


@pytest.mark.parametrize(
    "answer",
    [pa.array([True]), pa.array([1, 1]), [True, True], True, pa.scalar(True)],
    ids=["few", "ints", "list", "bool", "scalar"],
)
def test_what_decides_on_rows_answers_for_each_row(answer: object) -> None:
    with pytest.raises(DatasetError, match="each row"):
        table().where(lambda cells: answer, reads=("a",)).read()


@pytest.mark.parametrize(
    "made",
    [pa.array([1, 2], pa.int32()), pa.array([1], pa.int64()), pa.array(["1", "2"]), pa.scalar(1), [1, 2], None],
    ids=["type", "length", "text", "scalar", "list", "none"],
)
def test_a_function_that_returns_other_cells_than_it_declared_is_refused(made: object) -> None:
    dataset = table().map([Output("x", pa.int64(), ("a",), lambda cells: made)])
    with pytest.raises(DatasetError, match="column x returned other"):
        dataset.read()


def test_renamed_columns_keep_cells_labels_and_the_section() -> None:
    dataset = replace(table([PII, FINANCIAL, HEALTH]), section_column="b").rename({"a": "b", "b": "a"})
    assert dataset.read(["a", "b"]).to_pydict() == {"a": [10, 20, 10, 20], "b": [1, 2, 3, 4]}
    assert dataset.labels == {"b": PII, "a": FINANCIAL, "c": HEALTH}
    assert dataset.section_column == "a"
    with pytest.raises(DatasetError, match="one name"):
        table().rename({"a": "b"})


def other_table() -> Dataset:
    schema = pa.schema([pa.field("b", pa.int64()), pa.field("d", pa.string())])
    batch = pa.RecordBatch.from_arrays([pa.array([20, 20, 30, None]), pa.array(list("xyzw"))], schema=schema)
    return from_batches([batch], schema=schema, labels={"b": HEALTH, "d": PUBLIC}, origins=("v2",))


def test_a_join_pairs_rows_and_tells_the_keys_of_both_sides() -> None:
    joined = table([PUBLIC, FINANCIAL, PUBLIC]).join(other_table(), on=["b"])
    assert sorted(joined.read(["a", "d"]).to_pylist(), key=str) == [
        {"a": 2, "d": "x"}, {"a": 2, "d": "y"}, {"a": 4, "d": "x"}, {"a": 4, "d": "y"},
    ]  # fmt: skip
    keys = join([FINANCIAL, HEALTH])
    assert joined.labels == dict.fromkeys(("a", "b", "c", "d"), keys)
    assert joined.map([Output("n", pa.int64(), (), lambda: pa.scalar(1))]).labels == {"n": keys}
    assert joined.origins == ("v1", "v2")


def test_a_join_needs_keys_of_one_type_and_no_other_common_column() -> None:
    with pytest.raises(DatasetError, match="both sides"):
        table().join(other_table().rename({"d": "a"}), on=["b"])
    with pytest.raises(DatasetError, match="one type"):
        table().join(other_table().select(["d"]).rename({"d": "b"}), on=["b"])
    with pytest.raises(DatasetError, match="keys"):
        table().join(other_table().rename({"b": "e"}), on=[])


def test_a_reduction_may_tell_of_every_column() -> None:
    schema = pa.schema([pa.field("rows", pa.int64())])

    def size(batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch:
        return pa.record_batch({"rows": [sum(batch.num_rows for batch in batches)]})

    labels = [PII, FINANCIAL, HEALTH]
    made = table(labels).reduce(size, schema=schema)
    assert made.read().to_pydict() == {"rows": [4]}
    assert made.labels == {"rows": join(labels)} == {"rows": made.presence}
    with pytest.raises(DatasetError, match="declared"):
        table().reduce(size, schema=SCHEMA).read()


def test_nothing_is_read_before_a_scan_is_iterated() -> None:
    opened: list[tuple[str, ...]] = []

    def scan(columns: Sequence[str]):
        opened.append(tuple(columns))
        yield from table().open(columns)

    dataset = Dataset(SCHEMA, dict.fromkeys(NAMES, PUBLIC), scan).select(["b"])
    mapped = dataset.map([copy_of("b", name="x")])
    assert opened == []
    assert mapped.read()["x"].to_pylist() == [10, 20, 10, 20]
    assert opened == [("b",)]


def test_a_column_that_is_not_there_is_named() -> None:
    asked: list[Callable[[], object]] = [
        lambda: table().scan(["z"]),
        lambda: table().select(["z"]),
        lambda: table().select(["a"]).scan(["b"]),
        lambda: table().rename({"z": "a"}),
        lambda: table().map([copy_of("z", name="x")]),
        lambda: table().where(pc.is_valid, reads=["z"]),
        lambda: table().join(other_table(), on=["z"]),
        lambda: table().join(other_table(), on=["a"]),
    ]
    for ask in asked:
        with pytest.raises(DatasetError, match="no such column"):
            ask()


def test_every_column_has_a_label_and_every_label_a_column() -> None:
    for labels in ({}, {"a": PUBLIC}, dict.fromkeys((*NAMES, "d"), PUBLIC)):
        with pytest.raises(LabelError):
            from_batches([], schema=SCHEMA, labels=labels)
    twice = pa.schema([pa.field("a", pa.int64()), pa.field("a", pa.int64())])
    with pytest.raises(LabelError):
        from_batches([], schema=twice, labels={"a": PUBLIC})


def test_tables_that_differ_are_not_concatenated() -> None:
    other = table().map([copy_of("a", name="x")])
    with pytest.raises(DatasetError, match="different columns"):
        concatenate([table(), other])
    with pytest.raises(DatasetError, match="nothing"):
        concatenate([])


def test_origins_are_kept_through_every_step_in_order() -> None:
    joined = concatenate([table(origins=("v1", "v2")), table(origins=("v2", "v3"))])
    kept = joined.where(pc.is_valid, reads=("a",)).rename({"a": "b", "b": "a"})
    assert kept.map([copy_of("a", name="x")]).select(["x"]).origins == ("v1", "v2", "v3")


def test_a_dataset_shows_its_columns_and_no_cell() -> None:
    assert repr(table()) == "Dataset(a, b, c)"


def test_files_pass_as_a_dataset_and_come_back() -> None:
    files = {"model": b"\x00\xff", "card.md": "é".encode()}
    made = artefacts(files, label=STRICTEST, origins=("v1",), summary={"files": 2})
    assert read_artefacts(made) == files
    assert made.summary() == {"files": 2}
    assert set(made.labels.values()) == {STRICTEST}
    with pytest.raises(DatasetError, match="not artefacts"):
        read_artefacts(table())


def test_the_columns_of_a_large_batch_are_made_side_by_side_and_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pa, "cpu_count", lambda: 2)
    rows, together = 5_000, Barrier(2, timeout=60)
    batch = pa.record_batch({"a": pa.array(range(rows)), "b": pa.array(range(rows, 2 * rows))})
    wide = from_batches([batch], schema=batch.schema, labels={"a": PUBLIC, "b": PUBLIC})

    def waiting(column: pa.Array) -> pa.Array:
        together.wait()  # for ever, if one column waited for the other
        return pc.add(column, 1)

    outputs = [Output(name, pa.int64(), (name,), waiting) for name in ("b", "a")]
    (made,) = wide.map(outputs).scan()
    assert made.schema.names == ["b", "a"]
    assert (made["a"][0].as_py(), made["b"][0].as_py()) == (1, rows + 1)


def test_a_fault_in_a_column_of_a_large_batch_is_told() -> None:
    batch = pa.record_batch({"a": pa.array(range(5_000))})
    wide = from_batches([batch], schema=batch.schema, labels={"a": PUBLIC})
    with pytest.raises(DatasetError, match="column b"):
        list(wide.map([*copied(batch.schema, ["a"]), Output("b", pa.int64(), ("a",), lambda column: None)]).scan())
