"""Decisions: a pure function from who, what, on which data, to yes or no with a reason.

Belongs here: the rules. Must stay out: clocks, storage, and acting on the decision.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from secure_ml.access.stages import CHECKS, PARENTS, PERIOD, SECTIONS, SIDE, SIDES, WHOLE, Stage
from secure_ml.access.tickets import Ticket
from secure_ml.policy.labels import Identifiability
from secure_ml.policy.project import Policy

Action = Literal["read", "assess", "write", "derive_key"]


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        action: read a parent, assess a version of the stage itself, write one, or use a derived key.
        by: the stage that asks.
        stage: the stage whose data is asked for.
        columns: columns asked for; empty for a write.
        sections: for a write, all that it makes; otherwise sides of `split`, and empty for any other stage.
        derivation: for `derive_key`, what the key is for.
    """

    action: Action
    by: Stage
    stage: Stage
    columns: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    derivation: str = ""


@dataclass(frozen=True)
class Decision:
    """The answer, with its reason in words that name no person."""

    allowed: bool
    reason: str


def decide(ticket: Ticket, request: Request, policy: Policy) -> Decision:
    """Whether the verified run may do this.

    The rules are closed: what none of them allows is refused.
    """
    if ticket.project != policy.project:
        return Decision(False, "the run's ticket is for another project")
    if request.action == "write":
        if request.by != request.stage:
            return Decision(False, f"{request.by} may not write {request.stage}")
        if request.sections != (SIDES if request.stage is Stage.SPLIT else WHOLE):
            return Decision(False, f"{request.stage} is not written in the sections {', '.join(request.sections)}")
        return Decision(True, f"{request.by} writes its own versions")
    if request.action == "derive_key":
        return _derived_key(request)
    if request.action == "assess":
        if request.by != request.stage or not CHECKS[request.stage]:
            return Decision(False, f"the checks of {request.by} may not assess {request.stage}")
        return Decision(True, f"the checks of {request.stage} assess it")
    if request.stage not in PARENTS[request.by]:
        return Decision(False, f"{request.by} may not read {request.stage}")
    return _columns_and_sections(request, policy)


def _columns_and_sections(request: Request, policy: Policy) -> Decision:
    if request.stage is Stage.SPLIT:
        beyond = sorted(set(request.sections) - set(SECTIONS[request.by]))
        if beyond or not request.sections:
            return Decision(False, f"{request.by} may open only the sides {', '.join(SECTIONS[request.by])} of split")
    elif request.sections:
        return Decision(False, f"{request.stage} has no sides to open")
    permitted = readable_columns(request.by, request.stage, policy)
    if permitted is None:
        return Decision(True, f"{request.by} reads all of {request.stage}")
    beyond = sorted(set(request.columns) - set(permitted))
    if beyond:
        return Decision(False, f"the purpose does not give {request.by} the columns {', '.join(beyond)}")
    return Decision(True, f"the purpose gives {request.by} these columns")


def readable_columns(by: Stage, stage: Stage, policy: Policy) -> tuple[str, ...] | None:
    """The columns of `stage` that `by` needs for the policy's purpose; None for all."""
    if by is Stage.MASKED and stage is Stage.RAW:
        return _needed_by_masking(policy)
    if stage is Stage.MASKED:
        return (*_model_columns(policy), *policy.columns_used_as("fairness"))
    if stage is Stage.SPLIT:
        fairness: Iterable[str] = policy.columns_used_as("fairness") if by is Stage.VALIDATED else ()
        return (*_model_columns(policy), *fairness, PERIOD, SIDE)
    return None


def _needed_by_masking(policy: Policy) -> tuple[str, ...]:
    """Columns that survive, those that decide, and identifiers that must be found again in free text."""
    scrubs = any(column.treatment.kind == "scrub_text" for column in policy.columns.values())
    return tuple(
        name
        for name, column in policy.columns.items()
        if column.treatment.kind != "drop"
        or (policy.consent is not None and name == policy.consent.column)
        or (scrubs and column.identifiability is Identifiability.DIRECT)
    )


def _model_columns(policy: Policy) -> tuple[str, ...]:
    subject = () if policy.subject is None else (policy.subject.column,)
    return (*policy.features, policy.label.column, *subject)


def _derived_key(request: Request) -> Decision:
    token = request.by is Stage.MASKED and request.derivation.startswith("token:")
    subject = request.by in {Stage.SPLIT, Stage.TRAINED} and request.derivation == "subject"
    if token or subject:
        return Decision(True, f"{request.by} derives its keyed hash")
    return Decision(False, f"{request.by} may not derive a key for {request.derivation}")
