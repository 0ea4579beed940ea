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
from secure_ml.policy.treatments import Token as TokenPolicy
from secure_ml.protection.mask.plan import KeyFor, make_plan
from secure_ml.protection.mask.suppress import suppress
from secure_ml.protection.mask.token import SUBJECT_PURPOSE, Token
from secure_ml.protection.mask.treatment import ColumnReader, MaskingError
from secure_ml.protection.parse import UnsupportedColumnType, as_text
from secure_ml.vault.dataset import Dataset

_DROPPED = ("without_subject", "without_consent", "not_admitted")
_ROW_COUNTS = ("rows_read", "rows_masked", *_DROPPED)

Admitted = Callable[[pa.Array], pa.Array]
"""Says for each subject token whether that subject's rows may be used; null is no."""


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

        def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            counts = Counter(dict.fromkeys((*_ROW_COUNTS, *(f"unknown.{name}" for name in self._plan.treatments)), 0))
            for batch in self._suppressed(raw, counts).open(columns):
                counts["rows_masked"] += batch.num_rows
                yield batch
            # A pass over some columns has not looked at the cells of the others.
            if set(columns) == set(self._plan.treatments):
                counts["rows_read"] = sum(counts[name] for name in ("rows_masked", *_DROPPED))
                self._counts = dict(counts)

        return replace(self._suppressed(raw, Counter()), open=scan, summary=self.summary)

    def summary(self) -> Mapping[str, int]:
        """Counts of the last pass over all columns that reached its end; empty before there was one."""
        return dict(self._counts)

    def _suppressed(self, raw: Dataset, counts: Counter[str]) -> Dataset:
        masked = self.rows(raw, counts).map(self._plan.outputs(counts))
        first = self.rows(raw, Counter()).map(self._plan.outputs(Counter()))
        return suppress(masked, self._policy, first=first, counts=counts)

    def rows(self, raw: Dataset, counts: Counter[str]) -> Dataset:
        """The rows of `raw` that get through, untreated; those that do not are added to `counts` by reason.

        Raises:
            MaskingError: as `apply`.
        """
        self._check(raw)
        rows, subject, consent = raw, self._policy.subject, self._policy.consent
        if subject is not None:
            rows = rows.where(partial(self._has_subject, counts=counts), reads=(subject.column,))
        if consent is not None:
            granted = pa.array([text.strip() for text in consent.granted], pa.string())
            rows = rows.where(partial(self._has_consent, granted=granted, counts=counts), reads=(consent.column,))
        if subject is not None and self._admitted is not None:
            asked = partial(self._is_admitted, name=subject.column, admitted=self._admitted, counts=counts)
            rows = rows.where(asked, reads=(subject.column,))
        return rows

    def _has_subject(self, subjects: pa.Array, *, counts: Counter[str]) -> pa.Array:
        return _counted(pc.not_equal(self._text(subjects), ""), counts, "without_subject")

    def _has_consent(self, flags: pa.Array, *, granted: pa.Array, counts: Counter[str]) -> pa.Array:
        texts = self._text(flags)
        return _counted(pc.and_(pc.is_valid(texts), pc.is_in(texts, value_set=granted)), counts, "without_consent")

    def _is_admitted(self, subjects: pa.Array, *, name: str, admitted: Admitted, counts: Counter[str]) -> pa.Array:
        answer = admitted(self._plan.treatments[name].apply(subjects).values)
        if len(answer) != len(subjects) or not pa.types.is_boolean(answer.type):
            raise MaskingError("the registry of admitted subjects must answer true or false for each subject asked")
        return _counted(answer, counts, "not_admitted")

    def _text(self, column: pa.Array) -> pa.Array:
        return as_text(column, missing=self._policy.source.missing)

    def _check(self, raw: Dataset) -> None:
        deciding = [part.column for part in (self._policy.subject, self._policy.consent) if part is not None]
        wanted = dict.fromkeys([read for name in self._plan.treatments for read in self._plan.reads(name)] + deciding)
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
    column = policy.columns[policy.subject.column]
    if not isinstance(column.treatment, TokenPolicy):
        raise MaskingError("the subject column's treatment is not token")
    reader = ColumnReader(column, policy.source.missing)
    return Token(reader, column.treatment, SUBJECT_PURPOSE, key_for(SUBJECT_PURPOSE)).apply(texts).values


def _counted(kept: pa.Array, counts: Counter[str], reason: str) -> pa.Array:
    counts[reason] += len(kept) - int(pc.sum(kept).as_py() or 0)
    return kept
