"""Labels as information flow: what a column may reveal, how labels join, and the few ways to lower one.

Belongs here: the lattice and the closed list of declassifiers. Must stay out: how a declassifier computes its output.

The order is a product lattice (Denning, "A Lattice Model of Secure Information Flow", 1976): sets of categories under
inclusion, identifiability under its rank, and entities between `none` and `free_text`, which may hold any of them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from secure_ml.policy.labels import Category, Entity, Identifiability

_BOTTOM = frozenset({Category.INTERNAL})


class LabelError(Exception):
    """A label was lowered by something that may not lower it, or is none."""


@dataclass(frozen=True)
class Label:
    """What a column is about and how far it points to a person.

    `internal` is the bottom's category: it is no claim of its own beside a real one, and falls away.

    Raises:
        LabelError: there is no category.
    """

    categories: frozenset[Category]
    entity: Entity
    identifiability: Identifiability

    def __post_init__(self) -> None:
        if not self.categories:
            raise LabelError("a label names at least one category")
        object.__setattr__(self, "categories", self.categories - _BOTTOM or _BOTTOM)

    @property
    def key_category(self) -> str:
        """Name of the key that encrypts a column with this label: its categories, joined by "_"."""
        return "_".join(sorted(self.categories))

    def covers(self, other: "Label") -> bool:
        """Whether this label claims at least what `other` does."""
        return (
            self.categories >= other.categories - _BOTTOM
            and self.identifiability.rank >= other.identifiability.rank
            and _wider(self.entity, other.entity) is self.entity
        )

    def to_json(self) -> dict[str, object]:
        """The label as JSON values."""
        return {
            "categories": sorted(self.categories),
            "entity": str(self.entity),
            "identifiability": str(self.identifiability),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> "Label":
        """The inverse of `to_json`; an error does not quote what it refuses, since anybody may have sent it.

        Raises:
            LabelError: a field is missing, has another shape, or holds a word that is not one of the known ones.
        """
        categories = value.get("categories")
        if not isinstance(categories, list):
            raise LabelError("a label's categories are a list of words")
        try:
            return cls(
                frozenset(Category(word) for word in categories),
                Entity(str(value.get("entity"))),
                Identifiability(str(value.get("identifiability"))),
            )
        except ValueError:
            raise LabelError("a label's category, entity and identifiability come from the policy reference") from None


PUBLIC = Label(frozenset({Category.INTERNAL}), Entity.NONE, Identifiability.NONE)
"""The bottom: nothing of a person."""

STRICTEST = Label(frozenset(Category), Entity.FREE_TEXT, Identifiability.DIRECT)
"""The top: what an undeclared column gets."""


def join(labels: Iterable[Label]) -> Label:
    """The least label that covers all of `labels`; the bottom for none."""
    result = PUBLIC
    for label in labels:
        result = Label(
            result.categories | label.categories,
            _wider(result.entity, label.entity),
            max(result.identifiability, label.identifiability, key=lambda level: level.rank),
        )
    return result


def _wider(one: Entity, other: Entity) -> Entity:
    if one is other or other is Entity.NONE:
        return one
    return other if one is Entity.NONE else Entity.FREE_TEXT


def _at_most(level: Identifiability) -> Callable[[Label], Label]:
    def lower(label: Label) -> Label:
        kept = label.identifiability if label.identifiability.rank <= level.rank else level
        return Label(label.categories, label.entity, kept)

    return lower


def _pseudonym(label: Label) -> Label:
    return Label(label.categories, label.entity, Identifiability.PSEUDONYM)


def _same(label: Label) -> Label:
    return label


def _nothing_left(label: Label) -> Label:
    return PUBLIC


DECLASSIFIERS: Mapping[str, Callable[[Label], Label]] = MappingProxyType(
    {
        "redact": _nothing_left,
        "token": _pseudonym,
        "partial_mask": _at_most(Identifiability.QUASI),
        "generalise_number": _at_most(Identifiability.QUASI),
        "generalise_date": _at_most(Identifiability.QUASI),
        "generalise_geography": _at_most(Identifiability.QUASI),
        # Scrubbed text stays what it was: a remark can name a person without any identifier in it.
        "scrub_text": _same,
        "count": _nothing_left,
        "aggregate": _nothing_left,
        "dp_release": _nothing_left,
        "section": _nothing_left,
    }
)
"""All that may lower a label, and to what.

`aggregate` covers figures under disclosure control, `count` evidence counts, `section` the side of a split, which is a
keyed coin toss.
"""


def declassify(label: Label, *, by: str) -> Label:
    """The label after the named declassifier.

    Raises:
        LabelError: `by` is not in the closed list.
    """
    if by not in DECLASSIFIERS:
        raise LabelError(f"{by!r} is not a registered declassifier; allowed: {', '.join(DECLASSIFIERS)}")
    return DECLASSIFIERS[by](label)
