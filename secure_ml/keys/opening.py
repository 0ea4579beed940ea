"""A key service by its URI.

Belongs here: which scheme is whose. Must stay out: what a service asks of its URI. A service is imported only where its
scheme is asked for.
"""

from collections.abc import Mapping
from importlib.util import find_spec

from secure_ml.keys.errors import KeyServiceError
from secure_ml.keys.service import KeyService

SCHEMES = ("file", "vault", "awskms", "pkcs11")


def open_key_service(uri: str, *, environ: Mapping[str, str], create: bool) -> KeyService:
    """Open the key service that a URI names, and no other: nothing stands in for one that cannot be opened.

    Args:
        uri: Such as `file:/srv/keys`, `vault:…`, `awskms:…` or `pkcs11:…`; each service says the rest.
        environ: Where a service finds its secrets, or the files that hold them.
        create: Make the root key where there is none.

    Raises:
        KeyNotFound: There is no root key, and none is to be made.
        KeyServiceUnavailable: The service does not answer.
        KeyServiceError: The scheme is unknown, its extra is not installed, or the service refuses.
    """
    scheme, colon, _ = uri.partition(":")
    match scheme.lower() if colon else "":
        case "file":
            from secure_ml.keys.local_file import LocalFileKeyService

            return LocalFileKeyService.from_uri(uri, environ=environ, create=create)
        case "vault":
            _require("hvac", extra="vault")
            from secure_ml.keys.vault_transit import VaultTransitKeyService

            return VaultTransitKeyService.from_uri(uri, environ=environ, create=create)
        case "awskms":
            _require("boto3", extra="aws")
            from secure_ml.keys.aws_kms import AwsKmsKeyService

            return AwsKmsKeyService.from_uri(uri, environ=environ, create=create)
        case "pkcs11":
            _require("pkcs11", extra="pkcs11")
            from secure_ml.keys.hsm import Pkcs11KeyService

            return Pkcs11KeyService.from_uri(uri, environ=environ, create=create)
        case _:
            known = ", ".join(f"{name}:" for name in SCHEMES)
            raise KeyServiceError(f"a key service's URI begins with one of {known}")


def _require(module: str, *, extra: str) -> None:
    if find_spec(module) is None:
        raise KeyServiceError(f"this key service needs more to be installed; run: pip install 'secure_ml[{extra}]'")
