"""Hostile code with a genuine ticket writes what it may read, but under lower labels, other names or invented parents.

It speaks to the kernel past the door and past `Dataset`, so that nothing of its own process stops it. The kernel knows
the policy and the signed manifests of what this run has opened; that is enough to refuse. What it cannot know is which
cells stand under a name: docs/labels.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from secure_ml.access.stages import CHECKS, SIDES, WHOLE, Stage
from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.policy.load import load_policy
from secure_ml.policy.projects import Project
from secure_ml.vault import messages as m
from secure_ml.vault.errors import AccessRefused, StaleVersion
from secure_ml.vault.labels import PUBLIC, STRICTEST, Label
from secure_ml_tests.fakes.masked_table import LABELS, masked_table
from secure_ml_tests.fakes.small_project import (
    ENVIRONMENT,
    HEADER,
    PROJECT,
    SmallProject,
    attributes,
    make_small_project,
    write_policy,
)

MASKED = {**LABELS, "diagnosis": PUBLIC}
"""The least labels of the small project's masked columns: a redacted diagnosis tells nothing."""

SPLIT = {name: label for name, label in LABELS.items() if name != "diagnosis"} | {"__period": PUBLIC, "__side": PUBLIC}
RAW = dict.fromkeys(HEADER, STRICTEST)
MODEL = Label(frozenset({Category.PII, Category.FINANCIAL}), Entity.FREE_TEXT, Identifiability.PSEUDONYM)
"""What a model of the small project may tell of: income and the subject's token."""


@dataclass(frozen=True)
class Hostile:
    """Code of one run, with its ticket."""

    project: SmallProject
    ticket: m.TicketIssued
    environment: str = ENVIRONMENT

    def open(self, by: Stage, stage: Stage, partition: str = "", *, sections: tuple[str, ...] = ()) -> str:
        """Opens a head; returns its version id."""
        asked = {"by": by, "stage": stage, "partition": partition, "columns": (), "sections": sections, "assess": False}
        self._send(m.OpenVersion, asked)
        return self.head(stage, partition)

    def head(self, stage: Stage, partition: str = "") -> str:
        heads = self.project.installation.versions.heads(environment=self.environment, project=PROJECT)
        (found,) = [h for h in heads if (h.address.stage, h.address.partition) == (stage, partition)]
        return found.version_id

    def read(self, by: Stage, stage: Stage, version_id: str, columns: tuple[str, ...]) -> None:
        """Gets the keys of some columns of a version that was opened."""
        asked = {"by": by, "stage": stage, "partition": "", "columns": columns, "sections": (), "assess": False}
        self._send(m.ReleaseKeys, {**asked, "version_id": version_id})

    def commit(
        self, stage: Stage, labels: Mapping[str, Label], parents: tuple[str, ...], partition: str = ""
    ) -> m.Message:
        """Begins and commits a version of these columns, all of them text."""
        sections = SIDES if stage is Stage.SPLIT else WHOLE
        place = {"stage": stage, "partition": partition}
        categories = tuple(sorted({label.key_category for label in labels.values()}))
        asked = {**place, "categories": categories, "sections": sections, "buckets": 1}
        begun = self._send(m.BeginWrite, asked)
        assert isinstance(begun, m.WriteBegun)
        parts = tuple(
            m.PartWritten(section=name, bucket=0, file=f"{name}-0000.parquet", size_bytes=1, sha256="00", rows=1)
            for name in sections
        )
        written = {
            **place, "version_id": begun.version_id, "digest": "00", "parents": parents, "parts": parts, "summary": {},
            "schema_ipc": pa.schema([pa.field(name, pa.string()) for name in labels]).serialize().to_pybytes(),
            "labels": {name: label.to_json() for name, label in labels.items()},
        }  # fmt: skip
        return self._send(m.CommitWrite, written)

    def refused(self, stage: Stage, labels: Mapping[str, Label], parents: tuple[str, ...], *, why: str) -> None:
        """The commit is refused, the refusal is in the log without a word of the sender's, and no head has moved."""
        before = self.project.installation.versions.heads(environment=self.environment, project=PROJECT)
        with pytest.raises(AccessRefused, match=why) as refusal:
            self.commit(stage, labels, parents)
        entry = self.project.log("version.commit")[-1]
        assert (entry.outcome, entry.reason) == ("refused", str(refusal.value))
        assert self.project.installation.versions.heads(environment=self.environment, project=PROJECT) == before

    def _send(self, request: type[m.Ticketed], fields: Mapping[str, object]) -> m.Message:
        where = {"ticket": self.ticket, "environment": self.environment, "project": PROJECT}
        return self.project.kernel.send(request.model_validate({**where, **fields}))


def hostile(project: SmallProject, run_id: str = "hostile", *, environment: str = ENVIRONMENT) -> Hostile:
    asked = m.IssueTicket(environment=environment, project=PROJECT, run_id=run_id, stages=tuple(Stage))
    answer = project.kernel.send(asked)
    assert isinstance(answer, m.TicketIssued)
    return Hostile(project, answer, environment)


@pytest.fixture
def project(checked_project: SmallProject) -> SmallProject:
    """Every stage up to split is there and has passed its checks."""
    checked_project.write(Stage.MASKED, masked_table())
    checked_project.pass_checks(Stage.MASKED)
    checked_project.parents(Stage.TRAINED, door=checked_project.door())
    return checked_project


@pytest.fixture
def run(project: SmallProject) -> Hostile:
    return hostile(project)


def opened(run: Hostile, by: Stage) -> tuple[str, ...]:
    """The parents of a stage, opened for it."""
    parents = {
        Stage.CLASSIFIED: ((Stage.RAW, ()),),
        Stage.MASKED: ((Stage.RAW, ()), (Stage.CLASSIFIED, ())),
        Stage.SPLIT: ((Stage.MASKED, ()),),
        Stage.TRAINED: ((Stage.SPLIT, ("train",)),),
    }
    return tuple(run.open(by, stage, sections=sections) for stage, sections in parents[by])


# Lower labels


@pytest.mark.parametrize(
    ("stage", "labels"),
    [(Stage.MASKED, MASKED), (Stage.SPLIT, SPLIT), (Stage.TRAINED, {"name": MODEL, "content": MODEL})],
    ids=["masked", "split", "trained"],
)
def test_the_least_labels_are_accepted_and_less_of_any_column_is_refused(
    run: Hostile, stage: Stage, labels: Mapping[str, Label]
) -> None:
    parents = opened(run, stage)
    lowered = [name for name, label in labels.items() if label != PUBLIC]
    assert lowered
    for name in lowered:
        nearly = Label(labels[name].categories, labels[name].entity, Identifiability.NONE)
        for less in (PUBLIC, nearly):
            run.refused(stage, {**labels, name: less}, parents, why="bears less")
    assert isinstance(run.commit(stage, labels, parents), m.Committed)


def test_raw_under_lower_labels_than_the_policys_is_refused(run: Hostile) -> None:
    for name in ("full_name", "income", "birth_date", "remark"):
        run.refused(Stage.RAW, {**RAW, name: PUBLIC}, (), why=f"column {name} bears less")
    run.refused(Stage.RAW, {n: label for n, label in RAW.items() if n != "email"}, (), why="lacks .* email")


@pytest.mark.parametrize("name", ["phone_2", "Zorblax Quillfeather 00001"])
def test_an_undeclared_column_of_raw_bears_the_strictest_label_and_its_name_is_repeated_nowhere(
    run: Hostile, name: str
) -> None:
    run.refused(Stage.RAW, {**RAW, name: LABELS["member_id"]}, (), why="a column bears less")
    assert not [entry for entry in run.project.installation.log.entries() if name in repr(entry)]


# Other columns


@pytest.mark.parametrize("name", ["full_name", "email", "remark", "agreed"])
def test_a_dropped_column_is_not_committed_whatever_its_label(run: Hostile, name: str) -> None:
    run.refused(Stage.MASKED, {**MASKED, name: STRICTEST}, opened(run, Stage.MASKED), why="does not make")


@pytest.mark.parametrize("stage", [Stage.MASKED, Stage.SPLIT, Stage.TRAINED], ids=str)
def test_a_column_under_another_name_is_not_committed(run: Hostile, stage: Stage) -> None:
    labels = {Stage.MASKED: MASKED, Stage.SPLIT: SPLIT, Stage.TRAINED: {"name": MODEL, "content": MODEL}}[stage]
    for name in ("income_", "Income", "__income", ""):
        run.refused(stage, {**labels, name: STRICTEST}, opened(run, stage), why="does not make")


def test_split_holds_nothing_that_only_masked_may(run: Hostile) -> None:
    run.refused(Stage.SPLIT, {**SPLIT, "diagnosis": STRICTEST}, opened(run, Stage.SPLIT), why="does not make")


# Parents


def test_a_version_without_the_parents_that_its_stage_needs_is_refused(run: Hostile) -> None:
    raw, classified = opened(run, Stage.MASKED)
    run.refused(Stage.MASKED, MASKED, (), why="raw, classified")
    run.refused(Stage.MASKED, MASKED, (raw,), why="classified")
    run.refused(Stage.MASKED, MASKED, (classified,), why="raw")
    run.refused(Stage.MASKED, MASKED, (raw, raw, classified), why="two versions")
    run.refused(Stage.SPLIT, SPLIT, (), why="masked")


@pytest.mark.parametrize("invented", ["f" * 32, "", "raw", "../../raw"])
def test_an_invented_parent_is_refused_and_not_repeated(run: Hostile, invented: str) -> None:
    parents = opened(run, Stage.MASKED)
    run.refused(Stage.MASKED, MASKED, (*parents, invented), why=r"masked: names a parent that this run has not opened")
    run.refused(Stage.RAW, RAW, (invented,), why="has not opened")


def test_a_parent_that_another_run_has_opened_is_refused(run: Hostile) -> None:
    parents = opened(hostile(run.project, "run-2"), Stage.MASKED)
    run.refused(Stage.MASKED, MASKED, parents, why="has not opened")


def test_a_parent_that_was_opened_for_another_stage_is_refused(run: Hostile) -> None:
    run.open(Stage.CLASSIFIED, Stage.RAW)
    run.refused(Stage.MASKED, MASKED, (run.head(Stage.RAW), run.open(Stage.MASKED, Stage.CLASSIFIED)), why="not opened")


def test_a_parent_of_another_environment_is_refused(project: SmallProject) -> None:
    door = project.door(environment="production")
    door.write(Stage.RAW, "", project.receive(door=door))
    for check in CHECKS[Stage.RAW]:
        manifest, _ = door.assess(Stage.RAW, "")
        door.record_verdict(manifest, check=check, passed=True, blocking=True, facts={})
    run = hostile(project)
    # It was opened, and by a run of the same id.
    there = hostile(project, environment="production").open(Stage.MASKED, Stage.RAW)
    run.refused(Stage.MASKED, MASKED, (there, opened(run, Stage.MASKED)[1]), why="has not opened")


def test_a_parent_that_was_opened_only_to_be_judged_is_refused(run: Hostile) -> None:
    run.project.door("hostile").assess(Stage.RAW, "")
    run.refused(Stage.CLASSIFIED, {"column": PUBLIC}, (run.head(Stage.RAW),), why="has not opened")


def test_what_was_read_is_named_even_if_a_newer_version_is_named_in_its_place(run: Hostile) -> None:
    older, classified = opened(run, Stage.MASKED)
    run.read(Stage.MASKED, Stage.RAW, older, ("income",))
    run.project.write_raw()
    run.project.pass_checks(Stage.RAW)
    newer = run.open(Stage.MASKED, Stage.RAW)
    assert newer != older
    run.refused(Stage.MASKED, MASKED, (newer, classified), why="not among the parents")
    run.refused(Stage.MASKED, MASKED, (newer, older, classified), why="two versions")
    run.commit(Stage.MASKED, MASKED, (older, classified))


def test_a_parent_of_another_partition_is_refused(tmp_path: Path) -> None:
    project = make_small_project(tmp_path, partitioned=True)
    run = hostile(project)
    for partition in ("first", "second"):
        project.write_raw(partition)
        project.pass_checks(Stage.RAW, partition)
    raw = run.open(Stage.CLASSIFIED, Stage.RAW, "first")
    with pytest.raises(AccessRefused, match=r"raw\[first\] is no parent of it"):
        run.commit(Stage.CLASSIFIED, {"column": PUBLIC}, (raw,), "second")
    run.commit(Stage.CLASSIFIED, {"column": PUBLIC}, (raw,), "first")


def test_a_policy_that_was_eased_between_reading_and_writing_eases_nothing(
    run: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    parents = opened(run, Stage.MASKED)
    content = attributes(buckets=3)
    content["columns"]["gender"] |= {"treatment": {"kind": "redact"}, "use": {"kind": "review"}}
    eased = load_policy(write_policy(run.project.root / "eased" / PROJECT, content).parent)
    monkeypatch.setitem(run.project.installation.projects, PROJECT, Project(eased, run.project.folder))
    with pytest.raises(StaleVersion, match="another policy"):
        run.commit(Stage.MASKED, {**MASKED, "gender": PUBLIC}, parents)
