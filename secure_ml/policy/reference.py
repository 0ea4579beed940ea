"""The policy's reference page, generated from the models: each field's type, default, allowed values and meaning.

Belongs here: turning models into Markdown. Must stay out: words about a field, which belong to its declaration.

Usage: `python -m secure_ml.policy.reference --check` (fails when the page is stale) or `--write`.
"""

import argparse
import enum
import sys
import types
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from secure_ml.policy.load import COMPONENT_TYPE
from secure_ml.policy.project import Policy
from secure_ml.policy.treatments import Leaves, TreatmentModel

PAGE = Path("docs/policy.md")

_INTRODUCTION = f"""# Policy reference

<!-- Generated: edit the models in secure_ml/policy, then run `python -m secure_ml.policy.reference --write`. -->

A project is a folder with one file, `defs.yaml`:

```yaml
type: {COMPONENT_TYPE}
attributes:
  # the fields of Policy
```

Unknown fields are refused. Fields without a default are required.
"""

_PLAIN = {str: "text", int: "integer", float: "number", bool: "true or false", date: "date"}
_LEAVES = {
    Leaves.UNCHANGED: "The label stays as it was.",
    Leaves.QUASI_AT_MOST: "What is left is labelled a quasi-identifier at most.",
    Leaves.PSEUDONYM: "What is left is labelled a pseudonym.",
    Leaves.NOTHING: "Nothing of the person is left.",
}
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def render() -> str:
    """The page as Markdown."""
    sections = [_INTRODUCTION]
    for title, models in _sections():
        sections.append(f"## {title}\n")
        if len(models) > 1:
            sections.append(f"One of: {', '.join(f'`{_tag(model)[1]}`' for model in models)}.\n")
        for model in models:
            told = _text(model.__doc__ or "")
            if len(models) > 1:
                field, word = _tag(model)
                sections.append(f"### {title}: {word}\n")
                told = f"`{field}: {word}`. {told}{_effect(model)}"
            sections.append(f"{told}\n")
            sections.append(_table(model, without=_tag(model)[0] if len(models) > 1 else None))
    return "\n".join(section for section in sections if section)


def _effect(model: type[BaseModel]) -> str:
    """What a treatment does to the label, and whether it can be undone."""
    if not issubclass(model, TreatmentModel):
        return ""
    back = "A data steward can have one value back." if model.reversible else "Nobody can have back what it takes away."
    return f" {_LEAVES[model.leaves]} {back}"


def _sections() -> Iterator[tuple[str, tuple[type[BaseModel], ...]]]:
    """Each model, or choice of models, under its heading, in the order in which the fields lead to them."""
    waiting: list[tuple[str, tuple[type[BaseModel], ...]]] = [(Policy.__name__, (Policy,))]
    seen: set[str] = set()
    while waiting:
        title, models = waiting.pop(0)
        if title in seen:
            continue
        seen.add(title)
        yield title, models
        below = [(name, field) for model in models for name, field in model.model_fields.items()]
        waiting[:0] = [(_title(name, found), found) for name, field in below if (found := _models(field.annotation))]


def _models(annotation: Any) -> tuple[type[BaseModel], ...]:
    """The models that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(model for argument in get_args(annotation) for model in _models(argument))


def _title(name: str, models: tuple[type[BaseModel], ...]) -> str:
    if len(models) > 1 and issubclass(models[0], TreatmentModel):
        return "Treatment"
    return models[0].__name__ if len(models) == 1 else name.replace("_", " ").capitalize()


def _tag(model: type[BaseModel]) -> tuple[str, str]:
    """The field that tells the models of a choice apart, and its one word here."""
    for name, field in model.model_fields.items():
        words = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        if len(words) == 1:
            return name, str(words[0])
    raise TypeError(f"{model.__name__} is one of a choice and has no field with a single allowed word")


def _table(model: type[BaseModel], *, without: str | None) -> str:
    lines = []
    for name, field in model.model_fields.items():
        if name != without:
            cells = (
                f"`{name}`",
                _type(name, field.annotation),
                _default(field),
                _allowed(field),
                field.description or "",
            )
            lines.append("| " + " | ".join(_text(cell).replace("|", "\\|") for cell in cells) + " |\n")
    return "".join(
        ["| field | type | default | allowed | meaning |\n", "|---|---|---|---|---|\n", *lines] if lines else []
    )


def _type(name: str, annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    found = _models(annotation)
    if origin is Annotated:
        return _type(name, arguments[0])
    if origin is tuple:
        return f"list of {_type(name, arguments[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"mapping from {_type(name, arguments[0])} to {_type(name, arguments[1])}"
    if found:
        title = _title(name, found)
        return f"[{title}](#{title.lower().replace(' ', '-')})"
    if origin in (Union, types.UnionType):
        return " or ".join(_type(name, argument) for argument in arguments if argument is not type(None))
    if origin is Literal or (isinstance(annotation, type) and issubclass(annotation, enum.Enum)):
        return "word"
    return _PLAIN.get(annotation, "exact number")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        return (
            " ".join(f"`{key}: {item}`" for key, item in value.model_dump(exclude_defaults=True).items()) or "its own"
        )
    if isinstance(value, tuple | dict):
        return ", ".join(f"`{item}`" if item else '`""`' for item in value) or "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _allowed(field: FieldInfo) -> str:
    limits = [*_words(field.annotation), *(limit for item in field.metadata for limit in _limits(item))]
    return ", ".join(limits)


def _words(annotation: Any) -> Iterator[str]:
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        yield from (f"`{member.value}`" for member in annotation)
    elif get_origin(annotation) is Literal:
        yield from (f"`{word}`" for word in get_args(annotation))
    elif not _models(annotation):
        for argument in get_args(annotation):
            yield from _words(argument)


def _limits(item: Any) -> Iterator[str]:
    if isinstance(item, annotated_types.MinLen):
        yield f"at least {item.min_length} long"
    elif isinstance(item, annotated_types.MaxLen):
        yield f"at most {item.max_length} long"
    elif (pattern := getattr(item, "pattern", None)) is not None:
        yield f"matches `{pattern}`"
    else:
        for name, sign in _BOUNDS.items():
            if (bound := getattr(item, name, None)) is not None:
                yield f"{sign} {bound}"


def _text(value: str) -> str:
    return " ".join(value.split())


def main(arguments: list[str]) -> int:
    """Writes or checks the page; 0 when it is current.

    Args:
        arguments: the command line without the program's name.
    """
    parser = argparse.ArgumentParser(prog="python -m secure_ml.policy.reference", description="The policy's reference.")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true", help="fail when the page is not current")
    mode.add_argument("--write", action="store_true", help="write the page")
    parser.add_argument("page", nargs="?", type=Path, default=PAGE, help="the page; docs/policy.md by default")
    chosen = parser.parse_args(arguments)
    if chosen.write:
        chosen.page.write_text(render(), encoding="utf-8")
        return 0
    if chosen.page.is_file() and chosen.page.read_text(encoding="utf-8") == render():
        return 0
    sys.stderr.write(f"{chosen.page} is not current: run `python -m secure_ml.policy.reference --write`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
