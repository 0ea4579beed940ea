"""Sources: the table as it comes, streamed under the policy's labels.

Belongs here: CSV, Parquet and SQL readers whose errors carry no cell. Must stay out: judging the content (checks do).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from secure_ml.guard.column_names import listed, shown_names
from secure_ml.policy.project import Policy
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.errors import SourceError
from secure_ml.vault.labels import STRICTEST, Label, declared_label
from secure_ml.vault.parquet_batches import BATCH_ROWS, batches_of

if TYPE_CHECKING:
    from sqlalchemy import CursorResult

_BLOCK_BYTES = 1 << 20


def open_source(policy: Policy, *, folder: Path, partition: str, environ: Mapping[str, str]) -> Dataset:
    """The source's table of one partition, unread, under the policy's labels.

    Args:
        policy: declares the source; an undeclared column gets the strictest label, and a name that cannot be a cell.
        folder: the policy's folder; relative paths start there.
        partition: key of the partition, or "".
        environ: holds the database URL of a SQL source.

    Raises:
        SourceError: there is no such partition, or the source is missing, empty, or lacks a declared column. Reading
            it may raise the same.
    """
    if not policy.source.partitions.has(partition):
        raise SourceError(f"{policy.project} has no partition {partition!r}; correct the key or source.partitions")
    if policy.source.format == "sql":
        query = _SqlSource(policy, partition=partition, environ=environ)
        return _with_rows(query.dataset(), place=query.place)
    assert policy.source.path is not None  # noqa: S101 - the policy's validator requires it
    path = (folder / policy.source.path.replace("{partition}", partition)).resolve()
    if path.is_dir():
        raise SourceError(f"{path}: is a folder; name the table in it by source.path in the policy")
    if not path.is_file():
        raise SourceError(f"{path}: no such file; put the table there or correct source.path in the policy")
    if path.stat().st_size == 0:
        raise SourceError(f"{path}: the file is empty; deliver it again")
    dataset = _csv(policy, path) if policy.source.format == "csv" else _parquet(policy, path)
    return _with_rows(dataset, place=str(path))


def _with_rows(dataset: Dataset, *, place: str) -> Dataset:
    """The dataset, whose scan fails when it ends without a row: an empty delivery is a failed one."""

    def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        rows = 0
        for batch in dataset.scan(columns):
            rows += batch.num_rows
            yield batch
        if not rows:
            raise SourceError(f"{place}: has no rows; deliver it again")

    return replace(dataset, open=scan)


def _names(policy: Policy, names: Sequence[str], *, place: str) -> tuple[str, ...]:
    """The names under which the source's columns are stored."""
    if len(set(names)) != len(names):
        raise SourceError(f"{place}: two columns have the same name; correct the header")
    missing = [name for name in policy.columns if name not in names]
    if missing:
        raise SourceError(f"{place}: lacks the declared columns {listed(missing)}; correct the file or the policy")
    # Where nothing is declared yet, a steward is about to: from these names.
    return shown_names(names, policy.columns) if policy.columns else tuple(names)


def _labels(policy: Policy, names: Sequence[str]) -> dict[str, Label]:
    return {name: declared_label(policy.columns[name]) if name in policy.columns else STRICTEST for name in names}


def _csv(policy: Policy, path: Path) -> Dataset:
    source = policy.source
    parse = pacsv.ParseOptions(delimiter=source.delimiter, newlines_in_values=True)
    read = pacsv.ReadOptions(use_threads=False, block_size=max(_BLOCK_BYTES, 2 * source.max_cell_bytes))
    try:
        with path.open("rb") as file:
            head = file.readline(_BLOCK_BYTES)
        names = pacsv.read_csv(pa.BufferReader(head), parse_options=parse, read_options=read).schema.names
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise SourceError(f"{path}: {_csv_fault(error)}") from None
    except UnicodeDecodeError:
        raise SourceError(f"{path}: the header is not valid UTF-8; save the file as UTF-8") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({type(error).__name__}); check its permissions") from None
    shown = _names(policy, names, place=str(path))
    missing = pa.array([text.strip() for text in source.missing], pa.string())
    convert = pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)

    def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        try:
            with pacsv.open_csv(path, read_options=read, parse_options=parse, convert_options=convert) as reader:
                for named in reader:
                    batch = named.rename_columns(shown)
                    _refuse_huge_cells(batch, limit=source.max_cell_bytes, place=str(path))
                    yield _without_missing(batch.select(list(columns)), missing)
        except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
            raise SourceError(f"{path}: {_csv_fault(error)}") from None
        except OSError as error:
            raise SourceError(f"{path}: cannot be read ({type(error).__name__}); check the disk") from None

    return Dataset(pa.schema([pa.field(name, pa.string()) for name in shown]), _labels(policy, shown), scan)


def _csv_fault(error: Exception) -> str:
    """What is wrong, from the numbers in Arrow's message; the rest of it may quote cells."""
    text = str(error)
    row = re.search(r"Row #(\d+)", text)
    where = f" at row {row[1]}" if row else ""
    if counts := re.search(r"Expected (\d+) columns, got (\d+)", text):
        return f"broken CSV{where}: {counts[2]} cells where the header has {counts[1]}; correct the row or its quoting"
    if "UTF8" in text or "utf8" in text:
        column = re.search(r"column #(\d+)", text)
        return f"not valid UTF-8{f' in column {int(column[1]) + 1}' if column else ''}; save the file as UTF-8"
    if "straddling" in text:
        return "a cell or an unclosed quote runs over more than a block; correct the quoting"
    if "Empty CSV" in text:
        return "has no rows; deliver it again"
    return f"broken CSV{where}; check its quoting and separator"


def _without_missing(batch: pa.RecordBatch, missing: pa.Array) -> pa.RecordBatch:
    """The batch with null for every cell that, trimmed, is one of the texts that mean missing."""
    nothing = pa.scalar(None, pa.string())
    cells = [
        pc.if_else(pc.is_in(pc.utf8_trim_whitespace(column), missing), nothing, column) for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(cells, schema=batch.schema)


def _refuse_huge_cells(batch: pa.RecordBatch, *, limit: int, place: str) -> None:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        longest = pc.max(pc.binary_length(column)).as_py() if pa.types.is_string(column.type) else None
        if longest is not None and longest > limit:
            raise SourceError(
                f"{place}: a cell of column {name} is longer than {limit} bytes; correct it, or raise "
                "source.max_cell_bytes"
            )


def _parquet(policy: Policy, path: Path) -> Dataset:
    try:
        stored = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path}: not a readable Parquet file ({type(error).__name__}); deliver it again") from None
    shown = _names(policy, stored.names, place=str(path))
    named = dict(zip(shown, stored.names, strict=True))
    schema = pa.schema([pa.field(name, _plain(stored.field(named[name]).type, name, path)) for name in shown])

    def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        wanted = pa.schema([schema.field(name) for name in columns])
        try:
            with pq.ParquetFile(path) as file:
                read = [named[name] for name in columns]
                for batch in batches_of(file, read):
                    arrays = [_plain_cells(batch[named[field.name]], field, path) for field in wanted]
                    plain = pa.RecordBatch.from_arrays(arrays, schema=wanted)
                    _refuse_huge_cells(plain, limit=policy.source.max_cell_bytes, place=str(path))
                    yield plain
        except (pa.ArrowException, OSError) as error:
            raise SourceError(f"{path}: damaged Parquet file ({type(error).__name__}); deliver it again") from None

    return Dataset(schema, _labels(policy, shown), scan)


def _plain_cells(cells: pa.Array, field: pa.Field, path: Path) -> pa.Array:
    try:
        return cells.cast(field.type)
    except pa.ArrowException:
        raise SourceError(
            f"{path}: column {field.name} holds what the type {field.type} cannot; convert it to text"
        ) from None


def _plain(data_type: pa.DataType, name: str, path: Path) -> pa.DataType:
    """The flat type that a column is stored as."""
    if pa.types.is_dictionary(data_type):
        return _plain(data_type.value_type, name, path)
    if pa.types.is_nested(data_type):
        raise SourceError(f"{path}: column {name} is nested; flatten it before it is delivered")
    if pa.types.is_string(data_type) or pa.types.is_large_string(data_type) or pa.types.is_string_view(data_type):
        return pa.string()
    if pa.types.is_integer(data_type) and data_type != pa.uint64():
        return pa.int64()
    if pa.types.is_floating(data_type) or pa.types.is_decimal(data_type) or data_type == pa.uint64():
        return pa.float64()
    if pa.types.is_boolean(data_type) or pa.types.is_date32(data_type):
        return data_type
    if pa.types.is_date(data_type) or pa.types.is_timestamp(data_type):
        return pa.date32()
    raise SourceError(f"{path}: column {name} has a type that cannot be stored ({data_type}); convert it to text")


class _SqlSource:
    """A query whose rows arrive as text, like a CSV file's."""

    def __init__(self, policy: Policy, *, partition: str, environ: Mapping[str, str]) -> None:
        variable = policy.source.url_env
        url = environ.get(variable or "")
        if not url:
            raise SourceError(f"the environment variable {variable} is not set; it holds the source database's URL")
        self._policy, self._url, self._partition, self.place = policy, url, partition, f"source {variable}"

    def dataset(self) -> Dataset:
        with self._query() as result:
            names = [str(name) for name in result.keys()]  # noqa: SIM118 - iterating it gives rows
        shown = _names(self._policy, names, place=self.place)
        schema = pa.schema([pa.field(name, pa.string()) for name in shown])

        def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            wanted = pa.schema([schema.field(name) for name in columns])
            with self._query() as result:
                found = [str(name) for name in result.keys()]  # noqa: SIM118 - as above
                order = [found.index(names[shown.index(name)]) for name in columns]
                for chunk in result.partitions(BATCH_ROWS):
                    cells = [pa.array([_text(row[i]) for row in chunk], pa.string()) for i in order]
                    batch = pa.RecordBatch.from_arrays(cells, schema=wanted)
                    _refuse_huge_cells(batch, limit=self._policy.source.max_cell_bytes, place=self.place)
                    yield batch

        return Dataset(schema, _labels(self._policy, shown), scan)

    @contextmanager
    def _query(self) -> Iterator["CursorResult[Any]"]:
        from sqlalchemy import create_engine, text
        from sqlalchemy.exc import SQLAlchemyError

        bound = {} if self._policy.source.partitions.kind == "none" else {"partition": self._partition}
        try:
            engine = create_engine(self._url, hide_parameters=True)
        except ModuleNotFoundError as error:
            raise SourceError(f"{self.place}: the driver {error.name} is not installed; install it") from None
        except (SQLAlchemyError, ValueError) as error:
            raise SourceError(f"{self.place}: not a database URL ({type(error).__name__}); correct it") from None
        try:
            with engine.connect().execution_options(stream_results=True) as connection:
                yield connection.execute(text(str(self._policy.source.query)), bound)
        except SQLAlchemyError as error:
            raise SourceError(
                f"{self.place}: the query failed ({type(error).__name__}); check the URL, the query and the grants"
            ) from None
        finally:
            engine.dispose()


def _text(value: object) -> str | None:
    return None if value is None else str(value)
