"""A small project through all its stages: started by a person, run by one user, judged by another."""

from dataclasses import dataclass, replace
from pathlib import Path

from secure_ml.access.stages import CHECKS, PARENTS, SECTIONS, Stage
from secure_ml.installation import Installation
from secure_ml.policy.projects import find_projects
from secure_ml.protection.classify.finding import FINDINGS_SCHEMA
from secure_ml.settings import read_settings
from secure_ml.vault.artefacts import artefacts
from secure_ml.vault.client import Client
from secure_ml.vault.dataset import Dataset, from_batches
from secure_ml.vault.door import Door
from secure_ml.vault.kernel import InProcessKernel
from secure_ml.vault.labels import PUBLIC, STRICTEST
from secure_ml.vault.messages import Kernel
from secure_ml_tests.fakes.masked_table import masked_table, split_table
from secure_ml_tests.fakes.small_project import PROJECT, Change, as_csv, attributes, rows, write_policy

ACTORS = """\
actors:
  person:maker-1: {roles: [data_engineer, ml_engineer], logins: [maker]}
  person:engineer-1: {roles: [ml_engineer], logins: [engineer]}
  person:officer-1: {roles: [risk_officer], logins: [officer]}
  person:scientist-1: {roles: [data_scientist], logins: [scientist]}
  service:assessor: {roles: [assessor], logins: [judge]}
"""
RUN_USERS = {name: f"{name}-run" for name in ("development", "test", "training", "production")}


def own_tables(content: dict[str, object]) -> None:
    """Declares a table for development and test."""
    own = {"source": {"format": "csv", "path": "invented.csv"}}
    content["environments"] = {"development": own, "test": own}


@dataclass(frozen=True)
class Staged:
    """An installation below one folder whose runs, judge and people are users of their own."""

    root: Path
    installation: Installation

    def kernel_of(self, login: str) -> Kernel:
        """The kernel as the user with this login reaches it."""
        return InProcessKernel(self.installation.core, login=login)

    def client_of(self, login: str) -> Client:
        return Client(self.installation.settings, self.installation.projects, self.kernel_of(login))

    def start(
        self,
        environment: str,
        *,
        run_id: str = "run-1",
        person: str = "maker",
        stages: tuple[Stage, ...] = tuple(Stage),
    ) -> Door:
        """The door of a run, which a person starts."""
        place = {"environment": environment, "project": PROJECT, "run_id": run_id}
        ticket = self.client_of(person).ticket(**place, stages=stages)
        return self.client_of(RUN_USERS[environment]).door(**place, ticket=ticket)

    def made(self, stage: Stage, door: Door) -> Dataset:
        """What a stage makes, of what the run may read."""
        if stage is Stage.RAW:
            return door.receive("", folder=self.root / "defs" / PROJECT, environ={})
        origins: tuple[str, ...] = ()
        for parent in PARENTS[stage]:
            sections = SECTIONS.get(stage, ()) if parent is Stage.SPLIT else ()
            origins += door.open(parent, "", by=stage, sections=sections).origins
        return replace(_table(stage), origins=origins)

    def run(self, environment: str, *, run_id: str = "run-1", person: str = "maker") -> None:
        """All stages, each judged."""
        door = self.start(environment, run_id=run_id, person=person)
        for stage in Stage:
            door.write(stage, "", self.made(stage, door))
            self.judge(environment, stage)

    def write(self, environment: str, stage: Stage, *, run_id: str, person: str = "maker") -> None:
        """One stage anew, not judged."""
        door = self.start(environment, run_id=run_id, person=person, stages=(stage,))
        door.write(stage, "", self.made(stage, door))

    def judge(self, environment: str, stage: Stage, *, failing: tuple[str, ...] = (), blocking: bool = True) -> None:
        """The assessor's verdicts on the head of a stage."""
        if not CHECKS[stage]:
            return
        place = {"environment": environment, "project": PROJECT, "run_id": f"assessment-{environment}-{stage}"}
        client = self.client_of("judge")
        door = client.door(**place, ticket=client.ticket(**place, stages=(stage,)))
        manifest, _ = door.assess(stage, "")
        for check in CHECKS[stage]:
            passed = check not in failing
            door.record_verdict(manifest, check=check, passed=passed, blocking=blocking, facts={"rows": 1})

    def reopened(self) -> "Staged":
        """The same folders in a new process, as it were; with the policy as it is now."""
        return open_staged(self.root)


def _table(stage: Stage) -> Dataset:
    if stage is Stage.CLASSIFIED:
        return from_batches([], schema=FINDINGS_SCHEMA, labels=dict.fromkeys(FINDINGS_SCHEMA.names, PUBLIC))
    tables = {Stage.MASKED: masked_table, Stage.SPLIT: split_table}
    if stage in tables:
        return tables[stage]()
    return artefacts({"invented": b"nothing"}, label=STRICTEST, origins=(), summary={})


def make_staged(root: Path, *, change: Change = own_tables) -> Staged:
    """Writes policy, tables and actors below `root`, and opens a new installation there."""
    content = attributes()
    change(content)
    folder = root / "defs" / PROJECT
    write_policy(folder, content)
    (folder / "table.csv").write_text(as_csv(rows()), encoding="utf-8")
    (folder / "invented.csv").write_text(as_csv(rows(10)), encoding="utf-8")
    (root / "actors.yaml").write_text(ACTORS, encoding="utf-8")
    return open_staged(root)


def open_staged(root: Path, **settings: object) -> Staged:
    """Opens the installation below `root`."""
    told = read_settings({"SECURE_ML_HOME": str(root / "home"), "SECURE_ML_KEYS": str(root / "keys")})
    changed = {"actors": root / "actors.yaml", "run_users": RUN_USERS, "promotion_required": True, **settings}
    return Staged(root, Installation(replace(told, **changed), find_projects((root / "defs",))))
