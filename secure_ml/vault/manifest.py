"""Manifests: what a version consists of, in canonical bytes that the kernel signs. See docs/formats/manifest.md.

Belongs here: the record and its bytes. Must stay out: signing and storage.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from secure_ml.access.stages import Stage
from secure_ml.keys.context import KeyContext
from secure_ml.policy.source import PARTITION_PATTERN
from secure_ml.vault.errors import AccessRefused, Tampered
from secure_ml.vault.labels import Label, LabelError

MANIFEST_KIND = "manifest.v1"
_FORMAT = "secure_ml/manifest/1"


@dataclass(frozen=True)
class Address:
    """Where a version stands: asset key and partition ("" for an unpartitioned asset).

    Raises:
        AccessRefused: a part of it could not name a folder of its own.
    """

    environment: str
    project: str
    stage: str
    partition: str

    def __post_init__(self) -> None:
        parts = (self.environment, self.project, self.stage, self.partition or "none")
        if any(re.fullmatch(PARTITION_PATTERN, part) is None for part in parts):
            raise AccessRefused(
                "an environment, project, stage or partition key is 1 to 64 letters, digits, '_' or '-', and starts "
                "with a letter or digit"
            )

    @classmethod
    def parse(cls, text: str) -> "Address":
        """The inverse of `str`.

        Raises:
            AccessRefused: the text is no address.
        """
        key, _, partition = text.removesuffix("]").partition("[")
        environment, _, rest = key.partition("/")
        project, _, stage = rest.partition("/")
        return cls(environment, project, stage, partition)

    def __str__(self) -> str:
        key = f"{self.environment}/{self.project}/{self.stage}"
        return f"{key}[{self.partition}]" if self.partition else key


def project_place(environment: str, project: str) -> str:
    """Name of a project in the log.

    Raises:
        AccessRefused: one of them is no name; nothing of it is repeated.
    """
    return str(Address(environment, project, Stage.RAW, "")).removesuffix(f"/{Stage.RAW}")


def key_context(address: Address, version_id: str, section: str, bucket: int, category: str) -> KeyContext:
    """The place of a key that protects a part of a version."""
    return KeyContext(address.environment, address.project, version_id, section, bucket, category)


@dataclass(frozen=True)
class Part:
    """One encrypted Parquet file.

    Attributes:
        section: side of a split, or "data".
        bucket: bucket of the subject's keyed hash, from 0.
        file: its name inside the version's folder.
        size_bytes: length of the file.
        sha256: of the whole file, hexadecimal.
        rows: rows in it.
    """

    section: str
    bucket: int
    file: str
    size_bytes: int
    sha256: str
    rows: int


@dataclass(frozen=True)
class Manifest:
    """A version, completely described.

    Attributes:
        address: where it stands.
        version_id: random, given before the write; names files and keys.
        sequence: 1 for the first version at this address, one more for each that follows.
        digest: keyed digest of the content; docs/formats/content-digest.md.
        rows: rows in all parts.
        schema: columns and types.
        labels: a label for every column.
        parents: ids of the versions that it was made from.
        policy_digest: SHA-256 of the policy, as far as it governs this stage.
        parts: its files.
        summary: counts that the stage reported.
        run_id: the run that wrote it.
        created: ISO 8601, UTC; the clock's word, not proof.
    """

    address: Address
    version_id: str
    sequence: int
    digest: str
    rows: int
    schema: pa.Schema
    labels: Mapping[str, Label]
    parents: tuple[str, ...]
    policy_digest: str
    parts: tuple[Part, ...]
    summary: Mapping[str, int | float | str]
    run_id: str
    created: str

    def to_bytes(self) -> bytes:
        """Canonical JSON: sorted keys, no spaces, UTF-8."""
        content = {
            "format": _FORMAT,
            **vars(self.address),
            "version_id": self.version_id,
            "sequence": self.sequence,
            "digest": self.digest,
            "rows": self.rows,
            "schema": base64.b64encode(self.schema.serialize().to_pybytes()).decode(),
            "columns": [{"name": n, **self.labels[n].to_json()} for n in self.schema.names],
            "parents": list(self.parents),
            "policy_digest": self.policy_digest,
            "parts": [vars(part) for part in self.parts],
            "summary": dict(self.summary),
            "run_id": self.run_id,
            "created": self.created,
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, verified: bytes) -> "Manifest":
        """The inverse of `to_bytes`; the signature must have been verified before.

        Raises:
            Tampered: the bytes are of another format, or a label in them is none.
        """
        content: dict[str, Any] = json.loads(verified)
        if content.get("format") != _FORMAT:
            raise Tampered(f"a manifest is not of the format {_FORMAT}; a newer secure_ml may have written it")
        try:
            labels = {column["name"]: Label.from_json(column) for column in content["columns"]}
        except LabelError as error:
            raise Tampered(
                f"a manifest holds what is no label: {error}; a newer secure_ml may have written it"
            ) from None
        return cls(
            Address(*(content[name] for name in ("environment", "project", "stage", "partition"))),
            content["version_id"],
            content["sequence"],
            content["digest"],
            content["rows"],
            pa.ipc.read_schema(pa.py_buffer(base64.b64decode(content["schema"]))),
            labels,
            tuple(content["parents"]),
            content["policy_digest"],
            tuple(Part(**part) for part in content["parts"]),
            content["summary"],
            content["run_id"],
            content["created"],
        )
