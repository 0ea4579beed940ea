"""A root key's protection by a secret in the environment of the process.

Belongs here: reading that secret, and the key from it. Must stay out: passphrases, which need a slow function.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from secure_ml.keys.derivation import hkdf_sha256
from secure_ml.keys.errors import KeyServiceError

ENVIRONMENT_VARIABLE = "SECURE_ML_ROOT_SECRET"

_MINIMUM_BYTES = 32
_NO_COSTS = b"\x00\x00\x00"
_SALT_BYTES = 16
_INFO = b"secure_ml root key protection v1"


@dataclass(frozen=True)
class EnvironmentSecret:
    """A random secret that protects a root key; see `secure_ml.keys.root_file.Protection`.

    Attributes:
        secret: At least 32 uniformly random bytes.
    """

    name: ClassVar[str] = "environment"

    secret: bytes = field(repr=False)

    def new_parameters(self) -> bytes:
        """A fresh salt."""
        return _NO_COSTS + os.urandom(_SALT_BYTES)

    def key(self, unverified_parameters: bytes) -> bytes:
        """The 32 bytes that the secret gives with this salt, by HKDF-SHA-256."""
        return hkdf_sha256(self.secret, salt=unverified_parameters[len(_NO_COSTS) :], info=_INFO, length=32)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "EnvironmentSecret":
        """Read it from `SECURE_ML_ROOT_SECRET`, in Base64.

        Raises:
            KeyServiceError: It is not set, no Base64, or shorter than 32 bytes.
        """
        makes = f"make one by `openssl rand -base64 {_MINIMUM_BYTES}`"
        encoded = environ.get(ENVIRONMENT_VARIABLE, "").strip()
        if not encoded:
            raise KeyServiceError(f"the root key is protected by a secret; set {ENVIRONMENT_VARIABLE}, or {makes}")
        try:
            secret = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error):
            raise KeyServiceError(f"{ENVIRONMENT_VARIABLE} is not in Base64; {makes}") from None
        if len(secret) < _MINIMUM_BYTES:
            raise KeyServiceError(
                f"{ENVIRONMENT_VARIABLE} holds {len(secret)} bytes, not {_MINIMUM_BYTES} or more; {makes}"
            )
        return cls(secret)
