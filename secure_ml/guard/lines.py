"""Redaction of a stream of text, line by line, in bounded memory: what a step, a server or a child process prints.

Belongs here: where a text that is cut into writes and lines belongs together. Must stay out: the patterns of values
(patterns), and the pipes (orchestration).

A line is redacted once it is whole, so a value that comes in two writes is seen as one. What a library quotes may go on
over several lines: the printed trace of an error, a list of cells, a statement of SQL, a private key. Such a text is
left out to its end, which is a bracket, a blank line, or the start of another record.
"""

import re
from collections.abc import Callable

from secure_ml.guard import patterns
from secure_ml.guard.errors import named_by_us

LONGEST_LINE = 1 << 16
"""Characters of a line that are looked at; the rest of a longer one is left out."""

_END = re.compile(r"\r\n|\n|\r(?!\Z)")
_TRACE = re.compile(r"Traceback \(most recent call last\):")
# The trace of a group of errors is drawn with bars.
_BARS = re.compile(r" *(?:\| |\|\Z|\+-[-+ \d]*)")
_FRAME = re.compile(r" *File \"(.)")
_ERROR = re.compile(r"(?P<kind>[A-Za-z_][\w.]{0,200})(?::|\Z)")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'")
_KEY_BEGINS, _KEY_ENDS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----"), re.compile(r"-----END ")


class LineRedactor:
    """Takes text as it comes and gives it back redacted, whole lines at a time.

    Args:
        redact: what each line passes.
    """

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self._partial: list[str] = []
        self._partial_length = 0
        self._cut = False
        # What the next line belongs to: takes the line; gives what is shown of it, or None where it belongs to nothing.
        self._within: Callable[[str], str | None] = _nothing
        self._depth = 0
        # Whether the lines below a frame are no file's, but a text that was evaluated: a cell, maybe.
        self._evaluated = False

    def feed(self, text: str) -> str:
        """The lines that have come to their end, redacted.

        Args:
            text: what was written; any cut of it into writes gives the same lines.
        """
        if self._partial and self._partial[-1] == "\r":
            text = self._partial.pop() + text
        out, start = [], 0
        for end in _END.finditer(text):
            out.append(self._complete(text[start : end.start()], end[0]))
            start = end.end()
        rest = text[start:]
        self._keep(rest.removesuffix("\r"))
        if self._partial_length > LONGEST_LINE:
            out.append(self._beginning("".join(self._partial)))
            self._forget(cut=True)
        if rest.endswith("\r"):
            # It may be half of a line's end.
            self._partial.append("\r")
        return "".join(out)

    def finish(self) -> str:
        """What has no end of a line. The next text begins anew."""
        out = self._complete("", "") if self._partial_length else ""
        self._forget(cut=False)
        self._within = _nothing
        return out

    def _keep(self, text: str) -> None:
        if text and not self._cut:
            self._partial.append(text)
            self._partial_length += len(text)

    def _forget(self, *, cut: bool) -> None:
        self._partial, self._partial_length, self._cut = [], 0, cut

    def _complete(self, text: str, end: str) -> str:
        """A whole line, of which `text` is the last piece."""
        self._keep(text)
        line, cut = "".join(self._partial), self._cut
        self._forget(cut=False)
        if cut:
            return end
        if len(line) > LONGEST_LINE:
            return self._beginning(line) + end
        shown = self._within(line)
        if shown is None:
            self._within = self._opened_by(line)
            return self._redact(line) + end
        return shown and shown + end

    def _beginning(self, line: str) -> str:
        """Of a line that is too long, as much as ends with a word."""
        if self._within is not _nothing:
            return ""
        head = line[:LONGEST_LINE]
        head = head[: max(head.rfind(" "), head.rfind(",")) + 1]
        self._within = self._opened_by(head)
        return self._redact(head) + "[text]"

    def _opened_by(self, line: str) -> Callable[[str], str | None]:
        """What the lines behind this one belong to."""
        if _TRACE.search(line):
            self._evaluated = False
            return self._in_trace
        if _KEY_BEGINS.search(line) and not _KEY_ENDS.search(line):
            return self._in_key
        if patterns.ERROR_LINE.match(line):
            return self._in_message
        for found in patterns.EXPECTATION_RESULT.finditer(line):
            self._depth = _depth(line[found.start() + len(found["said"] or found["also"]) : found.end()])
            if self._depth > 0:
                return self._in_brackets
        for found in patterns.SQL_STATEMENT.finditer(line):
            self._depth = _depth(found[0])
            if self._depth > 0:
                return self._in_brackets
        for found in patterns.LIBRARY_MESSAGES.finditer(line):
            cell = line[found.start() + len(found["said"]) :]
            bare = _QUOTED.sub("", cell)
            if not cell.strip() or _depth(cell) > 0 or "'" in bare or '"' in bare:
                return self._in_message
        return _nothing

    def _in_trace(self, line: str) -> str | None:
        """Frames are shown; of what stands behind them, only which error it was."""
        if not line.strip():
            return None
        bars = _BARS.match(line)
        content = line[bars.end() :] if bars else line
        if not content or content[0].isspace() or _TRACE.search(content):
            if frame := _FRAME.match(content):
                self._evaluated = frame[1] == "<"
            elif self._evaluated:
                return ""
            return self._redact(line)
        error = _ERROR.match(content)
        if named_by_us(content):
            return None
        self._within = self._in_message
        return (bars[0] if bars else "") + (f"{error['kind']}: [text]" if error else "[text]")

    def _in_message(self, line: str) -> str | None:
        """Nothing is shown up to a blank line or another record."""
        if not line.strip(" |"):
            self._within = _nothing
            return line
        bars = _BARS.match(line)
        if bars and bars[0].lstrip().startswith("+-"):
            self._within = self._in_trace
            return bars[0]
        return None if patterns.RECORD.match(line[bars.end() :] if bars else line) else ""

    def _in_brackets(self, line: str) -> str | None:
        """Nothing is shown up to the bracket that closes."""
        if patterns.RECORD.match(line):
            return None
        self._depth += _depth(line)
        if self._depth <= 0:
            self._within = _nothing
        return ""

    def _in_key(self, line: str) -> str | None:
        if _KEY_ENDS.search(line):
            self._within = _nothing
        return ""


def _nothing(_: str) -> None:
    """The line belongs to nothing before it."""


def _depth(text: str) -> int:
    """How many more brackets are opened than closed, outside of what is quoted."""
    bare = _QUOTED.sub("", text)
    return sum(bare.count(opening) - bare.count(closing) for opening, closing in ("[]", "{}", "()"))
