"""The access matrix: what each role may do, found by asking `decide` about every combination there is.

Belongs here: the questions and the table of answers. Must stay out: what `roles.yaml` says; a table copied from it
would hide a mistake of the code that obeys it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from textwrap import wrap

from secure_ml.access.actions import EVERYWHERE, ON_STAGES, Action, Environment
from secure_ml.access.actors import Actor
from secure_ml.access.decisions import Context, Resource, decide_by
from secure_ml.access.grants import GRANTABLE, Grant
from secure_ml.access.roles import Roles, shipped_roles
from secure_ml.access.stages import SIDES, Stage
from secure_ml.policy.labels import Category

_NOW = datetime(2000, 1, 1, tzinfo=UTC)
_PURPOSE = "a purpose"
_PROJECT = "project"
_IN = "    "


@dataclass(frozen=True)
class Permission:
    """One thing that a role may do in some environments.

    Attributes:
        role: the role.
        action: what.
        on: stages, those of `split` with the side; empty for an action that names none.
        categories: key categories of the columns that are opened, for `version.read`.
        environments: where; empty for an action on the whole installation.
        condition: "", or what else must hold: "by grant", "of another", "own".
    """

    role: str
    action: str
    on: tuple[str, ...]
    categories: tuple[str, ...]
    environments: tuple[str, ...]
    condition: str

    def holds_in(self, environment: str | None) -> bool:
        """Whether it concerns this environment; every permission does if None is given."""
        return environment is None or not self.environments or environment in self.environments


@dataclass(frozen=True)
class Matrix:
    """What every role may do, and what its holders may never do whatever other roles they have."""

    permissions: tuple[Permission, ...]
    never: dict[str, tuple[str, ...]]


def matrix(roles: Roles | None = None) -> Matrix:
    """Asks about every role, action, environment, stage, side and category; by the shipped roles if none are given."""
    asked = roles or shipped_roles()
    permissions = [p for name in asked.roles for p in _of_role(asked, name)]
    never = {name: actions for name in asked.roles if (actions := tuple(_never(asked, name)))}
    return Matrix(tuple(permissions), never)


def render(found: Matrix, *, environment: str | None = None) -> str:
    """The matrix for people: a paragraph for each role, a line of at most 120 characters for each action.

    Args:
        found: the matrix.
        environment: only what is allowed there, or on the whole installation.
    """
    paragraphs = []
    for name in dict.fromkeys(p.role for p in found.permissions):
        lines = [name]
        for p in found.permissions:
            if p.role == name and p.holds_in(environment):
                lines.append(f"  {p.action:<17} {_what(p):<68} {_where(p, environment)}")
        if name in found.never:
            refused = ", ".join(found.never[name])
            lines += ["  never, whatever other roles:", *wrap(refused, 112, initial_indent=_IN, subsequent_indent=_IN)]
        paragraphs.append("\n".join(lines) + "\n")
    return "\n".join(paragraphs)


def _what(p: Permission) -> str:
    on = " ".join(p.on) + (f" ({', '.join(p.categories)})" if p.categories else "")
    return ", ".join(part for part in (on, p.condition) if part)


def _where(p: Permission, environment: str | None) -> str:
    if not p.environments:
        return "whole installation"
    return environment or ("all environments" if set(p.environments) == set(Environment) else ", ".join(p.environments))


@dataclass(frozen=True)
class _Place:
    """Where in one environment an action is allowed; see `Permission`."""

    on: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    condition: str = ""


def _of_role(roles: Roles, name: str) -> Iterator[Permission]:
    for action in Action:
        environments: dict[_Place, list[str]] = {}
        for environment in _environments(action):
            for place in _Question(roles, _holder(roles, name), action, environment).places():
                environments.setdefault(place, []).extend([environment] if environment else [])
        for place, where in environments.items():
            yield Permission(name, action, place.on, place.categories, tuple(where), place.condition)


def _never(roles: Roles, name: str) -> Iterator[str]:
    """Actions that some other role of the same kind of holder allows, and none does beside this one."""
    others = [other for other, role in roles.roles.items() if role.held_by == roles.roles[name].held_by]
    for action in Action:
        allowed_alone = [
            question
            for other in others
            for environment in _environments(action)
            for question in (_Question(roles, _holder(roles, other), action, environment),)
            if any(question.places())
        ]
        beside = (replace(question, actor=_holder(roles, name, *question.actor.roles)) for question in allowed_alone)
        if allowed_alone and not any(any(question.places()) for question in beside):
            yield action


@dataclass(frozen=True)
class _Question:
    """One actor and action in one environment, to be asked about every place."""

    roles: Roles
    actor: Actor
    action: Action
    environment: str

    def places(self) -> Iterator[_Place]:
        """Where the action is allowed."""
        if self.action is Action.VERSION_READ:
            yield from self._readable()
        elif self.action in ON_STAGES:
            on = tuple(str(stage) for stage in Stage if self._allowed(stage))
            if on:
                yield _Place(on)
        elif self._allowed(None):
            yield _Place(condition="" if self._allowed(None, own=True) else "of another")
        elif self._allowed(None, own=True):
            yield _Place(condition="own")

    def _readable(self) -> Iterator[_Place]:
        by_role: dict[tuple[str, ...], list[str]] = {}
        by_grant: dict[tuple[str, ...], list[str]] = {}
        for stage in Stage:
            for side in SIDES if stage is Stage.SPLIT else ("",):
                where = f"{stage}/{side}" if side else str(stage)
                opened = tuple(c for c in Category if self._opens(stage, side, c, granted=False))
                more = tuple(c for c in Category if c not in opened and self._opens(stage, side, c, granted=True))
                by_role.setdefault(opened, []).append(where)
                by_grant.setdefault(more, []).append(where)
        yield from (_Place(tuple(on), categories) for categories, on in by_role.items() if categories)
        yield from (_Place(tuple(on), categories, "by grant") for categories, on in by_grant.items() if categories)

    def _allowed(self, stage: Stage | None, *, own: bool = False) -> bool:
        """Whether the action is allowed on this stage; on what the actor made or asked for itself if `own`."""
        stages = () if stage is None else (stage,)
        resource = Resource(self.environment, _PROJECT, stage, stages, purpose=_PURPOSE)
        made_by = frozenset({self.actor.name if own else "person:another"})
        context = Context(_NOW, purpose=_PURPOSE, made_by=made_by)
        return decide_by(self.roles, self.actor, self.action, resource, context).allowed

    def _opens(self, stage: Stage, side: str, category: str, *, granted: bool) -> bool:
        """Whether a column of this category may be looked at, with or without an open grant for it."""
        resource = Resource(
            self.environment,
            _PROJECT,
            stage,
            sections=(side,) if side else (),
            categories={"column": category},
            purpose=_PURPOSE,
        )
        grants = (self._grant(stage),) if granted and stage in GRANTABLE else ()
        context = Context(_NOW, purpose=_PURPOSE, grants=grants)
        return decide_by(self.roles, self.actor, self.action, resource, context).allowed

    def _grant(self, stage: Stage) -> Grant:
        asked = Grant(
            grant_id="0" * 32,
            environment=self.environment,
            project=_PROJECT,
            stage=stage,
            columns=("column",),
            purpose=_PURPOSE,
            hours=1,
            requested_by=self.actor.name,
            requested_at=_NOW - timedelta(minutes=1),
            reason="a reason",
        )
        return asked.approved(by="person:another", now=_NOW)


def _environments(action: Action) -> tuple[str, ...]:
    return ("",) if action in EVERYWHERE else tuple(Environment)


def _holder(roles: Roles, name: str, *more: str) -> Actor:
    return Actor(f"{roles.roles[name].held_by}:holder", frozenset({name, *more}))
