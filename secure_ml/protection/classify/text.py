"""Finds identifiers inside free text: spans with entity and score, the same patterns and checks as for whole columns.

Belongs here: search in one text, boundaries, overlaps.
Must stay out: names (names), columns of texts (text_search), what is done to a span and the row's own words (mask).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.cells import fold
from secure_ml.protection.classify.names import find_names
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm
from secure_ml.protection.classify.span import Span
from secure_ml.protection.classify.spelled import find_spelled

CERTAIN = 0.8
"""Score from which a span counts as an identifier found; below it is masked all the same."""

_BEFORE_SCORE = 0.85
_BROKEN = re.compile(r"[0-9A-Za-z][ -]?[\n\r\u200c\u200d]+[ -]?[0-9]")
_UNBROKEN = dict.fromkeys(map(ord, "\n\r\u200c\u200d"), " ")
_LOOK_BACK = 24
_OF_A_THING = re.compile(
    r"(?i)(?<![a-z])(?:order|invoice|inv|bill|receipt|voucher|txn|transaction|utr|rrn|tracking|awb|shipment|parcel|batch|lot"
    r"|sku|barcode|product|item|part|serial|ticket|error|odometer|meter|cheque|amount|amt|total|rs|inr|usd|eur|gbp)"
    r"(?:[ .]{1,2}(?:no|num|number|id|code|reading|of))?[ .:#=-]{0,4}$"
)
_DATE = re.compile(r"[0-3]?[0-9]([-./])[01]?[0-9]\1(?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}([-./])[01]?[0-9]\2[0-3]?[0-9]")
_WEAK = 0.4


@dataclass(frozen=True, kw_only=True)
class TextPattern:
    """A detector made ready to search text."""

    detector: PatternDetector
    form: TextForm
    expression: re.Pattern[str]
    before: re.Pattern[str] | None

    @property
    def can_be_certain(self) -> bool:
        """Whether any of its spans can reach ``CERTAIN``."""
        return max(self.form.score, _BEFORE_SCORE if self.before else 0.0) >= CERTAIN or self.is_certain_if_valid

    @property
    def is_certain_if_valid(self) -> bool:
        """Whether a match that passes the detector's check reaches ``CERTAIN`` by that alone."""
        return self.detector.validates and self._validates_alone() and self.form.validated_score >= CERTAIN

    def find(self, folded: str) -> tuple[Span, ...]:
        """Find every span in a folded text."""
        matches = self.expression.finditer(folded)
        # Most patterns match nothing in most texts: a generator for each would cost as much as the search.
        return tuple([span for match in matches if (span := self._judge(folded, match)) is not None])

    def _judge(self, folded: str, match: re.Match[str]) -> Span | None:
        start, end = match.span()
        score, end = self._score(folded, start, end)
        return Span(entity=self.detector.entity, start=start, end=end, score=score) if score > 0 else None

    def _score(self, folded: str, start: int, end: int) -> tuple[float, int]:
        before = folded[max(0, start - _LOOK_BACK) : start]
        if self.form.score == _WEAK and folded[start].isdigit() and _OF_A_THING.search(before):
            return self._score_of_a_thing(folded, start, end)
        announced = self.before is not None and self.before.search(before)
        if self.detector.validates and self._validates_alone():
            valid_end = self._longest_valid(folded, start, end)
            if valid_end is not None:
                return max(self.form.validated_score, _BEFORE_SCORE if announced else 0.0), valid_end
        if announced:
            return _BEFORE_SCORE, end
        return (0.0 if _DATE.fullmatch(folded, start, end) else self.form.score), end

    def _score_of_a_thing(self, folded: str, start: int, end: int) -> tuple[float, int]:
        """Of a number that the text calls an order's: a check digit that fits may be chance, so it is never certain."""
        valid_end = self._longest_valid(folded, start, end) if self.detector.validates else None
        return (0.0, end) if valid_end is None else (_WEAK, valid_end)

    def _validates_alone(self) -> bool:
        return not self.detector.needs_context

    def _longest_valid(self, folded: str, start: int, end: int) -> int | None:
        # A grouped number swallows the word after it ("... 7654 32 PAID"): give back group by group.
        while end > start:
            value = folded[start:end]
            if self.expression.fullmatch(value) and self.detector.validate(value):
                return end
            shorter = re.search(r"[ -]+[^ -]*$", value)
            if shorter is None:
                return None
            end = start + shorter.start()
        return None


@cache
def text_patterns() -> Mapping[Entity, TextPattern]:
    """Return every detector that searches text, by its entity."""
    from secure_ml.protection.classify.detectors import standard_detectors

    return MappingProxyType(
        {detector.entity: _prepared(detector, detector.text) for detector in standard_detectors() if detector.text}
    )


def _prepared(detector: PatternDetector, form: TextForm) -> TextPattern:
    flags = 0 if form.case_sensitive else re.IGNORECASE
    words = "|".join(re.escape(word) for word in form.before)
    return TextPattern(
        detector=detector,
        form=form,
        expression=re.compile(rf"(?<![0-9A-Za-z])(?:{form.pattern})(?![0-9A-Za-z])", flags),
        before=re.compile(rf"(?i)(?<![a-z])(?:{words})(?![a-z])[^0-9\n]*$") if words else None,
    )


def find_spans(text: str) -> tuple[Span, ...]:
    """Find what identifies a person in ``text``; offline and deterministic.

    Every number of an identifier's shape is found, also with a wrong check digit (at a low score): to mask too much
    costs a word, to mask too little a person. No pattern and no dictionary finds every name.

    Args:
        text: Any text, of any script and length.

    Returns:
        Spans in order that do not overlap. Where two candidates overlapped, the surer one's entity stands over both.
    """
    folded = fold(text)
    return merged([*_identifiers(folded), *find_names(folded)])


def find_identifiers(text: str) -> tuple[Span, ...]:
    """Find what has a form of its own, as ``find_spans`` does, without names, places, addresses and organisations."""
    return merged(_identifiers(fold(text)))


def _identifiers(folded: str) -> list[Span]:
    spans = [span for pattern in text_patterns().values() for span in pattern.find(folded)]
    return [*spans, *find_broken(folded), *find_spelled(folded)]


def find_broken(folded: str) -> list[Span]:
    """Find what is certain to be an identifier although a line's end, or a joiner that is not seen, stands in it."""
    if not _BROKEN.search(folded):
        return []
    line = folded.translate(_UNBROKEN)
    found = [span for pattern in certain_patterns() for span in pattern.find(line)]
    return [s for s in found if s.score >= CERTAIN and folded[s.start : s.end] != line[s.start : s.end]]


def certain_entities(text: str) -> frozenset[Entity]:
    """Return what ``find_identifiers`` finds on a line with a score of at least ``CERTAIN``; the rest has no say."""
    return certain_among(certain_patterns(), fold(text))


def certain_among(patterns: Iterable[TextPattern], folded: str) -> frozenset[Entity]:
    """The same with some of the patterns only; those left out must have no certain match in the folded text."""
    spans = merged(span for pattern in patterns for span in pattern.find(folded) if span.score >= CERTAIN)
    return frozenset(span.entity for span in spans)


@cache
def certain_patterns() -> tuple[TextPattern, ...]:
    """Return the patterns any of whose spans can reach ``CERTAIN``."""
    return tuple(pattern for pattern in text_patterns().values() if pattern.can_be_certain)


def merged(found: Iterable[Span]) -> tuple[Span, ...]:
    """Spans in order, overlapping ones as one with the surer one's entity, so that no character of any is left over."""
    merged: list[Span] = []
    # Sorting is stable: among equals the detectors' order decides.
    for span in sorted(found, key=lambda s: (s.start, -s.end, -s.score)):
        if merged and span.start < merged[-1].end:
            last = merged.pop()
            winner = max(last, span, key=lambda s: (s.score, s.end - s.start, -s.start))
            span = Span(entity=winner.entity, start=last.start, end=max(last.end, span.end), score=winner.score)
        merged.append(span)
    return tuple(merged)
