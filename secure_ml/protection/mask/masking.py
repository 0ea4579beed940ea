"""The masked dataset: only permitted rows, only needed columns, each treated.

Belongs here: which rows get through, and the counts. Must stay out: how a cell is treated (one file each), storage.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.project import Policy
from secure_ml.protection.mask.plan import KeyFor, make_plan
from secure_ml.protection.mask.token import SUBJECT_PURPOSE, Token
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment, Treated
from secure_ml.protection.parse import UnsupportedColumnType, as_text
from secure_ml.vault.dataset import Dataset

Admitted = Callable[[pa.Array], pa.Array]
"""Says for each subject token whether that subject's rows may be used; null is no."""


class MaskingError(Exception):
    """Raw data that cannot be masked as the policy says; the text names columns, never a cell."""


class Masking:
    """Turns raw into masked, lazily, by the policy's treatments.

    A row does not get through when it has no subject key (it could never be erased), when its consent is not granted,
    or when its subject is not admitted. Each such row is counted once, for the first of these reasons.
    """

    def __init__(self, policy: Policy, *, key_for: KeyFor, admitted: Admitted | None = None) -> None:
        """Asks for the keys at once, so that a refusal comes before any data is read.

        Args:
            policy: what is declared.
            key_for: the key of each purpose, "token:<entity>" or "token:subject_id".
            admitted: the port where the registry of erasures plugs in: given subjects' tokens, it answers which may be
                used. All are admitted without one; it is not asked when the policy names no subject.
        """
        self._policy = policy
        self._plan = make_plan(policy, key_for=key_for)
        self._admitted = admitted
        self._counts: Mapping[str, int] = {}

    def apply(self, raw: Dataset) -> Dataset:
        """The masked table of `raw`; each pass over it reads `raw` anew.

        Raises:
            MaskingError: `raw` lacks a column of the policy, or has one of a type that cannot be read.
        """
        also_reads = self._deciding_columns()
        self._check(raw, also_reads)
        outputs = self._plan.outputs

        def counted(counts: Counter[str]) -> Dataset:
            return raw.map(partial(self._mask, counts=counts), outputs=outputs, also_reads=also_reads)

        def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            counts = Counter(dict.fromkeys(self._count_names(), 0))
            yield from counted(counts).open(columns)
            self._counts = dict(counts)

        return replace(counted(Counter()), open=scan, summary=self.summary)

    def summary(self) -> Mapping[str, int]:
        """Counts of the last pass that reached its end; empty before there was one."""
        return dict(self._counts)

    def _mask(self, batch: pa.RecordBatch, *, counts: Counter[str]) -> pa.RecordBatch:
        counts["rows_read"] += batch.num_rows
        permitted = self._permitted(batch, counts)
        counts["rows_masked"] += permitted.num_rows
        columns = []
        for name, treatment in self._plan.treatments.items():
            treated = _treated(treatment, name, [permitted.column(read) for read in self._plan.reads(name)])
            counts[f"unknown.{name}"] += treated.unknown
            columns.append(treated.values)
        return pa.record_batch(columns, schema=self._plan.schema)

    def _permitted(self, batch: pa.RecordBatch, counts: Counter[str]) -> pa.RecordBatch:
        if self._policy.subject is not None:
            batch = _only(batch, self._has_subject(batch), counts, "without_subject")
        if self._policy.consent is not None:
            batch = _only(batch, self._has_consent(batch), counts, "without_consent")
        if self._policy.subject is not None and self._admitted is not None and batch.num_rows:
            batch = _only(batch, self._is_admitted(batch, self._admitted), counts, "not_admitted")
        return batch

    def _has_subject(self, batch: pa.RecordBatch) -> pa.Array:
        texts = self._text(batch, self._subject_column())
        return pc.fill_null(pc.not_equal(texts, ""), False)

    def _has_consent(self, batch: pa.RecordBatch) -> pa.Array:
        assert self._policy.consent is not None  # noqa: S101 - the caller looked
        granted = pa.array([text.strip() for text in self._policy.consent.granted], pa.string())
        texts = self._text(batch, self._policy.consent.column)
        return pc.and_(pc.is_valid(texts), pc.is_in(texts, value_set=granted))

    def _is_admitted(self, batch: pa.RecordBatch, admitted: Admitted) -> pa.Array:
        name = self._subject_column()
        answer = admitted(self._plan.treatments[name].apply(batch.column(name)).values)
        if len(answer) != batch.num_rows or not pa.types.is_boolean(answer.type):
            raise MaskingError("the registry of admitted subjects must answer true or false for each subject asked")
        return pc.fill_null(answer, False)

    def _text(self, batch: pa.RecordBatch, name: str) -> pa.Array:
        return as_text(batch.column(name), missing=self._policy.source.missing)

    def _subject_column(self) -> str:
        assert self._policy.subject is not None  # noqa: S101 - the callers looked
        return self._policy.subject.column

    def _deciding_columns(self) -> tuple[str, ...]:
        return tuple(part.column for part in (self._policy.subject, self._policy.consent) if part is not None)

    def _count_names(self) -> list[str]:
        rows = ["rows_read", "rows_masked", "without_subject", "without_consent", "not_admitted"]
        return rows + [f"unknown.{name}" for name in self._plan.treatments]

    def _check(self, raw: Dataset, also_reads: tuple[str, ...]) -> None:
        wanted = dict.fromkeys([read for output in self._plan.outputs for read in output.reads] + list(also_reads))
        absent = [name for name in wanted if name not in raw.labels]
        if absent:
            raise MaskingError(f"raw has no column {', '.join(absent)}: correct the policy, or load the source again")
        for name in wanted:
            try:
                as_text(pa.nulls(0, raw.schema.field(name).type), missing=())
            except UnsupportedColumnType as error:
                raise MaskingError(f"column {name}: {error}") from None


def subject_tokens(policy: Policy, texts: pa.Array, *, key_for: KeyFor) -> pa.Array:
    """The tokens that `masked` holds for subjects known by their own key, for a registry that names them.

    Args:
        policy: a policy with a subject.
        texts: subject keys as the source writes them.
        key_for: as for `Masking`.

    Raises:
        MaskingError: the policy has no subject.
    """
    if policy.subject is None:
        raise MaskingError("the policy names no subject, so no row belongs to one")
    reader = ColumnReader(policy.columns[policy.subject.column], policy.source.missing)
    return Token(reader, SUBJECT_PURPOSE, key_for(SUBJECT_PURPOSE)).apply(texts).values


def _treated(treatment: ColumnTreatment, name: str, columns: list[pa.Array]) -> Treated:
    try:
        return treatment.apply(*columns)
    except pa.ArrowException as error:
        # Arrow quotes the cell that it could not convert.
        kind = type(error).__name__
    raise MaskingError(f"column {name} cannot be treated ({kind}): correct its type or treatment in the policy")


def _only(batch: pa.RecordBatch, rows: pa.Array, counts: Counter[str], reason: str) -> pa.RecordBatch:
    kept = batch.filter(rows)
    counts[reason] += batch.num_rows - kept.num_rows
    return kept
