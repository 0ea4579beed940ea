"""What holds for every test: libraries report to nobody. They read their switches at import, so it comes first."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from secure_ml.guard.process import mask_errors
from secure_ml.guard.telemetry import silence

if TYPE_CHECKING:
    from secure_ml_tests.fakes.demo_run import DemoRun
    from secure_ml_tests.fakes.small_project import SmallProject

silence(os.environ)
mask_errors(os.environ)

# A first example imports what the others find loaded; on a busy machine that alone exceeds a deadline.
# Under CI the examples are always the same: a change is judged by what it changed; new examples are sought elsewhere.
settings.register_profile("without deadline", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("without deadline")


@pytest.fixture(scope="session")
def _checked_project(tmp_path_factory: pytest.TempPathFactory) -> "SmallProject":
    from secure_ml.access.stages import Stage
    from secure_ml_tests.fakes.small_project import make_small_project

    project = make_small_project(tmp_path_factory.mktemp("checked"), buckets=3)
    project.write_raw()
    project.pass_checks(Stage.RAW)
    return project


@pytest.fixture
def checked_project(_checked_project: "SmallProject", tmp_path: Path) -> "SmallProject":
    """A small project in three buckets whose `raw` is written and has passed its checks."""
    return _checked_project.copy_to(tmp_path)


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> "DemoRun":
    """The one run of the demonstration that all tests of a session look at, whichever worker they are on."""
    from secure_ml_tests.fakes.demo_run import shared_demo_run

    base = tmp_path_factory.getbasetemp()
    run = shared_demo_run((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo")
    # What it left behind is looked at only where it ended well: its own words say best why it did not.
    assert run.exit_code == 0, f"secure-ml demo ended with {run.exit_code}\n{run.stdout}\n{run.stderr}"
    return run
