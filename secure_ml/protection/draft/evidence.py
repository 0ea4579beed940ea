"""Why a column was taken for what it is, in words.

Belongs here: a finding's evidence without a figure, since "3 of 900 cells" tells of three people. Must stay out: cells.
"""

from secure_ml.protection.classify.finding import Finding

_NEARLY_ALL, _MOST = 0.95, 0.5


def evidence_of(finding: Finding) -> str:
    """The evidence for a finding, such as "nearly all cells have the shape; the column's name says so"."""
    parts = []
    if finding.pattern_matches:
        parts.append(f"{_share(finding.pattern_matches, finding.non_null)} cells have the shape")
    if finding.validated:
        parts.append(f"{_share(finding.validated, finding.examined)} of those examined pass the check")
    if finding.context:
        parts.append("the column's name says so")
    if finding.embedded:
        parts.append(f"texts in it hold {', '.join(str(entity).replace('_', ' ') for entity in finding.embedded)}")
    return "; ".join(parts) or "by its cells"


def _share(count: int, of: int) -> str:
    return "nearly all" if count >= _NEARLY_ALL * of else "most" if count >= _MOST * of else "some"
