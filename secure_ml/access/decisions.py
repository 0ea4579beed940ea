"""Decisions: pure functions from who, what, on which data, to yes or no with a reason.

Belongs here: the rules. Must stay out: clocks, storage, and acting on the decision.

A run needs two: `decide`, by the roles of whoever starts it, and `within_run`, by the graph of the stages. Whatever
happens outside a run needs the first alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from secure_ml.access.actions import BY_ANOTHER, EVERYWHERE, ON_STAGES, Action, Environment
from secure_ml.access.actors import SOLE_USER, Actor
from secure_ml.access.grants import Grant
from secure_ml.access.roles import Role, Roles, Rule, shipped_roles
from secure_ml.access.stages import CHECKS, PARENTS, PERIOD, SECTIONS, SIDE, SIDES, TRAIN, WHOLE, Stage
from secure_ml.access.tickets import Ticket
from secure_ml.policy.labels import Identifiability
from secure_ml.policy.project import Policy

__all__ = [
    "Action",
    "Context",
    "Decision",
    "Request",
    "RequestKind",
    "Resource",
    "decide",
    "readable_columns",
    "within_run",
]

RequestKind = Literal["read", "assess", "write", "derive_key"]

_MASKING_KEYS = ("token:", "fpe:", "siv:", "surrogate:", "date_shift")
"""How the purposes begin for which `masked` derives keys."""


@dataclass(frozen=True)
class Decision:
    """The answer, with its reason in words that name no person."""

    allowed: bool
    reason: str


@dataclass(frozen=True)
class Resource:
    """What is acted on.

    Attributes:
        environment: its environment; empty for the whole installation.
        project: its project.
        stage: the stage of a single version.
        stages: the stages that a run is to materialise.
        sections: sides of `split` that are asked for; empty for any other stage.
        categories: the columns that are asked for, each with its key category.
        purpose: what the policy declares that the data is processed for.
    """

    environment: str = ""
    project: str = ""
    stage: Stage | None = None
    stages: tuple[Stage, ...] = ()
    sections: tuple[str, ...] = ()
    categories: Mapping[str, str] = field(default_factory=dict)
    purpose: str = ""


@dataclass(frozen=True)
class Context:
    """What else counts.

    Attributes:
        now: with a time zone.
        purpose: what the actor states to look at data for.
        grants: verified grants of the project; those of others give nothing.
        made_by: actors of the runs that made what is acted on, or the one who asked for it.
    """

    now: datetime
    purpose: str = ""
    grants: tuple[Grant, ...] = ()
    made_by: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.now.tzinfo is None:
            raise ValueError("a decision is made at a time with its zone")


def decide(actor: Actor, action: Action, resource: Resource, context: Context) -> Decision:
    """Whether the actor's roles, or a grant, allow this.

    The rules are closed: what none of them allows is refused, and a role's `never` outweighs any other role.
    """
    return decide_by(shipped_roles(), actor, action, resource, context)


def decide_by(roles: Roles, actor: Actor, action: Action, resource: Resource, context: Context) -> Decision:
    """As `decide`, by these roles."""
    held = [(name, roles.roles.get(name)) for name in sorted(actor.roles)]
    known = [(name, role) for name, role in held if role is not None]
    if len(known) != len(held) or not held:
        return Decision(False, "the actor has no role, or one that is not in roles.yaml")
    if any(role.held_by != actor.kind for _, role in known):
        return Decision(False, "the actor has a role that only another kind of actor can hold")
    refusal = _refused_outright(known, actor, action, resource, context)
    if refusal is not None:
        return refusal
    rules = [(name, rule) for name, role in known for rule in role.may if _covers(rule, action, resource)]
    if action is Action.VERSION_READ:
        return _look(known, rules, actor, resource, context)
    asked = set(resource.stages) or ({resource.stage} if resource.stage is not None else set())
    if action in ON_STAGES:
        rules = [(name, rule) for name, rule in rules if asked & set(rule.stages)]
        if not asked or asked - {stage for _, rule in rules for stage in rule.stages}:
            rules = []
    if rules:
        return Decision(True, _by(name for name, _ in rules))
    if action in _OWN_GRANT and actor.name in context.made_by and _may_ask_for_grants(known, resource):
        return Decision(True, "it is the actor's own grant")
    return Decision(False, _no_role(known, action, resource))


_OWN_GRANT = frozenset({Action.GRANT_REVOKE, Action.GRANT_LIST})
_FOR_A_PURPOSE = frozenset({Action.VERSION_READ, Action.GRANT_REQUEST})


def _refused_outright(
    known: list[tuple[str, Role]], actor: Actor, action: Action, resource: Resource, context: Context
) -> Decision | None:
    """What no role can make good: unknown words, a role's `never`, and the separation of duties."""
    if action not in set(Action):
        return Decision(False, "there is no such action")
    if (resource.environment or action not in EVERYWHERE) and resource.environment not in set(Environment):
        return Decision(False, f"{action} names one of the environments {', '.join(Environment)}")
    barred = [name for name, role in known if action in role.never]
    if barred:
        return Decision(False, f"{action} is never for {', '.join(barred)}, whatever other roles the actor has")
    by_another = action in BY_ANOTHER or (action is Action.PROMOTION_RECORD and SOLE_USER not in actor.roles)
    if by_another and not context.made_by:
        return Decision(False, f"{action} needs to know who made what is acted on")
    if by_another and actor.name in context.made_by:
        return Decision(False, f"{action} needs another person than the one who made what is acted on")
    if action in _FOR_A_PURPOSE and (not resource.purpose.strip() or context.purpose != resource.purpose):
        return Decision(False, "data is looked at for the purpose that its policy declares, and for no other")
    return None


def _covers(rule: Rule, action: Action, resource: Resource) -> bool:
    return action in rule.actions and (not rule.environments or resource.environment in rule.environments)


def _look(
    known: list[tuple[str, Role]],
    rules: list[tuple[str, Rule]],
    actor: Actor,
    resource: Resource,
    context: Context,
) -> Decision:
    """A look at columns outside a run: each by a role's categories, or else by a grant."""
    stage = resource.stage
    if stage is None or not resource.categories:
        return Decision(False, "a look at data names a stage and at least one column")
    if (stage is Stage.SPLIT) != bool(resource.sections):
        return Decision(
            False, f"a look at {stage} names its sides" if stage is Stage.SPLIT else f"{stage} has no sides"
        )
    opening = [
        (name, rule)
        for name, rule in rules
        if stage in rule.stages and (stage is not Stage.SPLIT or set(resource.sections) <= set(rule.sides))
    ]
    by_role = {
        column: name
        for column, category in resource.categories.items()
        for name, rule in opening
        if set(category.split("_")) <= set(rule.categories)
    }
    rest = [column for column in resource.categories if column not in by_role]
    by_grant = _granted(rest, actor, resource, context) if rest and _may_ask_for_grants(known, resource) else {}
    closed = sorted(column for column in rest if column not in by_grant)
    if closed:
        return Decision(False, f"no role or open grant of the actor opens the columns {', '.join(closed)} of {stage}")
    ids = sorted(set(by_grant.values()))
    words = [
        *([f"by the approved grant {', '.join(ids)}"] if ids else []),
        *([_by(by_role.values())] if by_role else []),
    ]
    return Decision(True, "; ".join(words))


def _granted(columns: Iterable[str], actor: Actor, resource: Resource, context: Context) -> dict[str, str]:
    """Id of the open grant of this actor for each column that has one."""
    # A grant opens no side that would let its holder judge the model by what it was trained on.
    if resource.sections not in ((), (TRAIN,)):
        return {}
    place = (actor.name, resource.environment, resource.project, resource.stage, resource.purpose)
    opening = [
        grant
        for grant in context.grants
        if place == (grant.requested_by, grant.environment, grant.project, grant.stage, grant.purpose)
        and grant.state(context.now) == "open"
    ]
    return {column: grant.grant_id for column in columns for grant in opening if column in grant.columns}


def _may_ask_for_grants(known: list[tuple[str, Role]], resource: Resource) -> bool:
    """Who lost the role under which a grant was asked for has lost the grant."""
    return any(
        _covers(rule, Action.GRANT_REQUEST, resource) and (resource.stage is None or resource.stage in rule.stages)
        for _, role in known
        for rule in role.may
    )


def _by(names: Iterable[str]) -> str:
    roles = sorted(set(names))
    return "the only user of a personal installation" if roles == [SOLE_USER] else f"by the role {', '.join(roles)}"


def _no_role(known: list[tuple[str, Role]], action: Action, resource: Resource) -> str:
    names = [name for name, _ in known]
    stages = resource.stages or ((resource.stage,) if resource.stage is not None else ())
    what = " of ".join([action, *([", ".join(stages)] if stages else [])])
    where = f" in {resource.environment}" if resource.environment else ""
    if names == [SOLE_USER]:
        return f"{what}{where} needs a second person; the only user of a personal installation has none"
    return f"{what}{where} is not among what the role {', '.join(names)} allows"


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

    action: RequestKind
    by: Stage
    stage: Stage
    columns: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    derivation: str = ""


def within_run(ticket: Ticket, request: Request, policy: Policy) -> Decision:
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
    masking = request.by is Stage.MASKED and request.derivation.startswith(_MASKING_KEYS)
    subject = request.by in {Stage.SPLIT, Stage.TRAINED} and request.derivation == "subject"
    if masking or subject:
        return Decision(True, f"{request.by} derives its key")
    return Decision(False, f"{request.by} may not derive a key for {request.derivation}")
