"""Small projects of the loan table in an installation of their own, run by Dagster in this process.

The policies are the shipped one, changed; the tables are of one piece: the first rows of the shipped one.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from secure_ml.access.stages import PARTITIONED, Stage
from secure_ml.audit.log import AuditEntry
from secure_ml.cli.opened import Opened
from secure_ml.cli.run import run_project
from secure_ml.definitions import open_installation
from secure_ml.installation import Installation
from secure_ml.orchestration.keys import asset_key
from secure_ml.orchestration.project import job_names
from secure_ml.orchestration.runs import Outcome
from secure_ml.vault.manifest import Manifest

ENVIRONMENT = "training"
ROWS = 1_200
_ROOT = Path(__file__).resolve().parents[2]
SHIPPED = _ROOT / "secure_ml" / "defs" / "loan_approval" / "defs.yaml"
SHIPPED_TABLE = _ROOT / "data" / "loans" / "2024-01.csv"

Attributes = dict[str, Any]
Row = dict[str, str]


@dataclass(frozen=True)
class LoanInstallation:
    """Folders of an installation that the environment variables of this process describe."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "SECURE_ML_HOME": str(self.home),
            "SECURE_ML_KEYS": str(self.root / "keys"),
            "DAGSTER_HOME": str(self.home / "dagster"),
            "SECURE_ML_DAGSTER_STORAGE": str(self.home / "dagster" / "storage"),
        }

    def folder(self, name: str) -> Path:
        return self.home / "projects" / name

    def table(self, name: str) -> Path:
        """The delivered file, outside the home."""
        return self.root / "delivered" / f"{name}.csv"

    def installation(self) -> Installation:
        """Opened anew, as another process would."""
        return open_installation()

    def head(self, name: str, stage: Stage) -> Manifest | None:
        """The newest committed version of a stage."""
        heads = self.installation().versions.heads(environment=ENVIRONMENT, project=name)
        return next((manifest for manifest in heads if manifest.address.stage == stage), None)

    def log(self, name: str, action: str) -> list[AuditEntry]:
        """The audit log's entries of one action that concern a project."""
        entries = self.installation().log.entries()
        return [e for e in entries if e.action == action and f"{ENVIRONMENT}/{name}" in f"{e.resource}/"]


@contextmanager
def loan_installation(root: Path) -> Iterator[LoanInstallation]:
    """An empty installation below `root`, in the environment variables of this process until the block ends."""
    installed = LoanInstallation(root)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in installed.environ.items():
            patch.setenv(name, value)
        yield installed


def shipped_attributes(name: str) -> Attributes:
    """The shipped policy for a small table of one piece."""
    attributes: Attributes = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))["attributes"]
    attributes["project"] = name
    attributes["source"] |= {"path": f"../../../delivered/{name}.csv", "partitions": {"kind": "none"}}
    attributes["quality"]["minimum_rows"] = 20
    attributes["training"].pop("backtest")
    attributes["gates"] |= {"performance": [], "fairness": []}
    # Of so few people, fewer than five may share a gender.
    attributes.pop("anonymity")
    return attributes


def add_project(
    installed: LoanInstallation,
    name: str,
    *,
    rows: int = ROWS,
    change: Callable[[Attributes], None] | None = None,
    edit: Callable[[list[Row]], None] | None = None,
) -> None:
    """Writes a project's policy and table.

    Args:
        installed: where.
        name: of the project.
        rows: of the table, at most 2,000.
        change: edits the policy before it is written.
        edit: edits the rows before they are written; a key that it adds becomes a column.
    """
    folder = installed.folder(name)
    folder.mkdir(parents=True)
    with SHIPPED_TABLE.open(encoding="utf-8", newline="") as source:
        table = list(islice(csv.DictReader(source), rows))
    if edit is not None:
        edit(table)
    installed.table(name).parent.mkdir(exist_ok=True)
    with installed.table(name).open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    attributes = shipped_attributes(name)
    if change is not None:
        change(attributes)
    document = {"type": "secure_ml.orchestration.SensitiveModel", "attributes": attributes}
    (folder / "defs.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def run_until(name: str, until: Stage) -> list[Outcome]:
    """What `secure-ml run NAME --until STAGE` does."""
    return list(run_project(name, environment=ENVIRONMENT, until=until, partition=None))


def materialise_without_checks(
    opened: Opened, name: str, stages: Sequence[Stage], *, tags: Mapping[str, str] | None = None
) -> dg.ExecuteInProcessResult:
    """A Dagster run that selects these assets alone, and none of the checks."""
    protect, train = job_names(name)
    job = opened.definitions.resolve_job_def(protect if stages[0] in PARTITIONED else train)
    keys = {asset_key(ENVIRONMENT, name, stage) for stage in stages}
    alone = job.get_subset(asset_selection=keys, asset_check_selection=set())
    return alone.execute_in_process(
        instance=opened.instance, run_config=_QUIET, raise_on_error=False, tags=dict(tags or {})
    )


def failures(result: dg.ExecuteInProcessResult) -> str:
    """The descriptions of the failed steps, as Dagster shows them."""
    failed = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return "\n".join(
        str(data.user_failure_data.description if data.user_failure_data else data.error) for data in failed
    )


_QUIET: Mapping[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
