"""The page on singling out says what the code does."""

import yaml

from secure_ml.policy.columns import ColumnPolicy
from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.compare import CELLS_TO_COUNT, CERTAIN, FEWEST_VALUES, Severity, compare
from secure_ml.protection.classify.finding import Finding
from secure_ml.protection.classify.uniqueness import BEYOND, FEWEST_ROWS, STRONG
from secure_ml_tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "singling-out.md"


def test_the_override_on_the_page_is_a_policy_that_answers_its_finding() -> None:
    (block,) = (block for block in blocks(PAGE) if block.kind == "yaml")
    ((name, content),) = yaml.safe_load("\n".join(block.lines)).items()
    found = Finding(
        column=name, entity=Entity.CARD, category=Category.FINANCIAL, identifiability=Identifiability.DIRECT,
        confidence=0.7, rows=900, non_null=900, pattern_matches=900, examined=900, validated=90, distinct_at_least=900,
        context=False, reason="900 of 900 cells have the shape",
    )  # fmt: skip
    (told,) = compare([found], {name: ColumnPolicy.model_validate(content)}, blocking_confidence=0.6)
    assert told.severity is Severity.OVERRIDDEN
    assert content["override"]["reason"] in told.message


def test_the_figures_on_the_page_are_those_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    figures = {
        f"beyond {BEYOND:.0%}".replace("%", " %"), f"combination of {STRONG:.0%} or more".replace("%", " %"),
        f"fewer than {FEWEST_ROWS:,} rows", f"fewer than {FEWEST_VALUES:,} different values", f"of {CERTAIN} or more",
    }  # fmt: skip
    assert {figure for figure in figures if figure not in " ".join(page.split())} == set()
    assert (CELLS_TO_COUNT, "more than ten times on average" in page) == (10, True)
