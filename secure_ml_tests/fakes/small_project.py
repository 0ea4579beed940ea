"""A small invented project in an installation of its own, so that a test of the door takes milliseconds.

Forty invented members, sixty rows, in one piece or in the two static partitions `first` and `second`.
"""

import csv
import io
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from secure_ml.access.stages import CHECKS, PARENTS, PARTITIONED, SECTIONS, Stage
from secure_ml.audit.log import AuditEntry
from secure_ml.installation import Installation
from secure_ml.policy.projects import find_projects
from secure_ml.protection.classify.finding import FINDINGS_SCHEMA
from secure_ml.settings import read_settings
from secure_ml.vault.client import Client
from secure_ml.vault.dataset import Dataset, from_batches
from secure_ml.vault.door import Door, Stored
from secure_ml.vault.labels import PUBLIC
from secure_ml.vault.manifest import Address
from secure_ml.vault.messages import Kernel
from secure_ml_tests.fakes.masked_table import masked_table, split_table

PROJECT = "clinic"
ENVIRONMENT = "training"
PARTITIONS = ("first", "second")
HEADER = (
    "member_id", "full_name", "email", "birth_date", "income", "region", "diagnosis", "gender", "agreed", "remark",
    "approved",
)  # fmt: skip
IDENTIFIERS = ("member_id", "full_name", "email", "remark")
"""Columns whose every cell is long and unique enough to be searched for in bytes."""

Attributes = dict[str, Any]
Change = Callable[[Attributes], None]


def rows(count: int = 60, *, members: int = 40) -> list[dict[str, str]]:
    """Invented rows; every third member comes twice."""
    made = []
    for index in range(count):
        member = index if index < members else (index - members) * 3 % members
        made.append(
            {
                "member_id": f"MEMBER-{member:05d}-QX",
                "full_name": f"Zorblax Quillfeather {member:05d}",
                "email": f"zorblax.{member:05d}@invented.example",
                "birth_date": f"19{50 + member % 40:02d}-0{1 + member % 9}-11",
                "income": str(20_000 + 137 * member),
                "region": ("north", "south", "east")[member % 3],
                "diagnosis": ("none", "asthma", "")[index % 3],
                "gender": ("f", "m")[member % 2],
                "agreed": "yes" if member % 10 else "no",
                "remark": f"spoke to Zorblax Quillfeather {member:05d} on visit {index:05d}",
                "approved": "yes" if (member * 7 + index) % 5 else "no",
            }
        )
    return made


def as_csv(table: list[dict[str, str]], *, header: tuple[str, ...] = HEADER) -> str:
    """The rows as CSV text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def attributes(*, partitioned: bool = False, buckets: int = 1) -> Attributes:
    """A valid policy of the table, as plain values to be changed."""
    path = "table-{partition}.csv" if partitioned else "table.csv"
    partitions = {"kind": "static", "keys": list(PARTITIONS)} if partitioned else {"kind": "none"}
    return {
        "project": PROJECT,
        "title": "Invented clinic",
        "purpose": "decide on invented membership applications",
        "legal_basis": "consent",
        "owners": ["team:clinic"],
        "source": {"format": "csv", "path": path, "partitions": partitions},
        "subject": {"column": "member_id"},
        "label": {"column": "approved", "positive": "yes"},
        "consent": {"column": "agreed", "granted": ["yes"]},
        "columns": {
            "member_id": _column("pii", "direct", "token", "administrative", entity="subject_id"),
            "full_name": _column("pii", "direct", "drop", "never", entity="person_name"),
            "email": _column("pii", "direct", "drop", "never", entity="email"),
            "birth_date": _column("pii", "quasi", "drop", "never", kind="date", entity="date_of_birth"),
            "income": _column("financial", "quasi", "keep", "feature", kind="number", entity="income"),
            "region": _column("internal", "none", "keep", "feature"),
            "diagnosis": _column("health", "none", "redact", "review", entity="health"),
            "gender": _column("pii", "quasi", "keep", "fairness", entity="gender"),
            "agreed": _column("internal", "none", "drop", "never"),
            "remark": _column("pii", "direct", "drop", "never", entity="free_text"),
            "approved": _column("internal", "none", "keep", "administrative"),
        },
        "training": {
            "estimator": {"kind": "hist_gradient_boosting", "no_privacy_reason": "an invented table needs no privacy"}
        },
        "retention": {"raw_days": 30, "masked_days": 60, "model_days": 90},
        "storage": {"buckets": buckets},
    }


def _column(
    category: str, identifiability: str, treatment: str, use: str, *, kind: str = "string", entity: str = "none"
) -> Attributes:
    used: Attributes = {"kind": use}
    if use == "feature":
        used["reason"] = "the decision depends on it"
    return {
        "description": f"invented {category} column",
        "type": kind,
        "category": category,
        "entity": entity,
        "identifiability": identifiability,
        "treatment": {"kind": treatment},
        "use": used,
    }


def declare_all(policy: Attributes) -> None:
    """Declares the one column that the policy declares too low, so that the check of classified passes."""
    policy["columns"]["diagnosis"]["identifiability"] = "quasi"


def write_policy(folder: Path, content: Attributes) -> Path:
    """Writes a policy file and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "defs.yaml"
    document = {"type": "secure_ml.orchestration.SensitiveModel", "attributes": content}
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return file


@dataclass(frozen=True)
class SmallProject:
    """An installation below one folder: `home`, `keys`, `defs/clinic`."""

    root: Path
    installation: Installation
    kernel: Kernel

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def folder(self) -> Path:
        return self.root / "defs" / PROJECT

    def door(self, run_id: str = "run-1", *, environment: str = ENVIRONMENT) -> Door:
        client = Client(self.installation.settings, self.installation.projects, self.kernel)
        return client.door(environment=environment, project=PROJECT, run_id=run_id)

    def receive(self, partition: str = "", *, door: Door | None = None) -> Dataset:
        return (door or self.door()).receive(partition, folder=self.folder, environ={})

    def write_raw(self, partition: str = "") -> Stored:
        door = self.door()
        return door.write(Stage.RAW, partition, self.receive(partition, door=door))

    def parents(self, stage: Stage, partition: str = "", *, door: Door) -> tuple[str, ...]:
        """Ids of the heads that a version of a stage is made from, opened for it; stand-ins where there are none."""
        origins: tuple[str, ...] = ()
        for parent in PARENTS[stage]:
            place = partition if parent in PARTITIONED else ""
            address = Address(ENVIRONMENT, PROJECT, parent, place)
            if not self.installation.versions.sequence(address):
                self._stand_in(parent, place)
                self.pass_checks(parent, place)
            sections = SECTIONS.get(stage, ()) if parent is Stage.SPLIT else ()
            origins += door.open(parent, place, by=stage, sections=sections).origins
        return origins

    def write(self, stage: Stage, dataset: Dataset, partition: str = "", *, run_id: str = "run-1") -> Stored:
        """Writes a dataset as if a stage had made it from its parents' heads."""
        door = self.door(run_id)
        return door.write(stage, partition, replace(dataset, origins=self.parents(stage, partition, door=door)))

    def _stand_in(self, stage: Stage, partition: str) -> None:
        nothing_found = from_batches([], schema=FINDINGS_SCHEMA, labels=dict.fromkeys(FINDINGS_SCHEMA.names, PUBLIC))
        tables = {Stage.CLASSIFIED: nothing_found, Stage.MASKED: masked_table(), Stage.SPLIT: split_table()}
        if stage is Stage.RAW:
            self.write_raw(partition)
        else:
            self.write(stage, tables[stage], partition)

    def pass_checks(self, stage: Stage, partition: str = "", *, failing: tuple[str, ...] = ()) -> None:
        """Verdicts of every check of the stage on its head."""
        door = self.door("checks")
        manifest, _ = door.assess(stage, partition)
        for check in CHECKS[stage]:
            door.record_verdict(manifest, check=check, passed=check not in failing, blocking=True, facts={"rows": 1})

    def files(self, stored: Stored) -> list[Path]:
        """The part files of a version, by name."""
        return sorted(self.home.glob(f"vault/*/*/*/*/{stored.version_id}/*"))

    def log(self, action: str) -> list[AuditEntry]:
        """The audit log's entries of one action."""
        return [entry for entry in self.installation.log.entries() if entry.action == action]

    def through(self, kernel: Callable[[Kernel], Kernel]) -> "SmallProject":
        """The same project, whose doors reach their kernel through another."""
        return replace(self, kernel=kernel(self.kernel))

    def reopened(self, *, clock: Callable[[], datetime] | None = None) -> "SmallProject":
        """The same folders in a new process, as it were."""
        return open_small_project(self.root, clock=clock)

    def copy_to(self, root: Path) -> "SmallProject":
        """A copy of home, keys and policy elsewhere."""
        for name in ("home", "keys", "defs"):
            shutil.copytree(self.root / name, root / name)
        return open_small_project(root)


def open_small_project(root: Path, *, clock: Callable[[], datetime] | None = None) -> SmallProject:
    """Opens the installation below `root`."""
    environ: Mapping[str, str] = {"SECURE_ML_HOME": str(root / "home"), "SECURE_ML_KEYS": str(root / "keys")}
    installation = Installation(read_settings(environ), find_projects((root / "defs",)), clock=clock)
    return SmallProject(root, installation, installation.kernel)


def make_small_project(
    root: Path, *, partitioned: bool = False, buckets: int = 1, change: Change | None = None
) -> SmallProject:
    """Writes table and policy below `root`, and opens a new installation there.

    Args:
        root: an empty folder.
        partitioned: whether the table comes in two static partitions.
        buckets: buckets of the policy.
        change: edits the policy before it is written.
    """
    content = attributes(partitioned=partitioned, buckets=buckets)
    if change is not None:
        change(content)
    folder = root / "defs" / PROJECT
    write_policy(folder, content)
    table = rows()
    pieces = {"first": table[:30], "second": table[30:]} if partitioned else {"": table}
    for key, piece in pieces.items():
        (folder / (f"table-{key}.csv" if key else "table.csv")).write_text(as_csv(piece), encoding="utf-8")
    return open_small_project(root)
