"""The base of every policy model: closed, immutable, and worded for a person who edits YAML."""

from collections.abc import Sequence
from typing import LiteralString

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError


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


def faults(fields: Sequence[tuple[str, ...]], message: LiteralString) -> ValidationError:
    """One error for each field that breaks the same rule, so that all are edited at once.

    Args:
        fields: the path of each below the model that raises.
        message: text.
    """
    details = [InitErrorDetails(type=PydanticCustomError("policy_fault", message), loc=f, input=None) for f in fields]
    return ValidationError.from_exception_data("policy", details)
