"""Counting the classes of a stream in one pass: who is in which class, with which sensitive values.

Belongs here: combinations, subjects and sensitive values as numbers. Must stay out: what the numbers mean.

Memory grows with the distinct triples of combination, subject and sensitive values (32 bytes each while they are
counted, and 8 for each sensitive column), never with the width of cells or the number of batches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.anonymity import Anonymity
from secure_ml.policy.project import Policy
from secure_ml.protection.anonymity.combinations import KEY_TYPE, cell_codes, combination_keys, missing_key
from secure_ml.protection.anonymity.distinct_rows import DistinctRows, one_array

Integers = npt.NDArray[np.int64]

_NONE = pa.array([], pa.int64())


@dataclass(frozen=True, eq=False)
class Distribution:
    """How one sensitive column's values are spread over the classes; sorted by class, then value.

    Attributes:
        ordered: whether the values are numbers or days, whose order counts.
        missing: whether rank 0 is that of no value.
        of_class: (entries,) number of the class.
        value: (entries,) rank of the value among all, 0 for the lowest; a missing one is a value, lower than any other.
        subjects: (entries,) subjects of the class who have the value in a row of the class.
    """

    ordered: bool
    missing: bool
    of_class: Integers
    value: Integers
    subjects: Integers


@dataclass(frozen=True, eq=False)
class Members:
    """Distinct rows of subject, sensitive values, and what divides them into classes.

    Attributes:
        subject: (members,) code of the subject; None where each row is a subject of its own.
        values: (members,) of each sensitive column, numbers or codes; null is a value.
        ordered: names of the sensitive columns whose values are numbers or days.
        rows: (members,) rows.
    """

    subject: Integers | None
    values: Mapping[str, pa.Array]
    ordered: frozenset[str]
    rows: Integers


@dataclass(frozen=True, eq=False)
class Classes:
    """The classes of a table: people who share a combination of quasi-identifiers.

    Attributes:
        subjects: (classes,) distinct subjects in each; rows where the policy names no subject.
        rows: (classes,) rows of each.
        distributions: of each sensitive column.
        kept: (classes,) number of the combination of those quasi-identifiers that suppression leaves; all 0 where it
            leaves none. What is suppressed of the classes of one number is one class.
        emptied: (classes,) whether all that suppression takes is missing.
        of_member: (members,) number of the class of each member.
        members: what was counted.
    """

    subjects: Integers
    rows: Integers
    distributions: Mapping[str, Distribution]
    kept: Integers
    emptied: npt.NDArray[np.bool_]
    of_member: Integers
    members: Members


class ClassCounter:
    """Counts batches as they come.

    Args:
        quasi_identifiers: columns whose combination makes a class.
        sensitive: columns whose spread in each class is counted.
        subject: column of the subject; None counts each row as one.
        suppressed: the quasi-identifiers that suppression takes; None for all.
    """

    def __init__(
        self,
        quasi_identifiers: Sequence[str],
        *,
        sensitive: Sequence[str],
        subject: str | None,
        suppressed: Sequence[str] | None = None,
    ) -> None:
        self._quasi, self._sensitive, self._subject = tuple(quasi_identifiers), tuple(sensitive), subject
        self._kept = frozenset() if suppressed is None else frozenset(self._quasi) - frozenset(suppressed)
        self._distinct = DistinctRows(share_by="key")

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns that a batch must have."""
        subject = () if self._subject is None else (self._subject,)
        return tuple(dict.fromkeys((*self._quasi, *self._sensitive, *subject)))

    def add(self, batch: pa.RecordBatch) -> None:
        """Counts a batch."""
        columns = {"key": combination_keys([batch.column(name) for name in self._quasi])}
        if self._kept:
            # The combination that the row would have if it were suppressed.
            nothing = pa.nulls(batch.num_rows)
            left = [batch.column(name) if name in self._kept else nothing for name in self._quasi]
            columns["left"] = combination_keys(left)
        self._distinct.add(pa.table(columns | member_columns(batch, self._sensitive, self._subject)))

    def classes(self) -> tuple[Classes, pa.Array]:
        """The classes of what was counted, and (classes,) the key of each one's combination. Ends the counting."""
        keys, lefts, numbered, count = [pa.array([], KEY_TYPE)], [pa.array([], KEY_TYPE)], [], 0
        for share in self._distinct.take():
            # A class lies in one share, so that each share is numbered alone.
            encoded = one_array(share["key"]).dictionary_encode()
            numbers = pc.add(encoded.indices.cast(pa.int64()), count)
            if self._kept:
                first = np.unique(encoded.indices.to_numpy(), return_index=True)[1]
                lefts.append(one_array(share["left"]).take(pa.array(first)))
                share = share.drop_columns("left")
            numbered.append(share.drop_columns("key").append_column("class", numbers))
            keys.append(encoded.dictionary)
            count += len(encoded.dictionary)
        table = pa.concat_tables(numbered) if numbered else pa.table({"rows": _NONE, "class": _NONE})
        all_keys = pa.concat_arrays(keys)
        left = pa.concat_arrays(lefts) if self._kept else pa.scalar(missing_key(len(self._quasi)), KEY_TYPE)
        emptied = pc.equal(all_keys, left).to_numpy(zero_copy_only=False)
        kept = left.dictionary_encode().indices.to_numpy().astype(np.int64) if self._kept else np.zeros(count, np.int64)
        members, of_member = members_of(table, self._sensitive), one_array(table["class"]).to_numpy()
        del keys, numbered, table
        return classes_of(members, of_member, kept=kept, emptied=emptied), all_keys


def class_counter(policy: Policy, asked: Anonymity) -> ClassCounter:
    """Counts the classes of the policy's quasi-identifiers in `masked`."""
    subject = None if policy.subject is None else policy.subject.column
    suppressed = policy.suppressed_columns if asked.suppress else None
    return ClassCounter(policy.quasi_identifiers, sensitive=asked.sensitive, subject=subject, suppressed=suppressed)


def member_columns(batch: pa.RecordBatch, sensitive: Sequence[str], subject: str | None) -> dict[str, pa.Array]:
    """Subject and sensitive values of each row as columns of fixed width."""
    made = {} if subject is None else {"subject": cell_codes(batch.column(subject))}
    for place, name in enumerate(sensitive):
        made[f"value {place}"] = _value(batch.column(name))
    return made


def members_of(table: pa.Table, sensitive: Sequence[str]) -> Members:
    """The members in a table of the columns that `member_columns` made, with `rows`."""
    values = {name: one_array(table[f"value {place}"]) for place, name in enumerate(sensitive) if table.num_rows}
    return Members(
        one_array(table["subject"]).to_numpy() if "subject" in table.column_names else None,
        values,
        frozenset(name for name, column in values.items() if pa.types.is_floating(column.type)),
        one_array(table["rows"]).to_numpy(),
    )


def classes_of(members: Members, of_member: Integers, *, kept: Integers, emptied: npt.NDArray[np.bool_]) -> Classes:
    """The classes that a numbering of the members makes.

    Args:
        members: distinct rows.
        of_member: (members,) number of each one's class, 0 <= number < classes.
        kept: see `Classes`.
        emptied: see `Classes`.
    """
    count = len(kept)
    (numbers,), people = _people(members, [of_member])
    subjects = np.zeros(count, np.int64)
    subjects[numbers] = people
    return Classes(
        subjects,
        # Counts stay far below 2^53, up to which a float64 is exact.
        np.bincount(of_member, weights=members.rows, minlength=count).astype(np.int64),
        {name: _distribution(name, members, of_member) for name in members.values},
        kept,
        emptied,
        of_member,
        members,
    )


def _value(column: pa.Array) -> pa.Array:
    """Numbers and days as float64, whose order counts; anything else as codes."""
    if pa.types.is_date32(column.type):
        return column.cast(pa.int32()).cast(pa.float64())
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        # Whole numbers beyond 2^53 may fall together: that makes a class less diverse, never more.
        return column.cast(pa.float64(), safe=False)
    return cell_codes(column)


def _distribution(name: str, members: Members, of_member: Integers) -> Distribution:
    encoded = members.values[name].dictionary_encode()
    order = np.argsort(np.argsort(encoded.dictionary.to_numpy(zero_copy_only=False)))
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    # Rank 0 is the missing value's, where there is one.
    ranks = np.append(order + (1 if encoded.indices.null_count else 0), 0)[codes]
    (of_class, value), people = _people(members, [of_member, ranks])
    return Distribution(name in members.ordered, encoded.indices.null_count > 0, of_class, value, people)


def _people(members: Members, columns: Sequence[Integers]) -> tuple[list[Integers], Integers]:
    """The distinct combinations of columns of the members, in their order, and the subjects of each."""
    subject = [] if members.subject is None else [members.subject]
    order = np.lexsort([*subject, *reversed(columns)])
    new = np.zeros(len(order), np.bool_)
    new[:1] = True
    for column in columns:
        new[1:] |= _differs(column[order])
    starts = np.flatnonzero(new)
    if not len(starts):
        return [column[:0] for column in columns], np.empty(0, np.int64)
    counted = members.rows[order]
    for codes in subject:
        new[1:] |= _differs(codes[order])
        counted = new.astype(np.int64)
    return [column[order[starts]] for column in columns], np.add.reduceat(counted, starts)


def _differs(ordered: Integers) -> npt.NDArray[np.bool_]:
    """(rows - 1,) whether a row differs from the one before it."""
    differs: npt.NDArray[np.bool_] = ordered[1:] != ordered[:-1]
    return differs
