"""An analyst's way through Dagster's pages, in a real browser, on what `secure-ml ui` starts."""

import itertools
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secure_ml.settings import project_root
from secure_ml_tests.fakes.branch_loans import (
    MONTHS,
    PROJECT,
    UNDECLARED,
    BranchLoans,
    environment_of,
    write_branch_loans,
)
from secure_ml_tests.fakes.dagster_pages import DagsterPages, Run, clean_environment, serving, until
from secure_ml_tests.fakes.needed import need

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.journey,
    pytest.mark.timeout(1_200),
]

JANUARY, _, MARCH = MONTHS
_QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
_PATIENCE_MS = 120_000


@dataclass(frozen=True)
class Analyst:
    """A browser on Dagster's pages."""

    page: "Page"
    dagster: DagsterPages
    pictures: Path

    def open(self, path: str) -> None:
        self.page.goto(self.dagster.url + path, wait_until="domcontentloaded")

    def open_asset(self, stage: str, view: str = "overview") -> None:
        self.open(f"/assets/training/{PROJECT}/{stage}?view={view}")

    def open_run(self, run: Run) -> None:
        self.open(f"/runs/{run.run_id}")
        self.sees("Failure" if run.status == "FAILURE" else "Success")

    def sees(self, text: "str | re.Pattern[str]") -> None:
        self.page.get_by_text(text).first.wait_for(timeout=_PATIENCE_MS)

    def sees_in_log(self, text: str) -> None:
        """Scrolls through the events of the run that is open: only those in view are in the page."""
        header = self.page.get_by_text(re.compile("^event type$", re.IGNORECASE)).first.bounding_box()
        assert header is not None
        self.page.mouse.move(header["x"], header["y"] + 200)
        steps = itertools.cycle((-100_000, *[300] * 40))

        def found() -> bool | None:
            if self.page.get_by_text(re.compile(re.escape(text))).count():
                return True
            self.page.mouse.wheel(0, next(steps))
            return None

        until(found, seconds=120)

    def button(self, name: str, within: "Locator | None" = None) -> "Locator":
        return (within or self.page).get_by_role("button", name=name).first

    def materialise(self, partitions: str | None) -> None:
        """From the dialog of the page that is open; None for every partition."""
        self.button("Materialize").click()
        dialog = self.page.get_by_role("dialog")
        if partitions is None:
            dialog.get_by_role("button", name="All", exact=True).click()
        else:
            field = dialog.get_by_placeholder(re.compile("^ex:"))
            field.fill(partitions)
            field.press("Enter")
        self.photograph("dialog")
        self.button("Launch", dialog).click()
        dialog.wait_for(state="hidden")

    def re_execute(self, how: str) -> None:
        """From the menu of the run that is open."""
        self.button("Re-execute").locator("xpath=following::button[1]").click()
        self.page.get_by_role("menuitem", name=how).click()

    def photograph(self, name: str) -> None:
        self.page.screenshot(path=self.pictures / f"{name}.png")


@pytest.fixture
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a short name: a socket's path in it must stay below the system's bound."""
    return tmp_path_factory.mktemp("ui")


@pytest.fixture
def loans(root: Path) -> BranchLoans:
    """Three months of a project of its own."""
    return write_branch_loans(root / "home" / "projects")


@pytest.fixture
def analyst(root: Path, loans: BranchLoans) -> Iterator[Analyst]:
    from playwright.sync_api import sync_playwright

    need(CHROMIUM, "needs Chromium: apt-get install chromium")
    environ = clean_environment(**environment_of(root))
    command = ["secure-ml", "ui", "--port", "{port}"]
    with serving(command, environ, cwd=project_root(), log=root / "ui.log") as pages, sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, headless=True, args=_QUIET.split())
        page = browser.new_page(viewport={"width": 1500, "height": 1100})
        page.set_default_timeout(_PATIENCE_MS)
        yield Analyst(page, pages, root)
        browser.close()


def test_an_analyst_protects_three_months_and_meets_a_check_that_closes_one(
    analyst: Analyst, loans: BranchLoans
) -> None:
    clean = loans.source(MARCH).read_bytes()
    addresses = loans.add_undeclared_contacts(MARCH)
    sees_the_graph(analyst)
    materialises_january(analyst)
    reads_the_schema_and_its_labels(analyst)
    refused = backfills_three_months(analyst)
    reads_why_march_is_closed(analyst, refused, addresses)
    meets_the_door_in_a_later_run(analyst, addresses)
    loans.source(MARCH).write_bytes(clean)
    re_executes_the_run_on_the_repaired_source(analyst, refused)


def sees_the_graph(analyst: Analyst) -> None:
    analyst.open(f"/locations/training/asset-groups/{PROJECT}/lineage")
    for stage in ("raw", "classified", "masked", "split", "trained", "validated", "registered"):
        analyst.sees(re.compile(f"^{stage}$"))
    analyst.photograph("graph")


def materialises_january(analyst: Analyst) -> None:
    analyst.open(f"/locations/training/jobs/{PROJECT}__protect")
    analyst.materialise(JANUARY)
    (run,) = analyst.dagster.ended_runs(1)
    assert (run.job, run.partition, run.status) == (f"{PROJECT}__protect", JANUARY, "SUCCESS")


def reads_the_schema_and_its_labels(analyst: Analyst) -> None:
    analyst.open_asset("raw")
    analyst.sees("Name of the applicant. In masked: dropped.")
    analyst.sees("entity: person_name")
    analyst.sees("identifies: direct")
    analyst.photograph("raw")
    analyst.open_asset("masked")
    analyst.sees("Income a month, rupees. Here: rounded down to steps of 1000; a feature of the model.")
    analyst.sees("category: financial")
    assert analyst.page.get_by_text("Name of the applicant").count() == 0
    analyst.photograph("masked")


def backfills_three_months(analyst: Analyst) -> Run:
    """Returns the run of the month whose check fails."""
    analyst.open(f"/locations/training/jobs/{PROJECT}__protect")
    analyst.materialise(None)
    runs = analyst.dagster.ended_runs(4)[:3]
    ended = {run.partition: run.status for run in runs}
    assert ended == {"2024-01": "SUCCESS", "2024-02": "SUCCESS", "2024-03": "FAILURE"}
    analyst.open("/runs/?view=backfills")
    analyst.photograph("backfill")
    return next(run for run in runs if run.partition == MARCH)


def reads_why_march_is_closed(analyst: Analyst, refused: Run, addresses: tuple[str, ...]) -> None:
    analyst.open_run(refused)
    analyst.sees_in_log("1 blocking asset check failed with ERROR severity")
    analyst.photograph("stopped_run")
    shows_no_value(analyst, addresses)
    analyst.open_asset("classified", "checks")
    analyst.sees(f"column '{UNDECLARED}': the policy does not declare it, but email was found")
    analyst.sees("This is a blocking asset check.")
    analyst.photograph("check")
    shows_no_value(analyst, addresses)
    analyst.open_asset("raw", "checks")
    analyst.sees("all 15 expectations met")


def meets_the_door_in_a_later_run(analyst: Analyst, addresses: tuple[str, ...]) -> None:
    words = f"training/{PROJECT}/classified[{MARCH}] failed its blocking checks no_undeclared_sensitive_column"
    analyst.open_asset("masked")
    analyst.materialise(MARCH)
    later = analyst.dagster.ended_runs(5)[0]
    assert (later.partition, later.status) == (MARCH, "FAILURE")
    analyst.open_run(later)
    analyst.sees_in_log(f"ChecksNotPassed: {words}")
    analyst.photograph("refused_run")
    shows_no_value(analyst, addresses)
    analyst.re_execute("From failure")
    again = analyst.dagster.ended_runs(6)[0]
    assert replace(again, run_id="") == replace(later, run_id="", parent=later.run_id)
    analyst.open_run(again)
    analyst.sees_in_log(words)


def re_executes_the_run_on_the_repaired_source(analyst: Analyst, refused: Run) -> None:
    from playwright.sync_api import TimeoutError as PlaywrightTimeout

    warning = "This run is part of a completed backfill."
    for _ in range(5):
        analyst.open_run(refused)
        analyst.re_execute("All steps in root run")
        # A click on a menu that the page draws anew is lost.
        with suppress(PlaywrightTimeout):
            analyst.page.get_by_text(warning).first.wait_for(timeout=20_000)
            break
    analyst.sees(warning)
    analyst.button("Confirm").click()
    # The dialog closes once the run was launched; a click on a dialog that is still moving in is lost.
    analyst.page.get_by_text(warning).wait_for(state="hidden")
    repaired = analyst.dagster.ended_runs(7)[0]
    assert (repaired.partition, repaired.status, repaired.parent) == (MARCH, "SUCCESS", refused.run_id)
    analyst.open_asset("masked", "checks")
    analyst.page.get_by_text("no_residual_identifiers").first.click()
    analyst.sees("no identifier was found in any column")
    analyst.photograph("repaired")


def shows_no_value(analyst: Analyst, addresses: tuple[str, ...]) -> None:
    shown = analyst.page.content()
    assert not [address for address in addresses if address in shown]
