"""Vault's Transit engine, as much of its documented HTTP interface as a key service speaks.

Belongs here: keys of type aes256-gcm96 with versions, tokens with policies, seal. Must stay out: anything made easier
than the real server makes it. The ciphers are real, so what was altered does not decrypt. Statuses, error texts and the
rules of versions are those of OpenBao 2.7, against which `check_vault.py` passes the same suite.
"""

import base64
import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ROOT_POLICY = 'path "*" { capabilities = ["create", "read", "update", "delete"] }'


class _Refused(Exception):
    def __init__(self, status: int, *errors: str) -> None:
        super().__init__(*errors)
        self.status = status


@dataclass
class _Key:
    name: str
    flags: dict[str, object]
    versions: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    latest_version: int = 0
    limits: dict[str, int] = field(
        default_factory=lambda: {
            "min_available_version": 0,
            "min_decryption_version": 1,
            "min_encryption_version": 0,
        }
    )

    def rotate(self) -> None:
        self.latest_version += 1
        self.versions[self.latest_version] = int(time.time()), os.urandom(32)

    def described(self) -> dict[str, object]:
        oldest = self.limits["min_decryption_version"]
        times = {str(version): made for version, (made, _) in self.versions.items() if version >= oldest}
        return {"name": self.name, "latest_version": self.latest_version, "keys": times, **self.flags, **self.limits}

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> str:
        nonce = os.urandom(12)
        ciphertext = nonce + AESGCM(self.versions[self.latest_version][1]).encrypt(nonce, plaintext, associated_data)
        return f"vault:v{self.latest_version}:{base64.b64encode(ciphertext).decode()}"

    def decrypt(self, ciphertext: str, associated_data: bytes) -> bytes:
        named = re.fullmatch(r"vault:v(\d+):(.*)", ciphertext)
        if not named:
            raise _Refused(400, "invalid ciphertext: no prefix")
        version = int(named[1])
        if version > self.latest_version:
            raise _Refused(400, "invalid ciphertext: version is too new")
        if version < self.limits["min_decryption_version"]:
            raise _Refused(400, "ciphertext or signature version is disallowed by policy (too old)")
        try:
            octets = base64.b64decode(named[2], validate=True)
            return AESGCM(self.versions[version][1]).decrypt(octets[:12], octets[12:], associated_data)
        except (ValueError, InvalidTag):
            raise _Refused(400, "cipher: message authentication failed") from None

    def configure(self, body: Mapping[str, Any]) -> None:
        limits = {name: int(body.get(name, value)) for name, value in self.limits.items()}
        if limits["min_decryption_version"] > self.latest_version:
            raise _Refused(400, f"cannot set min decryption version of {limits['min_decryption_version']}")
        if limits["min_decryption_version"] < limits["min_available_version"]:
            raise _Refused(400, "min decryption version should not be less then min available version")
        if 0 < limits["min_encryption_version"] < limits["min_decryption_version"]:
            raise _Refused(400, "cannot set min encryption version below min decryption version")
        limits["min_available_version"] = self.limits["min_available_version"]
        self.limits = limits
        # Like the real one: what is switched on cannot be switched off.
        for name in ("exportable", "allow_plaintext_backup"):
            self.flags[name] = bool(self.flags[name]) or bool(body.get(name, False))
        self.flags["deletion_allowed"] = bool(body.get("deletion_allowed", self.flags["deletion_allowed"]))

    def trim(self, oldest: int) -> None:
        if not self.limits["min_encryption_version"]:
            raise _Refused(400, "minimum available version cannot be set when minimum encryption version is not set")
        if oldest > min(self.limits["min_encryption_version"], self.limits["min_decryption_version"]):
            raise _Refused(400, "cannot set minimum available version to be greater than the others")
        self.limits["min_available_version"] = oldest
        self.versions = {version: made for version, made in self.versions.items() if version >= oldest}


class TransitServer:
    """An application; `secure_ml_tests.fakes.loopback_server` serves it.

    Attributes:
        policies: Of each token, in Vault's own words.
        sealed: Answers 503 to everything.
        namespace: Answers in this one only.
        plaintexts: All that it was asked to encrypt.
    """

    def __init__(self, *, root_token: str, mount: str = "transit", namespace: str = "") -> None:
        self.policies = {root_token: ROOT_POLICY}
        self.sealed = False
        self.namespace = namespace
        self.plaintexts: list[bytes] = []
        self._mount = mount
        self._keys: dict[str, _Key] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            answer = {"data": self._answer(environ), "warnings": None}
            status = 200
        except _Refused as refused:
            answer, status = {"errors": list(refused.args)}, refused.status
        content = json.dumps(answer).encode()
        start_response(f"{status} .", [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
        return [content]

    def delete(self, name: str) -> None:
        """Deletes a key, as an administrator does."""
        del self._keys[name]

    def _answer(self, environ: dict[str, Any]) -> Mapping[str, object]:
        if self.sealed:
            raise _Refused(503, "Vault is sealed")
        path = environ["PATH_INFO"].removeprefix("/v1/")
        method = environ["REQUEST_METHOD"]
        found = re.fullmatch(rf"{re.escape(self._mount)}/(keys|encrypt|decrypt|rewrap)/([^/]+)(?:/(\w+))?", path)
        # Only encrypting tells a missing key from one that is there.
        makes = found is not None and found[1] == "encrypt" and found[2] not in self._keys
        needed = {"GET": "read", "POST": "create" if makes else "update", "DELETE": "delete"}[method]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = json.loads(environ["wsgi.input"].read(length) or b"{}")
        policy = self.policies.get(environ.get("HTTP_X_VAULT_TOKEN", ""), "")
        if environ.get("HTTP_X_VAULT_NAMESPACE", "") != self.namespace or not _grants(policy, path, needed, body):
            raise _Refused(403, "1 error occurred:\n\t* permission denied\n\n")
        if found is None:
            raise _Refused(404, f'no handler for route "{path}". route entry not found.')
        kind, name, action = found.groups()
        if kind == "keys":
            return self._on_key(method, name, action, body)
        if makes:
            self._create(name, {})
        return self._cipher(kind, name, body)

    def _on_key(self, method: str, name: str, action: str | None, body: dict[str, Any]) -> Mapping[str, object]:
        if action is None and method == "POST" and name not in self._keys:
            self._create(name, body)
        key = self._keys.get(name)
        if key is None:
            raise _Refused(404)
        if method == "DELETE":
            if not key.flags["deletion_allowed"]:
                raise _Refused(400, f"error deleting policy {name}: deletion is not allowed for this key")
            self.delete(name)
        elif action == "rotate":
            key.rotate()
        elif action == "config":
            key.configure(body)
        elif action == "trim":
            key.trim(int(body["min_available_version"]))
        return key.described()

    def _create(self, name: str, body: Mapping[str, Any]) -> None:
        flags = ("derived", "exportable", "allow_plaintext_backup", "deletion_allowed")
        named = {"type": body.get("type", "aes256-gcm96"), **{flag: bool(body.get(flag)) for flag in flags}}
        self._keys[name] = _Key(name, named)
        self._keys[name].rotate()

    def _cipher(self, kind: str, name: str, body: Mapping[str, str]) -> Mapping[str, object]:
        key = self._keys.get(name)
        if key is None:
            raise _Refused(400, "encryption key not found")
        associated_data = base64.b64decode(body.get("associated_data", ""))
        if kind == "encrypt":
            plaintext = base64.b64decode(body["plaintext"])
            self.plaintexts.append(plaintext)
            return {"ciphertext": key.encrypt(plaintext, associated_data), "key_version": key.latest_version}
        plaintext = key.decrypt(body["ciphertext"], associated_data)
        if kind == "rewrap":
            return {"ciphertext": key.encrypt(plaintext, associated_data), "key_version": key.latest_version}
        return {"plaintext": base64.b64encode(plaintext).decode()}


def _grants(policy: str, path: str, capability: str, parameters: Iterable[str]) -> bool:
    for rule in policy.split('path "')[1:]:
        granted, _, rest = rule.partition('"')
        capabilities = re.search(r"capabilities\s*=\s*\[([^\]]*)\]", rest)
        allowed = re.search(r"allowed_parameters\s*=\s*\{([^}]*)\}", rest)
        if not capabilities or f'"{capability}"' not in capabilities[1]:
            continue
        if re.fullmatch(re.escape(granted).replace(r"\*", ".*"), path):
            return allowed is None or all(f'"{parameter}"' in allowed[1] for parameter in parameters)
    return False
