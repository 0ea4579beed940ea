"""The key service of HashiCorp Vault and OpenBao: the root key is one of its Transit engine's.

Belongs here: that engine's calls and answers. Must stay out: the envelope, and other services. The root key's versions
never leave the server; whoever holds the token can use them.
"""

import base64
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from secure_ml.keys.errors import KeyDestroyed, KeyNotFound, KeyRefused, KeyServiceError, KeyServiceUnavailable
from secure_ml.keys.private_file import read_private_file
from secure_ml.keys.remote import Patience, RemoteKeyService, read_uri, require_endpoint

if TYPE_CHECKING:
    import hvac
    import requests

KEY_TYPE = "aes256-gcm96"

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.\-]{0,126}[A-Za-z0-9_])?")
_MOUNT = re.compile(r"[A-Za-z0-9_\-]+(/[A-Za-z0-9_\-]+)*")
_TOKEN = re.compile(r"[!-~]{1,4096}")
_CIPHERTEXT = re.compile(r"vault:v([1-9][0-9]{0,8}):[A-Za-z0-9+/]+={0,2}")
_MAXIMUM_TOKEN_FILE_BYTES = 4097
_BACKOFF_SECONDS = 0.2
_MAY_PASS = frozenset({429, 500, 501, 502, 503, 504})
_NEEDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "read_key": ("keys/{}", "read"),
        "create_key": ("keys/{}", "update"),
        "encrypt_data": ("encrypt/{}", "update"),
        "decrypt_data": ("decrypt/{}", "update"),
        "rotate_key": ("keys/{}/rotate", "update"),
        "update_key_configuration": ("keys/{}/config", "update"),
        "trim_key": ("keys/{}/trim", "update"),
    }
)
"""What a token's policy must grant for each of hvac's calls: a path below the mount, and a capability."""


# Strict, and with errors that show no input: one of these holds a key.
class _Data(BaseModel):
    model_config = ConfigDict(strict=True, hide_input_in_errors=True)


class _Key(_Data):
    type: str
    derived: bool
    exportable: bool
    allow_plaintext_backup: bool
    latest_version: int = Field(ge=1)
    min_decryption_version: int = Field(ge=0)
    min_available_version: int = Field(ge=0)

    @property
    def oldest_living(self) -> int:
        return max(self.min_available_version, self.min_decryption_version, 1)


class _Encrypted(_Data):
    ciphertext: str = Field(pattern=f"^{_CIPHERTEXT.pattern}$")


class _Decrypted(_Data):
    plaintext: str = Field(repr=False)


_D = TypeVar("_D", bound=_Data)


class _Answer(_Data, Generic[_D]):
    data: _D


class VaultTransitKeyService(RemoteKeyService):
    """A `KeyService` over one key of a Transit engine."""

    SCHEME = "vault"

    def __init__(self, client: "hvac.Client", *, mount: str, name: str, read_token: Callable[[], str]) -> None:
        self._client = client
        self._mount = mount
        self._name = name
        self._read_token = read_token

    @classmethod
    def from_uri(cls, uri: str, *, environ: Mapping[str, str], create: bool, patience: Patience | None = None) -> Self:
        """Open the key that a URI names, and check that it is fit to be a root key.

        Args:
            uri: `vault:NAME?mount=MOUNT&address=URL`. The mount is `transit` and the address that of the environment,
                unless they are said.
            environ: `VAULT_ADDR`; `VAULT_TOKEN`, or else `VAULT_TOKEN_FILE`, a file of this user only that is read anew
                for each call, since an agent renews it; where the server asks for them `VAULT_NAMESPACE`,
                `VAULT_CACERT`, and `VAULT_CLIENT_CERT` with `VAULT_CLIENT_KEY`.
            create: Make the key where it is missing.
            patience: How long to wait; the default is a minute at most.

        Raises:
            KeyNotFound: The key is missing and is not to be made.
            KeyServiceUnavailable: The server does not answer, or is sealed.
            KeyServiceError: Something is missing or wrong; the text says what to do.
        """
        name, parameters = read_uri(uri, scheme=cls.SCHEME, allowed=("mount", "address"))
        mount = parameters.get("mount", "transit")
        if not _NAME.fullmatch(name) or not _MOUNT.fullmatch(mount):
            raise KeyServiceError("a Transit key's name is letters, digits, dots, dashes and underscores, as its mount")
        address = parameters.get("address") or environ.get("VAULT_ADDR")
        if not address:
            raise KeyServiceError("set VAULT_ADDR to the Vault server's address, or give address= in the URI")
        client = _build_client(require_endpoint(address, named_by="VAULT_ADDR"), environ, patience or Patience())
        service = cls(client, mount=mount, name=name, read_token=_token_reader(environ))
        try:
            service._read_key()
        except KeyNotFound:
            if not create:
                raise
            service._call(
                "create_key", key_type=KEY_TYPE, derived=False, exportable=False, allow_plaintext_backup=False
            )
            service._read_key()
        return service

    @property
    def key_id(self) -> str:
        """`vault:MOUNT/NAME:vN`, N the newest version."""
        return self._id_of(self._read_key().latest_version)

    def rotate(self) -> str:
        """See `KeyService.rotate`; where an answer is lost and the call repeated, it makes two versions."""
        self._call("rotate_key")
        return self.key_id

    def retire(self, key_id: str) -> None:
        """See `KeyService.retire`: deletes the version from the key for good, the oldest first.

        Backups of the server's storage still hold it; they are for the server's administrator to delete.
        """
        key = self._read_key()
        named = re.fullmatch(
            rf"{self.SCHEME}:{re.escape(self._mount)}/{re.escape(self._name)}:v([1-9][0-9]{{0,8}})", key_id
        )
        version = int(named[1]) if named else 0
        if not max(key.min_available_version, 1) <= version <= key.latest_version:
            raise KeyNotFound("no living version of the root key has this id; it may have been retired before")
        if version == key.latest_version:
            raise KeyServiceError(f"{key_id} wraps now; rotate, rewrap what it wrapped, and then retire it")
        if key.oldest_living < version:
            raise KeyServiceError(f"versions are retired in order; retire {self._id_of(key.oldest_living)} first")
        # Killed before the last of these, the version is still available, and retiring it again goes on from there.
        # The server wants the limit for encrypting at least as high; hvac does not send both where they are equal.
        self._call("update_key_configuration", min_encryption_version=version + 1)
        self._call("update_key_configuration", min_decryption_version=version + 1)
        self._call("trim_key", min_version=version + 1)

    def __repr__(self) -> str:
        return f"VaultTransitKeyService({self._mount}/{self._name})"

    def _encrypt(self, fresh_key: bytes, context: bytes) -> tuple[str, bytes]:
        # To encrypt under a missing key makes it, where the token may: a deleted root key would come back as another.
        self._read_key()
        response = self._call("encrypt_data", plaintext=_base64(fresh_key), associated_data=_base64(context))
        ciphertext = self._parse(_Encrypted, response).ciphertext
        return self._id_of(_version_of(ciphertext)), ciphertext.encode()

    def _decrypt(self, unverified_key_id: str, unverified_ciphertext: bytes, context: bytes) -> bytes:
        ciphertext = unverified_ciphertext.decode("latin-1")
        version = _version_of(ciphertext)
        if self._id_of(version) != unverified_key_id:
            raise KeyRefused(f"the wrapped key was altered, or is not one of {self._mount}/{self._name}")
        try:
            response = self._call("decrypt_data", ciphertext=ciphertext, associated_data=_base64(context))
        except _BadRequest:
            # Also the answer where the key is gone, or the version is: reading the key tells.
            if version < self._read_key().oldest_living:
                raise KeyDestroyed(f"{unverified_key_id} was retired; what it wrapped cannot be unwrapped") from None
            raise KeyRefused(f"{unverified_key_id} did not wrap this for this context") from None
        try:
            return base64.b64decode(self._parse(_Decrypted, response).plaintext, validate=True)
        except ValueError:
            raise self._garbled() from None

    def _read_key(self) -> _Key:
        key = self._parse(_Key, self._call("read_key"))
        if key.type != KEY_TYPE or key.derived or key.exportable or key.allow_plaintext_backup:
            raise KeyServiceError(
                f"the Transit key {self._mount}/{self._name} is not fit for a root key: it must be of type {KEY_TYPE}, "
                "not derived, not exportable and without plaintext backup; make another one"
            )
        return key

    def _call(self, method: str, **arguments: object) -> "requests.Response":
        from requests.exceptions import RequestException, SSLError

        self._client.token = self._read_token()
        call = getattr(self._client.secrets.transit, method)
        try:
            response: requests.Response = call(name=self._name, mount_point=self._mount, **arguments)
        except SSLError:
            raise KeyServiceError(
                f"the certificate of Vault at {self._client.url} is not trusted; name its authority in VAULT_CACERT"
            ) from None
        except RequestException:
            raise KeyServiceUnavailable(
                f"Vault at {self._client.url} does not answer, or not in time; check the address, the network and the "
                "server, then try again"
            ) from None
        self._require_success(response, *_NEEDS[method])
        return response

    def _require_success(self, response: "requests.Response", path: str, capability: str) -> None:
        status = response.status_code
        if status in (200, 204):
            return
        if status == 400:
            raise _BadRequest(f"Vault refuses the request on {self._mount}/{path.format(self._name)}")
        if status in (401, 403):
            raise KeyServiceError(
                "Vault refuses the token: renew it, or grant its policy "
                f'path "{self._mount}/{path.format(self._name)}" {{ capabilities = ["{capability}"] }}'
            )
        if status == 404:
            raise KeyNotFound(
                f"Vault has no key {self._mount}/{self._name}; check mount and name, or make it: "
                f"vault write -f {self._mount}/keys/{self._name} type={KEY_TYPE}"
            )
        if status in _MAY_PASS:
            raise KeyServiceUnavailable(
                f"Vault at {self._client.url} answers {status}: it is sealed, in standby or overloaded; unseal it or "
                "try again"
            )
        raise self._garbled()

    def _parse(self, kind: type[_D], response: "requests.Response") -> _D:
        try:
            return _Answer[kind].model_validate_json(response.content).data  # type: ignore[valid-type]
        except ValidationError:
            raise self._garbled() from None

    def _garbled(self) -> KeyServiceError:
        return KeyServiceError(
            f"what answers at {self._client.url} does not speak Vault's Transit interface; give the address of the "
            "active server itself (redirects are not followed), and check the mount"
        )

    def _id_of(self, version: int) -> str:
        return f"{self.SCHEME}:{self._mount}/{self._name}:v{version}"


class _BadRequest(KeyServiceError):
    """Status 400, whatever the reason."""


def _version_of(ciphertext: str) -> int:
    named = _CIPHERTEXT.fullmatch(ciphertext)
    return int(named[1]) if named else 0


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _token_reader(environ: Mapping[str, str]) -> Callable[[], str]:
    token, file = environ.get("VAULT_TOKEN"), environ.get("VAULT_TOKEN_FILE")
    if bool(token) == bool(file):
        raise KeyServiceError("set either VAULT_TOKEN or VAULT_TOKEN_FILE, the file where an agent keeps a token")

    def read() -> str:
        read = token or read_private_file(Path(file or ""), maximum_bytes=_MAXIMUM_TOKEN_FILE_BYTES).decode("latin-1")
        if not _TOKEN.fullmatch(read.rstrip("\n")):
            raise KeyServiceError("what VAULT_TOKEN or VAULT_TOKEN_FILE holds is not a token")
        return read.rstrip("\n")

    return read


def _build_client(address: str, environ: Mapping[str, str], patience: Patience) -> "hvac.Client":
    import hvac
    import requests
    from hvac.adapters import RawAdapter
    from requests.adapters import HTTPAdapter
    from urllib3.util.retry import Retry

    class FullJitter(Retry):
        def get_backoff_time(self) -> float:
            return random.uniform(0, super().get_backoff_time())  # noqa: S311 - spreads clients, guards nothing

    certificate, key = environ.get("VAULT_CLIENT_CERT"), environ.get("VAULT_CLIENT_KEY")
    for name in ("VAULT_CACERT", "VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY"):
        if environ.get(name) and not Path(environ[name]).is_file():
            raise KeyServiceError(f"{name} names no file")
    session = requests.Session()
    # Neither a proxy, nor a netrc file, nor another bundle of authorities that the environment may name.
    session.trust_env = False
    session.verify = environ.get("VAULT_CACERT") or True
    session.cert = (certificate, key) if certificate and key else None
    # Everything asked is harmless to repeat. A server's own Retry-After could hold us for hours.
    retries = FullJitter(
        total=patience.attempts - 1,
        redirect=0,
        allowed_methods=None,
        status_forcelist=_MAY_PASS,
        backoff_factor=_BACKOFF_SECONDS,
        respect_retry_after_header=False,
        raise_on_status=False,
    )
    for prefix in ("https://", "http://"):
        session.mount(prefix, HTTPAdapter(max_retries=retries))
    return hvac.Client(
        url=address,
        # Given anew for each call; without one hvac looks for a file in the home directory.
        token="",
        timeout=(patience.connect_seconds, patience.read_seconds),
        allow_redirects=False,
        session=session,
        adapter=RawAdapter,
        namespace=environ.get("VAULT_NAMESPACE") or None,
        # Its errors would hold what the server said.
        ignore_exceptions=True,
    )
