"""The kernel's part in reads: the head pinned, its manifest and verdicts verified, the keys of the permitted columns.

Belongs here: what follows admission of a read. Must stay out: decisions, files, rows.
"""

from collections.abc import Callable, Sequence

from secure_ml.access.decisions import Request, RequestKind
from secure_ml.access.stages import CHECKS
from secure_ml.access.tickets import Ticket
from secure_ml.audit.event import Detail
from secure_ml.audit.log import AuditEvent, AuditLog
from secure_ml.keys.column_keys import FOOTER, keys_of_columns
from secure_ml.keys.custody import KeyCustody
from secure_ml.keys.errors import KeyServiceError
from secure_ml.policy.project import Policy
from secure_ml.vault import messages as m
from secure_ml.vault.admission import Admission
from secure_ml.vault.errors import AccessRefused, VaultError
from secure_ml.vault.governing import require_current
from secure_ml.vault.manifest import Address, Manifest, key_context, project_place
from secure_ml.vault.opened import OpenedVersions
from secure_ml.vault.versions import VersionStore


class Reading:
    """Answers what reads versions."""

    def __init__(
        self,
        admission: Admission,
        *,
        log: AuditLog,
        keys: KeyCustody,
        versions: VersionStore,
        policy_of: Callable[[str], Policy],
        opened: OpenedVersions,
    ) -> None:
        self._admission, self._log, self._keys = admission, log, keys
        self._versions, self._policy_of, self._opened = versions, policy_of, opened

    def open_version(self, request: m.OpenVersion) -> m.VersionOpened:
        """The head of an address, verified, once its checks have passed."""
        address = Address(request.environment, request.project, request.stage, request.partition)
        kind: RequestKind = "assess" if request.assess else "read"
        asked = Request(kind, request.by, request.stage, request.columns, request.sections)
        ticket, index = self._admission.admit(request, "version.open", address, asked)
        try:
            manifest, body = self._versions.head(address)
            require_current(manifest, self._policy_of(request.project))
            if not request.assess:
                self._versions.require_passed(manifest, CHECKS[request.stage])
        except VaultError as error:
            self._admission.fail("version.open", address, ticket, error)
            raise
        self._opened.open(ticket, request.by, manifest.version_id, assess=request.assess)
        return m.VersionOpened(manifest=body, audit_index=index)

    def release_keys(self, request: m.ReleaseKeys) -> m.KeysReleased:
        """Keys of the asked columns of a version that this run has opened."""
        address = Address(request.environment, request.project, request.stage, request.partition)
        kind: RequestKind = "assess" if request.assess else "read"
        asked = Request(kind, request.by, request.stage, request.columns, request.sections)
        ticket, index = self._admission.admit(request, "version.read", address, asked)
        try:
            manifest = self._opened_version(request, address, ticket)
            # Verdicts may have come since the version was opened: a check that failed meanwhile closes it.
            if not request.assess:
                self._versions.require_passed(manifest, CHECKS[request.stage])
            released = release(self._keys, manifest, columns=request.columns, sections=request.sections)
            self._opened.read(ticket, request.by, manifest.version_id, assess=request.assess)
        except (VaultError, KeyServiceError) as error:
            self._admission.fail("version.read", address, ticket, error)
            raise
        return m.KeysReleased(keys=released, audit_index=index)

    def _opened_version(self, request: m.ReleaseKeys, address: Address, ticket: Ticket) -> Manifest:
        """The verified manifest of a version that this run opened as the head, for this stage and in this way."""
        if request.version_id not in self._opened.opened_by(ticket, request.by, assess=request.assess):
            raise AccessRefused(f"{address}: this run has not opened the version; open it first")
        manifest, _ = self._versions.manifest(request.version_id)
        if manifest.address != address:
            raise AccessRefused(f"{address}: the version stands at another address")
        return manifest

    def describe_lineage(self, request: m.DescribeLineage) -> m.LineageDescribed:
        """The manifests of versions and of all their ancestors."""
        resource = project_place(request.environment, request.project)
        ticket = self._admission.identify(request, "lineage.read", resource)
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


def release(
    store: KeyCustody, manifest: Manifest, *, columns: Sequence[str], sections: Sequence[str] = ()
) -> dict[str, bytes]:
    """The keys of these columns in every part of these sections, or of all, by key id; and those of the footers.

    The keys that they are derived from stay here: with one of those, a reader could open its whole category.

    Raises:
        AccessRefused: the version has no such column.
        KeyServiceError: a key was destroyed, or is not authentic.
    """
    if any(name not in manifest.labels for name in columns):
        raise AccessRefused(f"{manifest.address}: the version has no column of a name that was asked for")
    categories = {name: manifest.labels[name].key_category for name in columns}
    contexts = [
        key_context(manifest.address, manifest.version_id, part.section, part.bucket, category)
        for part in manifest.parts
        if not sections or part.section in sections
        for category in (FOOTER, *sorted(set(categories.values())))
    ]
    return keys_of_columns(store.open_all(contexts), categories)
