"""Labels against what really flows: one cell of a source is changed, and each column that changes must bear its label.

A program of steps over two tables runs twice, before and after the change; the changed column alone is marked by its
label. Whatever the steps were, each column that differs bears the mark: this asks no model of how labels flow. A second
test has a model, of which columns were touched, and wants equality: no label creeps onto what it does not concern.
"""

import itertools
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.mask.redact import Redact
from secure_ml.protection.mask.treatment import ColumnReader
from secure_ml.training.split import can_be_learned_from
from secure_ml.vault.dataset import Dataset, Output, concatenate, copied, from_batches
from secure_ml.vault.labels import PUBLIC, Label, join
from secure_ml_tests.protection.mask.tables import column_policy

SOURCES = (("a", "b", "c"), ("d", "e"))
COLUMNS = tuple(itertools.chain(*SOURCES))
MARK = Label(frozenset({Category.HEALTH}), Entity.HEALTH, Identifiability.DIRECT)
WORDS = ("0", "1", "2")
REDACT = Redact(ColumnReader(column_policy(treatment="redact"), ()))
LABELS = st.fixed_dictionaries(
    dict.fromkeys(
        COLUMNS,
        st.builds(
            Label,
            st.frozensets(st.sampled_from(Category), min_size=1),
            st.sampled_from(Entity),
            st.sampled_from(Identifiability),
        ),
    )
)
CELLS = st.fixed_dictionaries(dict.fromkeys(COLUMNS, st.lists(st.sampled_from((*WORDS, None)), min_size=5, max_size=5)))

Cells = Mapping[str, list[str | None]]
Step = Callable[[list[Dataset]], Dataset]
Sources = frozenset[str]


@dataclass(frozen=True)
class Touched:
    """The columns of the sources that a dataset's columns, and the presence of its rows, tell of."""

    columns: Mapping[str, Sources]
    presence: Sources = frozenset()


@dataclass(frozen=True)
class Program:
    """Steps from all datasets so far to one more; and what each dataset tells of."""

    steps: list[Step]
    touched: list[Touched]

    def run(self, cells: Cells, labels: Mapping[str, Label]) -> list[Dataset]:
        datasets = [source(names, cells, labels) for names in SOURCES]
        for step in self.steps:
            datasets.append(step(datasets))
        return datasets


def source(names: tuple[str, ...], cells: Cells, labels: Mapping[str, Label]) -> Dataset:
    schema = pa.schema([pa.field(name, pa.string()) for name in names])
    table = pa.table({name: cells[name] for name in names}, schema=schema)
    return from_batches(table.to_batches(max_chunksize=2), schema=schema, labels={name: labels[name] for name in names})


def mixed(*columns: pa.Array) -> pa.Array:
    """A word for each row that depends on every cell of it."""
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    return pa.array([WORDS[zlib.crc32(repr(row).encode()) % 3] for row in rows], pa.string())


def decided(*columns: pa.Array) -> pa.Array:
    return pc.not_equal(mixed(*columns), WORDS[0])


@st.composite
def programs(draw: st.DrawFn) -> Program:
    program = Program([], [Touched({name: frozenset({name}) for name in names}) for names in SOURCES])
    fresh = (f"x{number}" for number in itertools.count())
    for draw_step in draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=5)):
        step, touched = draw_step(draw, program.touched, fresh)
        program.steps.append(step)
        program.touched.append(touched)
    return program


Fresh = Iterator[str]
Drawn = tuple[Step, Touched]


def one_of(draw: st.DrawFn, all_touched: list[Touched]) -> tuple[int, Touched, tuple[str, ...], Sources]:
    """One of the latest datasets, some of its columns, and all that they tell of."""
    index = draw(st.integers(len(all_touched) - len(SOURCES), len(all_touched) - 1))
    touched = all_touched[index]
    few = tuple(draw(st.lists(st.sampled_from(sorted(touched.columns)), min_size=1, max_size=3, unique=True)))
    return index, touched, few, frozenset[str]().union(*(touched.columns[name] for name in few))


def a_map(draw: st.DrawFn, all_touched: list[Touched], fresh: Fresh) -> Drawn:
    """A column that mixes some, a redacted one, one that is the same in every row; some pass through."""
    index, touched, few, told = one_of(draw, all_touched)
    mix, redacted, constant = next(fresh), next(fresh), next(fresh)
    outputs = [
        Output(mix, pa.string(), few, mixed),
        Output(redacted, pa.string(), few[:1], partial(REDACT.treat, name=redacted, counts=Counter())),
        Output(constant, pa.string(), (), lambda: pa.scalar("same")),
    ]
    columns = {name: touched.columns[name] for name in few}
    columns |= {mix: told, redacted: touched.presence, constant: touched.presence}
    return lambda d: d[index].map(outputs + copied(d[index].schema, few)), Touched(columns, touched.presence)


def a_selection_of_rows(draw: st.DrawFn, all_touched: list[Touched], fresh: Fresh) -> Drawn:
    index, touched, few, told = one_of(draw, all_touched)
    columns = {name: was | told for name, was in touched.columns.items()}
    return lambda d: d[index].where(decided, reads=few), Touched(columns, touched.presence | told)


def a_declassified_selection_of_rows(draw: st.DrawFn, all_touched: list[Touched], fresh: Fresh) -> Drawn:
    index, touched, few, _ = one_of(draw, all_touched)
    present = partial(can_be_learned_from, counts=Counter())
    return lambda d: d[index].where(present, reads=few[:2]), touched


def a_selection_of_columns(draw: st.DrawFn, all_touched: list[Touched], fresh: Fresh) -> Drawn:
    index, touched, few, _ = one_of(draw, all_touched)
    return lambda d: d[index].select(few), Touched({n: touched.columns[n] for n in few}, touched.presence)


def a_renaming(draw: st.DrawFn, all_touched: list[Touched], fresh: Fresh) -> Drawn:
    index, touched, few, _ = one_of(draw, all_touched)
    names = {name: next(fresh) for name in few}
    columns = {names.get(name, name): told for name, told in touched.columns.items()}
    return lambda d: d[index].rename(names), Touched(columns, touched.presence)


def a_join(draw: st.DrawFn, all_touched: list[Touched], fresh: Fresh) -> Drawn:
    index, one, (key, *_), _ = one_of(draw, all_touched)
    other, two, (other_key, *_), _ = one_of(draw, all_touched)
    names = {name: key if name == other_key else next(fresh) for name in two.columns}
    told = one.presence | two.presence | one.columns[key] | two.columns[other_key]
    columns = {name: was | told for name, was in one.columns.items()}
    columns |= {names[name]: was | told for name, was in two.columns.items() if name != other_key}
    return lambda d: d[index].join(d[other].rename(names), on=[key]), Touched(columns, told)


def a_concatenation(draw: st.DrawFn, all_touched: list[Touched], fresh: Fresh) -> Drawn:
    index, one, (name, *_), _ = one_of(draw, all_touched)
    other, two, (other_name, *_), _ = one_of(draw, all_touched)
    told = one.presence | two.presence
    columns = {name: one.columns[name] | two.columns[other_name] | told}

    def step(datasets: list[Dataset]) -> Dataset:
        return concatenate(
            [datasets[index].select([name]), datasets[other].select([other_name]).rename({other_name: name})]
        )

    return step, Touched(columns, told)


STEPS = (
    a_map,
    a_selection_of_rows,
    a_declassified_selection_of_rows,
    a_selection_of_columns,
    a_renaming,
    a_join,
    a_concatenation,
)


@settings(max_examples=200)
@given(programs(), CELLS, st.integers(0, 4), st.sampled_from(WORDS))
def test_what_changes_with_a_cell_is_marked(program: Program, cells: Cells, row: int, word: str) -> None:
    for column in COLUMNS:
        # A missing cell stays one: that it is missing is what redaction says of it.
        changed = {**cells, column: [*cells[column][:row], cells[column][row] and word, *cells[column][row + 1 :]]}
        labels = {name: MARK if name == column else PUBLIC for name in COLUMNS}
        for before, after in zip(program.run(cells, labels), program.run(changed, labels), strict=True):
            one, other = before.read(), after.read()
            assert {name for name in one.schema.names if one[name] != other[name]} <= marked(before)
            assert len(one) == len(other) or before.presence == MARK


def marked(dataset: Dataset) -> set[str]:
    return {name for name, label in dataset.labels.items() if label == MARK}


@settings(max_examples=200)
@given(programs(), CELLS, LABELS)
def test_a_label_is_the_join_of_what_was_touched_and_no_more(
    program: Program, cells: Cells, labels: Mapping[str, Label]
) -> None:
    for dataset, touched in zip(program.run(cells, labels), program.touched, strict=True):
        assert dict(dataset.labels) == {n: join(labels[s] for s in told) for n, told in touched.columns.items()}
        assert dataset.presence == join(labels[source] for source in touched.presence)
