"""Every variable that the code reads is in the README, with what it holds or the page that says so."""

import re

from secure_ml_tests.docs.pages import ROOT

SECTION = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Where things are")[2].partition("\n## ")[0]
NAME = re.compile(r"\bSECURE_ML_[A-Z0-9_]*[A-Z0-9]\b")


def test_the_readme_names_every_setting() -> None:
    texts = (file.read_text(encoding="utf-8") for file in (ROOT / "secure_ml").rglob("*.py"))
    assert set(NAME.findall(SECTION)) == {name for text in texts for name in NAME.findall(text)}


def test_the_page_that_a_setting_is_said_to_be_on_has_it() -> None:
    rows = re.findall(r"^\| \[[^\]]+\]\((?P<page>[^)]+)\) \|(?P<names>.+)$", SECTION, re.MULTILINE)
    assert len(rows) > 5
    for page, names in rows:
        told = set(NAME.findall((ROOT / page).read_text(encoding="utf-8")))
        assert set(NAME.findall(names)) <= told, page
