"""Great Expectations behind one small class: evidence in, counts out.

Belongs here: all that knows Great Expectations. Must stay out: what an expectation means for a cell (expectations).

Its fixed cost is that of the suite, per validation and not per row, so rows are gathered into large chunks. Each chunk
has a data source of its own, removed with it: a reused one holds on to the last frame for as long as the process lives.
"""

import functools
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from secure_ml.policy.quality import Between, Expectation, InSet, NotNull
from secure_ml.protection.quality.errors import QualityError
from secure_ml.protection.quality.expectations import MET

CHUNK_ROWS = 50_000
CHUNK_BYTES = 64 << 20

_RESULT_FORMAT = {"result_format": "BASIC", "exclude_unexpected_values": True, "partial_unexpected_count": 0}
_NAME = "raw"
_ONE_AT_A_TIME = threading.Lock()


@dataclass
class Counts:
    """Sums over the chunks: rows, those without a cell, those that break the expectation."""

    element: int = 0
    missing: int = 0
    unexpected: int = 0


class Suite:
    """All expectations of one inspection, evaluated together, chunk by chunk."""

    def __init__(self, expectations: Sequence[Expectation], words: Sequence[str]) -> None:
        self._expectations, self._words = tuple(expectations), tuple(words)
        self._counts = tuple(Counts() for _ in expectations)
        self._schema = pa.schema([pa.field(str(i), _evidence_type(e)) for i, e in enumerate(self._expectations)])
        self._waiting: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def add(self, evidence: Sequence[pa.Array]) -> None:
        """Takes the evidence of one batch, an array for each expectation.

        Raises:
            QualityError: an expectation could not be evaluated.
        """
        if not self._expectations:
            return
        batch = pa.RecordBatch.from_arrays(list(evidence), schema=self._schema)
        for start in range(0, batch.num_rows, CHUNK_ROWS):
            piece = batch.slice(start, CHUNK_ROWS)
            self._waiting.append(piece)
            self._rows += piece.num_rows
            self._bytes += piece.nbytes
            if self._rows >= CHUNK_ROWS or self._bytes >= CHUNK_BYTES:
                self._flush()

    def finish(self) -> tuple[Counts, ...]:
        """Evaluates what is still waiting, and gives the sums, one for each expectation.

        Raises:
            QualityError: an expectation could not be evaluated.
        """
        if self._rows:
            self._flush()
        return self._counts

    def _flush(self) -> None:
        frame = pa.Table.from_batches(self._waiting, schema=self._schema).to_pandas()
        rows, self._waiting, self._rows, self._bytes = self._rows, [], 0, 0
        results = _validate(self._built, frame)
        for i, (counts, result) in enumerate(zip(self._counts, map(results.get, self._schema.names), strict=True)):
            # A broken metric leaves its traceback, cells and all, under the metric's name instead of this flag.
            if result is None or result.exception_info.get("raised_exception") is not False:
                raise self._not_evaluated(i, "Great Expectations raised an error")
            found = result.result
            if found["element_count"] != rows:
                raise self._not_evaluated(i, "Great Expectations looked at another number of rows than it was given")
            counts.element += rows
            counts.unexpected += int(found["unexpected_count"])
            # What expects presence calls the missing cells unexpected, and counts them once.
            counts.missing += int(found.get("missing_count", found["unexpected_count"]))

    @functools.cached_property
    def _built(self) -> Any:
        named = zip(self._schema.names, self._expectations, strict=True)
        return _library().ExpectationSuite(name=_NAME, expectations=[_built(name, e) for name, e in named])

    def _not_evaluated(self, index: int, problem: str) -> QualityError:
        return QualityError(
            self._expectations[index].column,
            self._words[index],
            problem=problem,
            remedy="the version is not judged; correct the expectation in the policy, or install the locked "
            "version of great-expectations",
        )


def _evidence_type(expectation: Expectation) -> pa.DataType:
    return pa.string() if isinstance(expectation, InSet) else pa.float64()


def _built(name: str, expectation: Expectation) -> Any:
    gxe = _library().expectations
    match expectation:
        case NotNull():
            return gxe.ExpectColumnValuesToNotBeNull(column=name)
        case Between(minimum=minimum, maximum=maximum):
            return gxe.ExpectColumnValuesToBeBetween(column=name, min_value=minimum, max_value=maximum)
        case InSet(values=values):
            return gxe.ExpectColumnValuesToBeInSet(column=name, value_set=[value.strip() for value in values])
        case _:
            return gxe.ExpectColumnValuesToBeInSet(column=name, value_set=[MET])


def _validate(suite: Any, frame: Any) -> dict[str, Any]:
    with _ONE_AT_A_TIME:
        sources = _context().data_sources
        source = sources.add_pandas(_NAME)
        try:
            definition = source.add_dataframe_asset(_NAME).add_batch_definition_whole_dataframe(_NAME)
            batch = definition.get_batch(batch_parameters={"dataframe": frame})
            validated = batch.validate(suite, result_format=_RESULT_FORMAT)
        finally:
            sources.delete(_NAME)
            # The library's objects refer to each other: the frame would wait for the garbage collector, cells and all.
            frame.drop(columns=frame.columns, inplace=True)
    return {result.expectation_config.kwargs["column"]: result for result in validated.results}


@functools.cache
def _context() -> Any:
    """Great Expectations in memory: no file, no progress bar, no word to its makers."""
    gx = _library()
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config)


@functools.cache
def _library() -> Any:
    """Great Expectations, whose log is silent from its import on: some of its paths write what a metric raised there.

    That text may quote a cell. What went wrong is in the result too, which is looked at.
    """
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL + 1)
    import great_expectations

    return great_expectations
