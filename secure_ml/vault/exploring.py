"""A look at data outside a run: one person, in the roles and with the grants that they have at that moment.

Belongs here: the messages, the kernel's part and the reader's. Must stay out: the rules (decisions), rows of a grant.

A look shows no more of a version than it opens: the columns that may be looked at, their labels, and its files. Each
reading of rows is decided anew, so a grant that ran out gives nothing more.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from secure_ml.access.actors import Actor
from secure_ml.access.decisions import Action, Context, Decision, Resource
from secure_ml.access.stages import CHECKS, TRAIN, Stage
from secure_ml.audit.event import Detail, Outcome
from secure_ml.audit.log import AuditEvent, AuditLog
from secure_ml.keys.custody import KeyCustody
from secure_ml.keys.errors import KeyServiceError
from secure_ml.policy.project import Policy
from secure_ml.vault.admission import Admission
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.door import read_rows, version_folder
from secure_ml.vault.errors import AccessRefused, HeadMoved, StorageError, VaultError
from secure_ml.vault.governing import require_current
from secure_ml.vault.grant_store import GrantStore
from secure_ml.vault.labels import PUBLIC, STRICTEST, Label
from secure_ml.vault.manifest import Address, Manifest, Part
from secure_ml.vault.messages import Kernel, KeysReleased, Message, PartWritten
from secure_ml.vault.reading import release
from secure_ml.vault.versions import VersionStore

if TYPE_CHECKING:
    from secure_ml.vault.kernel import KernelCore


class OpenForActor(Message):
    """Asks, for oneself, what of a version may be looked at.

    Attributes:
        columns: which; empty for all that the caller may.
        sections: sides of `split`; empty for any other stage.
        purpose: what the caller looks at it for.
    """

    environment: str
    project: str
    stage: Stage
    partition: str
    columns: tuple[str, ...]
    sections: tuple[str, ...]
    purpose: str


class OpenedForActor(Message):
    """The head of an address, as far as the caller may know it: these columns and the files of these sections."""

    version_id: str
    schema_ipc: bytes
    labels: dict[str, dict[str, str | list[str]]]
    parts: tuple[PartWritten, ...]
    audit_index: int


class ReleaseForActor(OpenForActor):
    """Asks for the keys of some columns of a version that was opened so, while it is still the head."""

    version_id: str


def explore(
    kernel: Kernel,
    root: Path,
    *,
    address: Address,
    purpose: str,
    columns: Sequence[str] | None = None,
    sections: Sequence[str] | None = None,
) -> Dataset:
    """A committed version whose checks have passed, unread, as far as whoever asks may look at it.

    Args:
        kernel: knows who asks.
        root: the vault's folder.
        address: where the version stands.
        purpose: what it is looked at for; the policy's own, or there is no look.
        columns: which; all that may be looked at by default.
        sections: sides of `split`; by default the one that is trained on.

    Raises:
        AccessRefused: a column or side is not for whoever asks, nor covered by a grant; says which.
        NothingThere, ChecksNotPassed, StaleVersion, Tampered: as `Door.open`.
        StorageError: this user may not read the vault's files. No key was asked for.
    """
    stage = Stage(address.stage)
    default = (TRAIN,) if stage is Stage.SPLIT else ()
    place = {
        "environment": address.environment, "project": address.project, "stage": stage, "partition": address.partition,
        "sections": default if sections is None else tuple(sections), "purpose": purpose,
    }  # fmt: skip
    opened = kernel.send(OpenForActor.model_validate({**place, "columns": tuple(columns or ())}))
    if not isinstance(opened, OpenedForActor):
        raise TypeError(f"the kernel answered {type(opened).__name__} where OpenedForActor was due")
    _require_readable(root)
    schema = pa.ipc.read_schema(pa.py_buffer(opened.schema_ipc))
    folder = version_folder(root, address, opened.version_id)
    parts = [Part(**part.model_dump()) for part in opened.parts]

    def scan(wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
        asked = {**place, "columns": tuple(wanted), "version_id": opened.version_id}
        released = kernel.send(ReleaseForActor.model_validate(asked))
        if not isinstance(released, KeysReleased):
            raise TypeError(f"the kernel answered {type(released).__name__} where KeysReleased was due")
        yield from read_rows(folder, parts, schema=schema, columns=wanted, keys=released.keys)

    labels = {name: Label.from_json(value) for name, value in opened.labels.items()}
    return Dataset(schema, labels, scan, origins=(opened.version_id,))


def _require_readable(root: Path) -> None:
    if not os.access(root, os.R_OK | os.X_OK):
        raise StorageError(
            f"{root}: this user does not get at the vault's encrypted files: see that SECURE_ML_HOME is the "
            "installation's, and have an administrator put this login into the group that may read them "
            "(docs/separated.md, A look at data)"
        )


class Exploring:
    """Answers whoever looks at data outside a run.

    Args:
        admission: who asks, and whether they may.
        log: the audit log.
        keys: the key store.
        versions: manifests, heads and verdicts.
        grants: the stored grants.
        policy_of: the policy of a project, by name.
        clock: gives UTC.
    """

    def __init__(
        self,
        admission: Admission,
        *,
        log: AuditLog,
        keys: KeyCustody,
        versions: VersionStore,
        grants: GrantStore,
        policy_of: Callable[[str], Policy],
        clock: Callable[[], datetime],
    ) -> None:
        self._admission, self._log, self._keys, self._versions = admission, log, keys, versions
        self._grants, self._policy_of, self._clock = grants, policy_of, clock

    def open(self, request: OpenForActor) -> OpenedForActor:
        """What of a version the caller may look at."""
        look = self._admit(request, "version.open")
        manifest = look.manifest
        schema = pa.schema([field for field in manifest.schema if field.name in look.columns])
        parts = (part for part in manifest.parts if not request.sections or part.section in request.sections)
        return OpenedForActor(
            version_id=manifest.version_id,
            schema_ipc=schema.serialize().to_pybytes(),
            labels={name: manifest.labels[name].to_json() for name in schema.names},
            parts=tuple(PartWritten(**vars(part)) for part in parts),
            audit_index=look.index,
        )

    def release_keys(self, request: ReleaseForActor) -> KeysReleased:
        """Keys of these columns of the version that was opened, if it still is the head."""
        look = self._admit(request, "version.read")
        try:
            if look.manifest.version_id != request.version_id:
                raise HeadMoved(f"{look.manifest.address}: another version was committed meanwhile; open it again")
            keys = release(self._keys, look.manifest, columns=look.columns, sections=request.sections)
        except (VaultError, KeyServiceError) as error:
            self._fail(look.event, error)
            raise
        return KeysReleased(keys=keys, audit_index=look.index)

    def _admit(self, request: OpenForActor, action: str) -> "_Look":
        """The verified head and the columns of it that the caller may look at, once the log has it.

        Which categories the columns are of only the manifest says, so it is looked for first; what became of that is
        told to none but those who may look.
        """
        address = Address(request.environment, request.project, request.stage, request.partition)
        policy = self._policy_of(request.project)
        found = self._head(address, policy)
        labels = {} if isinstance(found, VaultError) else found.labels
        known = {name: label.key_category for name, label in labels.items()} or dict.fromkeys(
            policy.columns, PUBLIC.key_category
        )
        grants = self._grants.of(environment=request.environment, project=request.project)
        context = Context(self._clock(), purpose=request.purpose, grants=grants)

        def decided(columns: Iterable[str]) -> tuple[Actor, Decision]:
            resource = Resource(
                request.environment,
                request.project,
                request.stage,
                sections=request.sections,
                categories={name: known.get(name, STRICTEST.key_category) for name in columns},
                purpose=policy.purpose,
            )
            return self._admission.decide(Action.VERSION_READ, resource, context=context)

        columns = request.columns or tuple(name for name in known if decided([name])[1].allowed) or tuple(known)
        actor, decision = decided(columns)
        details: dict[str, Detail] = {"columns": list(columns), "kind": "look"}
        if request.sections:
            details["sections"] = list(request.sections)
        event = AuditEvent(action, str(address), "allowed", actor.name, "", details, decision.reason)
        index = self._admission.conclude(event, decision)
        if isinstance(found, VaultError):
            self._fail(event, found)
            raise found
        return _Look(found, columns, event, index)

    def _head(self, address: Address, policy: Policy) -> Manifest | VaultError:
        """The head of an address once its checks have passed, or what is wrong with it."""
        try:
            manifest, _ = self._versions.head(address)
            require_current(manifest, policy)
            self._versions.require_passed(manifest, CHECKS[Stage(address.stage)])
        except VaultError as error:
            return error
        return manifest

    def _fail(self, event: AuditEvent, error: Exception) -> None:
        details: dict[str, Detail] = {"error": type(error).__name__}
        outcome: Outcome = "refused" if isinstance(error, AccessRefused) else "failed"
        self._log.record(replace(event, outcome=outcome, details=details, reason=str(error)))


@dataclass(frozen=True)
class _Look:
    """A look that was allowed."""

    manifest: Manifest
    columns: tuple[str, ...]
    event: AuditEvent
    index: int


def register_exploring(
    kernel: "KernelCore",
    *,
    log: AuditLog,
    keys: KeyCustody,
    versions: VersionStore,
    grants: GrantStore,
    policy_of: Callable[[str], Policy],
    clock: Callable[[], datetime],
) -> None:
    """Lets the kernel answer those who look at data outside a run."""
    exploring = Exploring(
        kernel.admission, log=log, keys=keys, versions=versions, grants=grants, policy_of=policy_of, clock=clock
    )
    kernel.register(OpenForActor, exploring.open)
    kernel.register(ReleaseForActor, exploring.release_keys)
