"""The kernel's part in verdicts: what a check found is signed against the version that it read.

Belongs here: what follows admission of a verdict. Must stay out: the checks.
"""

from secure_ml.access.decisions import Action, Request
from secure_ml.access.stages import CHECKS
from secure_ml.audit.log import AuditEvent
from secure_ml.vault import messages as m
from secure_ml.vault.admission import Admission
from secure_ml.vault.errors import AccessRefused, VaultError
from secure_ml.vault.manifest import Address
from secure_ml.vault.versions import Verdict, VersionStore


class Judging:
    """Answers what records verdicts."""

    def __init__(self, admission: Admission, *, versions: VersionStore) -> None:
        self._admission, self._versions = admission, versions

    def record_verdict(self, request: m.RecordVerdict) -> m.Recorded:
        """Stores a verdict against the version that it is about."""
        address = Address(request.environment, request.project, request.stage, request.partition)
        asked = Request("assess", request.stage, request.stage)
        by_role = None if self._admission.directory.run_may_judge_itself else Action.VERDICT_RECORD
        ticket, _ = self._admission.admit(request, "verdict.write", address, asked, by_role=by_role)
        try:
            manifest, _ = self._versions.manifest(request.version_id)
            if manifest.address != address or request.check not in CHECKS[request.stage]:
                raise AccessRefused(f"{request.check} is not a check of {address}")
        except VaultError as error:
            self._admission.fail("verdict.write", address, ticket, error)
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
