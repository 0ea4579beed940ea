"""A damaged file, told to the kernel: it sees no file itself, so the log learns of one only from who read it.

Belongs here: the message and its handler. Must stay out: finding the damage (committed_file, parts).
"""

from typing import TYPE_CHECKING

from secure_ml.audit.event import AuditEvent
from secure_ml.audit.log import AuditLog
from secure_ml.vault.errors import AccessRefused, Tampered
from secure_ml.vault.messages import Recorded, Ticketed

if TYPE_CHECKING:
    from secure_ml.vault.kernel import KernelCore
    from secure_ml.vault.versions import VersionStore


class ReportDamage(Ticketed):
    """States that a part of a version is not the one that was committed."""

    version_id: str


def register_damage_reporting(kernel: "KernelCore", *, log: AuditLog, versions: "VersionStore") -> None:
    """Lets the kernel answer `ReportDamage`: each is an entry `version.damaged`, failed."""

    def report(request: ReportDamage) -> Recorded:
        place = (request.environment, request.project)
        ticket = kernel.identify(request, "version.damaged", "/".join(place))
        manifest, _ = versions.manifest(request.version_id)
        if (manifest.address.environment, manifest.address.project) != place:
            raise AccessRefused(f"version {request.version_id} belongs to another environment or project")
        details = {"version_id": request.version_id, "error": Tampered.__name__}
        event = AuditEvent("version.damaged", str(manifest.address), "failed", ticket.actor, ticket.run_id, details)
        return Recorded(audit_index=log.record(event))

    kernel.register(ReportDamage, report)
