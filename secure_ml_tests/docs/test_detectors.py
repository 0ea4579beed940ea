"""The page of detectors lists what there is, in the groups in which it stands, with the label that it has."""

import pytest

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.detectors import standard_detectors
from secure_ml.protection.classify.name_detector import NameDetector
from secure_ml.protection.classify.pattern_detector import PatternDetector
from secure_ml_tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "detectors.md").read_text(encoding="utf-8")
FOLDER = ROOT / "secure_ml" / "protection" / "classify" / "detectors"
DETECTORS = {detector.entity: detector for detector in standard_detectors()}
GROUPS = sorted(path.parent.name for path in FOLDER.glob("*/__init__.py"))


def table(group: str) -> dict[Entity, list[str]]:
    """The other cells of each row of a group, by entity."""
    section = PAGE.partition(f"\n## {group.replace('_', ' ').title()}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "| `" in line[:3]]
    return {Entity(row[0].strip("`")): row[1:] for row in rows}


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_lists_exactly_the_detectors_of_its_folder(group: str) -> None:
    modules = [path.stem for path in (FOLDER / group).glob("*.py") if path.stem != "__init__"]
    there = {"health" if module == "conditions" else module for module in modules}
    assert {entity.value for entity in table(group)} == there
    assert len(table(group)) == len(modules)


def test_the_groups_hold_every_detector() -> None:
    assert sorted(entity for group in GROUPS for entity in table(group)) == sorted(DETECTORS)


@pytest.mark.parametrize("group", GROUPS)
def test_a_row_says_what_the_detector_declares(group: str) -> None:
    for entity, (shape, check, alone, label, source) in table(group).items():
        detector = DETECTORS[entity]
        assert label == f"{detector.category}, {detector.identifiability}", entity
        assert (check == "-") is (not detector.validates), entity
        assert (alone == "no") is needs_its_name(detector), entity
        assert alone != "partly" or detector.validates, entity
        assert len(shape) > 4, entity
        assert source == "-" or source.startswith("["), entity


def needs_its_name(detector: PatternDetector) -> bool:
    return detector.needs_context or isinstance(detector, NameDetector)
