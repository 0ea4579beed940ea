"""surrogate: an invented value of the same kind, so that people can read a table without reading of anybody.

Belongs here: what is invented for each kind, and how it is chosen. Must stay out: where keys come from.

Names, addresses, employers and places are drawn by Faker from a fixed seed into a pool of 16,384 draws, once for each
process; a keyed pseudorandom function chooses from it. So the choice is secret, the pool is not. Two subjects meet in
one surrogate as soon as there are more than a few hundred of them: a surrogate is for reading and joins nothing. The
pool is the same for one version of Faker; another version may invent other values.

What could reach a stranger is made so that it cannot: mail goes to example.org, which is kept for examples (RFC 2606),
and telephone numbers are of ranges that are set aside for films and books, or that are given to nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.treatments import SurrogateKind, SurrogateLocale
from secure_ml.protection.mask.keyed_choice import KeyedChoice
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment, Treated, count_unknown

_DRAWS = 2**14
_DRAWN_BY: Mapping[SurrogateKind, str] = MappingProxyType(
    {"person_name": "name", "email": "user_name", "postal_address": "address", "employer": "company", "place": "city"}
)
"""Faker's method for each kind of which a pool is drawn."""

_MAIL_DIGITS, _MAIL_DOMAIN = 6, "example.org"
_BORN = (np.datetime64("1940-01-01", "D"), np.datetime64("2004-12-31", "D"))

_NOBODY = "+999 ##########"
_PHONES: Mapping[str, str] = MappingProxyType(
    {
        "AU": "+61 2 5550 ####",
        "CA": "+1 ### 555 01##",
        "DE": "+49 30 23125 ###",
        "FR": "+33 6 39 98 ## ##",
        "GB": "+44 7700 900 ###",
        "IE": "+353 20 91# ####",
        # No subscriber's number begins with 0; India has set no range aside.
        "IN": "+91 000## #####",
        "US": "+1 ### 555 01##",
    }
)
"""Forms of numbers that reach nobody, `#` for any digit, by country; others get a country code that no country has."""


@dataclass(frozen=True)
class Surrogate(ColumnTreatment):
    """The same subject, or the same value, gets the same surrogate of a kind in a project, and another one elsewhere.

    A value that has not its entity's shape gets a surrogate too, and is counted.

    Attributes:
        reader: how the column is read.
        kind: what is invented.
        locale: for which country.
        subject: the subject's column and how it is read; None to choose by the value.
        choice: the secret numbers; of the purpose `surrogate_purpose` gives.
    """

    reader: ColumnReader
    kind: SurrogateKind
    locale: SurrogateLocale
    subject: tuple[str, ColumnReader] | None
    choice: KeyedChoice

    @property
    def output_type(self) -> pa.DataType:
        """Date for a date of birth, string for all else."""
        return pa.date32() if self.kind == "date_of_birth" else pa.string()

    @property
    def beside(self) -> tuple[str, ...]:
        """The subject's column, if it chooses."""
        return () if self.subject is None else (self.subject[0],)

    def apply(self, column: pa.Array, *beside: pa.Array) -> Treated:
        """See the class."""
        texts = self.reader.text(column)
        chooser = self.reader if self.subject is None else self.subject[1]
        chosen_by = texts if self.subject is None else chooser.text(beside[0])
        distinct = chosen_by.dictionary_encode()
        numbers = self.choice.numbers(distinct.dictionary, chooser.policy.entity)
        made = _invented(self.kind, self.locale, numbers).take(distinct.indices)
        known = pc.and_(self.reader.known(texts), pc.is_valid(chosen_by))
        return Treated(pc.if_else(pc.is_valid(texts), made, None), count_unknown(texts, known))


def surrogate_purpose(kind: SurrogateKind, by: str) -> str:
    """Purpose of the key that chooses surrogates of a kind by subject or by value."""
    return f"surrogate:{kind}:{by}"


def is_surrogate(values: pa.Array, kind: SurrogateKind, locale: SurrogateLocale) -> pa.Array:
    """Which cells this treatment can have made; null where null."""
    if kind == "date_of_birth":
        first, last = (pa.scalar(day.astype(object), pa.date32()) for day in _BORN)
        return pc.and_(pc.greater_equal(values, first), pc.less_equal(values, last))
    if kind == "phone":
        form = _phone_form(locale).replace("+", r"\+").replace("#", "[0-9]")
        return pc.match_substring_regex(values, f"^{form}$")
    values_drawn = pool(kind, locale)
    if kind == "email":
        parts = pc.extract_regex(
            values, rf"^(?P<user>.*)\.[0-9]{{{_MAIL_DIGITS}}}@{_MAIL_DOMAIN.replace('.', r'[.]')}$"
        )
        drawn = pc.is_in(pc.struct_field(parts, "user"), value_set=values_drawn)
    else:
        drawn = pc.is_in(values, value_set=values_drawn)
    return pc.if_else(pc.is_valid(values), pc.fill_null(drawn, False), None)


def _invented(kind: SurrogateKind, locale: SurrogateLocale, numbers: npt.NDArray[np.uint64]) -> pa.Array:
    """One value of a kind for each pair of numbers."""
    first, second = numbers[:, 0], numbers[:, 1]
    if kind == "date_of_birth":
        days = (_BORN[1] - _BORN[0]).astype(int) + 1
        return pa.array(_BORN[0] + (first % np.uint64(days)).astype("timedelta64[D]"), pa.date32())
    if kind == "phone":
        return _phones(_phone_form(locale), first)
    values_drawn = pool(kind, locale)
    drawn = values_drawn.take(pa.array(first % np.uint64(len(values_drawn))))
    if kind != "email":
        return drawn
    digits = pc.utf8_lpad(
        pa.array(second % np.uint64(10**_MAIL_DIGITS)).cast(pa.string()), width=_MAIL_DIGITS, padding="0"
    )
    return pc.binary_join_element_wise(pc.binary_join_element_wise(drawn, digits, "."), f"@{_MAIL_DOMAIN}", "")


def _phone_form(locale: SurrogateLocale) -> str:
    return _PHONES.get(locale.partition("_")[2], _NOBODY)


def _phones(form: str, numbers: npt.NDArray[np.uint64]) -> pa.Array:
    letters = np.tile(np.frombuffer(form.encode(), np.uint8), (len(numbers), 1))
    for place in (i for i, letter in enumerate(form) if letter == "#"):
        letters[:, place] = ord("0") + (numbers % np.uint64(10)).astype(np.uint8)
        numbers = numbers // np.uint64(10)
    return pa.array(letters.reshape(-1).view(f"S{len(form)}"), pa.binary()).cast(pa.string())


@cache
def pool(kind: SurrogateKind, locale: SurrogateLocale) -> pa.Array:
    """The distinct ones of all draws, from which a surrogate is chosen."""
    return pa.array(list(dict.fromkeys(draw(kind, locale, draws=_DRAWS))), pa.string())


def draw(kind: SurrogateKind, locale: SurrogateLocale, *, draws: int) -> list[str]:
    """The first values that Faker invents from the fixed seed, each in one line.

    Args:
        kind: one of which a pool is drawn.
        locale: for which country.
        draws: how many.
    """
    from faker import Faker

    faker = Faker(locale)
    faker.seed_instance(0)
    method = getattr(faker, _DRAWN_BY[kind])
    return [", ".join(line.strip() for line in str(method()).splitlines()) for _ in range(draws)]
