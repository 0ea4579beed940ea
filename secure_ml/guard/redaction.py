"""The redactor: takes values of persons out of text before it is persisted.

Belongs here: the order of the patterns, and nested values. Must stay out: the patterns themselves.

It is the last line, not the first: it knows identifiers by their form, so a bare name or address passes. No cell may
reach an exception, a log line or metadata in the first place; what the redactor removes got there by mistake.
"""

import base64
import binascii
import datetime
import enum
import re
from collections.abc import Collection, Mapping
from functools import cache

from secure_ml.guard import patterns
from secure_ml.guard.pictures import PictureError, drawn_only

_MAXIMUM_PASSES = 12
_LARGEST_PLAIN_NUMBER = 10**9  # From ten digits on, an integer may be a phone, account or Aadhaar number.
_ASIDE = "\ue000"
_PLAIN = (tuple, set, frozenset)


class Redactor:
    """Removes values of persons from text and nested metadata.

    Args:
        keep: exact words (static partition keys, version ids) that stay although they look like a person's number.
        keep_dates: whether days stay: in a name they say when something was made, in a cell when somebody was born.
    """

    def __init__(self, *, keep: Collection[str] = (), keep_dates: bool = False) -> None:
        words = "|".join(re.escape(word) for word in sorted(keep, key=len, reverse=True) if word)
        kept = rf"(?<![0-9A-Za-z_-])(?:{words})(?![0-9A-Za-z_-])|" if words else ""
        dates = f"{patterns.DAY}|" if keep_dates else ""
        self._harmless = re.compile(f"({kept}{dates}{patterns.HARMLESS})")
        self._identifiers = [(re.compile(p), f"[{kind}]") for kind, p in patterns.IDENTIFIERS.items()]

    def redact(self, text: str) -> str:
        """The text with each value replaced by the kind of value it was, in brackets.

        Applying it twice changes nothing more.

        Args:
            text: anything that is about to be written to a log, a database or a file.
        """
        if "data:" not in text:
            return self._redact(text)
        pieces = patterns.EMBEDDED.split(text)
        pieces[::2] = map(self._redact, pieces[::2])
        pieces[1::2] = map(_picture, pieces[1::2])
        return "".join(pieces)

    def redact_value(self, value: object) -> object:
        """The same for nested metadata: text and keys redacted, containers kept, any other type named instead of shown.

        Args:
            value: what would be stored; mappings, lists, tuples and sets are walked.
        """
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, enum.Enum):
            return self.redact_value(value.value)
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, int | float):
            return value if abs(value) < _LARGEST_PLAIN_NUMBER or value != value else "[number]"
        if isinstance(value, Mapping):
            return {self.redact_value(key): self.redact_value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.redact_value(item) for item in value]
        if isinstance(value, tuple | set | frozenset):
            return type(value)(map(self.redact_value, value)) if type(value) in _PLAIN else "[tuple]"
        if isinstance(value, datetime.datetime):
            return self.redact(value.isoformat())
        return f"[{type(value).__name__}]"

    def _redact(self, text: str) -> str:
        for _ in range(_MAXIMUM_PASSES):
            redacted = self._pass(text)
            if redacted == text:
                return text
            text = redacted
        return "[text]"

    def _pass(self, text: str) -> str:
        text = patterns.PRIVATE_KEY.sub("[secret]", text)
        text = patterns.URL_PASSWORD.sub("[secret]@", text)
        text = patterns.NAMED_SECRET.sub(r"\g<said>[secret]", text)
        for pattern in (patterns.LIBRARY_MESSAGES, patterns.PYDANTIC_INPUT, patterns.SQL_KEY):
            text = pattern.sub(r"\g<said>[value]", text)
        text = patterns.CELL_FIRST.sub("[value]", text)
        text = patterns.SQL_STATEMENT.sub(r"\g<said>[value]]", text)
        text = patterns.SQL_PARAMETERS.sub(r"\g<said>[value]]", text)
        text = patterns.EXPECTATION_RESULT.sub(_expectation, text)
        if "@" in text:
            text = patterns.EMAIL.sub("[email]", text)
        return self._without_identifiers(text)

    def _without_identifiers(self, text: str) -> str:
        # Harmless tokens are set aside under a character that no pattern matches, so that their digits are not read.
        pieces = self._harmless.split(text.replace(_ASIDE, "\ufffd"))
        text = patterns.FRACTION.sub(r"\g<kept>", _ASIDE.join(pieces[::2]))
        for pattern, word in self._identifiers:
            text = pattern.sub(word, text)
        pieces[::2] = text.split(_ASIDE)
        return "".join(pieces)


@cache
def standard_redactor() -> Redactor:
    """The redactor of all text that is for people."""
    return Redactor()


def _picture(uri: str) -> str:
    """An embedded picture without what else is in its file; of other embedded data only that it was there."""
    head, _, content = uri.partition(",")
    if head != "data:image/png;base64":
        return "[data]"
    try:
        drawn = drawn_only(base64.b64decode(content, validate=True))
    except (binascii.Error, PictureError):
        return "[picture]"
    return f"{head},{base64.b64encode(drawn).decode()}"


def _expectation(match: re.Match[str]) -> str:
    said = match["said"] or match["also"]
    return f"{said}[value]" if match.end() > match.start() + len(said) else said
