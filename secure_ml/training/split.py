"""Train, validation and test sides by a keyed hash, so that one subject is always on one side, in every version.

Belongs here: which rows the split keeps and on which side they lie. Must stay out: storing the sides apart (the door
does).

A row's side depends on nothing but its own subject (or, without a subject column, its own content and how often that
content came before in its period), so adding or removing one unit moves nobody else: the private training's guarantee
needs that.
"""

import hmac
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from secure_ml.access.stages import PERIOD, SIDE, SIDES, TEST, TRAIN, VALIDATION
from secure_ml.policy.project import Policy
from secure_ml.policy.training import Split
from secure_ml.training.columns import check_key, content_digests, keyed_hashes, row_bytes
from secure_ml.training.errors import TrainingError
from secure_ml.vault.dataset import Dataset, Output, concatenate, copied

Hashes = Callable[..., NDArray[np.uint64]]
"""From columns of a batch to a hash for each row."""

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
        # A pass over some columns has not looked at the sides.
        if set(columns) == set(made.schema.names):
            last.counts.clear()
            last.counts.update(current.counts)

    def summary() -> Mapping[str, int | float | str]:
        return {name: last.counts[name] for name in (*(f"rows_{side}" for side in SIDES), "unlabelled", "no_subject")}

    made = concatenate(assigned(last))
    return replace(made, open=scan, section_column=SIDE, summary=summary)


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
    subject = () if policy.subject is None else (policy.subject.column,)
    usable = dataset.where(partial(can_be_learned_from, counts=current.counts), reads=(policy.label.column, *subject))
    if subject:
        hashes = partial(_subject_hashes, key=subject_key)
    else:
        hashes = partial(_row_hashes, names=kept, period=period, key=subject_key, seen=current.seen)
    side = partial(side_of, hashes=hashes, shares=policy.split, counts=current.counts)
    outputs = [
        *copied(dataset.schema, kept),
        Output(PERIOD, pa.string(), (), lambda: pa.scalar(period)),
        Output(SIDE, pa.string(), subject or kept, side),
    ]
    return usable.map(outputs)


def can_be_learned_from(labels: pa.Array, subjects: pa.Array | None = None, *, counts: Counter[str]) -> pa.Array:
    """Which rows have a label, and a subject where there are any. Counts the others."""
    labelled = labels.is_valid()
    usable = labelled if subjects is None else pc.and_(labelled, subjects.is_valid())
    counts["unlabelled"] += labels.null_count
    counts["no_subject"] += pc.sum(labelled).as_py() - pc.sum(usable).as_py()
    return usable


def side_of(*columns: pa.Array, hashes: Hashes, shares: Split, counts: Counter[str]) -> pa.Array:
    """The name of each row's side, from a keyed hash of what the columns hold. Counts the rows of each side."""
    side = sides(hashes(*columns), shares)
    for name in SIDES:
        counts[f"rows_{name}"] += int((side == name).sum())
    return pa.array(side.tolist(), pa.string())


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
    *columns: pa.Array, names: tuple[str, ...], period: str, key: bytes, seen: Counter[bytes]
) -> NDArray[np.uint64]:
    """Hashes of content and occurrence: equal rows are told apart by a count, never by a position that others move."""
    rows = pa.RecordBatch.from_arrays(list(columns), names=list(names))
    contents = (period.encode() + b"\x00" + content for content in row_bytes(rows, names))
    messages = []
    for digest in content_digests(contents, key=hmac.digest(key, _CONTENT_PURPOSE, "sha256")):
        messages.append(digest + seen[digest].to_bytes(8, "big"))
        seen[digest] += 1
    return keyed_hashes(messages, key=key, purpose=_ROW_PURPOSE)
