"""Train, validation and test sides by a keyed hash, so that one subject is always on one side, in every version.

Belongs here: which rows the split keeps and on which side they lie. Must stay out: storing the sides apart (the door
does).

A row's side depends on nothing but its own subject (or, without a subject column, its own content and how often that
content came before in its period), so adding or removing one unit moves nobody else: the private training's guarantee
needs that.
"""

import hmac
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from secure_ml.access.stages import PERIOD, SIDE, SIDES, TEST, TRAIN, VALIDATION
from secure_ml.policy.project import Policy
from secure_ml.policy.training import Split
from secure_ml.training.columns import check_key, content_digests, keyed_hashes, row_bytes
from secure_ml.training.errors import TrainingError
from secure_ml.vault.dataset import Dataset, Output, concatenate

_SUBJECT_PURPOSE = b"secure_ml side of a subject v1"
_ROW_PURPOSE = b"secure_ml side of a row v1"
_CONTENT_PURPOSE = b"secure_ml content of a row v1"


def split(masked: Mapping[str, Dataset], policy: Policy, *, subject_key: bytes) -> Dataset:
    """The rows of all periods that can be learned from, each with its period and side.

    Lazy: rows stream through. Without a subject column a count for each distinct row of a period is held.
    Its summary counts rows for each side, and rows dropped for want of a label or of a subject.

    Args:
        masked: a dataset for each period, in time order; the period of a table of one piece is "all".
        policy: names the columns and the shares.
        subject_key: at least 32 bytes; whoever has it can tell the side of a subject.

    Raises:
        TrainingError: the key is short, or a column that the policy names is not there.
    """
    check_key(subject_key)
    kept = kept_columns(policy)
    for period, dataset in masked.items():
        missing = [name for name in kept if name not in dataset.schema.names]
        if missing:
            raise TrainingError(f"masked ({period}) lacks the columns {', '.join(missing)}; materialise it anew")
    last = _Pass()

    def assigned(current: _Pass) -> list[Dataset]:
        return [_assign(d, period, policy, kept, subject_key, current) for period, d in masked.items()]

    def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        current = _Pass()
        for dataset in assigned(current):
            yield from dataset.scan(columns)
        last.counts.clear()
        last.counts.update(current.counts)

    def summary() -> Mapping[str, int | float | str]:
        return {name: last.counts[name] for name in (*(f"rows_{side}" for side in SIDES), "unlabelled", "no_subject")}

    return replace(concatenate(assigned(last)), open=scan, section_column=SIDE, summary=summary)


def kept_columns(policy: Policy) -> tuple[str, ...]:
    """Features, fairness attributes, label and subject, in the policy's order."""
    named = {policy.label.column} | (set() if policy.subject is None else {policy.subject.column})
    return tuple(n for n, c in policy.columns.items() if n in named or c.use.kind in {"feature", "fairness"})


@dataclass
class _Pass:
    """What one pass over the rows has counted."""

    counts: Counter[str] = field(default_factory=Counter)
    seen: Counter[bytes] = field(default_factory=Counter)


def _assign(
    dataset: Dataset, period: str, policy: Policy, kept: tuple[str, ...], subject_key: bytes, current: _Pass
) -> Dataset:
    subject = None if policy.subject is None else policy.subject.column

    def assign(batch: pa.RecordBatch) -> pa.RecordBatch:
        labelled = np.asarray(batch.column(policy.label.column).is_valid())
        known = np.ones_like(labelled) if subject is None else np.asarray(batch.column(subject).is_valid())
        current.counts["unlabelled"] += int((~labelled).sum())
        current.counts["no_subject"] += int((labelled & ~known).sum())
        rows = batch.filter(pa.array(labelled & known))
        if subject is None:
            hashes = _row_hashes(rows, period, kept, subject_key, current.seen)
        else:
            hashes = _subject_hashes(rows.column(subject), subject_key)
        side = sides(hashes, policy.split)
        for name in SIDES:
            current.counts[f"rows_{name}"] += int((side == name).sum())
        columns = [rows.column(name) for name in kept]
        periods = pa.repeat(pa.scalar(period), rows.num_rows)
        return pa.record_batch([*columns, periods, pa.array(side.tolist(), pa.string())], schema=schema)

    outputs = [Output(name, dataset.schema.field(name).type, (name,)) for name in kept]
    outputs.append(Output(PERIOD, pa.string(), ()))
    outputs.append(Output(SIDE, pa.string(), kept if subject is None else (subject,), by="section"))
    schema = pa.schema([pa.field(output.name, output.type) for output in outputs])
    return dataset.map(assign, outputs=outputs, also_reads=(policy.label.column,))


def sides(hashes: NDArray[np.uint64], shares: Split) -> NDArray[np.object_]:
    """The side for each 64-bit hash. Compared as integers: a share means the same on every machine."""
    test = int(Fraction(str(shares.test)) * 2**64)
    held_out = test + int(Fraction(str(shares.validation)) * 2**64)
    names = np.array([TEST, VALIDATION, TRAIN], dtype=object)
    chosen: NDArray[np.object_] = names[
        (hashes >= np.uint64(test)).astype(int) + (hashes >= np.uint64(held_out)).astype(int)
    ]
    return chosen


def _subject_hashes(subjects: pa.Array, key: bytes) -> NDArray[np.uint64]:
    encoded = subjects.dictionary_encode()
    names = (str(name).encode() for name in encoded.dictionary.to_pylist())
    hashes = keyed_hashes(names, key=key, purpose=_SUBJECT_PURPOSE)
    chosen: NDArray[np.uint64] = hashes[encoded.indices.to_numpy(zero_copy_only=False)]
    return chosen


def _row_hashes(
    rows: pa.RecordBatch, period: str, kept: tuple[str, ...], key: bytes, seen: Counter[bytes]
) -> NDArray[np.uint64]:
    """Hashes of content and occurrence: equal rows are told apart by a count, never by a position that others move."""
    contents = (period.encode() + b"\x00" + content for content in row_bytes(rows, kept))
    messages = []
    for digest in content_digests(contents, key=hmac.digest(key, _CONTENT_PURPOSE, "sha256")):
        messages.append(digest + seen[digest].to_bytes(8, "big"))
        seen[digest] += 1
    return keyed_hashes(messages, key=key, purpose=_ROW_PURPOSE)
