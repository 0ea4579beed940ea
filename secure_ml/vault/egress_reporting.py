"""What a run tried to reach, told to the kernel: the log has that it did, and never where it wanted to go.

Belongs here: the message and its handler. Must stay out: the tripwire (guard).
"""

import hmac
import ipaddress
from typing import TYPE_CHECKING

from pydantic import Field

from secure_ml.audit.event import AuditEvent, Detail
from secure_ml.audit.log import AuditLog
from secure_ml.guard.egress import NETWORK_PROGRAMS, NETWORK_SYMBOLS, Attempt, AttemptKind
from secure_ml.vault.messages import Recorded, Ticketed

if TYPE_CHECKING:
    from secure_ml.vault.kernel import KernelCore

_CODE_DIGITS = 32


class ReportEgress(Ticketed):
    """States what the tripwire refused; see `guard.egress.Attempt`."""

    kind: AttemptKind
    host: str = Field(repr=False, max_length=255)
    port: int | None = Field(ge=0, le=65_535)


def register_egress_reporting(kernel: "KernelCore", log: AuditLog, *, key: bytes) -> None:
    """Lets the kernel answer `ReportEgress`: each is an entry `egress.attempt`, refused.

    A name or an address can carry what was to be smuggled out, so neither is written down. The log has which kind of
    address it was, and a code of it: HMAC-SHA-256 under `key`, the same for the same host. Whoever holds the key can
    check a guess, and nobody else can.

    Args:
        kernel: the kernel.
        log: the audit log.
        key: 32 bytes of the installation's own.
    """

    def report(request: ReportEgress) -> Recorded:
        resource = f"{request.environment}/{request.project}"
        ticket = kernel.identify(request, "egress.report", resource)
        details: dict[str, Detail] = {
            "kind": request.kind,
            "destination": destination(Attempt(request.kind, request.host, request.port)),
            "host_code": hmac.digest(key, request.host.encode(), "sha256").hex()[:_CODE_DIGITS],
        }
        if request.port is not None:
            details["port"] = request.port
        event = AuditEvent("egress.attempt", resource, "refused", ticket.actor, ticket.run_id, details)
        return Recorded(audit_index=log.record(event))

    kernel.register(ReportEgress, report)


def destination(attempt: Attempt) -> str:
    """What kind of destination it was, in words that hold nothing of its name."""
    if attempt.kind in ("program", "symbol"):
        known = NETWORK_PROGRAMS | NETWORK_SYMBOLS
        return attempt.host if attempt.host in known else f"another {attempt.kind}"
    try:
        address = ipaddress.ip_address(attempt.host)
    except ValueError:
        return "a name" if attempt.host else "no address"
    if address.is_unspecified:
        return "every address"
    if address.is_link_local:
        return "a link-local address"
    return "a private address" if address.is_private else "a public address"
