"""The key service of AWS KMS: each version of the root key is a key there, and an alias names the one that wraps.

Belongs here: KMS's calls and answers. Must stay out: the envelope, and other services. The keys never leave KMS;
whoever holds the credentials can use them.

KMS's own rotation keeps all older material of a key for as long as the key, and nobody can destroy one version. So a
version here is a key of its own, which AWS calls manual rotation: the alias moves to a new key, and the old one can be
deleted. A wrapped key names its version, and whoever can write to the key store could name a key that they control;
therefore a version is only what lies in the alias's account and region and bears this root key's tag.
"""

import logging
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote_from_bytes

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from secure_ml.keys.errors import KeyDestroyed, KeyNotFound, KeyRefused, KeyServiceError, KeyServiceUnavailable
from secure_ml.keys.remote import Patience, RemoteKeyService, read_uri, require_endpoint

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.exceptions import ClientError

TAG = "secure_ml:root"
"""Every version bears it; its value is the alias."""
DELETION_DAYS = 7
"""The shortest that KMS allows. Nothing can use the key meanwhile; its administrator can still bring it back."""

_KIND = {"KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT"}
_NAME = re.compile(
    r"(?:arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):[0-9]{12}:)?"
    r"(?:(?P<alias>alias/[A-Za-z0-9/_-]{1,250})|(?:key/)?[A-Za-z0-9-]{1,64})"
)
_REGION = re.compile(r"[a-z0-9-]{1,32}")
_ARN = re.compile(r"(?P<family>arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/)[A-Za-z0-9-]{1,64}")
_VISIBLE_WITHIN_SECONDS = 60
"""How long an alias that was moved may take to show it everywhere; mostly it is at once."""
_DELETED = frozenset({"PendingDeletion", "PendingReplicaDeletion"})
_CREDENTIALS = frozenset(
    {
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_OVERLOADED = frozenset({"RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException"})


# Strict, and with errors that show no input: one of these holds a key.
class _Answer(BaseModel):
    model_config = ConfigDict(strict=True, hide_input_in_errors=True)


class _Key(_Answer):
    arn: str = Field(alias="Arn", pattern=f"^{_ARN.pattern}$")
    state: str = Field(alias="KeyState", pattern="^[A-Za-z]{1,32}$")
    spec: str = Field(alias="KeySpec")
    usage: str = Field(alias="KeyUsage")
    manager: str = Field(alias="KeyManager")
    origin: str = Field(alias="Origin")
    multi_region: bool = Field(alias="MultiRegion", default=False)


class _Described(_Answer):
    key: _Key = Field(alias="KeyMetadata")


class _Tag(_Answer):
    key: str = Field(alias="TagKey")
    value: str = Field(alias="TagValue")


class _Tagged(_Answer):
    tags: list[_Tag] = Field(alias="Tags")


class _Policy(_Answer):
    policy: str = Field(alias="Policy", min_length=1)


class _Encrypted(_Answer):
    arn: str = Field(alias="KeyId", pattern=f"^{_ARN.pattern}$")
    ciphertext: bytes = Field(alias="CiphertextBlob", min_length=1, max_length=6144)


class _Decrypted(_Answer):
    arn: str = Field(alias="KeyId")
    plaintext: bytes = Field(alias="Plaintext", repr=False)


_A = TypeVar("_A", bound=_Answer)


class AwsKmsKeyService(RemoteKeyService):
    """A `KeyService` over the key that an alias names and those that it named before."""

    SCHEME = "awskms"

    def __init__(self, client: "BaseClient", *, name: str, alias: str | None) -> None:
        self._client = client
        self._name = name
        self._alias = alias

    @classmethod
    def from_uri(cls, uri: str, *, environ: Mapping[str, str], create: bool, patience: Patience | None = None) -> Self:
        """Open the key that a URI names, and check that it is fit to be a root key.

        Args:
            uri: `awskms:alias/NAME?region=REGION`, or the ARN of an alias. The id or ARN of a key is taken as well;
                such a root key has one version and cannot be rotated. `endpoint=URL` names a VPC's own endpoint.
            environ: `AWS_REGION` or `AWS_DEFAULT_REGION` where the URI names none; `AWS_ENDPOINT_URL_KMS` likewise;
                `AWS_CA_BUNDLE`. Credentials: `AWS_ACCESS_KEY_ID` with `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`;
                or `AWS_SHARED_CREDENTIALS_FILE` and `AWS_PROFILE`; or what a container is given
                (`AWS_CONTAINER_CREDENTIALS_FULL_URI`). No metadata service of a machine is asked.
            create: Make a key and the alias where the alias is missing.
            patience: How long to wait; the default is a minute at most.

        Raises:
            KeyNotFound: The key is missing and is not to be made.
            KeyServiceUnavailable: KMS does not answer.
            KeyServiceError: Something is missing or wrong; the text says what to do.
        """
        name, parameters = read_uri(uri, scheme=cls.SCHEME, allowed=("region", "endpoint"))
        named = _NAME.fullmatch(name)
        if named is None:
            raise KeyServiceError("an awskms: URI names alias/NAME, the ARN of an alias, or a key's id or ARN")
        said = {named["region"], parameters.get("region")} - {None}
        region = said.pop() if said else environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        if said or not region or not _REGION.fullmatch(region):
            raise KeyServiceError("say one region: region= in the URI, or an ARN, or else AWS_REGION")
        endpoint = parameters.get("endpoint") or environ.get("AWS_ENDPOINT_URL_KMS")
        if endpoint:
            endpoint = require_endpoint(endpoint, named_by="AWS_ENDPOINT_URL_KMS or endpoint=")
        client = _build_client(region, endpoint, environ, patience or Patience())
        service = cls(client, name=name, alias=named["alias"])
        try:
            service._current()
        except KeyNotFound:
            if not create or service._alias is None:
                raise
            service._call("create_alias", AliasName=service._alias, TargetKeyId=service._create_key().arn)
            service._current()
        return service

    @property
    def key_id(self) -> str:
        """`awskms:` and the ARN of the key that the alias names."""
        return f"{self.SCHEME}:{self._current().arn}"

    def rotate(self) -> str:
        """See `KeyService.rotate`: makes a key with the policy and tags of the current one, and moves the alias to it.

        Killed between the two, it leaves a key that wraps nothing and bears the tag; an administrator can delete it.
        """
        current = self._current()
        if self._alias is None:
            raise KeyServiceError(f"{self._name} is one key for ever; name an alias to be able to rotate")
        if current.origin != "AWS_KMS" or current.multi_region:
            raise KeyServiceError(
                f"{current.arn} was made outside KMS or for several regions: make the next one the same way, tag it "
                f"{TAG}={self._alias} and move the alias to it"
            )
        policy = self._parse(_Policy, self._call("get_key_policy", KeyId=current.arn, PolicyName="default")).policy
        # Whoever may change the policy of the old key may change that of the new one: nobody is locked out anew.
        tags = self._tags(current.arn)
        new = self._create_key(Policy=policy, Tags=tags, BypassPolicyLockoutSafetyCheck=True)
        self._call("update_alias", AliasName=self._alias, TargetKeyId=new.arn)
        for _ in range(_VISIBLE_WITHIN_SECONDS):
            if self._current().arn == new.arn:
                return f"{self.SCHEME}:{new.arn}"
            time.sleep(1)
        raise KeyServiceUnavailable(f"{self._alias} was moved to {new.arn}, but AWS does not show it yet; wait for it")

    def retire(self, key_id: str) -> None:
        """See `KeyService.retire`: KMS refuses the key from now on and deletes it after `DELETION_DAYS`.

        Until then its administrator can cancel the deletion.
        """
        current = self._current()
        arn = key_id.removeprefix(f"{self.SCHEME}:")
        if key_id == f"{self.SCHEME}:{current.arn}":
            raise KeyServiceError(f"{key_id} wraps now; rotate, rewrap what it wrapped, and then retire it")
        try:
            if arn == key_id:
                raise KeyRefused
            self._require_version(arn, current)
        except (KeyRefused, KeyDestroyed):
            raise KeyNotFound(
                "no living version of the root key has this id; it may have been retired before"
            ) from None
        self._call("schedule_key_deletion", KeyId=arn, PendingWindowInDays=DELETION_DAYS)

    def __repr__(self) -> str:
        return f"AwsKmsKeyService({self._name})"

    def _encrypt(self, fresh_key: bytes, context: bytes) -> tuple[str, bytes]:
        answer = self._call("encrypt", KeyId=self._name, Plaintext=fresh_key, EncryptionContext=_context(context))
        encrypted = self._parse(_Encrypted, answer)
        return f"{self.SCHEME}:{encrypted.arn}", encrypted.ciphertext

    def _decrypt(self, unverified_key_id: str, unverified_ciphertext: bytes, context: bytes) -> bytes:
        arn = unverified_key_id.removeprefix(f"{self.SCHEME}:")
        self._require_version(arn, self._current())
        if not 1 <= len(unverified_ciphertext) <= 6144:
            raise KeyRefused("the wrapped key was altered")
        answer = self._call(
            "decrypt", KeyId=arn, CiphertextBlob=unverified_ciphertext, EncryptionContext=_context(context)
        )
        return self._parse(_Decrypted, answer).plaintext

    def _current(self) -> _Key:
        """The key that wraps now, and is fit for it."""
        key = self._describe(self._name)
        if (key.spec, key.usage, key.manager) != (*_KIND.values(), "CUSTOMER"):
            raise KeyServiceError(
                f"{key.arn} is not fit for a root key: it must be symmetric, for encryption, and managed by you; make "
                "another one"
            )
        if self._alias is not None and not self._bears_tag(key.arn):
            raise KeyServiceError(
                f"{key.arn} lacks the tag of this root key; if it is meant to be one, tag it {TAG}={self._alias}"
            )
        self._require_living(key)
        return key

    def _require_version(self, unverified_arn: str, current: _Key) -> None:
        """Refuse what is not this root key's, or not any more."""
        if unverified_arn == current.arn:
            return
        named, family = _ARN.fullmatch(unverified_arn), _ARN.fullmatch(current.arn)
        other = KeyRefused(f"{unverified_arn} is no version of the root key {self._name}")
        if named is None or family is None or named["family"] != family["family"] or self._alias is None:
            raise other
        try:
            key = self._describe(unverified_arn)
        except KeyNotFound:
            raise other from None
        if key.arn != unverified_arn or not self._bears_tag(key.arn):
            raise other
        self._require_living(key)

    def _require_living(self, key: _Key) -> None:
        if key.state in _DELETED:
            raise KeyDestroyed(
                f"{key.arn} was retired; what it wrapped cannot be unwrapped, unless an administrator cancels its "
                "deletion in time"
            )
        if key.state != "Enabled":
            raise KeyServiceError(f"{key.arn} is {key.state}; have its administrator enable it")

    def _describe(self, name: str) -> _Key:
        return self._parse(_Described, self._call("describe_key", KeyId=name)).key

    def _tags(self, arn: str) -> list[dict[str, str]]:
        tags = self._parse(_Tagged, self._call("list_resource_tags", KeyId=arn)).tags
        return [{"TagKey": tag.key, "TagValue": tag.value} for tag in tags if not tag.key.startswith("aws:")]

    def _bears_tag(self, arn: str) -> bool:
        return {"TagKey": TAG, "TagValue": self._alias} in self._tags(arn)

    def _create_key(self, **more: Any) -> _Key:
        said = {"Tags": [{"TagKey": TAG, "TagValue": self._alias}], **_KIND, **more}
        return self._parse(_Described, self._call("create_key", Description="secure_ml root key", **said)).key

    def _call(self, operation: str, **arguments: object) -> Any:
        from botocore import exceptions
        from botocore.parsers import ResponseParserError

        try:
            return getattr(self._client, operation)(**arguments)
        except exceptions.ClientError as error:
            raise self._refusal(error, operation) from None
        except exceptions.SSLError:
            raise KeyServiceError(
                f"the certificate of {self._place} is not trusted; name its authority in AWS_CA_BUNDLE"
            ) from None
        except (exceptions.HTTPClientError, exceptions.ConnectionError):
            raise KeyServiceUnavailable(
                f"AWS KMS at {self._place} does not answer, or not in time; check the region, the endpoint and the "
                "network, then try again"
            ) from None
        except (ResponseParserError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise self._garbled() from None
        except exceptions.BotoCoreError:
            raise KeyServiceError(
                "there are no usable credentials for AWS: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                "AWS_SHARED_CREDENTIALS_FILE; the metadata service of a machine is not asked"
            ) from None

    def _refusal(self, error: "ClientError", operation: str) -> KeyServiceError:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        action = "kms:" + "".join(word.capitalize() for word in operation.split("_"))
        if code in ("InvalidCiphertextException", "IncorrectKeyException"):
            return KeyRefused(f"the wrapped key was altered, or {self._name} did not wrap it for this context")
        if code == "AccessDeniedException":
            return KeyServiceError(
                f"AWS denies these credentials {action} on {self._name}; grant it, as docs/key-services.md says"
            )
        if code in _CREDENTIALS:
            return KeyServiceError("AWS does not accept the credentials: they are wrong or expired; renew them")
        if code == "NotFoundException":
            return KeyNotFound(f"AWS KMS at {self._place} has no {self._name}; check name and region, or make it")
        if code in ("DisabledException", "KMSInvalidStateException"):
            return KeyServiceError(f"the key of {self._name} is disabled or being deleted; ask its administrator")
        if code in _OVERLOADED or (isinstance(status, int) and (status == 429 or status >= 500)):
            return KeyServiceUnavailable(f"AWS KMS at {self._place} is overloaded or failing; try again")
        if isinstance(status, int) and status >= 400:
            return KeyServiceError(f"AWS KMS at {self._place} refuses {action} with status {status}")
        return self._garbled()

    def _parse(self, kind: type[_A], answer: object) -> _A:
        try:
            return kind.model_validate(answer)
        except ValidationError:
            raise self._garbled() from None

    def _garbled(self) -> KeyServiceError:
        return KeyServiceError(f"what answers at {self._place} does not speak AWS KMS's interface; check the endpoint")

    @property
    def _place(self) -> str:
        return str(self._client.meta.endpoint_url)


def _context(context: bytes) -> dict[str, str]:
    # KMS takes text. No two contexts give one text: a lone % is never written otherwise.
    return {"secure_ml": quote_from_bytes(context) or "%"}


def _build_client(region: str, endpoint: str | None, environ: Mapping[str, str], patience: Patience) -> "BaseClient":
    import boto3
    from botocore.config import Config
    from botocore.credentials import ContainerProvider, CredentialResolver, EnvProvider, SharedCredentialProvider
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    authority = environ.get("AWS_CA_BUNDLE")
    if authority and not Path(authority).is_file():
        raise KeyServiceError("AWS_CA_BUNDLE names no file")
    # At its level DEBUG botocore writes down whole requests and answers, keys included.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    file, profile = environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials", environ.get("AWS_PROFILE")
    session = Session()
    session.set_config_variable("config_file", os.devnull)
    session.set_config_variable("credentials_file", file)
    session.set_config_variable("profile", profile)
    # Not its own list, which ends at the metadata service of a machine and may start programs.
    session.register_component(
        "credential_provider",
        CredentialResolver([EnvProvider(environ), SharedCredentialProvider(file, profile), ContainerProvider(environ)]),
    )
    try:
        return boto3.session.Session(botocore_session=session, region_name=region).client(
            "kms",
            endpoint_url=endpoint,
            verify=authority or True,
            config=Config(
                connect_timeout=patience.connect_seconds,
                read_timeout=patience.read_seconds,
                # Exponential back-off with full jitter, for what may pass.
                retries={"mode": "standard", "total_max_attempts": patience.attempts},
                proxies={},
                defaults_mode="legacy",
                ignore_configured_endpoint_urls=True,
            ),
        )
    except (BotoCoreError, ValueError):
        raise KeyServiceError("what AWS_* or the URI say does not make a client of AWS; check them") from None
