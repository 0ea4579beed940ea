"""The kernel's part in writes: an id and keys first, then the head in one transaction, or nothing.

Belongs here: what follows admission of a write. Must stay out: decisions, files, rows.
"""

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from secure_ml.access.decisions import Request
from secure_ml.access.stages import PERIOD, SIDE
from secure_ml.access.tickets import Ticket
from secure_ml.audit.event import Detail
from secure_ml.audit.log import AuditEvent, AuditLog
from secure_ml.guard.column_names import may_be_shown
from secure_ml.keys.column_keys import FOOTER
from secure_ml.keys.context import KeyContext
from secure_ml.keys.custody import KeyCustody
from secure_ml.keys.derivation import derive
from secure_ml.policy.project import Policy
from secure_ml.vault import messages as m
from secure_ml.vault.admission import Admission
from secure_ml.vault.deriving import project_secret
from secure_ml.vault.errors import AccessRefused, VaultError
from secure_ml.vault.flow import Parents, require_labels, require_opened, require_parents
from secure_ml.vault.governing import governing_digest, require_current
from secure_ml.vault.labels import KEY_CATEGORIES, Label, LabelError
from secure_ml.vault.manifest import Address, Manifest, Part, key_context
from secure_ml.vault.opened import OpenedVersions
from secure_ml.vault.parts import part_file
from secure_ml.vault.summaries import require_summary
from secure_ml.vault.versions import VersionStore


@dataclass(frozen=True)
class _Write:
    """A write that has begun and is neither committed nor abandoned."""

    address: Address
    actor: str
    run_id: str
    contexts: tuple[KeyContext, ...]
    expected_sequence: int


class Writing:
    """Answers what writes versions."""

    def __init__(
        self,
        admission: Admission,
        *,
        log: AuditLog,
        keys: KeyCustody,
        versions: VersionStore,
        policy_of: Callable[[str], Policy],
        opened: OpenedVersions,
        clock: Callable[[], datetime],
    ) -> None:
        self._admission, self._log, self._keys = admission, log, keys
        self._versions, self._policy_of, self._opened, self._clock = versions, policy_of, opened, clock
        self._writes: dict[str, _Write] = {}

    def begin_write(self, request: m.BeginWrite) -> m.WriteBegun:
        """Gives a version its id and its keys."""
        address = Address(request.environment, request.project, request.stage, request.partition)
        asked = Request("write", request.stage, request.stage, (), request.sections)
        ticket, index = self._admission.admit(request, "version.write", address, asked)
        try:
            _require_few_keys(request, address, self._policy_of(request.project))
        except VaultError as error:
            self._admission.fail("version.write", address, ticket, error)
            raise
        version_id = secrets.token_hex(16)
        contexts = tuple(
            key_context(address, version_id, section, bucket, category)
            for section in request.sections
            for bucket in range(request.buckets)
            for category in (FOOTER, *request.categories)
        )
        created = self._keys.create(contexts)
        self._writes[version_id] = _Write(
            address, ticket.actor, ticket.run_id, contexts, self._versions.sequence(address)
        )
        secret = project_secret(self._keys, address)
        return m.WriteBegun(
            version_id=version_id,
            keys={context.key_id: key for context, key in created.items()},
            digest_key=derive(secret, purpose="content digest"),
            bucket_key=derive(secret, purpose="bucket"),
            audit_index=index,
        )

    def commit_write(self, request: m.CommitWrite) -> m.Committed:
        """Makes a written version the head of its address."""
        address = Address(request.environment, request.project, request.stage, request.partition)
        ticket = self._admission.identify(request, "version.commit", str(address))
        now = self._clock()
        try:
            write = self._begun(request.version_id, address, ticket)
            manifest = self._manifest_of(request, write, ticket, created=now)
            event = AuditEvent(
                "version.commit", str(address), "done", ticket.actor, ticket.run_id, _commit_details(manifest)
            )
            index = self._versions.commit(manifest, expected_sequence=write.expected_sequence, event=event, now=now)
        except VaultError as error:
            self._admission.fail("version.commit", address, ticket, error)
            raise
        del self._writes[request.version_id]
        return m.Committed(sequence=manifest.sequence, audit_index=index)

    def _manifest_of(self, request: m.CommitWrite, write: _Write, ticket: Ticket, *, created: datetime) -> Manifest:
        policy = self._policy_of(request.project)
        schema, labels = _described(request, write.address)
        _require_begun_parts(request, labels, write)
        parents = self._parents(request, write.address, ticket, policy)
        require_labels(write.address, labels, policy, parents)
        _require_shown_names(write.address, labels, policy)
        made_from = [manifest for manifests in parents.values() for manifest in manifests]
        columns = {*policy.columns, *(name for manifest in made_from for name in manifest.labels)}
        rows = sum(manifest.rows for manifest in made_from)
        require_summary(write.address, request.summary, policy=policy, columns=columns, rows=rows)
        return Manifest(
            write.address,
            request.version_id,
            write.expected_sequence + 1,
            request.digest,
            sum(part.rows for part in request.parts),
            schema,
            labels,
            request.parents,
            governing_digest(policy, write.address),
            tuple(Part(**part.model_dump()) for part in request.parts),
            request.summary,
            write.run_id,
            created.isoformat(),
        )

    def _parents(self, request: m.CommitWrite, address: Address, ticket: Ticket, policy: Policy) -> Parents:
        """The verified manifests of the versions that the run made this one from."""
        opened = self._opened.opened_by(ticket, request.stage)
        require_opened(address, request.parents, opened=opened, read=self._opened.read_by(ticket, request.stage))
        parents = [self._versions.manifest(parent)[0] for parent in request.parents]
        for parent in parents:
            require_current(parent, policy)
        return require_parents(address, parents)

    def abandon_write(self, request: m.AbandonWrite) -> m.Recorded:
        """Destroys the keys of a write that is given up."""
        address = Address(request.environment, request.project, request.stage, request.partition)
        ticket = self._admission.identify(request, "version.abandon", str(address))
        try:
            self._begun(request.version_id, address, ticket)
            # An interrupted commit may have ended well: what is committed keeps its keys.
            if self._versions.is_committed(request.version_id):
                raise AccessRefused(f"{address}: the version was committed and stays")
        except VaultError as error:
            self._admission.fail("version.abandon", address, ticket, error)
            raise
        details: dict[str, Detail] = {"version_id": request.version_id, "error": request.error}
        event = AuditEvent("version.abandon", str(address), "failed", ticket.actor, ticket.run_id, details)
        index = self._log.record(event)
        self._keys.destroy(request.version_id)
        del self._writes[request.version_id]
        return m.Recorded(audit_index=index)

    def abandon_runs(self, run_ids: Collection[str]) -> None:
        """Destroys the keys of what these runs had begun to write: their process has ended, and will not commit."""
        left = [version_id for version_id, write in tuple(self._writes.items()) if write.run_id in run_ids]
        for version_id in left:
            write = self._writes[version_id]
            # An interrupted commit may have ended well: what is committed keeps its keys.
            if not self._versions.is_committed(version_id):
                details: dict[str, Detail] = {"version_id": version_id, "error": "ProcessEnded"}
                event = AuditEvent("version.abandon", str(write.address), "failed", write.actor, write.run_id, details)
                self._log.record(event)
                self._keys.destroy(version_id)
            del self._writes[version_id]

    def _begun(self, version_id: str, address: Address, ticket: Ticket) -> _Write:
        write = self._writes.get(version_id)
        if write is None or write.address != address or write.run_id != ticket.run_id:
            raise AccessRefused(f"{address}: no write of this version was begun by this run")
        return write


def _require_few_keys(request: m.BeginWrite, address: Address, policy: Policy) -> None:
    """Each key costs the kernel memory and a row: it makes no more of them than a version of this project can need."""
    if request.buckets not in {1, policy.storage.buckets}:
        raise AccessRefused(f"{address}: a version has one bucket, or as many as the policy says")
    if len(set(request.categories)) != len(request.categories) or not KEY_CATEGORIES.issuperset(request.categories):
        raise AccessRefused(f"{address}: names a category of columns twice, or one that no label has")


def _described(request: m.CommitWrite, address: Address) -> tuple[pa.Schema, Mapping[str, Label]]:
    """Schema and labels of what is to be committed: whoever sent them may have sent anything."""
    try:
        sent = pa.ipc.read_schema(pa.py_buffer(request.schema_ipc))
        # Names and types only: what else a schema can carry would stand in the manifest in clear.
        schema = pa.schema([pa.field(field.name, field.type, nullable=field.nullable) for field in sent])
        labels = {name: Label.from_json(value) for name, value in request.labels.items()}
    except (pa.ArrowInvalid, OSError):
        raise AccessRefused(f"{address}: the schema is not one of Arrow's") from None
    except LabelError as error:
        raise AccessRefused(f"{address}: {error}") from None
    if sorted(schema.names) != sorted(labels):
        raise AccessRefused(f"{address}: every column needs one label, and every label a column")
    return schema, labels


def _require_begun_parts(request: m.CommitWrite, labels: Mapping[str, Label], write: _Write) -> None:
    begun = sorted({(context.section, context.bucket) for context in write.contexts})
    written = sorted((part.section, part.bucket) for part in request.parts)
    named = all(part.file == part_file(part.section, part.bucket) for part in request.parts)
    categories = {context.category for context in write.contexts}
    if begun != written or not named or any(label.key_category not in categories for label in labels.values()):
        raise AccessRefused(f"{write.address}: the parts are not those that the write was begun with")


def _require_shown_names(address: Address, names: Iterable[str], policy: Policy) -> None:
    """Of `raw` and `classified` labels bind no names: a column could bear a person's, and stand in the manifest."""
    if not all(may_be_shown(name, {*policy.columns, PERIOD, SIDE}) for name in names):
        raise AccessRefused(f"{address}: names a column in a way in which a cell could be written; rename it")


def _commit_details(manifest: Manifest) -> dict[str, Detail]:
    return {
        "version_id": manifest.version_id,
        "digest": manifest.digest,
        "rows": manifest.rows,
        "parents": list(manifest.parents),
        "policy_digest": manifest.policy_digest,
        "sequence": manifest.sequence,
    }
