"""Dataset: a lazy stream of Arrow record batches with a label on every column.

Belongs here: composition without data access. Must stay out: files, keys, log (the door makes the first Dataset).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from secure_ml.vault.labels import Label, LabelError, declassify, join

if TYPE_CHECKING:
    import pyarrow as pa

Scan = Callable[[Sequence[str]], "Iterator[pa.RecordBatch]"]
"""Opens one pass over the named columns, in that order."""


class DatasetError(Exception):
    """A stage used a dataset in a way that its declaration does not allow."""


@dataclass(frozen=True)
class Output:
    """One column that a `map` makes.

    Attributes:
        name: its name.
        type: its Arrow type.
        reads: input columns that its values depend on; its label is the join of theirs.
        by: the registered declassifier that lowers that label, if any.
    """

    name: str
    type: pa.DataType
    reads: tuple[str, ...]
    by: str | None = None


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
    """

    schema: pa.Schema
    labels: Mapping[str, Label]
    open: Scan
    section_column: str | None = None
    origins: tuple[str, ...] = ()
    summary: Callable[[], Mapping[str, int | float | str]] = dict

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
        missing = [name for name in wanted if name not in self.labels]
        if missing:
            raise DatasetError(f"no such column here: {', '.join(missing)}")
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

        missing = [name for name in columns if name not in self.labels]
        if missing:
            raise DatasetError(f"no such column here: {', '.join(missing)}")
        schema = pa.schema([self.schema.field(name) for name in columns])
        kept = self.section_column if self.section_column in columns else None
        return replace(self, schema=schema, labels={n: self.labels[n] for n in columns}, section_column=kept)

    def map(
        self,
        function: Callable[[pa.RecordBatch], pa.RecordBatch],
        *,
        outputs: Sequence[Output],
        also_reads: Sequence[str] = (),
        section_column: str | None = None,
        summary: Callable[[], Mapping[str, int | float | str]] = dict,
    ) -> Dataset:
        """A dataset whose batches are `function` of this one's.

        `function` sees the columns named by `outputs` and `also_reads` only. It may drop rows and may return no row.

        Args:
            function: batch to batch; must return exactly the columns of `outputs`.
            outputs: the columns made, with what each depends on.
            also_reads: columns that only decide which rows are kept.
            section_column: see the attribute.
            summary: see the attribute.
        """
        import pyarrow as pa

        reads = tuple(dict.fromkeys([name for output in outputs for name in output.reads] + list(also_reads)))
        schema = pa.schema([pa.field(output.name, output.type) for output in outputs])
        labels = {}
        for output in outputs:
            label = join(self.labels[name] for name in output.reads)
            labels[output.name] = declassify(label, by=output.by) if output.by is not None else label
        source = self

        def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            for batch in source.scan(reads):
                made = function(batch)
                if not made.schema.equals(schema):
                    raise DatasetError("a map returned other columns or types than it declared")
                if made.num_rows:
                    yield made.select(list(columns))

        return Dataset(schema, labels, scan, section_column, self.origins, summary)


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
    labels = {name: join(other.labels[name] for other in datasets) for name in first.schema.names}

    def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for other in datasets:
            yield from other.scan(columns)

    origins = tuple(dict.fromkeys(origin for other in datasets for origin in other.origins))
    return Dataset(first.schema, labels, scan, origins=origins)


def from_batches(
    batches: Sequence[pa.RecordBatch], *, schema: pa.Schema, labels: Mapping[str, Label], origins: tuple[str, ...] = ()
) -> Dataset:
    """A dataset over batches that a stage has made."""

    def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield batch.select(list(columns))

    return Dataset(schema, labels, scan, origins=origins)
