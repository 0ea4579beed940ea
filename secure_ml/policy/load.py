"""Reading a policy file, with errors that name file, line, field and what is allowed."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from secure_ml.policy.document import Document, DocumentError, locate
from secure_ml.policy.project import Policy
from secure_ml.policy.treatments import TREATMENTS

COMPONENT_TYPE = "secure_ml.orchestration.SensitiveModel"

_WRAPPERS = TREATMENTS.keys() | {
    "feature", "fairness", "review", "administrative", "never", "none", "monthly", "static", "not_null", "between",
    "in_set", "matches", "parses", "dp_additive", "hist_gradient_boosting", "float", "date",
}  # fmt: skip
"""Tags and types of alternatives, which pydantic puts into an error's path although the file has no such field."""


class PolicyError(Exception):
    """A policy file that cannot be used; its text says where and what to write instead.

    Attributes:
        faults: all that is wrong with it, a sentence each.
    """

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load_policy(path: Path) -> Policy:
    """Reads and validates one `defs.yaml`.

    Args:
        path: the file, or the folder that holds it.

    Raises:
        PolicyError: the file is missing, is not YAML, or breaks the policy's rules. Names every fault with its line.
    """
    file = path / "defs.yaml" if path.is_dir() else path
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(
            f"{file}: cannot be read ({type(error).__name__}); write the project's policy there"
        ) from None
    try:
        document = Document.parse(text, name=str(file), expected="the fields type and attributes")
    except DocumentError as error:
        raise PolicyError(str(error)) from None
    content = document.content
    if content.get("type") != COMPONENT_TYPE or not isinstance(content.get("attributes"), dict):
        raise PolicyError(f"{file}:1: expected `type: {COMPONENT_TYPE}` and a mapping under `attributes`")
    attributes = next(value for key, value in document.root.value if key.value == "attributes")
    try:
        return Policy.model_validate(content["attributes"])
    except ValidationError as error:
        lines = [
            _describe(file, attributes, detail) for detail in error.errors(include_url=False, include_context=True)
        ]
        raise PolicyError(*lines) from None


def _describe(file: Path, root: yaml.Node, detail: ErrorDetails) -> str:
    context: dict[str, Any] = detail.get("ctx", {})
    location = [*detail["loc"], *_steps(context.get("field", ""))]
    line, field = locate(root, location, passing=_WRAPPERS)
    message = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        message = "no such field; see docs/policy.md for the fields that are allowed here"
    elif detail["type"] == "union_tag_invalid":
        message = f"not one of {context.get('expected_tags')}"
    elif detail["type"] == "union_tag_not_found":
        message = "needs a `kind` (or `expect`); see docs/policy.md for those that are allowed"
    elif detail["type"] == "missing":
        message = "is missing; docs/policy.md says what it may be"
    return f"{file}:{line}: {field or 'policy'}: {message}"


def _steps(field: str) -> list[int | str]:
    return [int(step) if step.isdigit() else step for step in field.split(".") if step]
