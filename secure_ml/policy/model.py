"""The base of every policy model: closed, immutable, and worded for a person who edits YAML."""

from typing import LiteralString

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


class PolicyModel(BaseModel):
    """A part of a policy. Unknown fields are refused: a misspelt safeguard must not pass as absent."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def fault(field: str, message: LiteralString, **parts: str) -> PydanticCustomError:
    """An error of a rule that spans fields, pinned to the one to be edited.

    Args:
        field: dotted path below the model that raises.
        message: text with `{name}` for each of `parts`.
        parts: names of columns and fields; never data.
    """
    return PydanticCustomError("policy_fault", message, {"field": field, **parts})
