"""Dataset: a lazy stream of Arrow record batches with a label on every column.

Belongs here: composition without data access. Must stay out: files, keys, log (the door makes the first Dataset).

Labels flow by construction, not by promise: each function is handed the columns that it declares and no others, and
what it makes bears the join of their labels. A label falls only where the function itself is a registered declassifier.
See docs/labels.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from secure_ml.vault.labels import PUBLIC, Label, LabelError, declassifier_of, join

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_WORTH_THREADS = 1_000

Scan = Callable[[Sequence[str]], "Iterator[pa.RecordBatch]"]
"""Opens one pass over the named columns, in that order."""

Summary = Callable[[], Mapping[str, int | float | str]]


class DatasetError(Exception):
    """A stage used a dataset in a way that its declaration does not allow."""


@dataclass(frozen=True)
class Output:
    """One column that a `map` makes.

    Attributes:
        name: its name.
        type: its Arrow type.
        reads: the input columns that it depends on.
        function: from those columns of a batch, in that order, to as many cells of `type`; a scalar if it reads none.
            It sees nothing else of the dataset.
    """

    name: str
    type: pa.DataType
    reads: tuple[str, ...]
    function: Callable[..., Any]


@dataclass(frozen=True)
class Dataset:
    """A table that has not been read yet.

    Attributes:
        schema: names and types of the columns; no nested types.
        labels: a label for every column.
        open: starts one pass over some columns. Each call is a new, separately authorised read.
        section_column: column whose values say which section (side of a split), with keys of its own, a row lies in.
        origins: version ids of the stored versions that this was made from, in order.
        summary: counts that are known once a pass has ended; stored in the manifest. Never a value of a person.
        presence: what it tells that a row is there. Every column's label covers it.
    """

    schema: pa.Schema
    labels: Mapping[str, Label]
    open: Scan
    section_column: str | None = None
    origins: tuple[str, ...] = ()
    summary: Summary = dict
    presence: Label = PUBLIC

    def __post_init__(self) -> None:
        if set(self.schema.names) != set(self.labels) or len(set(self.schema.names)) != len(self.schema.names):
            raise LabelError("every column needs one label, and every label a column")

    def __repr__(self) -> str:
        return f"Dataset({', '.join(self.schema.names)})"

    def scan(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """One pass over the rows.

        Args:
            columns: which, in order; all by default. Only their keys are asked for.

        Raises:
            DatasetError: a column does not exist.
        """
        wanted = tuple(self.schema.names if columns is None else columns)
        self._require(wanted)
        return self.open(wanted)

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows at once, for an estimator that needs them."""
        import pyarrow as pa

        wanted = list(self.schema.names if columns is None else columns)
        schema = pa.schema([self.schema.field(name) for name in wanted])
        return pa.Table.from_batches(self.scan(wanted), schema=schema)

    def select(self, columns: Sequence[str]) -> Dataset:
        """The same rows with only these columns."""
        import pyarrow as pa

        self._require(columns)
        schema = pa.schema([self.schema.field(name) for name in columns])
        kept = self.section_column if self.section_column in columns else None
        return replace(self, schema=schema, labels={n: self.labels[n] for n in columns}, section_column=kept)

    def rename(self, names: Mapping[str, str]) -> Dataset:
        """The same columns, some under another name.

        Args:
            names: new names by present ones.
        """
        import pyarrow as pa

        self._require(tuple(names))
        source, present = self, {names.get(name, name): name for name in self.schema.names}
        if len(present) != len(self.schema.names):
            raise DatasetError("two columns would have one name; choose another")
        schema = pa.schema([pa.field(new, self.schema.field(old).type) for new, old in present.items()])

        def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            for batch in source.scan([present[name] for name in columns]):
                yield batch.rename_columns(list(columns))

        section = None if self.section_column is None else names.get(self.section_column, self.section_column)
        labels = {new: self.labels[old] for new, old in present.items()}
        return replace(self, schema=schema, labels=labels, open=scan, section_column=section)

    def map(self, outputs: Sequence[Output], *, section_column: str | None = None, summary: Summary = dict) -> Dataset:
        """A dataset of columns that are each computed from some of this one's, row by row.

        A column's label is the join of the labels of what its function is handed, lowered if that function is a
        registered declassifier, and never less than what the rows' presence tells. A pass calls the functions of the
        columns that it asks for, side by side on threads, and reads what they read.

        Args:
            outputs: the columns made. `copied` gives those that pass through.
            section_column: see the attribute.
            summary: see the attribute.
        """
        import pyarrow as pa

        made = {output.name: output for output in outputs}
        self._require([name for output in outputs for name in output.reads])
        schema = pa.schema([pa.field(output.name, output.type) for output in outputs])
        labels = {output.name: self._flowing(output.reads, output.function) for output in outputs}
        source = self

        def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            reads = dict.fromkeys(name for column in columns for name in made[column].reads)
            wanted = pa.schema([schema.field(name) for name in columns])
            # Arrow, numpy and ciphers work outside the interpreter's lock, and no column waits for another.
            with ThreadPoolExecutor(pa.cpu_count()) as pool:
                # How many rows there are is known from any column.
                for batch in source.scan(tuple(reads) or source.schema.names[:1]):
                    each = pool.map if batch.num_rows >= _ROWS_WORTH_THREADS else map
                    cells = list(each(partial(_cells, batch=batch), [made[name] for name in columns]))
                    if batch.num_rows:
                        yield pa.RecordBatch.from_arrays(cells, schema=wanted)

        return Dataset(schema, labels, scan, section_column, self.origins, summary, self.presence)

    def where(self, keep: Callable[..., Any], *, reads: Sequence[str]) -> Dataset:
        """The rows for which `keep` is true, with all columns.

        That a row is left tells what `keep` has seen: every column's label, and that of each column made from them
        later, is joined with those of `reads`, unless `keep` is a registered declassifier.

        Args:
            keep: from the columns `reads` of a batch, in that order, to as many booleans; null is no.
            reads: the columns that decide.
        """
        import pyarrow as pa

        self._require(reads)
        source = self
        presence = self._flowing(reads, keep)

        def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            for batch in source.scan(tuple(dict.fromkeys((*columns, *reads)))):
                if not batch.num_rows:
                    continue
                kept = keep(*(batch.column(name) for name in reads))
                _require_cells(kept, pa.bool_(), batch.num_rows, what="what decides on rows")
                rows = batch.select(list(columns)).filter(kept)
                if rows.num_rows:
                    yield rows

        labels = {name: join([label, presence]) for name, label in self.labels.items()}
        return replace(self, labels=labels, open=scan, presence=presence)

    def join(self, other: Dataset, *, on: Sequence[str]) -> Dataset:
        """The rows of both that agree in the columns `on`; a missing key agrees with none.

        That a row is there tells the keys of both sides: their labels are joined to every column's.

        Args:
            other: the smaller side; the columns asked of it are held in memory.
            on: columns of both.

        Raises:
            DatasetError: a column that is no key stands on both sides, or the keys' types differ.
        """
        import pyarrow as pa

        self._require(on)
        other._require(on)
        beside = [name for name in other.schema.names if name not in on]
        if any(name in self.labels for name in beside):
            raise DatasetError("a column that is no key stands on both sides of a join; rename one of them")
        if not on or any(self.schema.field(name).type != other.schema.field(name).type for name in on):
            raise DatasetError("a join needs keys, each of one type on both sides")
        source = self
        schema = pa.schema([*self.schema, *(other.schema.field(name) for name in beside)])
        keys = [side.labels[name] for side in (self, other) for name in on]
        presence = join([self.presence, other.presence, *keys])
        own = {**self.labels, **{name: other.labels[name] for name in beside}}

        def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            left = tuple(dict.fromkeys((*on, *(name for name in columns if name in source.labels))))
            table = other.read([*on, *(name for name in columns if name in beside)])
            for batch in source.scan(left):
                pairs = pa.Table.from_batches([batch]).join(table, keys=list(on), join_type="inner", use_threads=False)
                yield from pairs.select(list(columns)).to_batches()

        labels = {name: join([label, presence]) for name, label in own.items()}
        origins = tuple(dict.fromkeys((*self.origins, *other.origins)))
        return Dataset(schema, labels, scan, self.section_column, origins, presence=presence)

    def reduce(
        self,
        function: Callable[[Iterator[pa.RecordBatch]], pa.RecordBatch],
        *,
        schema: pa.Schema,
        summary: Summary = dict,
    ) -> Dataset:
        """A batch made from a whole pass over every column; each of its columns may tell of all of them.

        Args:
            function: from the batches to one batch of `schema`.
            schema: names and types.
            summary: see the attribute.
        """
        label = _lowered(join(self.labels.values()), function)
        source = self

        def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            made = function(source.scan())
            if not made.schema.equals(schema):
                raise DatasetError("a reduction returned other columns or types than it declared")
            yield made.select(list(columns))

        labels = dict.fromkeys(schema.names, label)
        return Dataset(schema, labels, scan, origins=self.origins, summary=summary, presence=label)

    def _require(self, columns: Sequence[str]) -> None:
        missing = [name for name in columns if name not in self.labels]
        if missing:
            raise DatasetError(f"no such column here: {', '.join(missing)}")

    def _flowing(self, reads: Sequence[str], function: object) -> Label:
        """The label of what a function makes from these columns of the rows that are there."""
        return join([_lowered(join(self.labels[name] for name in reads), function), self.presence])


def copied(schema: pa.Schema, names: Sequence[str]) -> list[Output]:
    """The columns of a `map` that pass through as they are."""
    return [Output(name, schema.field(name).type, (name,), _same) for name in names]


def concatenate(datasets: Sequence[Dataset]) -> Dataset:
    """The rows of all, in order; each column's label is the join of its labels.

    Raises:
        DatasetError: none is given, or their schemas differ.
    """
    if not datasets:
        raise DatasetError("nothing to concatenate")
    first = datasets[0]
    if any(not other.schema.equals(first.schema) for other in datasets):
        raise DatasetError("the datasets to concatenate have different columns or types")
    presence = join(other.presence for other in datasets)
    labels = {name: join(other.labels[name] for other in datasets) for name in first.schema.names}

    def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for other in datasets:
            yield from other.scan(columns)

    origins = tuple(dict.fromkeys(origin for other in datasets for origin in other.origins))
    return Dataset(first.schema, labels, scan, origins=origins, presence=presence)


def from_batches(
    batches: Sequence[pa.RecordBatch], *, schema: pa.Schema, labels: Mapping[str, Label], origins: tuple[str, ...] = ()
) -> Dataset:
    """A dataset over batches that a stage has made."""

    def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield batch.select(list(columns))

    return Dataset(schema, labels, scan, origins=origins)


def _lowered(label: Label, function: object) -> Label:
    declassifier = declassifier_of(function)
    return label if declassifier is None else declassifier.lower(label)


def _same(column: pa.Array) -> pa.Array:
    return column


def _cells(output: Output, batch: pa.RecordBatch) -> pa.Array:
    import pyarrow as pa

    made = output.function(*(batch.column(name) for name in output.reads))
    if not output.reads and isinstance(made, pa.Scalar):
        made = pa.repeat(made, batch.num_rows)
    _require_cells(made, output.type, batch.num_rows, what=f"what makes column {output.name}")
    return made


def _require_cells(made: object, kind: pa.DataType, rows: int, *, what: str) -> None:
    import pyarrow as pa

    if not isinstance(made, pa.Array) or made.type != kind or len(made) != rows:
        raise DatasetError(f"{what} returned other than one cell of the declared type for each row")
