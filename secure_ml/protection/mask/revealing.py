"""One masked value given back: by message, to whom the roles permit it, for a case, once the log has it.

Belongs here: the message, its handler, and what is asked of a request before any key. Must stay out: the rules of who
may (access), and how a treatment is undone (one file each).

The treatment is undone where the keys are. The log has the intent before a key is opened, and the outcome before the
value is told. It never has the value or the masked cell: of the cell it has a commitment (docs/formats/messages.md).
"""

import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
from pydantic import Field

from secure_ml.access.decisions import Action, Decision, Resource
from secure_ml.access.grants import LONGEST_REASON
from secure_ml.access.stages import CHECKS, Stage
from secure_ml.audit.event import Detail
from secure_ml.audit.log import AuditEvent, AuditLog
from secure_ml.guard.redaction import standard_redactor
from secure_ml.keys.custody import KeyCustody
from secure_ml.keys.errors import KeyServiceError
from secure_ml.policy.project import Policy
from secure_ml.protection.mask.treatment import MaskingError, Reversible
from secure_ml.vault.admission import Admission
from secure_ml.vault.deriving import project_key
from secure_ml.vault.errors import VaultError
from secure_ml.vault.governing import require_current
from secure_ml.vault.manifest import Address
from secure_ml.vault.messages import ColumnName, Kernel, Message, Name
from secure_ml.vault.versions import VersionStore

if TYPE_CHECKING:
    from secure_ml.vault.kernel import KernelCore

SHORTEST_REASON = 10
"""Characters of a reason; fewer say nothing."""

LONGEST_CELL = 16_384
"""Characters of a masked value."""

_CASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,31}")
_SALT_BYTES = 16


class NotMaskedHere(VaultError):
    """The value is none that the column's treatment makes under this project's keys in this environment."""


class RevealValue(Message):
    """Asks, for oneself, for the value behind one masked cell.

    Attributes:
        environment: where the cell was masked.
        project: whose it is.
        partition: of `masked`, in which it stands; "" where the table is one piece.
        column: its column.
        masked_value: the cell, whole.
        case: the case that it is needed for, by its number; no name of a person.
        reason: why, in words.
    """

    environment: Name
    project: Name
    partition: Name
    column: ColumnName
    masked_value: str = Field(repr=False)
    case: str = Field(repr=False)
    reason: str = Field(repr=False)


class ValueRevealed(Message):
    """The value, as the source had it; it stands nowhere else."""

    value: str = Field(repr=False)
    audit_index: int


def reveal(kernel: Kernel, request: RevealValue) -> ValueRevealed:
    """The value behind one masked cell.

    Raises:
        AccessRefused: whoever asks may not, the request does not say all that it must, or the column's treatment cannot
            be undone; says which.
        NotMaskedHere: the cell is not one of this column, project and environment.
        NothingThere, ChecksNotPassed, StaleVersion, Tampered: as `Door.open` of `masked`.
    """
    answer = kernel.send(request)
    if not isinstance(answer, ValueRevealed):
        raise TypeError(f"the kernel answered {type(answer).__name__} where ValueRevealed was due")
    return answer


class Revealing:
    """Answers `RevealValue`.

    Args:
        admission: who asks, and whether they may.
        log: the audit log.
        keys: the key store.
        versions: manifests, heads and verdicts.
        policy_of: the policy of a project, by name.
        commitment_key: 32 bytes of the installation's own, for the commitments to masked values.
    """

    def __init__(
        self,
        admission: Admission,
        *,
        log: AuditLog,
        keys: KeyCustody,
        versions: VersionStore,
        policy_of: Callable[[str], Policy],
        commitment_key: bytes,
    ) -> None:
        self._admission, self._log, self._keys, self._versions = admission, log, keys, versions
        self._policy_of, self._commitment_key = policy_of, commitment_key

    def reveal(self, request: RevealValue) -> ValueRevealed:
        """The value, once the log has the intent, and before it is told the outcome."""
        policy = self._policy_of(request.project).seen_in(request.environment)
        known = policy.source.partitions.has(request.partition)
        # What is no partition may be a value that was given in the wrong place: the log is for ever.
        address = Address(request.environment, request.project, Stage.MASKED, request.partition if known else "")
        actor, decision = self._admission.decide(
            Action.VALUE_REVEAL, Resource(request.environment, request.project, Stage.MASKED)
        )
        refusal = _refusal(request, policy) if decision.allowed else ""
        decision = Decision(False, refusal) if refusal else decision
        reason = f"{decision.reason}; {_words(request)}"
        facts = self._facts(request, policy)
        event = AuditEvent(Action.VALUE_REVEAL, str(address), "allowed", actor.name, "", facts, reason)
        self._admission.conclude(event, decision)
        try:
            value = self._unmasked(request, policy, address)
        except (VaultError, KeyServiceError, MaskingError) as error:
            failed: Mapping[str, Detail] = {**event.details, "error": type(error).__name__}
            self._log.record(replace(event, outcome="failed", details=failed, reason=str(error)))
            raise
        return ValueRevealed(value=value, audit_index=self._log.record(replace(event, outcome="done", reason="")))

    def _facts(self, request: RevealValue, policy: Policy) -> dict[str, Detail]:
        """What the leaf has of the request. Two entries about one cell cannot be linked without the key."""
        salt, place = secrets.token_hex(_SALT_BYTES), f"{request.environment}/{request.project}/{request.column}"
        text = "\0".join((salt, place, request.masked_value)).encode(errors="surrogatepass")
        facts: dict[str, Detail] = {
            "value_salt": salt,
            "value_commitment": hmac.digest(self._commitment_key, text, "sha256").hex(),
        }
        if (column := policy.columns.get(request.column)) is not None:
            facts |= {"column": request.column, "treatment": column.treatment.kind}
        return facts

    def _unmasked(self, request: RevealValue, policy: Policy, address: Address) -> str:
        # Other processes of the kernel's code have no part in treatments.
        from secure_ml.protection.mask.plan import column_treatment

        # Under another policy than the one that masked it, a cell would turn into a stranger's value.
        manifest, _ = self._versions.head(address)
        require_current(manifest, policy)
        self._versions.require_passed(manifest, CHECKS[Stage.MASKED])

        def key_for(purpose: str) -> bytes:
            # A secret that is lost is not made anew: with other keys a cell turns into a stranger's value, too.
            return project_key(self._keys, address, purpose, create=False)

        treatment = column_treatment(policy, request.column, key_for=key_for)
        value = _inverted(treatment, request.masked_value) if isinstance(treatment, Reversible) else None
        if value is None:
            raise NotMaskedHere(
                f"{address}: this is no value that the column {request.column} can hold; copy the cell whole, and name "
                "the column, project and environment that it is from"
            )
        return value


def register_revealing(
    kernel: "KernelCore",
    *,
    log: AuditLog,
    keys: KeyCustody,
    versions: VersionStore,
    policy_of: Callable[[str], Policy],
    commitment_key: bytes,
) -> None:
    """Lets the kernel answer `RevealValue`, to whom its roles permit it."""
    revealing = Revealing(
        kernel.admission, log=log, keys=keys, versions=versions, policy_of=policy_of, commitment_key=commitment_key
    )
    kernel.register(RevealValue, revealing.reveal)


def _refusal(request: RevealValue, policy: Policy) -> str:
    """Why nobody has this request answered, or ""; nothing of the value, and no name that is not the policy's."""
    column = policy.columns.get(request.column)
    if column is None:
        return f"the policy of {policy.project} declares no column of that name"
    if not column.treatment.reversible:
        return f"{request.column} is treated by {column.treatment.kind}, which cannot be undone by anybody"
    if not policy.source.partitions.has(request.partition):
        return f"the policy of {policy.project} has no partition of that key: name the one that the value stands in"
    if _CASE.fullmatch(request.case) is None:
        return "say for which case, by its number: 1 to 32 letters, digits, '.', '_', '/' and '-'; no name of a person"
    if (cell := _bare(request.masked_value)) and cell in _bare(request.case):
        return "the number of the case is the masked value: say for which case, since the log keeps its number"
    if not SHORTEST_REASON <= len(request.reason.strip()) <= LONGEST_REASON:
        return f"say why, for the audit log, in {SHORTEST_REASON} to {LONGEST_REASON} characters"
    if not 1 <= len(request.masked_value) <= LONGEST_CELL:
        return f"a masked value has 1 to {LONGEST_CELL} characters; give one value"
    return ""


def _bare(text: str) -> str:
    """Its letters and digits alone, however they are grouped and written."""
    return "".join(filter(str.isalnum, text)).casefold()


def _words(request: RevealValue) -> str:
    """Case and reason as they stand beside the leaf. Whoever writes a reason may quote whom it is about."""
    reason = request.reason.strip()
    if request.masked_value:
        reason = reason.replace(request.masked_value, "[value]")
    return f"case {request.case}: {standard_redactor().redact(reason)}"


def _inverted(treatment: Reversible, masked_value: str) -> str | None:
    try:
        cell = pa.array([masked_value], pa.string()).cast(treatment.output_type)
        (value,) = treatment.invert(cell).to_pylist()
    except (pa.ArrowException, UnicodeEncodeError):
        # Its text may quote the cell, and half a surrogate pair, as a terminal gives for a broken byte, is in no cell.
        return None
    return None if value is None else str(value)
