"""Roles: what `roles.yaml` says, read closed and exactly as it stands.

Belongs here: the file's shape and its rules of form. Must stay out: actors, and the decision itself.

The roles are part of the code, under its review: no setting replaces them, so no installation widens them unseen.
"""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from secure_ml.access.actions import EVERYWHERE, ON_STAGES, Action, Environment
from secure_ml.access.errors import AccessError
from secure_ml.access.stages import Stage
from secure_ml.policy.document import Document, DocumentError
from secure_ml.policy.labels import Category

ROLES_FILE = "roles.yaml"

RoleName = Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,31}$")]
Side = Literal["train", "validation", "test"]


class HolderKind(StrEnum):
    """Who can hold a role: the word before the colon of an actor's name."""

    PERSON = "person"
    SERVICE = "service"
    OS_USER = "os-user"


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Rule(_Closed):
    """Some actions, and where they are allowed.

    Attributes:
        actions: what is allowed.
        environments: where; none for actions on the whole installation.
        stages: on what, for actions that name stages.
        categories: for `version.read`, the key categories of the columns that are opened.
        sides: for `version.read` of `split`, the sides that are opened.
    """

    actions: tuple[Action, ...] = Field(min_length=1)
    environments: tuple[Environment, ...] = ()
    stages: tuple[Stage, ...] = ()
    categories: tuple[Category, ...] = ()
    sides: tuple[Side, ...] = ()

    @model_validator(mode="after")
    def _says_what_its_actions_need(self) -> "Rule":
        for action in self.actions:
            if (action in EVERYWHERE) == bool(self.environments):
                raise ValueError(
                    f"{action} is about the whole installation and takes no environments"
                    if self.environments
                    else f"{action} needs the environments in which it is allowed"
                )
            if (action in ON_STAGES) != bool(self.stages):
                raise ValueError(f"{action} takes no stages" if self.stages else f"{action} needs its stages")
        reads = self.actions == (Action.VERSION_READ,)
        if reads != bool(self.categories):
            raise ValueError("categories stand with version.read, alone in its rule, and only there")
        if bool(self.sides) != (reads and Stage.SPLIT in self.stages):
            raise ValueError("sides stand with version.read of split, and only there")
        return self


class Role(_Closed):
    """What whoever holds the role may do, and may never do.

    Attributes:
        meaning: a sentence for people.
        held_by: who can hold it.
        may: the rules; what none of them allows is refused.
        never: refused to its holders whatever other roles they have.
    """

    meaning: str = Field(min_length=10)
    held_by: HolderKind
    may: tuple[Rule, ...] = Field(min_length=1)
    never: frozenset[Action] = frozenset()

    @model_validator(mode="after")
    def _does_not_contradict_itself(self) -> "Role":
        both = sorted(self.never.intersection(*[{a for rule in self.may for a in rule.actions}]))
        if both:
            raise ValueError(f"{both[0]} is both allowed and never allowed")
        return self


class Roles(_Closed):
    """All roles, by name."""

    roles: Mapping[RoleName, Role] = Field(min_length=1)
    _digest: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of the file, hexadecimal: two installations with the same one allow the same."""
        return self._digest

    @classmethod
    def parse(cls, text: str, *, name: str) -> "Roles":
        """Reads and validates a text.

        Raises:
            AccessError: it breaks the rules of form; names file, line and field of every fault.
        """
        try:
            document = Document.parse(text, name=name, expected="the field roles")
        except DocumentError as error:
            raise AccessError(str(error)) from None
        try:
            parsed = cls.model_validate(document.content)
        except ValidationError as error:
            raise AccessError(document.describe(error)) from None
        parsed._digest = hashlib.sha256(text.encode()).hexdigest()
        return parsed


@cache
def shipped_roles() -> Roles:
    """The roles of this release."""
    text = files("secure_ml.access").joinpath(ROLES_FILE).read_text(encoding="utf-8")
    return Roles.parse(text, name=ROLES_FILE)
