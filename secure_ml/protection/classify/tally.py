"""Running counts of one column over a stream of batches, in bounded memory.

Belongs here: counting. Must stay out: judging (detectors and the classifier do), and keeping any cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.cells import Cells, Kind
from secure_ml.protection.classify.detector import Detector, Evidence
from secure_ml.protection.classify.text import certain_entities

_FULLY_EXAMINED = 50_000
_SAMPLE_A_BATCH = 512
_DISTINCT_KEPT = 16
# At the least what one of the text patterns needs: an @, six digits near each other, a PAN, an IFSC, an IPv6 address.
_EMBEDDED_SHAPE = r"(?i)@|[0-9](?:[^0-9]{0,3}[0-9]){5}|[A-Z]{5}[ -]?[0-9]{4}|[A-Z]{4}0|::|(?:[0-9A-F]{1,4}:){3}"
_SHORTEST_EMBEDDING = 10


@dataclass
class DetectorTally:
    """Counts of one detector in one column; hashes of a few validated values, no value."""

    matches: int = 0
    examined: int = 0
    validated: int = 0
    validated_hashes: set[int] = field(default_factory=set)

    def add(self, detector: Detector, cells: Cells) -> Any:
        """Count one batch; return which of its distinct values have the shape."""
        shaped = detector.matches(cells.values)
        mask = shaped.to_numpy(zero_copy_only=False)
        self.matches += int(cells.counts[mask].sum())
        if detector.validates and mask.any():
            positions = _sampled(np.flatnonzero(mask), self.examined)
            self._examine(detector, cells, positions)
        return mask

    def _examine(self, detector: Detector, cells: Cells, positions: Any) -> None:
        values, counts = cells.values.take(positions), cells.counts[positions]
        valid = detector.validate_all(values)
        self.examined += int(counts.sum())
        self.validated += int(counts[valid].sum())
        for index in np.flatnonzero(valid)[:_DISTINCT_KEPT]:
            if len(self.validated_hashes) < _DISTINCT_KEPT:
                self.validated_hashes.add(hash(values[index].as_py()))


@dataclass
class ColumnTally:
    """Counts of one column, for every detector."""

    name: str
    words: str
    rows: int = 0
    non_null: int = 0
    distinct_sum: int = 0
    distinct_at_least: int = 0
    embedded_examined: int = 0
    kind: Kind | None = None
    by_detector: dict[int, DetectorTally] = field(default_factory=dict)
    embedded: dict[Entity, int] = field(default_factory=dict)

    def add(self, cells: Cells, detectors: Sequence[Detector]) -> None:
        """Count one batch of this column."""
        self.kind = cells.kind
        self.rows += cells.rows
        self.non_null += cells.non_null
        self.distinct_sum += len(cells.counts)
        self.distinct_at_least = max(self.distinct_at_least, len(cells.counts))
        if not len(cells.counts):
            return
        explained = np.zeros(len(cells.counts), dtype=bool)
        for index, detector in enumerate(detectors):
            if cells.kind in detector.kinds:
                shaped = self.by_detector.setdefault(index, DetectorTally()).add(detector, cells)
                if detector.entity in _WHOLE_CELL:
                    explained |= shaped
        if cells.kind is Kind.TEXT:
            self._add_embedded(cells, explained)

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
        )

    def _add_embedded(self, cells: Cells, explained: Any) -> None:
        long_enough = pc.greater_equal(pc.utf8_length(cells.values), _SHORTEST_EMBEDDING)
        shaped = pc.match_substring_regex(cells.values, _EMBEDDED_SHAPE)
        candidates = pc.and_(long_enough, shaped).to_numpy(zero_copy_only=False) & ~explained
        positions = _sampled(np.flatnonzero(candidates), self.embedded_examined)
        self.embedded_examined += len(positions)
        for text, count in zip(cells.values.take(positions).to_pylist(), cells.counts[positions], strict=True):
            for entity in certain_entities(text):
                self.embedded[entity] = self.embedded.get(entity, 0) + int(count)


_WHOLE_CELL = frozenset(
    {
        Entity.AADHAAR,
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


def _sampled(positions: Any, already_examined: int) -> Any:
    # Checks are Python calls. Past the bound they go on over an even sample of each batch, so that a column that
    # changes its meaning late is still seen, and a hundred million rows stay affordable.
    if already_examined < _FULLY_EXAMINED or len(positions) <= _SAMPLE_A_BATCH:
        return positions
    return positions[np.linspace(0, len(positions) - 1, _SAMPLE_A_BATCH).astype(np.int64)]
