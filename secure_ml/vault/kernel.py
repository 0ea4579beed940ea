"""The kernel: decides, logs, verifies, and only then releases keys or moves a head.

Belongs here: the order of the steps. Must stay out: data; the kernel sees manifests and keys, never a row.

Every request goes: verified identity, decision, durable entry in the log, verified version, passed checks, keys.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from secure_ml.access.decisions import Action, Request, decide
from secure_ml.access.stages import CHECKS, WHOLE, Stage
from secure_ml.access.tickets import SignedTicket, Ticket, TicketRefused, issue, verify
from secure_ml.audit.event import Detail, Outcome
from secure_ml.audit.log import AuditEvent, AuditLog
from secure_ml.keys.context import KeyContext
from secure_ml.keys.derivation import derive
from secure_ml.keys.errors import KeyServiceError, SignatureRefused
from secure_ml.keys.signing import SigningKey
from secure_ml.keys.store import KeyStore
from secure_ml.policy.project import Policy
from secure_ml.vault import messages as m
from secure_ml.vault.errors import AccessRefused, StaleVersion, VaultError
from secure_ml.vault.labels import Label, LabelError
from secure_ml.vault.manifest import Address, Manifest, Part
from secure_ml.vault.parts import FOOTER, part_file
from secure_ml.vault.versions import Verdict, VersionStore

_BEFORE_TRAINING = frozenset({Stage.RAW, Stage.CLASSIFIED, Stage.MASKED, Stage.SPLIT})

Handler = Callable[[Any], m.Message]


@dataclass(frozen=True)
class _Write:
    """A write that has begun and is neither committed nor abandoned."""

    address: Address
    run_id: str
    contexts: tuple[KeyContext, ...]
    expected_sequence: int


class InProcessKernel:
    """The kernel in the process of the run: what the profile `personal` has.

    Args:
        log: the audit log.
        keys: the key store.
        signing_key: signs tickets, manifests and verdicts.
        versions: manifests, heads and verdicts.
        policy_of: the policy of a project, by name.
        user: authenticated name of the user whose process this is.
        clock: gives UTC.
    """

    def __init__(
        self,
        *,
        log: AuditLog,
        keys: KeyStore,
        signing_key: SigningKey,
        versions: VersionStore,
        policy_of: Callable[[str], Policy],
        user: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._log, self._keys, self._signing_key, self._versions = log, keys, signing_key, versions
        self._policy_of, self._user, self._clock = policy_of, user, clock
        self._writes: dict[str, _Write] = {}
        self._opened: set[tuple[str, Stage, bool, str]] = set()
        self._handlers: dict[type[m.Message], Handler] = {
            m.IssueTicket: self._issue_ticket,
            m.RecordSource: self._record_source,
            m.OpenVersion: self._open_version,
            m.ReleaseKeys: self._release_keys,
            m.BeginWrite: self._begin_write,
            m.CommitWrite: self._commit_write,
            m.AbandonWrite: self._abandon_write,
            m.DeriveKey: self._derive_key,
            m.RecordVerdict: self._record_verdict,
            m.DescribeLineage: self._describe_lineage,
        }

    def register(self, request: type[m.Message], handler: Handler) -> None:
        """Adds what a higher room answers, such as the budget ledger."""
        self._handlers[request] = handler

    def send(self, request: m.Message) -> m.Message:
        """See `messages.Kernel`."""
        return self._handlers[type(request)](request)

    def identify(self, request: m.Ticketed, action: str, resource: str) -> Ticket:
        """The verified ticket of a request.

        Raises:
            AccessRefused: it is forged, expired, or for another environment or project; the log has it.
        """
        signed = SignedTicket(request.ticket.body, request.ticket.signature)
        try:
            return verify(
                signed,
                environment=request.environment,
                project=request.project,
                now=self._clock(),
                verifier=self._signing_key.verification_key,
            )
        except (TicketRefused, SignatureRefused) as error:
            self._log.record(AuditEvent(action, resource, "refused", "unverified", "", {}, str(error)))
            raise AccessRefused(str(error)) from None

    def _admit(self, request: m.Ticketed, action: str, address: Address, asked: Request) -> tuple[Ticket, int]:
        """Identity, decision, and the durable entry that precedes any key."""
        ticket = self.identify(request, action, str(address))
        decision = decide(ticket, asked, self._policy_of(request.project))
        details: dict[str, Detail] = {"by": str(asked.by), "kind": asked.action}
        if asked.columns:
            details["columns"] = list(asked.columns)
        if asked.sections:
            details["sections"] = list(asked.sections)
        if asked.derivation:
            details["derivation"] = asked.derivation
        outcome: Outcome = "allowed" if decision.allowed else "refused"
        index = self._log.record(
            AuditEvent(action, str(address), outcome, ticket.actor, ticket.run_id, details, decision.reason)
        )
        if not decision.allowed:
            raise AccessRefused(f"{address}: {decision.reason}")
        return ticket, index

    def _issue_ticket(self, request: m.IssueTicket) -> m.TicketIssued:
        self._policy_of(request.project)
        signed = issue(
            actor=self._user,
            run_id=request.run_id,
            environment=request.environment,
            project=request.project,
            now=self._clock(),
            signer=self._signing_key,
        )
        return m.TicketIssued(body=signed.unverified_body, signature=signed.signature)

    def _record_source(self, request: m.RecordSource) -> m.Recorded:
        address = Address(request.environment, request.project, Stage.RAW, request.partition)
        _, index = self._admit(request, "source.read", address, Request("write", Stage.RAW, Stage.RAW, (), WHOLE))
        return m.Recorded(audit_index=index)

    def _open_version(self, request: m.OpenVersion) -> m.VersionOpened:
        address = Address(request.environment, request.project, request.stage, request.partition)
        kind: Action = "assess" if request.assess else "read"
        asked = Request(kind, request.by, request.stage, request.columns, request.sections)
        ticket, index = self._admit(request, "version.open", address, asked)
        try:
            manifest, body = self._versions.head(address)
            self._require_current(manifest, request.project)
            if not request.assess:
                self._versions.require_passed(manifest, CHECKS[request.stage])
        except VaultError as error:
            self._fail("version.open", address, ticket, error)
            raise
        self._opened.add((ticket.run_id, request.by, request.assess, manifest.version_id))
        return m.VersionOpened(manifest=body, audit_index=index)

    def _release_keys(self, request: m.ReleaseKeys) -> m.KeysReleased:
        address = Address(request.environment, request.project, request.stage, request.partition)
        kind: Action = "assess" if request.assess else "read"
        asked = Request(kind, request.by, request.stage, request.columns, request.sections)
        ticket, index = self._admit(request, "version.read", address, asked)
        try:
            manifest = self._opened_version(request, address, ticket)
            # Verdicts may have come since the version was opened: a check that failed meanwhile closes it.
            if not request.assess:
                self._versions.require_passed(manifest, CHECKS[request.stage])
            categories = {manifest.labels[name].key_category for name in request.columns if name in manifest.labels}
            contexts = [
                _context(address, manifest.version_id, part.section, part.bucket, category)
                for part in manifest.parts
                if not request.sections or part.section in request.sections
                for category in (FOOTER, *sorted(categories))
            ]
            released = {context.key_id: key for context, key in self._keys.open_all(contexts).items()}
        except (VaultError, KeyServiceError) as error:
            self._fail("version.read", address, ticket, error)
            raise
        return m.KeysReleased(keys=released, audit_index=index)

    def _opened_version(self, request: m.ReleaseKeys, address: Address, ticket: Ticket) -> Manifest:
        """The verified manifest of a version that this run opened as the head, for this stage and in this way."""
        if (ticket.run_id, request.by, request.assess, request.version_id) not in self._opened:
            raise AccessRefused(f"{address}: this run has not opened the version; open it first")
        manifest, _ = self._versions.manifest(request.version_id)
        if manifest.address != address:
            raise AccessRefused(f"{address}: the version stands at another address")
        return manifest

    def _begin_write(self, request: m.BeginWrite) -> m.WriteBegun:
        address = Address(request.environment, request.project, request.stage, request.partition)
        asked = Request("write", request.stage, request.stage, (), request.sections)
        ticket, index = self._admit(request, "version.write", address, asked)
        version_id = secrets.token_hex(16)
        contexts = tuple(
            _context(address, version_id, section, bucket, category)
            for section in request.sections
            for bucket in range(request.buckets)
            for category in (FOOTER, *request.categories)
        )
        created = self._keys.create(contexts)
        self._writes[version_id] = _Write(address, ticket.run_id, contexts, self._versions.sequence(address))
        secret = self._project_secret(address)
        return m.WriteBegun(
            version_id=version_id,
            keys={context.key_id: key for context, key in created.items()},
            digest_key=derive(secret, purpose="content digest"),
            bucket_key=derive(secret, purpose="bucket"),
            audit_index=index,
        )

    def _commit_write(self, request: m.CommitWrite) -> m.Committed:
        address = Address(request.environment, request.project, request.stage, request.partition)
        ticket = self.identify(request, "version.commit", str(address))
        now = self._clock()
        try:
            write = self._begun(request.version_id, address, ticket)
            manifest = self._manifest_of(request, write, created=now)
            event = AuditEvent(
                "version.commit", str(address), "done", ticket.actor, ticket.run_id, _commit_details(manifest)
            )
            index = self._versions.commit(manifest, expected_sequence=write.expected_sequence, event=event, now=now)
        except VaultError as error:
            self._fail("version.commit", address, ticket, error)
            raise
        del self._writes[request.version_id]
        return m.Committed(sequence=manifest.sequence, audit_index=index)

    def _manifest_of(self, request: m.CommitWrite, write: _Write, *, created: datetime) -> Manifest:
        schema, labels = _described(request, write.address)
        policy = self._policy_of(request.project)
        if request.stage is Stage.RAW:
            _require_declared_labels(labels, policy)
        _require_begun_parts(request, labels, write)
        return Manifest(
            write.address,
            request.version_id,
            write.expected_sequence + 1,
            request.digest,
            sum(part.rows for part in request.parts),
            schema,
            labels,
            request.parents,
            _governing_digest(policy, request.stage),
            tuple(Part(**part.model_dump()) for part in request.parts),
            request.summary,
            write.run_id,
            created.isoformat(),
        )

    def _abandon_write(self, request: m.AbandonWrite) -> m.Recorded:
        address = Address(request.environment, request.project, request.stage, request.partition)
        ticket = self.identify(request, "version.abandon", str(address))
        try:
            self._begun(request.version_id, address, ticket)
            # An interrupted commit may have ended well: what is committed keeps its keys.
            if self._versions.is_committed(request.version_id):
                raise AccessRefused(f"{address}: the version was committed and stays")
        except VaultError as error:
            self._fail("version.abandon", address, ticket, error)
            raise
        details: dict[str, Detail] = {"version_id": request.version_id, "error": request.error}
        event = AuditEvent("version.abandon", str(address), "failed", ticket.actor, ticket.run_id, details)
        index = self._log.record(event)
        self._keys.destroy(request.version_id)
        del self._writes[request.version_id]
        return m.Recorded(audit_index=index)

    def _derive_key(self, request: m.DeriveKey) -> m.KeyDerived:
        address = Address(request.environment, request.project, request.by, "")
        asked = Request("derive_key", request.by, request.by, derivation=request.derivation)
        self._admit(request, "key.derive", address, asked)
        return m.KeyDerived(key=derive(self._project_secret(address), purpose=request.derivation))

    def _record_verdict(self, request: m.RecordVerdict) -> m.Recorded:
        address = Address(request.environment, request.project, request.stage, request.partition)
        ticket, _ = self._admit(request, "verdict.write", address, Request("assess", request.stage, request.stage))
        try:
            manifest, _ = self._versions.manifest(request.version_id)
            if manifest.address != address or request.check not in CHECKS[request.stage]:
                raise AccessRefused(f"{request.check} is not a check of {address}")
        except VaultError as error:
            self._fail("verdict.write", address, ticket, error)
            raise
        verdict = Verdict(request.version_id, request.check, request.passed, request.blocking, request.facts, -1)
        event = AuditEvent(
            "verdict.record",
            str(address),
            "done",
            ticket.actor,
            ticket.run_id,
            {
                "version_id": request.version_id,
                "check": request.check,
                "passed": request.passed,
                "blocking": request.blocking,
            },
        )
        return m.Recorded(audit_index=self._versions.record_verdict(verdict, event=event))

    def _describe_lineage(self, request: m.DescribeLineage) -> m.LineageDescribed:
        resource = f"{request.environment}/{request.project}"
        ticket = self.identify(request, "lineage.read", resource)
        details: dict[str, Detail] = {"version_ids": list(request.version_ids)}
        index = self._log.record(AuditEvent("lineage.read", resource, "allowed", ticket.actor, ticket.run_id, details))
        place = (request.environment, request.project)
        described: dict[str, bytes] = {}
        waiting = list(request.version_ids)
        while waiting:
            version_id = waiting.pop(0)
            if version_id in described:
                continue
            manifest, body = self._versions.manifest(version_id)
            if (manifest.address.environment, manifest.address.project) != place:
                raise AccessRefused(f"version {version_id} belongs to another environment or project")
            described[version_id] = body
            waiting += manifest.parents
        return m.LineageDescribed(manifests=tuple(described.values()), audit_index=index)

    def _begun(self, version_id: str, address: Address, ticket: Ticket) -> _Write:
        write = self._writes.get(version_id)
        if write is None or write.address != address or write.run_id != ticket.run_id:
            raise AccessRefused(f"{address}: no write of this version was begun by this run")
        return write

    def _require_current(self, manifest: Manifest, project: str) -> None:
        if manifest.policy_digest != _governing_digest(self._policy_of(project), Stage(manifest.address.stage)):
            raise StaleVersion(
                f"{manifest.address} was made under another policy than today's; materialise it again before it is used"
            )

    def _fail(self, action: str, address: Address, ticket: Ticket, error: Exception) -> None:
        details: dict[str, Detail] = {"error": type(error).__name__}
        outcome: Outcome = "refused" if isinstance(error, AccessRefused) else "failed"
        self._log.record(AuditEvent(action, str(address), outcome, ticket.actor, ticket.run_id, details, str(error)))

    def _project_secret(self, address: Address) -> bytes:
        return self._keys.secret(f"project/{address.environment}/{address.project}", create=True)


def _context(address: Address, version_id: str, section: str, bucket: int, category: str) -> KeyContext:
    return KeyContext(address.environment, address.project, version_id, section, bucket, category)


def _governing_digest(policy: Policy, stage: Stage) -> str:
    return policy.data_digest if stage in _BEFORE_TRAINING else policy.digest


def _described(request: m.CommitWrite, address: Address) -> tuple[pa.Schema, Mapping[str, Label]]:
    """Schema and labels of what is to be committed: whoever sent them may have sent anything."""
    try:
        schema = pa.ipc.read_schema(pa.py_buffer(request.schema_ipc))
        labels = {name: Label.from_json(value) for name, value in request.labels.items()}
    except (pa.ArrowInvalid, OSError):
        raise AccessRefused(f"{address}: the schema is not one of Arrow's") from None
    except LabelError as error:
        raise AccessRefused(f"{address}: {error}") from None
    if sorted(schema.names) != sorted(labels):
        raise AccessRefused(f"{address}: every column needs one label, and every label a column")
    return schema, labels


def _require_declared_labels(labels: Mapping[str, Label], policy: Policy) -> None:
    for name, column in policy.columns.items():
        declared = Label(frozenset({column.category}), column.entity, column.identifiability)
        if name not in labels or not labels[name].covers(declared):
            raise AccessRefused(f"column {name} of raw must bear at least the label that the policy declares")


def _require_begun_parts(request: m.CommitWrite, labels: Mapping[str, Label], write: _Write) -> None:
    begun = sorted({(context.section, context.bucket) for context in write.contexts})
    written = sorted((part.section, part.bucket) for part in request.parts)
    named = all(part.file == part_file(part.section, part.bucket) for part in request.parts)
    categories = {context.category for context in write.contexts}
    if begun != written or not named or any(label.key_category not in categories for label in labels.values()):
        raise AccessRefused(f"{write.address}: the parts are not those that the write was begun with")


def _commit_details(manifest: Manifest) -> dict[str, Detail]:
    return {
        "version_id": manifest.version_id,
        "digest": manifest.digest,
        "rows": manifest.rows,
        "parents": list(manifest.parents),
        "policy_digest": manifest.policy_digest,
        "sequence": manifest.sequence,
    }
