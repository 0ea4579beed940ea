"""The least generalisation of the policy's ladders that meets what it asks of anonymity.

Belongs here: the lattice of the ladders' treatments, and the way through it. Must stay out: what a table must reach
(judgement).

Every combination of treatments, one from each ladder, is a node. Its loss is the mean over the quasi-identifiers of
Iyengar's metric (2002): of how many of the other values a cell can no longer be told from, 0 for none and 1 for all; a
suppressed row loses all that suppression takes. Losses are known before anything is counted, so the nodes are tried in
their order, and the first that no untried one can beat is the least: exact, and without the monotonicity that diversity
under suppression lacks. The table is read once, into its distinct rows under all treatments; each node is computed from
those (the roll-up of LeFevre, DeWitt and Ramakrishnan 2005).
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa

from secure_ml.policy.anonymity import Anonymity
from secure_ml.policy.project import Policy
from secure_ml.policy.treatments import Treatment
from secure_ml.protection.anonymity.combinations import MISSING_CODE, cell_codes
from secure_ml.protection.anonymity.counting import (
    Classes,
    Integers,
    Members,
    classes_of,
    member_columns,
    members_of,
)
from secure_ml.protection.anonymity.distinct_rows import DistinctRows, one_array
from secure_ml.protection.anonymity.errors import AnonymityError
from secure_ml.protection.anonymity.judgement import Booleans, Measured, measure
from secure_ml.protection.anonymity.suppression import choose_suppressed
from secure_ml.protection.anonymity.together import Together, together
from secure_ml.protection.mask.masking import Masking
from secure_ml.protection.mask.plan import column_treatment, plan_without_keys
from secure_ml.vault.dataset import Dataset, Output

MOST_NODES = 20_000
"""Beyond it somebody waits for hours; the ladders are to be shortened."""

_LARGEST = 2**62
_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Found:
    """The least generalisation.

    Attributes:
        treatments: of each quasi-identifier with a ladder.
        measured: what each table reaches with them, in the order of the tables, after suppression.
        loss: 0 for the ladders' first treatments and nothing suppressed, 1 for nothing left.
        tried: nodes that were counted.
        nodes: nodes that there are.
        together: what all tables tell of a subject; None where the policy names no subject.
    """

    treatments: Mapping[str, Treatment]
    measured: tuple[Measured, ...]
    loss: float
    tried: int
    nodes: int
    together: Together | None


def search(tables: Sequence[Dataset], policy: Policy) -> Found:
    """Reads each table once, and finds the least generalisation that holds for each of them.

    Args:
        tables: raw tables, each of which would be one version.
        policy: with a section `anonymity` that has ladders.

    Raises:
        AnonymityError: there are no ladders, too many nodes, a ladder out of order, or no node that meets the policy.
        MaskingError: a table lacks a column of the policy.
    """
    asked = policy.anonymity
    if asked is None or not asked.ladders:
        raise AnonymityError("the policy has no anonymity.ladders: name the treatments to choose from")
    ladders = {name: asked.ladders.get(name, (policy.columns[name].treatment,)) for name in policy.quasi_identifiers}
    nodes = math.prod(map(len, ladders.values()))
    if nodes > MOST_NODES:
        raise AnonymityError(f"the ladders have {nodes} combinations, and at most {MOST_NODES} are tried; shorten them")
    suppressed = policy.suppressed_columns if asked.suppress else policy.quasi_identifiers
    counted = _count([_distinct(table, policy, asked, ladders) for table in tables], asked, ladders, suppressed)
    losses = _losses(counted, ladders)
    taken = [n for n, name in enumerate(ladders) if name in policy.suppressed_columns]
    lattice = itertools.product(*(range(len(rungs)) for rungs in ladders.values()))
    ordered = sorted((sum(losses[n][rung] for n, rung in enumerate(node)) / len(node), node) for node in lattice)
    best = _least(counted, ordered, asked, lambda node: sum(1 - losses[n][node[n]] for n in taken) / len(node))
    chosen = {name: rungs[rung] for (name, rungs), rung in zip(ladders.items(), best.node, strict=True)}
    return Found(
        {name: treatment for name, treatment in chosen.items() if name in asked.ladders},
        best.measured,
        best.loss,
        best.tried,
        nodes,
        together([_as_released(classes, asked) for classes in counted.classes(best.node)], k=asked.smallest_class),
    )


@dataclass(frozen=True)
class _Best:
    """The best node so far; see `Found`."""

    node: Sequence[int]
    measured: tuple[Measured, ...]
    loss: float
    tried: int


def _least(
    counted: "_Counted",
    ordered: Sequence[tuple[float, Sequence[int]]],
    asked: Anonymity,
    of_suppressed: Callable[[Sequence[int]], float],
) -> _Best:
    """The node of the least loss, of those that meet the policy.

    Args:
        counted: the tables.
        ordered: what is lost without suppression, and the node; ascending.
        asked: what is asked for.
        of_suppressed: what a suppressed row loses under a node beside.
    """
    best: _Best | None = None
    faults: tuple[str, ...] = ()
    for tried, (loss, node) in enumerate(ordered):
        if best is not None and loss >= best.loss:
            return replace(best, tried=tried)
        measured, faults = _try(counted.classes(node), asked)
        if not faults:
            lost = loss + of_suppressed(node) * float(np.mean([m.suppressed for m in measured]))
            if best is None or lost < best.loss:
                best = _Best(node, measured, lost, len(ordered))
    if best is None:
        raise AnonymityError(
            f"no combination of the ladders' treatments meets the policy; with the most general, {'; '.join(faults)}"
        )
    return best


@dataclass(frozen=True, eq=False)
class _Counted:
    """The distinct rows of all tables under all treatments, table after table.

    Attributes:
        codes: by quasi-identifier and rung, (members,) number of the treated value; the same in all tables.
        missing: by quasi-identifier and rung, (members,) whether there is none.
        suppressed: by quasi-identifier, whether suppression takes it.
        members: of each table.
    """

    codes: Sequence[Sequence[Integers]]
    missing: Sequence[Sequence[Booleans]]
    suppressed: Sequence[bool]
    members: Sequence[Members]

    def classes(self, node: Sequence[int]) -> Iterator[Classes]:
        """Each table's classes under one treatment of each quasi-identifier."""
        end = 0
        for members in self.members:
            start, end = end, end + len(members.rows)
            codes = [self.codes[n][rung][start:end] for n, rung in enumerate(node)]
            none = [self.missing[n][rung][start:end] for n, rung in enumerate(node) if self.suppressed[n]]
            kept = [column for column, taken in zip(codes, self.suppressed, strict=True) if not taken]
            of_member = _numbered(codes)
            first = np.unique(of_member, return_index=True)[1]
            yield classes_of(
                members,
                of_member,
                kept=_numbered([column[first] for column in kept]) if kept else np.zeros(len(first), np.int64),
                emptied=np.logical_and.reduce(none)[first],
            )


def _count(
    tables: Sequence[pa.Table],
    asked: Anonymity,
    ladders: Mapping[str, Sequence[Treatment]],
    suppressed: Sequence[str],
) -> _Counted:
    columns = {name: one_array(pa.concat_tables(tables)[name]).to_numpy() for name in _places(ladders)}
    by_rung = [[columns[f"{n}.{rung}"] for rung in range(len(rungs))] for n, rungs in enumerate(ladders.values())]
    return _Counted(
        [[_numbered([codes]) for codes in rungs] for rungs in by_rung],
        [[codes == MISSING_CODE for codes in rungs] for rungs in by_rung],
        [name in suppressed for name in ladders],
        [members_of(table, asked.sensitive) for table in tables],
    )


def _places(ladders: Mapping[str, Sequence[Treatment]]) -> list[str]:
    """A name for each quasi-identifier under each of its treatments."""
    return [f"{n}.{rung}" for n, rungs in enumerate(ladders.values()) for rung in range(len(rungs))]


def _distinct(table: Dataset, policy: Policy, asked: Anonymity, ladders: Mapping[str, Sequence[Treatment]]) -> pa.Table:
    """The table's distinct rows: codes of the quasi-identifiers, subject, sensitive values."""
    distinct = DistinctRows(share_by=None)
    subject = None if policy.subject is None else policy.subject.column
    for batch in _treated(table, policy, asked, ladders).scan():
        codes = {place: cell_codes(batch.column(place)) for place in _places(ladders)}
        distinct.add(pa.table(codes | member_columns(batch, asked.sensitive, subject)))
    counted = list(distinct.take())
    if not counted:
        raise AnonymityError("a table has no rows that get through; deliver one that has")
    return counted[0]


def _treated(table: Dataset, policy: Policy, asked: Anonymity, ladders: Mapping[str, Sequence[Treatment]]) -> Dataset:
    """Each quasi-identifier under each of its treatments, with subject and sensitive columns as in `masked`."""
    # Tokens stay in this process and are only told apart: any key serves.
    masking = Masking(policy, key_for=lambda purpose: bytes(32))
    subject = () if policy.subject is None else (policy.subject.column,)
    plan = plan_without_keys(policy)
    kept = {output.name: output for output in plan.outputs(Counter())}
    outputs = [kept[name] for name in dict.fromkeys((*subject, *asked.sensitive))]
    for n, (name, rungs) in enumerate(ladders.items()):
        for place, rung in enumerate(rungs):
            column = policy.columns[name].model_copy(update={"treatment": rung})
            variant = policy.model_copy(update={"columns": {**policy.columns, name: column}})
            made = column_treatment(variant, name, key_for=lambda purpose: bytes(32))
            if made is None:
                raise AnonymityError(f"the ladder of {name} drops it: use redact")
            treat = partial(made.treat, name=name, counts=Counter())
            outputs.append(Output(f"{n}.{place}", made.output_type, (name, *made.beside), treat))
    return masking.rows(table, Counter()).map(outputs)


def _try(tables: Iterable[Classes], asked: Anonymity) -> tuple[tuple[Measured, ...], tuple[str, ...]]:
    """What each table reaches, and what is not as asked; the first fault ends it."""
    measured = []
    for classes in tables:
        try:
            after = measure(_as_released(classes, asked), asked)
        except AnonymityError as error:
            return (), (str(error),)
        if faults := after.faults(asked):
            return (), faults
        measured.append(after)
    return tuple(measured), ()


def _as_released(classes: Classes, asked: Anonymity) -> Classes:
    """The classes once the rare ones are one, with those that had nothing to be taken, if the policy suppresses."""
    if not asked.suppress:
        return classes
    emptied = classes.emptied.copy()
    emptied[choose_suppressed(classes, asked).classes] = True
    numbers = np.arange(len(emptied))
    merged = _numbered([np.where(emptied, classes.kept, numbers + len(numbers))])
    first = np.unique(merged, return_index=True)[1]
    return classes_of(classes.members, merged[classes.of_member], kept=classes.kept[first], emptied=emptied[first])


def _losses(counted: _Counted, ladders: Mapping[str, Sequence[Treatment]]) -> list[list[float]]:
    """By quasi-identifier and rung, the share of other values that a cell cannot be told from."""
    rows = np.concatenate([members.rows for members in counted.members])
    losses = []
    for name, of_rung in zip(ladders, counted.codes, strict=True):
        value = _numbered(of_rung)
        found = [_loss(value, codes, rows) for codes in of_rung]
        if any(before > after + _TOLERANCE for before, after in itertools.pairwise(found)):
            raise AnonymityError(
                f"anonymity.ladders.{name}: a treatment tells more than the one before it; reorder them"
            )
        losses.append(found)
    return losses


def _loss(value: Integers, treated: Integers, rows: Integers) -> float:
    values = int(value.max()) + 1
    if values < 2:
        return 0.0
    pairs = np.unique(treated * values + value)
    together = np.bincount(pairs // values)
    return float(((together[treated] - 1) / (values - 1) * rows).sum() / rows.sum())


def _numbered(columns: Sequence[Integers]) -> Integers:
    """(rows,) the same number for rows that are alike in all columns, from 0 without a hole."""
    combined = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        _, codes = np.unique(column, return_inverse=True)
        width = int(codes.max(initial=0)) + 1
        if int(combined.max(initial=0)) >= _LARGEST // width:
            _, combined = np.unique(combined, return_inverse=True)
        combined = combined * width + codes
    return np.unique(combined, return_inverse=True)[1].astype(np.int64)
