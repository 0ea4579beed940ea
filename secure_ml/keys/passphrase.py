"""A root key's protection by a passphrase: scrypt (RFC 7914).

Belongs here: the slow derivation, what it may cost, and where a passphrase is read. Must stay out: what the key opens.
"""

import os
import struct
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from secure_ml.keys.errors import KeyServiceError
from secure_ml.keys.private_file import read_private_file

ENVIRONMENT_VARIABLE = "SECURE_ML_PASSPHRASE_FILE"

_MINIMUM_CHARACTERS = 15
_MAXIMUM_FILE_BYTES = 4096
_LOG2_N = range(17, 21)
_R = 8
_P = range(1, 5)
_SALT_BYTES = 16
_PARAMETERS = struct.Struct(f">3B{_SALT_BYTES}s")


@dataclass(frozen=True)
class ScryptCost:
    """What one guess costs: 128 · n · r bytes of memory, p times one after the other.

    The least allowed is OWASP's (Password Storage Cheat Sheet), the most 1 GiB. Costs are read from a file: others
    than these would let whoever writes it make guessing cheap, or stop the machine.

    Attributes:
        log2_n: Of n, 17 to 20.
        r: The block size, 8.
        p: 1 to 4.

    Raises:
        KeyServiceError: They lie outside.
    """

    log2_n: int
    r: int
    p: int

    def __post_init__(self) -> None:
        if self.log2_n not in _LOG2_N or self.r != _R or self.p not in _P:
            raise KeyServiceError("scrypt's costs are n = 2^17 to 2^20, r = 8 and p = 1 to 4; these are others")


OWASP_COST = ScryptCost(log2_n=17, r=8, p=1)
"""128 MiB and a third of a second."""


@dataclass(frozen=True)
class Passphrase:
    """A passphrase that protects a root key; see `secure_ml.keys.root_file.Protection`.

    Attributes:
        text: The passphrase; taken in Unicode's form C, so that every keyboard gives the same.
        cost: Of a protection made anew; an existing one states its own.
    """

    name: ClassVar[str] = "passphrase"

    text: str = field(repr=False)
    cost: ScryptCost = OWASP_COST

    def new_parameters(self) -> bytes:
        """Costs and a fresh salt.

        Raises:
            KeyServiceError: The passphrase has under 15 characters, what NIST SP 800-63B-4 wants of one that stands
                alone.
        """
        if len(self.text) < _MINIMUM_CHARACTERS:
            raise KeyServiceError(
                f"a passphrase has at least {_MINIMUM_CHARACTERS} characters; take six words drawn at random"
            )
        return _PARAMETERS.pack(self.cost.log2_n, self.cost.r, self.cost.p, os.urandom(_SALT_BYTES))

    def key(self, unverified_parameters: bytes) -> bytes:
        """The 32 bytes that the passphrase gives with these costs and this salt.

        Raises:
            KeyServiceError: The costs are too low or too high, or the machine lacks the memory.
        """
        log2_n, r, p, salt = _PARAMETERS.unpack(unverified_parameters)
        cost = ScryptCost(log2_n, r, p)
        kdf = Scrypt(salt=salt, length=32, n=1 << cost.log2_n, r=cost.r, p=cost.p)
        try:
            return kdf.derive(unicodedata.normalize("NFC", self.text).encode())
        except MemoryError:
            mebibytes = (128 * cost.r << cost.log2_n) >> 20
            raise KeyServiceError(f"the passphrase needs {mebibytes} MiB of memory, which is not free here") from None

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Passphrase":
        """Read it from the file that the environment names.

        Args:
            environ: `SECURE_ML_PASSPHRASE_FILE`, a file of mode 0600; its last line end is no part of the passphrase.

        Raises:
            KeyServiceError: There is no such file, it is open to others, or it holds other than one line of text.
        """
        named = environ.get(ENVIRONMENT_VARIABLE)
        if not named:
            raise KeyServiceError(
                f"a passphrase protects the root key; name a file of mode 0600 that holds it in {ENVIRONMENT_VARIABLE}"
            )
        text = read_secret_line(Path(named))
        if not text or not text.isprintable():
            raise KeyServiceError("a passphrase is one line of printable characters")
        return cls(text)


def read_secret_line(path: Path) -> str:
    """The text of a private file without its last line end.

    Raises:
        KeyServiceError: The file is missing, open to others, over 4096 bytes, or no text.
    """
    try:
        text = read_private_file(path, maximum_bytes=_MAXIMUM_FILE_BYTES).decode()
    except UnicodeDecodeError:
        raise KeyServiceError(f"{path} holds no text in UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")
