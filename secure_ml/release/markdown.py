"""The few Markdown forms that a card is made of, with every text from outside made harmless.

Belongs here: escaping, tables, lists. Must stay out: what a card says.
"""

import html
import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\`*_\[\]|#~])")


def text(value: object) -> str:
    """The value as prose on one line, in which nothing is markup: a policy's words must not forge a table or a link."""
    return _SPECIAL.sub(r"\\\1", html.escape(" ".join(str(value).split()), quote=False))


def code(value: object) -> str:
    """The value as a name in a code span."""
    return f"`{' '.join(str(value).split()).replace('`', chr(39)).replace('|', '¦')}`"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are Markdown already."""
    body = [f"| {' | '.join(row)} |" for row in rows]
    if not body:
        return "None."
    return "\n".join([f"| {' | '.join(header)} |", f"|{'---|' * len(header)}", *body])


def bullets(items: Iterable[str]) -> str:
    """A list; its items are Markdown already."""
    return "\n".join(f"- {item}" for item in items) or "None."


def section(title: str, *parts: str) -> str:
    """A heading of the second level with what stands below it."""
    return "\n\n".join([f"## {title}", *(part for part in parts if part)])
