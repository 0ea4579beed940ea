"""Reading a policy file, with errors that name file, line, field and what is allowed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from secure_ml.policy.project import Policy

COMPONENT_TYPE = "secure_ml.orchestration.SensitiveModel"

_WRAPPERS = {"keep", "drop", "redact", "partial_mask", "token", "generalise_number", "generalise_date"} | {
    "generalise_geography", "scrub_text", "feature", "fairness", "review", "administrative", "never", "none", "monthly",
    "static", "not_null", "between", "in_set", "matches", "parses", "dp_additive", "hist_gradient_boosting",
}  # fmt: skip
"""Discriminator tags, which pydantic puts into an error's path although the file has no such field."""


class PolicyError(Exception):
    """A policy file that cannot be used; its text says where and what to write instead."""


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
        root, content = _parse(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PolicyError(f"{file}:{line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError:
        raise PolicyError(f"{file}:1: not valid YAML: it holds a control character") from None
    if (twice := _written_twice(root)) is not None:
        raise PolicyError(f"{file}:{twice.start_mark.line + 1}: {twice.value}: is written twice; keep one")
    if not isinstance(content, dict) or not isinstance(root, yaml.MappingNode):
        raise PolicyError(f"{file}:1: expected the fields type and attributes")
    if content.get("type") != COMPONENT_TYPE or not isinstance(content.get("attributes"), dict):
        raise PolicyError(f"{file}:1: expected `type: {COMPONENT_TYPE}` and a mapping under `attributes`")
    attributes = next(value for key, value in root.value if key.value == "attributes")
    try:
        return Policy.model_validate(content["attributes"])
    except ValidationError as error:
        lines = [
            _describe(file, attributes, detail) for detail in error.errors(include_url=False, include_context=True)
        ]
        raise PolicyError("\n".join(lines)) from None


def _parse(text: str) -> tuple[yaml.Node | None, object]:
    """The nodes, which know their lines, and the content made of them; libyaml is ten times as fast as pure Python."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        root = loader.get_single_node()
        return root, None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()


def _describe(file: Path, root: yaml.Node, detail: ErrorDetails) -> str:
    context: dict[str, Any] = detail.get("ctx", {})
    location = [*detail["loc"], *_steps(context.get("field", ""))]
    line, field = _locate(root, location)
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


def _written_twice(root: yaml.Node | None) -> yaml.ScalarNode | None:
    """A key that its mapping has already. YAML's reader keeps the last: a safeguard above it would vanish."""
    waiting, known = [root], set()
    while waiting:
        node = waiting.pop()
        # An alias can lead back to where it stands.
        if node is None or id(node) in known:
            continue
        known.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            names = [key.value for key in keys]
            if len(set(names)) != len(names):
                return next(key for at, key in enumerate(keys) if key.value in names[:at])
            waiting.extend(value for _, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
    return None


def _steps(field: str) -> list[int | str]:
    return [int(step) if step.isdigit() else step for step in field.split(".") if step]


def _locate(node: yaml.Node, location: Sequence[int | str]) -> tuple[int, str]:
    """The line (from 1) and dotted name of the deepest place of `location` that the file has."""
    line, fields = node.start_mark.line + 1, []
    for step in location:
        child: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(step):
                    line, child = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            child = node.value[step]
            line = child.start_mark.line + 1
        if child is None and step in _WRAPPERS:
            continue
        fields.append(str(step))
        if child is None:
            break
        node = child
    return line, ".".join(fields)
