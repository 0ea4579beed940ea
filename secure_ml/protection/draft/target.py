"""The label: two classes, and which of them is the positive one.

Belongs here: the rule. Must stay out: how the label is stored (mask.target_label).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from secure_ml.policy.columns import ColumnType
from secure_ml.protection.draft.errors import DraftError
from secure_ml.protection.draft.holders import FEWEST_PEOPLE
from secure_ml.protection.draft.profile import MOST_CLASSES
from secure_ml.protection.parse import parse_text

_YES = frozenset({"yes", "y", "true", "t", "1", "on"})
_NO = frozenset({"no", "n", "false", "f", "0", "off"})


@dataclass(frozen=True)
class Target:
    """The label as the draft declares it.

    Attributes:
        type: of the column.
        positive: the positive class, as the source writes it.
        why: the rule that chose it.
    """

    type: ColumnType
    positive: str
    why: str


def choose_target(classes: Mapping[str, int], *, column: str) -> Target:
    """Finds the positive class.

    Of yes and no (true and false, 1 and 0) it is yes; of other pairs the rarer one, since that is mostly what one looks
    for.

    Args:
        classes: the label's texts with counts of rows.
        column: the label column, for errors.

    Raises:
        DraftError: not two classes, or one that too few have.
    """
    kind, read = _read(classes)
    counts = Counter[object]()
    for text, count in classes.items():
        counts[read[text]] += count
    _require_two(counts, column)
    spelt = {key: max((t for t in classes if read[t] == key), key=lambda t: (classes[t], t)) for key in counts}
    rare, common = sorted(counts, key=lambda key: (counts[key], str(spelt[key])))
    if counts[rare] < FEWEST_PEOPLE:
        raise DraftError(
            f"the label column {column!r}: one of its two classes has fewer than {FEWEST_PEOPLE} rows, too few to "
            "learn from; deliver more rows, or choose another label"
        )
    said = [key for key in counts if spelt[key].lower() in _YES]
    if len(said) == 1 and all(spelt[key].lower() in _NO for key in counts if key != said[0]):
        return Target(kind, spelt[said[0]], "the class that says yes")
    why = "the rarer class" if counts[rare] < counts[common] else "one of two equally frequent classes"
    return Target(kind, spelt[rare], why)


def _read(classes: Mapping[str, int]) -> tuple[ColumnType, dict[str, object]]:
    """The type as which every label reads, and what each text then is."""
    texts = pa.array(list(classes), pa.string())
    for kind in (ColumnType.INTEGER, ColumnType.BOOLEAN):
        values = parse_text(texts, kind)
        if not values.null_count:
            return kind, dict(zip(classes, values.to_pylist(), strict=True))
    return ColumnType.STRING, {text: text for text in classes}


def _require_two(counts: Mapping[object, int], column: str) -> None:
    if not counts:
        raise DraftError(f"the label column {column!r} is empty in every row; choose another, or deliver the outcomes")
    if len(counts) == 1:
        raise DraftError(
            f"the label column {column!r} has one class only; a model needs both outcomes: deliver the others too"
        )
    if len(counts) > 2:
        many = f"{len(counts)}" if len(counts) <= MOST_CLASSES else f"more than {MOST_CLASSES}"
        raise DraftError(
            f"the label column {column!r} has {many} different values, but a label has two classes: add a column that "
            "says whether what is to be predicted happened (yes or no; an amount above a limit, one class against the "
            "others), leave this one out, and name the new one as the label"
        )
