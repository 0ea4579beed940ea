"""AWS KMS: moto's own server, and what AWS documents and moto leaves out.

Belongs here: states of keys, ciphertexts of other keys, and the policies of who asks. Must stay out: the rest of KMS,
which moto answers, with real ciphers.
"""

import base64
import fnmatch
import io
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.kms.models import Key, kms_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

REGION = "eu-central-1"
ALLOW_ALL = {"Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}
_REFUSED_BY_STATE = {"Disabled": "DisabledException", "PendingDeletion": "KMSInvalidStateException"}

_BY_ID_ONLY = {"ScheduleKeyDeletion", "CancelKeyDeletion", "EnableKey", "DisableKey"}
"""Where moto, unlike KMS, does not take a key's ARN."""


@cache
def _moto() -> DomainDispatcherApplication:
    return DomainDispatcherApplication(create_backend_app)


class _Refused(Exception):
    pass


class KmsServer:
    """An application; `secure_ml_tests.fakes.loopback_server` serves it. One at a time, since moto keeps one state.

    Attributes:
        policies: IAM policy of each access key id.
        requests: Name and body of each operation.
    """

    def __init__(self, *, access_key_id: str) -> None:
        self.policies: dict[str, Mapping[str, Any]] = {access_key_id: ALLOW_ALL}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self._moto = _moto()
        self._kms = kms_backends[DEFAULT_ACCOUNT_ID][REGION]
        self._kms.reset()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        content = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        operation, body = environ["HTTP_X_AMZ_TARGET"].removeprefix("TrentService."), json.loads(content)
        self.requests.append((operation, body))
        try:
            self._authorise(environ.get("HTTP_AUTHORIZATION", ""), operation, body)
            self._require_usable(operation, body)
        except _Refused as refused:
            answer = json.dumps({"__type": str(refused), "message": "s3cr3t words of the server"}).encode()
            headers = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(answer)))]
            start_response("400 .", headers)
            return [answer]
        if operation in _BY_ID_ONLY:
            content = json.dumps({**body, "KeyId": body["KeyId"].rpartition("/")[2]}).encode()
        environ |= {"wsgi.input": io.BytesIO(content), "CONTENT_LENGTH": str(len(content))}
        return self._moto(environ, start_response)

    def key(self, named: str) -> Key | None:
        """The key of an id, ARN or alias."""
        last = named.rpartition(":")[2]
        found = self._kms.get_key_id_from_alias(last) if last.startswith("alias/") else last.removeprefix("key/")
        return self._kms.keys.get(found or "")

    @property
    def keys(self) -> list[Key]:
        """All keys, also those being deleted."""
        return list(self._kms.keys.values())

    def _require_usable(self, operation: str, body: Mapping[str, Any]) -> None:
        key = self.key(body["KeyId"]) if operation in ("Encrypt", "Decrypt") else None
        if key is None:
            return
        if key.key_state in _REFUSED_BY_STATE:
            raise _Refused(_REFUSED_BY_STATE[key.key_state])
        if operation == "Decrypt":
            # moto's ciphertexts begin with the id of their key.
            of = base64.b64decode(body["CiphertextBlob"])[:36].decode("latin-1")
            if of != key.id:
                raise _Refused("IncorrectKeyException" if of in self._kms.keys else "InvalidCiphertextException")

    def _authorise(self, authorization: str, operation: str, body: Mapping[str, Any]) -> None:
        named = re.search(r"Credential=([^/]+)/", authorization)
        policy = self.policies.get(named[1]) if named else None
        if policy is None:
            raise _Refused("UnrecognizedClientException")
        needed = [(f"kms:{operation}", resource) for resource in self._resources(operation, body)]
        if operation == "CreateKey" and body.get("Tags"):
            needed.append(("kms:TagResource", "*"))
        if not all(self._allows(policy, action, resource, body) for action, resource in needed):
            raise _Refused("AccessDeniedException")

    def _resources(self, operation: str, body: Mapping[str, Any]) -> list[str]:
        if operation == "CreateKey":
            return ["*"]
        names = [body[field] for field in ("KeyId", "TargetKeyId") if field in body]
        names += [body["AliasName"]] if operation == "UpdateAlias" else []
        # What is not there nobody may be denied: moto says so.
        found = [key.arn for name in names if (key := self.key(name))]
        alias = body.get("AliasName")
        return [*found, f"arn:aws:kms:{REGION}:{DEFAULT_ACCOUNT_ID}:{alias}"] if alias else found

    def _allows(self, policy: Mapping[str, Any], action: str, resource: str, body: Mapping[str, Any]) -> bool:
        values = {f"aws:RequestTag/{tag['TagKey']}": tag["TagValue"] for tag in body.get("Tags", [])}
        values |= {f"kms:EncryptionContext:{key}": text for key, text in body.get("EncryptionContext", {}).items()}
        if key := self.key(resource):
            tags = self._kms.list_resource_tags(key.id)["Tags"]
            values |= {f"aws:ResourceTag/{tag['TagKey']}": tag["TagValue"] for tag in tags}
        return any(
            statement["Effect"] == "Allow"
            and _matches(statement["Action"], action)
            and _matches(statement["Resource"], resource)
            and all(
                kind in ("StringEquals", "StringLike")
                and all(_matches(text, values.get(key)) for key, text in said.items())
                for kind, said in statement.get("Condition", {}).items()
            )
            for statement in policy["Statement"]
        )


def _matches(patterns: str | list[str], value: str | None) -> bool:
    each = [patterns] if isinstance(patterns, str) else patterns
    return value is not None and any(fnmatch.fnmatchcase(value, pattern) for pattern in each)
