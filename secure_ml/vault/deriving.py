"""The kernel's part in keyed hashes: keys derived from the project's own secret.

Belongs here: that derivation. Must stay out: who may ask, which admission decides.
"""

from secure_ml.access.decisions import Request
from secure_ml.keys.custody import KeyCustody
from secure_ml.keys.derivation import derive
from secure_ml.vault import messages as m
from secure_ml.vault.admission import Admission
from secure_ml.vault.manifest import Address


def project_secret(keys: KeyCustody, address: Address, *, create: bool = True) -> bytes:
    """The secret of the address's project in its environment, made at the first use.

    Raises:
        KeyNotFound: it was never made, or was destroyed, and is not to be made.
    """
    return keys.secret(f"project/{address.environment}/{address.project}", create=create)


def project_key(keys: KeyCustody, address: Address, derivation: str, *, create: bool = True) -> bytes:
    """The 32 bytes that the project uses for one purpose, such as "token:phone"; see `project_secret`."""
    return derive(project_secret(keys, address, create=create), purpose=derivation)


class Deriving:
    """Answers what derives keys."""

    def __init__(self, admission: Admission, *, keys: KeyCustody) -> None:
        self._admission, self._keys = admission, keys

    def derive_key(self, request: m.DeriveKey) -> m.KeyDerived:
        """A key of 32 bytes for a keyed hash of the stage that asks."""
        address = Address(request.environment, request.project, request.by, "")
        asked = Request("derive_key", request.by, request.by, derivation=request.derivation)
        self._admission.admit(request, "key.derive", address, asked)
        return m.KeyDerived(key=project_key(self._keys, address, request.derivation))
