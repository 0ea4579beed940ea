"""Secret numbers by which a treatment chooses: the same for the same subject or value, and nothing in common elsewhere.

Belongs here: the numbers of a column, by a keyed pseudorandom function. Must stay out: what is chosen by them.

The function is AES-256-CMAC (NIST SP 800-38B) of the purpose, filled up with zeros, and the canonical value. Whoever
has not the key cannot tell the numbers from a coin's. A number reduced modulo n prefers some remainders; the distance
from a fair choice is below n / 2^64, so below 2^-40 for every n up to sixteen million.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.labels import Entity
from secure_ml.protection.mask.blocks import BLOCK
from secure_ml.protection.mask.canonical import canonical
from secure_ml.protection.mask.cmac import Cmac

Numbers = npt.NDArray[np.uint64]

_KEY_BYTES = 32


class ChoiceKeyError(ValueError):
    """A key for choices that has not the length of one."""


@dataclass(frozen=True)
class KeyedChoice:
    """Gives two numbers for each value.

    Attributes:
        purpose: what the key was made for; part of what is authenticated.
        key: 32 secret bytes.

    Raises:
        ChoiceKeyError: the key has another length.
    """

    purpose: str
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != _KEY_BYTES:
            raise ChoiceKeyError(f"the key for {self.purpose!r} needs {_KEY_BYTES} bytes; check the key service")

    def numbers(self, texts: pa.Array, entity: Entity) -> Numbers:
        """Two numbers below 2^64 for each string, shape (strings, 2); those of a null mean nothing.

        Args:
            texts: what `ColumnReader.text` gave.
            entity: what they are; the same value written in two ways has the same numbers.
        """
        distinct = texts.dictionary_encode()
        prefix = self.purpose.encode()
        # At least one zero, so that no purpose is the beginning of another.
        prefix += bytes(BLOCK - len(prefix) % BLOCK)
        codes = Cmac(self.key).codes(canonical(distinct.dictionary, entity), prefix=prefix)
        numbers = codes.view(">u8").astype(np.uint64).reshape(-1, 2)
        if not len(numbers):
            return np.zeros((len(texts), 2), np.uint64)
        chosen: Numbers = numbers[pc.fill_null(distinct.indices, 0).to_numpy(zero_copy_only=False)]
        return chosen
