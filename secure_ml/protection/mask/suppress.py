"""suppress: rare combinations of quasi-identifiers become missing, so that nobody stands out by theirs.

Belongs here: emptying the cells, in a second pass over what a first one counted. Must stay out: which combinations are
rare (anonymity).

What a row loses depends on all other rows: this is the one treatment that is not made from its own row alone. So where
a model learns from a column that loses cells, its privacy loss is stated for the masked table only. Rows keep their
place, and their other cells.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.anonymity import Anonymity
from secure_ml.policy.project import Policy
from secure_ml.protection.anonymity.combinations import combination_keys
from secure_ml.protection.anonymity.counting import class_counter
from secure_ml.protection.anonymity.errors import AnonymityError
from secure_ml.protection.anonymity.judgement import Booleans
from secure_ml.protection.anonymity.suppression import choose_suppressed
from secure_ml.protection.mask.treatment import MaskingError
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.labels import join


def suppress(masked: Dataset, policy: Policy, *, first: Dataset, counts: Counter[str]) -> Dataset:
    """The masked table without its rare combinations; the same where the policy does not suppress.

    A pass that asks for a column that may lose cells holds the keys of the rare combinations, 16 bytes each.

    Args:
        masked: every column treated.
        policy: says what is rare.
        first: the same table, for the pass that counts.
        counts: gets the number of rows that lost quasi-identifiers, as `suppressed`.

    Raises:
        MaskingError: reading raises it where more than the allowed share of the rows would be suppressed.
    """
    asked, quasi, taken = policy.anonymity, policy.quasi_identifiers, policy.suppressed_columns
    if asked is None or not asked.suppress:
        return masked

    def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if not set(taken) & set(columns):
            yield from masked.open(columns)
            return
        rare = _rare(first, policy, asked)
        for batch in masked.open(tuple(dict.fromkeys((*columns, *quasi)))):
            hidden = _hidden(batch, quasi, rare)
            counts["suppressed"] += int(hidden.sum())
            yield _without(batch, taken, hidden).select(list(columns))

    labels = {
        name: join([label, *(masked.labels[other] for other in policy.suppressed_by(name))])
        for name, label in masked.labels.items()
    }
    return replace(masked, open=scan, labels=labels)


def _rare(first: Dataset, policy: Policy, asked: Anonymity) -> frozenset[bytes]:
    """The keys of the combinations that are suppressed."""
    counter = class_counter(policy, asked)
    for batch in first.scan(counter.reads):
        counter.add(batch)
    classes, keys = counter.classes()
    try:
        chosen = choose_suppressed(classes, asked)
    except AnonymityError as error:
        raise MaskingError(
            f"too many combinations of quasi-identifiers are rare: {error}; generalise further (`secure-ml anonymity` "
            "finds how), or raise anonymity.maximum_suppressed"
        ) from None
    return frozenset(keys.take(pa.array(chosen.classes)).to_pylist())


def _hidden(batch: pa.RecordBatch, quasi: Sequence[str], combinations: frozenset[bytes]) -> Booleans:
    """(rows,) whose combination is suppressed."""
    keys = combination_keys([batch.column(name) for name in quasi]).dictionary_encode()
    rare = np.array([key in combinations for key in keys.dictionary.to_pylist()], np.bool_)
    hidden: Booleans = rare[keys.indices.to_numpy(zero_copy_only=False)]
    return hidden


def _without(batch: pa.RecordBatch, taken: Sequence[str], hidden: Booleans) -> pa.RecordBatch:
    if not hidden.any():
        return batch
    shown = pa.array(~hidden)
    columns = [
        pc.if_else(shown, column, pa.scalar(None, column.type)) if name in taken else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)
