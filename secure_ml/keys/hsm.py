"""The key service of a hardware security module: the root key never leaves its PKCS#11 token.

Belongs here: the root key's versions in a token, and their use. Must stay out: sessions, the envelope, other services.

The cipher is AES-256-GCM with random nonces of 96 bits, by which one key may encrypt 2^32 times (NIST SP 800-38D, 8.3).
A root key wraps few keys; a process that alone came to as many would be refused.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast
from urllib.parse import quote

from secure_ml.keys.errors import KeyNotFound, KeyRefused, KeyServiceError
from secure_ml.keys.pkcs11_token import Pkcs11Token, TokenKey
from secure_ml.keys.pkcs11_uri import Pkcs11Uri
from secure_ml.keys.remote import RemoteKeyService

if TYPE_CHECKING:
    from pkcs11 import Session

ENVIRONMENT_VARIABLE = "SECURE_ML_PKCS11_PIN_FILE"
MAXIMUM_WRAPS = 2**32

_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
# An id is a number; the newest version has the greatest. A counter stands in its front, random bits make it unique.
_RANDOM_BITS = 96
_MAXIMUM_ID = 2**127


class Pkcs11KeyService(RemoteKeyService):
    """A `KeyService` over the keys of one label in a token; each is a version."""

    SCHEME = "pkcs11"

    def __init__(self, token: Pkcs11Token, *, label: str) -> None:
        self._token = token
        self._label = label
        self._wraps: Counter[str] = Counter()

    @classmethod
    def from_uri(cls, uri: str, *, environ: Mapping[str, str], create: bool) -> Self:
        """Open the root key that a URI names (RFC 7512), and check that it can be used only, not read.

        Args:
            uri: Such as `pkcs11:token=secure_ml;object=root?module-path=/usr/lib/softhsm/libsofthsm2.so`; `pin-source`
                may name the file of mode 0600 that holds the PIN.
            environ: `SECURE_ML_PKCS11_PIN_FILE` names that file where the URI does not.
            create: Make the root key where there is none.

        Raises:
            KeyNotFound: There is none, and none is to be made.
            KeyServiceUnavailable: The token is not there, or does not answer.
            KeyServiceError: Something is missing or wrong, such as the PIN; the text says what to do.
        """
        parsed = Pkcs11Uri.parse(uri)
        pin_file = parsed.pin_file or Path(environ.get(ENVIRONMENT_VARIABLE, ""))
        if not pin_file.is_absolute():
            raise KeyServiceError(
                f"the token's PIN is needed: set {ENVIRONMENT_VARIABLE} to the absolute path of a file of mode 0600"
            )
        service = cls(Pkcs11Token(parsed, pin_file=pin_file), label=parsed.label)
        try:
            service.key_id  # noqa: B018
        except KeyNotFound:
            if not create:
                raise
            service.rotate()
        return service

    @property
    def key_id(self) -> str:
        """See `KeyService.key_id`: `pkcs11:LABEL:ID` of the newest key."""
        return self._token.use(lambda session, keys: self._newest(self._versions(keys)))

    def rotate(self) -> str:
        """See `KeyService.rotate`; where a token's answer was lost, it may have made two versions."""
        return self._token.use(self._generate)

    def retire(self, key_id: str) -> None:
        """See `KeyService.retire`; backups of the token are its administrator's."""

        def destroy(session: "Session", keys: Sequence[TokenKey]) -> None:
            versions = self._versions(keys)
            if key_id not in versions:
                raise KeyNotFound(f"{self._token} holds no key of this id; it may have been retired before")
            if key_id == self._newest(versions):
                raise KeyServiceError(f"{key_id} wraps now; rotate and rewrap before retiring it")
            writing = session.token.open(rw=True)
            try:
                self._versions(self._token.keys(writing))[key_id].destroy()
            finally:
                writing.close()

        self._token.use(destroy)

    def __repr__(self) -> str:
        return f"Pkcs11KeyService({self._token}, {self._label})"

    def _encrypt(self, fresh_key: bytes, context: bytes) -> tuple[str, bytes]:
        from pkcs11 import GCMParams, Mechanism

        def encrypt(session: "Session", keys: Sequence[TokenKey]) -> tuple[str, bytes]:
            versions = self._versions(keys)
            key_id = self._newest(versions)
            if self._wraps[key_id] >= MAXIMUM_WRAPS:
                raise KeyServiceError(f"{key_id} has wrapped as often as it may; rotate the root key")
            self._wraps[key_id] += 1
            nonce = os.urandom(_NONCE_BYTES)
            parameters = GCMParams(nonce, context, 8 * _TAG_BYTES)
            return key_id, nonce + versions[key_id].encrypt(
                fresh_key, mechanism=Mechanism.AES_GCM, mechanism_param=parameters
            )

        return self._token.use(encrypt)

    def _decrypt(self, unverified_key_id: str, unverified_ciphertext: bytes, context: bytes) -> bytes:
        from pkcs11 import GCMParams, Mechanism, PKCS11Error

        if len(unverified_ciphertext) != _NONCE_BYTES + _KEY_BYTES + _TAG_BYTES:
            raise KeyRefused("the wrapped key was altered")
        nonce, sealed = unverified_ciphertext[:_NONCE_BYTES], unverified_ciphertext[_NONCE_BYTES:]
        parameters = GCMParams(nonce, context, 8 * _TAG_BYTES)

        def decrypt(session: "Session", keys: Sequence[TokenKey]) -> bytes:
            key = self._versions(keys).get(unverified_key_id)
            if key is None:
                raise KeyRefused(
                    f"{self._token} does not hold the key that wrapped this one: it was retired, or is another token's"
                )
            try:
                return key.decrypt(sealed, mechanism=Mechanism.AES_GCM, mechanism_param=parameters)
            except PKCS11Error:
                # For a wrong tag each token has its own error, SoftHSM a general one. Where the key is still seen, the
                # token is there, and it is the bytes that it refuses.
                if unverified_key_id not in self._versions(self._token.keys(session)):
                    raise
                raise KeyRefused("the wrapped key was altered, or wrapped for another context") from None

        return self._token.use(decrypt)

    def _generate(self, session: "Session", keys: Sequence[TokenKey]) -> str:
        from pkcs11 import Attribute, KeyType, MechanismFlag

        newest = max((int.from_bytes(key[Attribute.ID]) for key in self._versions(keys).values()), default=0)
        if newest >= _MAXIMUM_ID:
            raise KeyServiceError(
                f"{self._token} has a key of this label whose id leaves no greater one; label another"
            )
        number = ((newest >> _RANDOM_BITS) + 1 << _RANDOM_BITS) + int.from_bytes(os.urandom(_RANDOM_BITS // 8))
        writing = session.token.open(rw=True)
        try:
            made = writing.generate_key(
                KeyType.AES,
                8 * _KEY_BYTES,
                id=number.to_bytes(16),
                label=self._label,
                store=True,
                capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
                template={
                    Attribute.PRIVATE: True,
                    Attribute.SENSITIVE: True,
                    Attribute.EXTRACTABLE: False,
                    Attribute.MODIFIABLE: False,
                },
            )
            return next(iter(self._versions([cast(TokenKey, made)])))
        finally:
            writing.close()

    def _versions(self, keys: Sequence[TokenKey]) -> dict[str, TokenKey]:
        """The root key's versions by key id, oldest first.

        Raises:
            KeyServiceError: A key of this label is none that a root key could be.
        """
        from pkcs11 import Attribute, KeyType

        fit = {
            Attribute.KEY_TYPE: KeyType.AES,
            Attribute.VALUE_LEN: _KEY_BYTES,
            Attribute.PRIVATE: True,
            Attribute.SENSITIVE: True,
            Attribute.ALWAYS_SENSITIVE: True,
            Attribute.EXTRACTABLE: False,
            Attribute.NEVER_EXTRACTABLE: True,
            Attribute.ENCRYPT: True,
            Attribute.DECRYPT: True,
        }
        numbered = {}
        for key in keys:
            if key.get_attributes(list(fit)) != fit:
                raise KeyServiceError(
                    f"{self._token} holds a key of the label {self._label} that is no root key: it must be AES of 256 "
                    "bits, made in the token, private, sensitive, never extractable, and encrypt and decrypt"
                )
            numbered[int.from_bytes(key[Attribute.ID])] = key
        if len(numbered) < len(keys):
            raise KeyServiceError(f"{self._token} holds two keys of the label {self._label} and the same id")
        name = f"{self.SCHEME}:{quote(self._label, safe='')}"
        return {f"{name}:{numbered[number][Attribute.ID].hex()}": numbered[number] for number in sorted(numbered)}

    def _newest(self, versions: Mapping[str, TokenKey]) -> str:
        if not versions:
            raise KeyNotFound(f"{self._token} holds no key of the label {self._label}")
        return list(versions)[-1]
