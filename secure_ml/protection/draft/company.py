"""Treatments under which enough people share what strangers may know of them, and no more is lost than that needs.

Belongs here: which bounds are tried, and the way down from the most general treatments. Must stay out: the search
itself (anonymity.search), and proof on the whole table (trial).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from secure_ml.policy.anonymity import Anonymity
from secure_ml.policy.project import Policy
from secure_ml.policy.treatments import Treatment
from secure_ml.protection.anonymity.errors import AnonymityError
from secure_ml.protection.anonymity.search import search
from secure_ml.protection.draft.proposal import Proposal, Rung, Rungs
from secure_ml.vault.dataset import Dataset

BOUNDS = (11, 5)
"""People in the smallest class: a risk of 0.09, as the European Medicines Agency asks (EMA/90915/2016); then 1 in 5."""

MOST_GIVEN_UP = 0.5
"""Share of the quasi-identifiers that may be dropped before the loss is called too large."""

_WORTH = 0.1
"""Share of all steps on the ladders that suppression must save."""

_AT_ONCE = 8
"""Columns that are made finer in one search: it tries every combination of them."""

_GONE: Rung = {"kind": "redact"}
_TREATMENT: TypeAdapter[Treatment] = TypeAdapter(Treatment)


@dataclass(frozen=True)
class Company:
    """How many people share what strangers may know of them, and by which treatments.

    Attributes:
        k: people in the smallest class.
        suppress: whether the rarest combinations become missing.
        suppressed_columns: those that suppression takes, where it leaves the features; empty where it takes all.
        treatments: of each quasi-identifier; None where it is given up.
    """

    k: int
    suppress: bool
    suppressed_columns: tuple[str, ...]
    treatments: Mapping[str, Rung | None]

    @property
    def quasi_identifiers(self) -> tuple[str, ...]:
        """Those that are left."""
        return tuple(name for name, rung in self.treatments.items() if rung is not None)

    @property
    def given_up(self) -> tuple[str, ...]:
        """Those that are dropped, since nothing less keeps the bound."""
        return tuple(name for name, rung in self.treatments.items() if rung is None)

    @property
    def section(self) -> Anonymity:
        """As the policy asks for it."""
        return Anonymity(
            k=self.k,
            quasi_identifiers=self.quasi_identifiers,
            suppress=self.suppress,
            suppressed_columns=self.suppressed_columns or None,
        )


def companies(sample: Dataset, policy: Policy, proposals: Sequence[Proposal]) -> Iterator[Company]:
    """What holds on a sample at acceptable loss: the strictest bound first, and under it what serves best.

    Protected attributes are made coarser and never given up; of all else that strangers know, no more than half.
    Suppression changes what a guarantee of private training is about, so it has to be worth that: least where it leaves
    the features alone, more where it does not.

    Args:
        sample: raw rows of some people.
        policy: the draft, without a section on anonymity.
        proposals: every column of the draft.
    """
    ladders = {p.column: _whole(p) for p in proposals if p.ladder}
    features = {p.column for p in proposals if p.is_feature}
    others = tuple(name for name in ladders if name not in features)
    ways: list[tuple[bool, tuple[str, ...]]] = [(False, ()), (True, ())]
    if 0 < len(others) < len(ladders):
        ways.insert(1, (True, others))
    for k in BOUNDS if ladders else ():
        found = []
        for dearness, (suppress, suppressed) in enumerate(ways):
            asked = Anonymity(
                k=k, quasi_identifiers=tuple(ladders), suppress=suppress, suppressed_columns=suppressed or None
            )
            places = _finest(sample, policy, ladders, asked)
            if places is not None:
                company = _company(ladders, places, asked)
                loss = sum(place / len(ladders[name]) for name, place in places.items()) / len(places)
                found.append((loss + _WORTH * dearness, dearness, company))
        for _, _, company in sorted(found, key=lambda one: one[:2]):
            if len(company.given_up) <= MOST_GIVEN_UP * len(ladders) and not features <= set(company.given_up):
                yield company


def _company(ladders: Mapping[str, Rungs], places: Mapping[str, int], asked: Anonymity) -> Company:
    rungs = {name: ladders[name][place] for name, place in places.items()}
    treatments = {name: None if rung == _GONE else rung for name, rung in rungs.items()}
    taken = tuple(name for name in asked.suppressed_columns or () if treatments[name] is not None)
    return Company(asked.k, asked.suppress, taken, treatments)


def _whole(proposal: Proposal) -> Rungs:
    """The ladder to its end; without a protected attribute nobody would see how its groups fare."""
    return proposal.ladder if proposal.use["kind"] == "fairness" else (*proposal.ladder, _GONE)


def _finest(sample: Dataset, policy: Policy, ladders: Mapping[str, Rungs], asked: Anonymity) -> dict[str, int] | None:
    """Places on the ladders from which no single step down is left; None where even the most general do not hold.

    Each search may take one step down in any of a few columns, and finds the least loss among all combinations.
    """
    places = {name: len(rungs) - 1 for name, rungs in ladders.items()}
    if _step(sample, policy, ladders, places, (), asked) is None:
        return None
    names, moved = list(ladders), True
    while moved:
        moved = False
        for start in range(0, len(names), _AT_ONCE):
            free = [name for name in names[start : start + _AT_ONCE] if places[name]]
            below = _step(sample, policy, ladders, places, free, asked) if free else None
            if below is not None and below != places:
                places, moved = below, True
    return places


def _step(
    sample: Dataset,
    policy: Policy,
    ladders: Mapping[str, Rungs],
    places: Mapping[str, int],
    free: Sequence[str],
    asked: Anonymity,
) -> dict[str, int] | None:
    """The places after the best combination of steps down; None where none holds."""
    choices = {name: ((places[name] - 1,) if name in free else ()) + (places[name],) for name in ladders}
    rungs = {n: tuple(_TREATMENT.validate_python(ladders[n][place]) for place in found) for n, found in choices.items()}
    try:
        wanted = asked.model_copy(update={"ladders": rungs})
        found = search([sample], policy.model_copy(update={"anonymity": wanted}))
    except AnonymityError:
        return None
    return {name: choices[name][rungs[name].index(found.treatments[name])] for name in ladders}
