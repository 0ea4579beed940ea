"""Treatments that look at the subject, through a real kernel: its keys, its own reckoning of labels, two partitions."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from secure_ml.access.stages import Stage
from secure_ml.policy.labels import Identifiability
from secure_ml.protection.mask.inspection import inspect
from secure_ml.protection.mask.masking import Masking
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.door import Door
from secure_ml.vault.errors import AccessRefused
from secure_ml.vault.labels import PUBLIC, Label
from secure_ml_tests.fakes.small_project import PARTITIONS, PROJECT, Attributes, SmallProject, make_small_project, rows


def treat_by_subject(policy: Attributes) -> None:
    policy["columns"]["birth_date"].update(treatment={"kind": "date_shift", "max_days": 90}, use={"kind": "review"})
    for name in ("full_name", "email"):
        policy["columns"][name].update(treatment={"kind": "surrogate"}, use={"kind": "review"})
    policy["columns"]["region"]["treatment"] = {
        "kind": "generalise_category", "groups": {"coast": ["north", "south"], "inland": ["east"]},
    }  # fmt: skip
    policy["columns"]["income"]["treatment"] = {"kind": "top_bottom_code", "top": 24000}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    made = make_small_project(tmp_path_factory.mktemp("treated"), partitioned=True, change=treat_by_subject)
    for partition in PARTITIONS:
        made.write_raw(partition)
        made.pass_checks(Stage.RAW, partition)
    return made


def masked(project: SmallProject, partition: str, door: Door) -> Dataset:
    origins = project.parents(Stage.MASKED, partition, door=door)
    raw = door.open(Stage.RAW, partition, by=Stage.MASKED)
    policy = project.installation.projects[PROJECT].policy
    masking = Masking(policy, key_for=lambda purpose: door.derive_key(purpose, by=Stage.MASKED))
    return replace(masking.apply(raw), origins=origins)


def stored(project: SmallProject, partition: str) -> tuple[Mapping[str, Label], list[dict[str, Any]]]:
    door = project.door(f"run-{partition}")
    door.write(Stage.MASKED, partition, masked(project, partition, door))
    manifest, dataset = project.door("checks").assess(Stage.MASKED, partition)
    assert inspect(dataset, project.installation.projects[PROJECT].policy).passed
    return manifest.labels, dataset.read().to_pylist()


def test_one_person_is_one_person_in_every_partition_and_the_kernel_agrees_to_the_labels(project: SmallProject) -> None:
    source = {"first": rows()[:30], "second": rows()[30:]}
    shifts: dict[str, set[timedelta]] = {}
    people: dict[str, set[tuple[str, str]]] = {}
    for partition in PARTITIONS:
        labels, table = stored(project, partition)
        assert labels["birth_date"].identifiability is Identifiability.QUASI
        assert labels["full_name"].identifiability is Identifiability.PSEUDONYM
        admitted = [row for row in source[partition] if row["agreed"] == "yes"]
        for raw, row in zip(admitted, table, strict=True):
            member = raw["member_id"]
            shifts.setdefault(member, set()).add(row["birth_date"] - date.fromisoformat(raw["birth_date"]))
            people.setdefault(member, set()).add((row["full_name"], row["email"]))
            assert row["region"] == ("inland" if raw["region"] == "east" else "coast")
            assert row["income"] == min(float(raw["income"]), 24000)
            assert "Zorblax" not in row["full_name"]
            assert row["email"].endswith("@example.org")
    assert {len(of) for of in (*shifts.values(), *people.values())} == {1}
    assert len(shifts) == 36
    assert len(set(map(frozenset, people.values()))) == 36


@pytest.mark.parametrize("name", ["birth_date", "full_name"])
def test_the_kernel_refuses_a_shifted_date_or_a_surrogate_that_claims_to_be_nothing(
    project: SmallProject, name: str
) -> None:
    door = project.door("run-hostile")
    made = masked(project, "first", door)
    lowered = replace(made, labels={**made.labels, name: PUBLIC})
    with pytest.raises(AccessRefused, match=f"column {name} bears less"):
        door.write(Stage.MASKED, "first", lowered)


def test_another_stage_gets_no_key_of_theirs(project: SmallProject) -> None:
    door = project.door("run-split")
    for purpose in ("date_shift", "surrogate:email:subject"):
        with pytest.raises(AccessRefused):
            door.derive_key(purpose, by=Stage.SPLIT)


def test_two_installations_invent_and_move_differently(project: SmallProject, tmp_path: Path) -> None:
    other = make_small_project(tmp_path, partitioned=True, change=treat_by_subject)
    keys = [
        each.door().derive_key(purpose, by=Stage.MASKED)
        for each in (project, other)
        for purpose in ("date_shift", "surrogate:email:subject")
    ]
    assert len(set(keys)) == 4
