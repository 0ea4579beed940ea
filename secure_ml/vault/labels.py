"""Labels as information flow: what a column may reveal, how labels join, and the few ways to lower one.

Belongs here: the lattice, and the closed list of the code that may lower a label. Must stay out: that code.

The order is a product lattice (Denning, "A Lattice Model of Secure Information Flow", 1976): sets of categories under
inclusion, identifiability under its rank, and entities between `none` and `free_text`, which may hold any of them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from types import FunctionType, MappingProxyType, MethodType
from typing import get_args

from secure_ml.policy import treatments
from secure_ml.policy.columns import ColumnPolicy
from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.policy.treatments import Leaves, TreatmentModel

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


def declared_label(column: ColumnPolicy) -> Label:
    """The label of a raw column that the policy declares."""
    return Label(frozenset({column.category}), column.entity, column.identifiability)


PUBLIC = Label(frozenset({Category.INTERNAL}), Entity.NONE, Identifiability.NONE)
"""The bottom: nothing of a person."""

STRICTEST = Label(frozenset(Category), Entity.FREE_TEXT, Identifiability.DIRECT)
"""The top: what an undeclared column gets."""

KEY_CATEGORIES = frozenset(
    Label(frozenset(some), Entity.NONE, Identifiability.NONE).key_category
    for count in range(1, len(Category) + 1)
    for some in combinations(Category, count)
)
"""Every key category that a label can have."""


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


def _nothing_left(label: Label) -> Label:
    return PUBLIC


@dataclass(frozen=True)
class Declassifier:
    """One way to lower a label.

    Attributes:
        name: what policies and pages call it.
        code: the function, or the class whose methods, may lower by it: `module:qualified name`. Nothing else can.
        lower: what is left of a label.
    """

    name: str
    code: str
    lower: Callable[[Label], Label]


_MASK = "secure_ml.protection.mask"
_LOWER: Mapping[Leaves, Callable[[Label], Label]] = MappingProxyType(
    {
        Leaves.QUASI_AT_MOST: _at_most(Identifiability.QUASI),
        Leaves.PSEUDONYM: _pseudonym,
        Leaves.NOTHING: _nothing_left,
    }
)


def _treatment(spec: type[TreatmentModel], code: str) -> Declassifier:
    (name,) = get_args(spec.model_fields["kind"].annotation)
    return Declassifier(name, f"{_MASK}.{code}", _LOWER[spec.leaves])


DECLASSIFIERS: Mapping[str, Declassifier] = MappingProxyType(
    {
        declassifier.name: declassifier
        for declassifier in (
            _treatment(treatments.Redact, "redact:Redact"),
            _treatment(treatments.Token, "token:Token"),
            _treatment(treatments.FormatPreserving, "format_preserving:FormatPreserving"),
            _treatment(treatments.DeterministicEncryption, "deterministic_encryption:DeterministicEncryption"),
            _treatment(treatments.PartialMask, "partial_mask:PartialMask"),
            _treatment(treatments.GeneraliseNumber, "generalise_number:GeneraliseNumber"),
            _treatment(treatments.GeneraliseDate, "generalise_date:GeneraliseDate"),
            _treatment(treatments.GeneraliseGeography, "generalise_geography:GeneraliseGeography"),
            _treatment(treatments.GeneraliseCategory, "generalise_category:GeneraliseCategory"),
            _treatment(treatments.DateShift, "date_shift:DateShift"),
            _treatment(treatments.Surrogate, "surrogate:Surrogate"),
            # Which rows are there says one thing, and the same of every row: its subject may be used, its outcome is
            # known.
            Declassifier("admission", f"{_MASK}.masking:Masking", _nothing_left),
            Declassifier("presence", "secure_ml.training.split:can_be_learned_from", _nothing_left),
            # The side of a split is a keyed coin toss.
            Declassifier("section", "secure_ml.training.split:side_of", _nothing_left),
            Declassifier("count", "secure_ml.protection.classify.findings:count", _nothing_left),
            # Figures under disclosure control.
            Declassifier("aggregate", "secure_ml.assessment.evaluation:evaluate", _nothing_left),
            Declassifier("card", "secure_ml.release.model_card:model_card", _nothing_left),
        )
    }
)
"""All that may lower a label, by name. Scrubbed text is not among them: a remark can name a person in words."""

_BY_CODE = MappingProxyType({declassifier.code: declassifier for declassifier in DECLASSIFIERS.values()})


def declassifier_of(code: object) -> Declassifier | None:
    """The declassifier that a function, a class, or an object or method of one is; None for any other code.

    The code is known by its name, so this stops a mistake and not malice: code that lies about its name is stopped by
    the kernel, which asks the policy (flow).
    """
    while isinstance(code, partial):
        code = code.func
    if isinstance(code, MethodType):
        code = code.__self__
    named = code if isinstance(code, FunctionType | type) else type(code)
    return _BY_CODE.get(f"{named.__module__}:{named.__qualname__}")


def declassify(label: Label, *, by: object) -> Label:
    """The label of what the declassifier `by` made from something with this label.

    Raises:
        LabelError: `by` is not code of the closed list.
    """
    declassifier = declassifier_of(by)
    if declassifier is None:
        raise LabelError(f"this code is not a registered declassifier; those are {', '.join(DECLASSIFIERS)}")
    return declassifier.lower(label)
