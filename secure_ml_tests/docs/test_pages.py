"""Links resolve, claims name their attacks, no page is left out of its index, nothing speaks of where it was made."""

import re
import tomllib
from pathlib import Path

import pytest

from secure_ml.access.stages import CHECKS, Stage
from secure_ml.policy.reference import render
from secure_ml.settings import NOT_PROTECTED, Profile
from secure_ml_tests.docs.pages import ROOT, anchors, blocks, named, pages, prose, tracked
from secure_ml_tests.fakes.needed import need

README = (ROOT / "README.md").read_text(encoding="utf-8")
INDEXED = [ROOT / "docs" / "formats", ROOT / "docs" / "decisions"]

# Put together here, so that this file does not hold them.
FORBIDDEN = {
    "a path of a machine": r"(?<![\w.:/-])/(?:work|root|Users|home/(?!state\b)[a-z]\w*)/" + r"\w",
    "a host that packages come from": "|".join(
        ("pypi" + r"\.org", "python" + "hosted", r"--(?:extra-)?index" + "-url ")
    ),
    "a promise to do it later": r"\b(?:TO" + "DO|FIX" + r"ME|X{3})\b",
    "a page of the workshop": r"\b(?:DESIGN|FACTS|STYLE)" + r"\.md\b",
    "a number of an issue": r"\b(?:issue|ticket) " + r"#\d",
}


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_link_leads_to_a_file_and_heading_that_are_there(page: Path) -> None:
    for text, target in re.findall(r"\[([^\]]*)\]\(([^)\s]+)\)", prose(page)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"[{text}]({target}) leads nowhere"
        assert linked.is_relative_to(ROOT)
        if anchor and linked.suffix == ".md":
            assert anchor in anchors(linked), f"[{text}]({target}): no such heading"


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_block_says_what_it_is(page: Path) -> None:
    for block in blocks(page):
        assert block.kind in {"bash", "console", "mermaid", "python", "text", "yaml"}, block.lines[:1]


@pytest.mark.parametrize("folder", INDEXED, ids=named)
def test_every_page_stands_in_its_index(folder: Path) -> None:
    index = (folder / "README.md").read_text(encoding="utf-8")
    for page in folder.glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, f"{page.name} is not in {named(folder)}/README.md"


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(page.name[:4]) for page in (ROOT / "docs" / "decisions").glob("0*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_policy_reference_is_current() -> None:
    assert (ROOT / "docs" / "policy.md").read_text(encoding="utf-8") == render(), "run `make docs`"


def test_the_readme_names_every_stage_in_graph_and_table_with_its_checks() -> None:
    [graph] = [block for block in blocks(ROOT / "README.md") if block.kind == "mermaid"]
    for stage in Stage:
        assert any(re.search(rf"\b{stage}\b", line) for line in graph.lines)
        [row] = [line for line in README.splitlines() if line.startswith(f"| {stage} |")]
        assert set(re.findall(r"`([a-z_]+)`", row.rpartition("|")[0].rpartition("|")[2])) == set(CHECKS[stage])


def test_the_readme_says_all_that_the_profile_does_not_protect_against() -> None:
    for words in NOT_PROTECTED[Profile.PERSONAL]:
        assert f"\n- {words}\n" in README


def test_the_layout_in_the_readme_has_every_room_and_no_other() -> None:
    layout = README.partition("## Layout")[2].partition("\nImports")[0]
    shown = set(re.findall(r"^      (\w+)(?:/|\.py)", layout, re.MULTILINE)) | {"environments"}
    package = ROOT / "secure_ml"
    rooms = {folder.name for folder in package.iterdir() if folder.is_dir() and folder.name != "__pycache__"}
    assert shown == rooms | {file.stem for file in package.glob("[a-z]*.py")}


def test_every_attack_that_the_threat_model_names_is_there() -> None:
    model = (ROOT / "docs" / "threat_model.md").read_text(encoding="utf-8")
    attacks = set(re.findall(r"`([a-z_]+/(?:[a-z_]+/)*(?:test_\w+\.py)?)`", model)) - {"secure_ml_tests/"}
    assert len(attacks) > 15
    missing = sorted(attack for attack in attacks if not (ROOT / "secure_ml_tests" / attack).exists())
    assert not missing, f"a claim without an attack is not made: {missing}"


def test_the_changelog_has_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert re.search(
        rf"^## \[{re.escape(version)}\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_speaks_of_where_it_was_made(what: str) -> None:
    need(tracked(), "needs a checkout of git, which knows the files that are the project's")
    pattern = re.compile(FORBIDDEN[what])
    found = []
    for file in tracked():
        if file.suffix in {".csv", ".png", ".skops"} or not file.is_file():
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{named(file)}:{number}")
    assert not found, f"{what}: {found[:10]}"


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a path of a machine", "see /wo" + "rk/main/x"),
        ("a host that packages come from", "https://files.python" + "hosted.org/x"),
        ("a promise to do it later", "# TO" + "DO: later"),
        ("a page of the workshop", "as DESIGN" + ".md says"),
        ("a number of an issue", "see issue " + "#2"),
    ],
)
def test_what_is_forbidden_is_recognised(what: str, line: str) -> None:
    assert re.search(FORBIDDEN[what], line)
