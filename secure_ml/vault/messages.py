"""The kernel's interface: requests and answers that can be serialised, so that the kernel can be another process.

Belongs here: their fields. Must stay out: behaviour.
"""

from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field

from secure_ml.access.stages import Stage

Name = Annotated[str, Field(max_length=64)]
"""An environment, project, section or category; which ones there are, the kernel decides."""

ColumnName = Annotated[str, Field(max_length=1_024)]
VersionId = Annotated[str, Field(max_length=64)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{1,64}$")]
"""Hexadecimal; it stands in the manifest in clear."""


class Message(BaseModel):
    """A request or an answer; JSON, with bytes in base64. Its errors and its repr show no key."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_bytes="base64",
        val_json_bytes="base64",
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )


class IssueTicket(Message):
    """Asks for the identity of a run: of the caller's, or of a service that the caller starts runs for.

    Attributes:
        environment: where it runs.
        project: whose data it is about.
        run_id: the run.
        stages: what it was asked to make or to judge.
        on_behalf_of: `service:sensor` or `service:schedule`; empty for the caller.
    """

    environment: Name
    project: Name
    run_id: str = Field(max_length=128, pattern=r"^[A-Za-z0-9_.-]+$")
    stages: tuple[Stage, ...]
    on_behalf_of: str = Field(default="", max_length=64)


class TicketIssued(Message):
    """A signed ticket; see access.tickets. Who holds it acts for the run: it is not shown."""

    body: bytes = Field(repr=False)
    signature: bytes = Field(repr=False)


class Ticketed(Message):
    """Base of every request that acts for a run."""

    ticket: TicketIssued
    environment: Name
    project: Name


class OpenVersion(Ticketed):
    """Asks for the verified manifest of a head."""

    by: Stage
    stage: Stage
    partition: str = Field(max_length=1_024)
    columns: tuple[ColumnName, ...] = Field(max_length=10_000)
    sections: tuple[Name, ...] = Field(max_length=64)
    assess: bool


class VersionOpened(Message):
    """The manifest's verified bytes."""

    manifest: bytes
    audit_index: int


class ReleaseKeys(Ticketed):
    """Asks for the keys of some columns of a version that this run has opened."""

    by: Stage
    stage: Stage
    partition: str = Field(max_length=1_024)
    version_id: str = Field(max_length=64)
    columns: tuple[ColumnName, ...] = Field(max_length=10_000)
    sections: tuple[Name, ...] = Field(max_length=64)
    assess: bool


class KeysReleased(Message):
    """Keys by key id."""

    keys: dict[str, bytes] = Field(repr=False)
    audit_index: int


class BeginWrite(Ticketed):
    """Asks to write a version: an id, and a key for every section, bucket and category."""

    stage: Stage
    partition: str = Field(max_length=1_024)
    categories: tuple[Name, ...]
    sections: tuple[Name, ...] = Field(max_length=64)
    buckets: int


class WriteBegun(Message):
    """The version's id and keys; the write must be committed or abandoned."""

    version_id: str = Field(max_length=64)
    keys: dict[str, bytes] = Field(repr=False)
    digest_key: bytes = Field(repr=False)
    bucket_key: bytes = Field(repr=False)
    audit_index: int


class PartWritten(Message):
    """One durable file of a version."""

    section: str
    bucket: int
    file: str
    size_bytes: int
    sha256: Digest
    rows: int


class CommitWrite(Ticketed):
    """Asks to make a written version the head of its address, in one transaction."""

    stage: Stage
    partition: str = Field(max_length=1_024)
    version_id: str = Field(max_length=64)
    digest: Digest
    schema_ipc: bytes
    labels: dict[str, dict[str, str | list[str]]]
    parents: tuple[str, ...]
    parts: tuple[PartWritten, ...]
    summary: dict[str, int | float | str]


class Committed(Message):
    """The version is the head."""

    sequence: int
    audit_index: int


class AbandonWrite(Ticketed):
    """Gives a write up; its keys are destroyed."""

    stage: Stage
    partition: str = Field(max_length=1_024)
    version_id: str = Field(max_length=64)
    error: str = Field(max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")


class DeriveKey(Ticketed):
    """Asks for a key derived from the project's secret."""

    by: Stage
    derivation: str = Field(max_length=1_024)


class KeyDerived(Message):
    """32 bytes."""

    key: bytes = Field(repr=False)


class RecordVerdict(Ticketed):
    """States what a check of a version found."""

    stage: Stage
    partition: str = Field(max_length=1_024)
    version_id: str = Field(max_length=64)
    check: str = Field(max_length=128)
    passed: bool
    blocking: bool
    facts: dict[str, int | float | str | bool]


class Recorded(Message):
    """It is in the log."""

    audit_index: int


class DescribeLineage(Ticketed):
    """Asks what a version and all its ancestors consist of; manifests only, no keys."""

    version_ids: tuple[VersionId, ...] = Field(max_length=10_000)


class LineageDescribed(Message):
    """The verified manifests, each version once, ancestors after what was made from them."""

    manifests: tuple[bytes, ...]
    audit_index: int


class RecordSource(Ticketed):
    """States that `raw` is about to read its source."""

    partition: str = Field(max_length=1_024)


class Kernel(Protocol):
    """Whatever answers these requests: in this process, or behind a socket."""

    def send(self, request: Message) -> Message:
        """The answer.

        Raises:
            VaultError: the request is refused; the refusal is in the audit log.
        """
