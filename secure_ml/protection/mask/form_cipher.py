"""Texts encrypted each within its own form.

Belongs here: what a text's form is, and its check digits. Must stay out: columns, keys, and what is done with a text
that has no form.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.labels import Entity
from secure_ml.protection.mask.characters import REFUSED, STANDS, Alphabets, CodePoints
from secure_ml.protection.mask.check_digits import CHECK_DIGITS, NONE, CheckDigits
from secure_ml.protection.mask.mixed_radix import MixedRadixCipher, is_large_enough

LONGEST = 128
"""Letters and digits of a text; a longer one is no identifier."""

_CHUNK = 2**14
_SHIFT = np.uint8(5)
_DIGITS, _LETTERS = np.uint8(10), np.uint8(26)

Rows = npt.NDArray[np.int64]
Numerals = npt.NDArray[Any]
Made = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Form:
    """Texts whose letters and digits have the same radices.

    Attributes:
        rows: selects them from the column.
        places: where their letters and digits stand: among all code points, shape (texts, length); or in each text,
            shape (length,), if all texts of the column are of this form and as long.
        kinds: of these characters, shape (texts, length), or (1, length) if all texts have the same.
        numerals: the place of each in its alphabet, shape (texts, length).
        radices: of each place.
    """

    rows: slice | Rows
    places: Rows
    kinds: npt.NDArray[np.uint8]
    numerals: Numerals
    radices: tuple[int, ...]

    def write(self, result: npt.NDArray[Any], points: npt.NDArray[Any], made: Made) -> None:
        """Writes those of the texts' new characters that were made."""
        if self.places.ndim > 1:
            result[self.places[made]] = points[made]
            return
        rows = result.reshape(len(made), -1)
        chosen = slice(None) if made.all() else np.flatnonzero(made)
        some = rows[chosen]
        some[:, as_slice(self.places)] = points[chosen]
        rows[chosen] = some


def as_slice(places: Rows) -> slice | Rows:
    """Ascending places as a slice if they have no gap, which is read much faster."""
    return slice(int(places[0]), int(places[-1]) + 1) if places[-1] - places[0] == len(places) - 1 else places


@dataclass(frozen=True)
class FormCipher:
    """Encrypts texts to others of the same form.

    Attributes:
        alphabets: characters that are encrypted among each other.
        entity: what the texts are; says where check digits stand.
        check_digit: whether those of a ciphertext are valid, or never.
        tweak: not secret; the same text under another tweak has another ciphertext.
        key: 32 secret bytes.
    """

    alphabets: Alphabets
    entity: Entity
    check_digit: Literal["broken", "valid"]
    tweak: bytes
    key: bytes = field(repr=False)

    def crypted(self, texts: pa.Array, *, decrypt: bool) -> pa.Array:
        """What becomes of each text; null for one that the cipher cannot take, or cannot have made.

        A text is not taken when a letter or digit of it is in no alphabet, when it has more than `LONGEST` of them,
        when its form has fewer than a million values, or when its check digits are not what they must be.

        Args:
            texts: strings, none of them null.
            decrypt: whether the texts are ciphertexts.
        """
        pieces = [self._piece(texts[begin : begin + _CHUNK], decrypt) for begin in range(0, len(texts), _CHUNK)]
        return pa.concat_arrays(pieces) if pieces else pa.array([], pa.string())

    def _piece(self, texts: pa.Array, decrypt: bool) -> pa.Array:
        given = CodePoints.of(texts)
        result = given.points.copy()
        done = np.zeros(len(texts), np.bool_)
        for form in _forms(given, self.alphabets):
            numerals, made = self._form(form, decrypt)
            form.write(result, self.alphabets.code_points(form.kinds, numerals), made)
            done[form.rows] = made
        return pc.if_else(pa.array(done), given.texts(result), pa.scalar(None, pa.string()))

    def _form(self, form: Form, decrypt: bool) -> tuple[Numerals, Made]:
        """The numerals of the texts of one form, and which of them were made."""
        check = CHECK_DIGITS.get(self.entity)
        if check is not None:
            return self._checked(form, check, decrypt)
        made = np.full(len(form.numerals), is_large_enough(form.radices))
        if not made.any():
            return form.numerals, made
        return MixedRadixCipher(self.key, self.tweak, form.radices).permuted(form.numerals, decrypt=decrypt), made

    def _checked(self, form: Form, check: CheckDigits, decrypt: bool) -> tuple[Numerals, Made]:
        """As `_form`, for numbers with check characters: all others are encrypted, and these follow from them."""
        if not check.takes(form.radices):
            return form.numerals, np.zeros(len(form.numerals), np.bool_)
        rest, places = check.places(len(form.radices))
        others = as_slice(np.array(rest))
        bases = np.array([0 if radix == _DIGITS else _DIGITS for radix in form.radices], np.uint8)

        def checks(payload: Numerals) -> npt.NDArray[np.uint8]:
            digits = payload.astype(np.uint8, copy=False)
            return check.of(digits + bases[others] if bases.any() else digits)

        def fits(found: npt.NDArray[np.uint8]) -> Made:
            """Whether these are check characters, digits where the form has digits."""
            fit: Made = ((found != NONE) & ((found >= _DIGITS) == (bases[places] > 0))).all(axis=1)
            return fit

        def written(found: npt.NDArray[np.uint8], *, as_ciphertext: bool) -> Numerals:
            """The numerals by which check characters are told, in a ciphertext those of no valid number."""
            numerals = found - bases[places]
            if as_ciphertext and self.check_digit == "broken":
                numerals = (numerals + _SHIFT) % np.where(bases[places] > 0, _LETTERS, _DIGITS)
            return numerals

        payload = form.numerals[:, others]
        found = checks(payload)
        told = written(found, as_ciphertext=decrypt)
        made = fits(found) & (told == form.numerals[:, places]).all(axis=1)
        if not made.any():
            return form.numerals, made
        cipher = MixedRadixCipher(self.key, self.tweak, [form.radices[place] for place in rest])
        # Encrypted again until it fits; it ends, since what it begins with fits.
        chosen = slice(None) if made.all() else np.flatnonzero(made)
        walked = cipher.permuted(payload[chosen], decrypt=decrypt)
        found = checks(walked)
        outside = np.flatnonzero(~fits(found))
        while len(outside):
            walked[outside] = cipher.permuted(walked[outside], decrypt=decrypt)
            found[outside] = checks(walked[outside])
            outside = outside[~fits(found[outside])]
        numerals = form.numerals.copy()
        some = numerals[chosen]
        some[:, others], some[:, places] = walked, written(found, as_ciphertext=not decrypt)
        numerals[chosen] = some
        return numerals, made


def _forms(given: CodePoints, among: Alphabets) -> Iterator[Form]:
    """The texts by form, without those that no form has."""
    by_kind, by_place = among.tables(ascii_only=given.ascii_only)
    kinds = by_kind.take(given.points)
    sizes = np.array([0, *map(len, among.alphabets)])
    if (columns := _columns(given, kinds)) is not None:
        count, width = len(given.bounds) - 1, int(given.bounds[1])
        if 0 < len(columns) <= LONGEST and not (kinds[:width] == REFUSED).any():
            numerals = by_place.take(given.points).reshape(count, width)[:, as_slice(columns)]
            own = kinds[columns]
            yield Form(slice(None), columns, own[None], numerals, tuple(sizes[own].tolist()))
        return
    encrypted = np.flatnonzero((kinds != STANDS) & (kinds != REFUSED))
    bounds = np.searchsorted(encrypted, given.bounds)
    lengths = np.diff(bounds)
    refused = np.searchsorted(np.flatnonzero(kinds == REFUSED), given.bounds)
    lengths[(np.diff(refused) > 0) | (lengths > LONGEST)] = 0
    for length in np.unique(lengths[lengths > 0]).tolist():
        rows = np.flatnonzero(lengths == length)
        places = encrypted[bounds[rows][:, None] + np.arange(length)]
        own = kinds.take(places)
        radices = sizes.take(own)
        for group in _alike(radices):
            at = places[group]
            numerals = by_place.take(given.points.take(at))
            yield Form(rows[group], at, own[group], numerals, tuple(radices[group][0].tolist()))


def _columns(given: CodePoints, kinds: npt.NDArray[np.uint8]) -> Rows | None:
    """Where the letters and digits stand in each text, if all texts are written alike, as those of most columns are."""
    count = len(given.bounds) - 1
    if not count or not len(kinds) or (np.diff(given.bounds) != len(kinds) // count).any():
        return None
    rows = kinds.reshape(count, -1)
    return np.flatnonzero(rows[0] != STANDS) if (rows == rows[0]).all() else None


def _alike(rows: npt.NDArray[Any]) -> Iterator[Any]:
    """Selections of equal rows."""
    if (rows == rows[0]).all():
        yield slice(None)
        return
    _, found = np.unique(rows, axis=0, return_inverse=True)
    found = found.reshape(-1)
    order = np.argsort(found, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(found[order])) + 1)
