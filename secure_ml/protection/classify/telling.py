"""Shares and counts of people in words, under disclosure control.

Belongs here: which of them may be told as a figure. Must stay out: how it was counted.
"""

from typing import TYPE_CHECKING

from secure_ml.policy.gates import DisclosureControl

if TYPE_CHECKING:
    from secure_ml.protection.classify.finding import Finding

SINGLED_OUT = "singled out by "
"""What the name of a combination's fact begins with in a verdict."""

SINGLES_OUT = "; it singles people out "
"""What the end of a reason begins with where a column became a quasi-identifier by a combination."""


def share_in_words(share: float, rows: int, disclosure: DisclosureControl) -> str:
    """A share of rows in whole per cent, unless it, or what is left of it, tells of single people.

    Args:
        share: 0..1.
        rows: of the table.
        disclosure: how many stand behind a published figure.
    """
    if may_tell(share, rows, disclosure):
        return f"{share * 100:.0f} % of rows"
    few = rows < disclosure.minimum_cell or share * rows < disclosure.minimum_positives
    return "some rows" if few else "nearly all rows"


def may_tell(share: float, rows: int, disclosure: DisclosureControl) -> bool:
    """Whether enough rows of the table stand behind a share, and behind what is left of it, to tell it as a figure."""
    counted = share * rows
    return rows >= disclosure.minimum_cell and min(counted, rows - counted) >= disclosure.minimum_positives


def evidence_in_words(finding: "Finding", disclosure: DisclosureControl) -> str:
    """The reason of a finding, with figures only where they tell of no few cells; the findings table has them all.

    Args:
        finding: what was found in a column.
        disclosure: how many stand behind a published figure.
    """
    if not finding.non_null:
        return finding.reason
    least, parts = disclosure.minimum_positives, []
    if finding.pattern_matches or not finding.embedded:
        parts.append(f"{_of(finding.pattern_matches, finding.non_null, least)} cells have the shape")
    if finding.examined:
        parts.append(f"{_of(finding.validated, finding.examined, least)} examined pass the check")
    if finding.context:
        parts.append("the column's name says so")
    if finding.embedded:
        held = (f"{entity} in {_figure(count, least)} cells" for entity, count in sorted(finding.embedded.items()))
        parts.append(f"longer values hold {', '.join(held)}")
    _, singles, whom = finding.reason.partition(SINGLES_OUT)
    return "; ".join(parts) + singles + whom


def _of(count: int, whole: int, least: int) -> str:
    """A count of cells and what it is of."""
    told = "nearly all" if 0 < whole - count < least <= count else _figure(count, least)
    return f"{told} of {_figure(whole, least)}"


def _figure(count: int, least: int) -> str:
    return f"fewer than {least}" if 0 < count < least else f"{count:,}"
