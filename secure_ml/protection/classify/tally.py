"""Running counts of one column over a stream of batches, in bounded memory.

Belongs here: counting. Must stay out: judging (detectors and the classifier do), and keeping any cell.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.candidates import certain_in
from secure_ml.protection.classify.cells import Cells, Kind
from secure_ml.protection.classify.detector import Detector, Evidence
from secure_ml.protection.classify.makeup import Makeup, makeup_of
from secure_ml.protection.classify.pattern_detector import most_by_chance
from secure_ml.protection.classify.text import text_patterns

Booleans = npt.NDArray[np.bool_]

_DISTINCT_KEPT = 16
_SHORTEST_EMBEDDING = 10
_ENOUGH_TO_TELL = 30
_ACCIDENTAL = 0.005
"""Share of the codes of a column below which those of an entity's shape have it by accident."""
_ONE_CHECK_DIGIT = 0.1
"""Chance beyond which a text of words is believed: of telephones and the like texts hold too many shapes to tell."""


@dataclass
class DetectorTally:
    """Counts of one detector in one column; hashes of a few validated values, no value."""

    matches: int = 0
    examined: int = 0
    validated: int = 0
    validated_hashes: set[int] = field(default_factory=set)

    def add(self, detector: Detector, cells: Cells, makeup: Makeup) -> Booleans:
        """Count one block; return which of its distinct values have the shape."""
        shaped = _shaped(detector, cells, makeup)
        self.matches += int(cells.counts[shaped].sum())
        if detector.validates and shaped.any():
            self._examine(detector, cells.values.filter(pa.array(shaped)), cells.counts[shaped])
        return shaped

    def _examine(self, detector: Detector, values: Any, counts: npt.NDArray[np.int64]) -> None:
        valid = detector.validate_all(values)
        self.examined += int(counts.sum())
        self.validated += int(counts[valid].sum())
        if len(self.validated_hashes) < _DISTINCT_KEPT:
            # From the whole block, since values that stand side by side are often alike.
            positions = np.flatnonzero(valid)
            for index in positions[:: max(1, len(positions) // _DISTINCT_KEPT)]:
                self.validated_hashes.add(hash(detector.kin_of(values[index].as_py())))


@dataclass
class ColumnTally:
    """Counts of one column, for every detector."""

    name: str
    words: str
    rows: int = 0
    non_null: int = 0
    distinct_sum: int = 0
    distinct_at_least: int = 0
    kind: Kind | None = None
    by_detector: dict[int, DetectorTally] = field(default_factory=dict)
    told: Counter[Entity] = field(default_factory=Counter)
    in_words: Counter[Entity] = field(default_factory=Counter)
    shaped_words: Counter[Entity] = field(default_factory=Counter)
    codes: int = 0
    in_codes: Counter[Entity] = field(default_factory=Counter)
    shaped_codes: Counter[Entity] = field(default_factory=Counter)

    @property
    def embedded(self) -> dict[Entity, int]:
        """Cells in whose text an entity stands for certain: told by the text, or more than chance makes of numbers."""
        in_codes = {
            entity: cells
            for entity, cells in self.in_codes.items()
            if not _explained_by_chance(entity, cells, of=self.shaped_codes[entity], codes=self.codes)
        }
        in_words = {
            entity: cells
            for entity, cells in self.in_words.items()
            if _chance_of(entity) > _ONE_CHECK_DIGIT
            or not _explained_by_chance(entity, cells, of=self.shaped_words[entity])
        }
        return dict(self.told + Counter(in_words) + Counter(in_codes))

    def add(self, cells: Cells, detectors: Sequence[Detector]) -> None:
        """Count one block of this column."""
        self.kind = cells.kind
        self.rows += cells.rows
        self.non_null += cells.non_null
        self.distinct_sum += len(cells.counts)
        self.distinct_at_least = max(self.distinct_at_least, len(cells.counts))
        if not len(cells.counts):
            return
        makeup = makeup_of(cells.values)
        explained = np.zeros(len(cells.counts), dtype=np.bool_)
        for index, detector in enumerate(detectors):
            if cells.kind in detector.kinds:
                shaped = self.by_detector.setdefault(index, DetectorTally()).add(detector, cells, makeup)
                if detector.entity in _WHOLE_CELL:
                    explained |= shaped
        if cells.kind is Kind.TEXT:
            self._add_embedded(cells, makeup, explained)

    def evidence(self, index: int, detector: Detector) -> Evidence:
        """Gather what one detector saw."""
        tally = self.by_detector.get(index, DetectorTally())
        return Evidence(
            non_null=self.non_null,
            pattern_matches=tally.matches,
            examined=tally.examined,
            validated=tally.validated,
            distinct_validated=len(tally.validated_hashes) if detector.validates else self.distinct_at_least,
            distinct_share=self.distinct_sum / self.non_null if self.non_null else 0.0,
            context=detector.in_context(self.words),
            contrary=detector.contradicted(self.words),
        )

    def _add_embedded(self, cells: Cells, makeup: Makeup, explained: Booleans) -> None:
        searched = (makeup.lengths >= _SHORTEST_EMBEDDING) & ~explained
        counts = cells.counts[searched]
        if not searched.any():
            return
        texts = cells.values.filter(pa.array(searched))
        inside = certain_in(texts, makeup.of(searched))
        words: Booleans = pc.match_substring(texts, " ").to_numpy(zero_copy_only=False)
        self.codes += int(counts[~words].sum())
        nowhere = np.zeros(len(texts), dtype=np.bool_)
        for entity, shaped in inside.shaped.items():
            found = inside.found.get(entity, nowhere)
            told = _telling(texts, found & words, entity)
            self.told[entity] += int(counts[told].sum())
            self.in_words[entity] += int(counts[found & words & ~told].sum())
            self.shaped_words[entity] += int(counts[shaped & words & ~told].sum())
            self.in_codes[entity] += int(counts[found & ~words].sum())
            self.shaped_codes[entity] += int(counts[shaped & ~words].sum())


def _explained_by_chance(entity: Entity, found: int, *, of: int, codes: int = 0) -> bool:
    """Whether so many of the codes with something of the entity's shape pass its check although none holds one.

    Of twelve digits in the number of an invoice a tenth are valid Aadhaar numbers, in a code as in a sentence. Few
    codes prove no such thing, and are believed to hold what they seem to; so is a text that speaks of the entity.
    Where hardly any of the codes has the shape it is chance itself, as of the UUIDs without letters in the middle.
    """
    tells = of < _ACCIDENTAL * codes or (found < of and of >= _ENOUGH_TO_TELL)
    return tells and found <= most_by_chance(of, _chance_of(entity))


def _chance_of(entity: Entity) -> float:
    return text_patterns()[entity].detector.chance


def _telling(texts: Any, found: Booleans, entity: Entity) -> Booleans:
    """Which of the texts in which an entity was found speak of it, as a column's name would."""
    told = found.copy()
    if found.any():
        speaking = pc.match_substring_regex(texts.filter(pa.array(found)), _spoken_of(entity))
        told[found] = speaking.to_numpy(zero_copy_only=False)
    return told


@cache
def _spoken_of(entity: Entity) -> str:
    return rf"(?i)\b(?:{'|'.join(text_patterns()[entity].detector.context)})\b"


def _shaped(detector: Detector, cells: Cells, makeup: Makeup) -> Booleans:
    shaped = detector.could_match(makeup)
    if shaped.all():
        matched = detector.matches(cells.values)
    elif shaped.any():
        matched = detector.matches(cells.values.filter(pa.array(shaped)))
    else:
        return shaped
    shaped[shaped] = matched.to_numpy(zero_copy_only=False)
    return shaped


_WHOLE_CELL = frozenset(
    {
        Entity.AADHAAR,
        Entity.AADHAAR_VIRTUAL_ID,
        Entity.ABHA_NUMBER,
        Entity.GEO_COORDINATES,
        Entity.ITIN,
        Entity.MAC_ADDRESS,
        Entity.NHS_NUMBER,
        Entity.NPI,
        Entity.ROUTING_NUMBER,
        Entity.SSN,
        Entity.UPI_ID,
        Entity.VOTER_ID,
        Entity.PAN,
        Entity.CARD,
        Entity.IBAN,
        Entity.EMAIL,
        Entity.PHONE,
        Entity.ACCOUNT_NUMBER,
        Entity.IP_ADDRESS,
        Entity.VEHICLE_NUMBER,
        Entity.GSTIN,
        Entity.IFSC,
        Entity.DATE_OF_BIRTH,
        Entity.PIN_CODE,
        Entity.INCOME,
    }
)
