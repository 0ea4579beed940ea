"""Shares of people in words, under disclosure control.

Belongs here: which share may be told as a figure. Must stay out: how it was counted.
"""

from secure_ml.policy.gates import DisclosureControl

SINGLED_OUT = "singled out by "
"""What the name of a combination's fact begins with in a verdict."""


def share_in_words(share: float, rows: int, disclosure: DisclosureControl) -> str:
    """A share of rows in whole per cent, unless it, or what is left of it, tells of single people.

    Args:
        share: 0..1.
        rows: of the table.
        disclosure: how many stand behind a published figure.
    """
    counted = share * rows
    if rows < disclosure.minimum_cell or counted < disclosure.minimum_positives:
        return "some rows"
    if rows - counted < disclosure.minimum_positives:
        return "nearly all rows"
    return f"{share * 100:.0f} % of rows"
