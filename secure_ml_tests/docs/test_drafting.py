"""The page on drafting says the bounds that hold, and every treatment that a draft can hold."""

import re

from secure_ml.policy.anonymity import Anonymity
from secure_ml.policy.treatments import TREATMENTS
from secure_ml.protection.draft import draft
from secure_ml.protection.draft.company import BOUNDS, MOST_GIVEN_UP
from secure_ml.protection.draft.holders import FEWEST_PEOPLE, OLDEST
from secure_ml_tests.docs.pages import ROOT

PAGE = " ".join((ROOT / "docs" / "drafting.md").read_text(encoding="utf-8").split())


def test_the_page_says_the_bounds_that_hold() -> None:
    strictest, least = BOUNDS
    assert f"**{strictest} people or more**" in PAGE
    assert f"if none will do, {least}" in PAGE
    assert (FEWEST_PEOPLE, MOST_GIVEN_UP) == (20, 0.5)
    assert f"{OLDEST} and above as one" in PAGE
    assert f"at most {Anonymity(k=2).maximum_suppressed:.0%}".replace("%", " %") in PAGE
    assert f"{draft._ROWS_TO_SEARCH:,} rows" in PAGE


def test_the_page_names_treatments_that_there_are() -> None:
    table = PAGE.partition("## What strangers may know")[0]
    named = set(re.findall(r"`([a-z_]+)`", table)) & {*TREATMENTS}
    assert {*TREATMENTS} - named == {
        "redact", "partial_mask", "format_preserving", "deterministic_encryption", "surrogate",
    }  # fmt: skip
