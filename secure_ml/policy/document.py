"""A YAML document that knows its lines, so that an error about a field can say where it stands.

Belongs here: parsing, keys written twice, lines of fields. Must stay out: what any field means.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails


class DocumentError(Exception):
    """The text is not one YAML mapping; the error names file and line."""


@dataclass(frozen=True)
class Document:
    """A mapping read from YAML.

    Attributes:
        name: what errors call the file.
        content: the mapping.
        root: its nodes, which know their lines.
    """

    name: str
    content: dict[str, object]
    root: yaml.MappingNode

    @classmethod
    def parse(cls, text: str, *, name: str, expected: str) -> "Document":
        """Reads a text.

        Args:
            text: YAML.
            name: what errors call the file.
            expected: the fields that it must have, in words.

        Raises:
            DocumentError: it is not YAML, not a mapping, or a key stands twice in one mapping.
        """
        try:
            root, content = _compose(text)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise DocumentError(f"{name}:{line}: not valid YAML: {error.problem}") from None
        except yaml.YAMLError:
            raise DocumentError(f"{name}:1: not valid YAML: it holds a control character") from None
        if (twice := _written_twice(root)) is not None:
            raise DocumentError(f"{name}:{twice.start_mark.line + 1}: {twice.value}: is written twice; keep one")
        if not isinstance(content, dict) or not isinstance(root, yaml.MappingNode):
            raise DocumentError(f"{name}:1: expected {expected}")
        return cls(name, content, root)

    def locate(self, location: Sequence[int | str]) -> tuple[int, str]:
        """The line (from 1) and dotted name of the deepest place of `location` that the file has."""
        return locate(self.root, location)

    def describe(self, error: ValidationError) -> str:
        """Every fault that validation found, a line each: file, line, field, what is wrong. Values are not quoted."""
        return "\n".join(self._fault(detail) for detail in error.errors(include_url=False, include_input=False))

    def _fault(self, detail: ErrorDetails) -> str:
        line, field = self.locate([step for step in detail["loc"] if step != "[key]"])
        message = str(detail["msg"]).removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            message = "no such field"
        return f"{self.name}:{line}: {field or 'file'}: {message}"


def locate(node: yaml.Node, location: Sequence[int | str], *, passing: Collection[str] = ()) -> tuple[int, str]:
    """The line (from 1) and dotted name of the deepest place of `location` below `node`.

    Args:
        node: where the location begins.
        location: keys and indices.
        passing: steps that the file need not have.
    """
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
        if child is None and step in passing:
            continue
        fields.append(str(step))
        if child is None:
            break
        node = child
    return line, ".".join(fields)


def _compose(text: str) -> tuple[yaml.Node | None, object]:
    """The nodes, which know their lines, and the content made of them; libyaml is ten times as fast as pure Python."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        root = loader.get_single_node()
        return root, None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()


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
