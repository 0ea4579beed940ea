"""Quality: whether a raw table is what its policy declares, found in one pass and told in counts.

Belongs here: the schema's faults, the policy's expectations, their report. Must stay out: what a column holds
(classify), what is done about a fault (checks block, people mend), any cell.
"""

from secure_ml.protection.quality.errors import QualityError
from secure_ml.protection.quality.inspection import inspect_quality
from secure_ml.protection.quality.report import ExpectationResult, QualityReport

__all__ = ["ExpectationResult", "QualityError", "QualityReport", "inspect_quality"]
