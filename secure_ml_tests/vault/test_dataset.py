from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.vault.artefacts import artefacts, read_artefacts
from secure_ml.vault.dataset import Dataset, DatasetError, Output, concatenate, from_batches
from secure_ml.vault.labels import PUBLIC, STRICTEST, Label, LabelError, join

NAMES = ("a", "b", "c")
SCHEMA = pa.schema([pa.field(name, pa.int64()) for name in NAMES])
LABELS = st.builds(
    Label,
    st.frozensets(st.sampled_from(Category), min_size=1),
    st.sampled_from(Entity),
    st.sampled_from(Identifiability),
)


def table(labels: Sequence[Label] = (PUBLIC, PUBLIC, PUBLIC), *, origins: tuple[str, ...] = ("v1",)) -> Dataset:
    batches = [
        pa.RecordBatch.from_arrays([pa.array([n, n + 1]), pa.array([10, 20]), pa.array([0, None])], schema=SCHEMA)
        for n in (1, 3)
    ]
    return from_batches(batches, schema=SCHEMA, labels=dict(zip(NAMES, labels, strict=True)), origins=origins)


def copy_of(column: str, *, name: str, by: str | None = None, also: tuple[str, ...] = ()) -> Output:
    return Output(name, pa.int64(), (column, *also), by)


def relabelled(dataset: Dataset, outputs: Sequence[Output]) -> Dataset:
    """Each output is the first column that it reads."""
    schema = pa.schema([pa.field(output.name, output.type) for output in outputs])

    def function(batch: pa.RecordBatch) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays([batch[output.reads[0]] for output in outputs], schema=schema)

    return dataset.map(function, outputs=outputs)


@given(labels=st.tuples(LABELS, LABELS, LABELS), data=st.data())
def test_no_sequence_of_steps_lowers_a_label(labels: tuple[Label, Label, Label], data: st.DataObject) -> None:
    dataset = table(labels)
    least = dict(zip(NAMES, labels, strict=True))
    for _ in range(data.draw(st.integers(1, 6))):
        names = dataset.schema.names
        step = data.draw(st.sampled_from(["map", "select", "concatenate"]))
        if step == "map":
            chosen = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))
            outputs = [
                copy_of(name, name=f"x{number}", also=tuple(data.draw(st.lists(st.sampled_from(names), max_size=2))))
                for number, name in enumerate(chosen)
            ]
            least = {output.name: join(least[name] for name in output.reads) for output in outputs}
            dataset = relabelled(dataset, outputs)
        elif step == "select":
            chosen = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
            dataset = dataset.select(chosen)
            least = {name: least[name] for name in chosen}
        else:
            stranger = {name: data.draw(LABELS) for name in names}
            other = from_batches([], schema=dataset.schema, labels=stranger)
            dataset = concatenate(data.draw(st.permutations([dataset, other])))
            least = {name: join([least[name], stranger[name]]) for name in names}
        assert all(dataset.labels[name].covers(least[name]) for name in least)
        assert set(dataset.labels) == set(dataset.schema.names)


def test_only_a_registered_declassifier_lowers_a_label() -> None:
    dataset = table([STRICTEST] * 3)
    assert relabelled(dataset, [copy_of("a", name="x")]).labels["x"] == STRICTEST
    assert relabelled(dataset, [copy_of("a", name="x", by="count")]).labels["x"] == PUBLIC
    token = relabelled(dataset, [copy_of("a", name="x", by="token")]).labels["x"]
    assert token.identifiability is Identifiability.PSEUDONYM
    with pytest.raises(LabelError, match="not a registered declassifier"):
        relabelled(dataset, [copy_of("a", name="x", by="launder")])


def test_a_declassified_copy_does_not_lower_what_it_was_made_from() -> None:
    dataset = relabelled(table([STRICTEST] * 3), [copy_of("a", name="a"), copy_of("a", name="n", by="count")])
    assert dataset.labels == {"a": STRICTEST, "n": PUBLIC}
    assert relabelled(dataset, [copy_of("n", name="y", also=("a",))]).labels["y"] == STRICTEST


@pytest.mark.parametrize(
    "made",
    [
        pa.record_batch({"x": pa.array([1, 2], pa.int32())}),
        pa.record_batch({"y": pa.array([1, 2], pa.int64())}),
        pa.record_batch({"x": pa.array([1, 2], pa.int64()), "a": pa.array([1, 2], pa.int64())}),
        pa.record_batch({"x": pa.array(["1", "2"])}),
    ],
    ids=["type", "name", "more", "text"],
)
def test_a_map_that_returns_other_columns_than_it_declared_is_refused(made: pa.RecordBatch) -> None:
    dataset = table().map(lambda batch: made, outputs=[copy_of("a", name="x")])
    with pytest.raises(DatasetError, match="declared"):
        dataset.read()


def test_a_map_sees_only_the_columns_that_it_names() -> None:
    seen: list[list[str]] = []

    def function(batch: pa.RecordBatch) -> pa.RecordBatch:
        seen.append(batch.schema.names)
        return batch.select(["a"])

    table().map(function, outputs=[copy_of("a", name="a")], also_reads=("c",)).read()
    assert seen == [["a", "c"], ["a", "c"]]


def test_a_map_that_drops_rows_and_whole_batches() -> None:
    dataset = table().map(
        lambda batch: batch.filter(pa.compute.greater(batch["a"], 2)), outputs=[copy_of("a", name="a")]
    )
    assert [batch.num_rows for batch in dataset.scan()] == [2]


def test_nothing_is_read_before_a_scan_is_iterated() -> None:
    opened: list[tuple[str, ...]] = []

    def scan(columns: Sequence[str]):
        opened.append(tuple(columns))
        yield from table().open(columns)

    dataset = Dataset(SCHEMA, dict.fromkeys(NAMES, PUBLIC), scan).select(["b"])
    mapped = relabelled(dataset, [copy_of("b", name="x")])
    assert opened == []
    assert mapped.read()["x"].to_pylist() == [10, 20, 10, 20]
    assert opened == [("b",)]


def test_a_column_that_is_not_there_is_named() -> None:
    for ask in (lambda: table().scan(["z"]), lambda: table().select(["z"]), lambda: table().select(["a"]).scan(["b"])):
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
    other = relabelled(table(), [copy_of("a", name="x")])
    with pytest.raises(DatasetError, match="different columns"):
        concatenate([table(), other])
    with pytest.raises(DatasetError, match="nothing"):
        concatenate([])


def test_origins_are_kept_through_every_step_in_order() -> None:
    joined = concatenate([table(origins=("v1", "v2")), table(origins=("v2", "v3"))])
    assert relabelled(joined.select(["a"]), [copy_of("a", name="x")]).origins == ("v1", "v2", "v3")


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
