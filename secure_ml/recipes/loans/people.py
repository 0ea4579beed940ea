"""Who applies: persons and the applications by which they return.

Belongs here: what is the same in every application of one person and is not an identifier number. Must stay out:
contact data and numbers (identifiers), money (finances), mistakes (dirt).
"""

from dataclasses import dataclass

import numpy as np

from secure_ml.recipes.loans.draws import Dates, Draws, Flags, Indices, Numbers, Reals
from secure_ml.recipes.loans.names import COMMUNITIES
from secure_ml.recipes.loans.places import CITIES, LOCALITIES, STREETS
from secure_ml.recipes.loans.text import Text, choose, digits, join, look_up, whole

RETURNING_SHARE = 0.13
"""Share of the applications that are made by somebody who has applied before."""

GENDERS = ("female", "male", "other")
EDUCATIONS = ("below_secondary", "secondary", "diploma", "graduate", "postgraduate")
MARITAL_STATUSES = ("single", "married", "divorced", "widowed")

_FEMALE_NAMES = tuple(name for community in COMMUNITIES for name in community.female)
_MALE_NAMES = tuple(name for community in COMMUNITIES for name in community.male)
_SURNAMES = tuple(name for community in COMMUNITIES for name in community.surnames)


@dataclass(frozen=True)
class People:
    """One person a row, in the order of the applications.

    Attributes:
        draws: The draws of these persons.
        gender: Positions in `GENDERS`.
        given_name: First name.
        surname: Family name.
        religion: As the table writes it.
        birth_date: Days, datetime64[D].
        age: Years, at the beginning of the table.
        education: Positions in `EDUCATIONS`.
        marital_status: Positions in `MARITAL_STATUSES`.
        address: House, street, locality, city and pin code.
        pin_code: Six digits that begin as the city's do.
    """

    draws: Draws
    gender: Indices
    given_name: Text
    surname: Text
    religion: Text
    birth_date: Dates
    age: Reals
    education: Indices
    marital_status: Indices
    address: Text
    pin_code: Text

    @property
    def full_name(self) -> Text:
        """Given name and surname."""
        return join(self.given_name, " ", self.surname)


def applicant_numbers(seed: int, applications: Numbers) -> Numbers:
    """Say who makes each application.

    A person bears the number of their first application. An application that is not somebody's first belongs to
    whoever made one of the earlier ones, uniformly; that one is followed back to its own first.
    """
    owners = applications.copy()
    pending = _returns(seed, owners)
    while pending.any():
        current = owners[pending]
        earlier = Draws(seed, "application", current).uniform("earlier application")
        owners[pending] = (earlier * current.astype(np.float64)).astype(np.uint64)
        pending[pending] = _returns(seed, owners[pending])
    return owners


def _returns(seed: int, applications: Numbers) -> Flags:
    returning = Draws(seed, "application", applications).chance("returns", RETURNING_SHARE)
    return np.asarray(returning & (applications > 0), dtype=np.bool_)


def describe_people(draws: Draws, *, first_day: np.datetime64) -> People:
    """Invent the persons with the given numbers.

    Args:
        draws: Draws of the unit "person".
        first_day: Beginning of the table; ages count from there.
    """
    community = draws.pick("community", [group.weight for group in COMMUNITIES])
    gender = draws.pick("gender", [0.42, 0.56, 0.02])
    age_days = (_age(draws) * 365.25).astype(np.int64)
    pin_code, address = _residence(draws)
    return People(
        draws=draws,
        gender=gender,
        given_name=_given_name(draws, community, gender),
        surname=_within(draws, "surname", community, _SURNAMES, [len(group.surnames) for group in COMMUNITIES]),
        religion=look_up([group.religion for group in COMMUNITIES], community),
        birth_date=first_day - age_days.astype("timedelta64[D]"),
        age=age_days / 365.25,
        education=draws.pick("education", [0.07, 0.22, 0.14, 0.40, 0.17]),
        marital_status=_marital_status(draws, age_days / 365.25),
        address=address,
        pin_code=pin_code,
    )


def _age(draws: Draws) -> Reals:
    return 21.5 + 38.0 * draws.uniform("age") ** 1.35


def _within(draws: Draws, name: str, community: Indices, pool: tuple[str, ...], sizes: list[int]) -> Text:
    """A word from the community's own stretch of the pool."""
    size = np.asarray(sizes, dtype=np.int64)
    start = np.cumsum(size) - size
    return look_up(pool, start[community] + (draws.uniform(name) * size[community]).astype(np.int64))


def _given_name(draws: Draws, community: Indices, gender: Indices) -> Text:
    female = _within(draws, "given name", community, _FEMALE_NAMES, [len(group.female) for group in COMMUNITIES])
    male = _within(draws, "given name", community, _MALE_NAMES, [len(group.male) for group in COMMUNITIES])
    bears_female_name = (gender == 0) | ((gender == 2) & draws.chance("name of gender other", 0.5))
    return choose(bears_female_name, female, male)


def _marital_status(draws: Draws, age: Reals) -> Indices:
    married = np.clip((age - 21.0) / 14.0, 0.05, 0.86)
    ended = np.clip((age - 30.0) / 300.0, 0.0, 0.08)
    draw = draws.uniform("marital status")
    edges = [draw < married, draw < married + ended, draw < married + 1.5 * ended]
    return np.select(edges, [1, 2, 3], default=0).astype(np.int64)


def _residence(draws: Draws) -> tuple[Text, Text]:
    city = draws.pick("city", [share for _, _, share in CITIES])
    pin_code = join(look_up([prefix for _, prefix, _ in CITIES], city), digits(draws.integers("pin code", 1, 61), 3))
    address = join(
        whole(draws.integers("house", 1, 400)),
        " ",
        look_up(STREETS, draws.integers("street", 0, len(STREETS))),
        ", ",
        look_up(LOCALITIES, draws.integers("locality", 0, len(LOCALITIES))),
        ", ",
        look_up([name for name, _, _ in CITIES], city),
        " ",
        pin_code,
    )
    return pin_code, address
