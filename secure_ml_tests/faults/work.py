"""What is done while the disk fails: each of it says what was acknowledged."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from secure_ml.access.stages import Stage
from secure_ml_tests.fakes.masked_table import masked_table
from secure_ml_tests.fakes.small_project import (
    ENVIRONMENT,
    PROJECT,
    SmallProject,
    make_small_project,
    open_small_project,
)

Say = Callable[[str], None]
PLACE = f"{ENVIRONMENT}/{PROJECT}"


def prepare(root: Path) -> SmallProject:
    """A project whose raw has passed its checks, with one version of masked and one charge."""
    project = make_small_project(root)
    project.write(Stage.MASKED, masked_table())
    charge(root, lambda words: None)
    return project


def write(root: Path, say: Say) -> None:
    """A second version of masked."""
    stored = open_small_project(root).write(Stage.MASKED, masked_table(50))
    say(f"committed {stored.version_id}")


def charge(root: Path, say: Say) -> None:
    """A privacy loss."""
    made = open_small_project(root).installation.ledger.charge(
        project=PLACE,
        epsilon=Decimal("0.25"),
        delta=Decimal("1e-8"),
        limit_epsilon=Decimal(100),
        limit_delta=Decimal("1e-3"),
        unit="subject",
        description="a training",
        actor="os-user:tester",
        run_id="run-1",
    )
    say(f"charged {made.spent.epsilon}")


def judge(root: Path, say: Say) -> None:
    """A verdict that closes raw to its readers."""
    project = open_small_project(root)
    door = project.door("judge")
    manifest, _ = door.assess(Stage.RAW, "")
    index = door.record_verdict(manifest, check="quality", passed=False, blocking=True, facts={"rows": 60})
    say(f"judged {index}")


def destroy(root: Path, say: Say) -> None:
    """The keys of the version of masked."""
    project = open_small_project(root)
    (masked,) = [
        head
        for head in project.installation.versions.heads(environment=ENVIRONMENT, project=PROJECT)
        if head.address.stage == Stage.MASKED
    ]
    project.installation.keys.destroy(masked.version_id)
    say("destroyed")


def open_first(root: Path, say: Say) -> None:
    """An installation's first day."""
    make_small_project(root)
    say("opened")
