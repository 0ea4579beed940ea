"""With what the kernel released, and plain pyarrow, the permitted columns of a part open and no other of the same file.

The reader is not ours: it follows the pages of the formats, tries every way that pyarrow has to read a column, and each
key that it was given on each column.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from secure_ml.access.stages import Stage
from secure_ml.keys.column_keys import column_key
from secure_ml.vault.client import Client
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.door import Door
from secure_ml.vault.errors import AccessRefused, HeadMoved, NothingThere
from secure_ml.vault.exploring import ReleaseForActor
from secure_ml.vault.granting import ApproveGrant, RequestGrant, change_grant
from secure_ml.vault.messages import Kernel, KeysReleased, Message
from secure_ml_tests.adversarial import plain_reader
from secure_ml_tests.fakes.appointed_people import ACTORS, AppointedPeople, Clock, open_appointed_people
from secure_ml_tests.fakes.json_kernel import JsonKernel
from secure_ml_tests.fakes.masked_table import SCHEMA, masked_table, split_table
from secure_ml_tests.fakes.small_project import ENVIRONMENT, PROJECT, SmallProject, attributes, make_small_project

PLACE = {"environment": ENVIRONMENT, "project": PROJECT}
PURPOSE = attributes()["purpose"]
INTERNAL = ("region", "approved")
KEPT_BACK = tuple(name for name in SCHEMA.names if name not in INTERNAL)
Read = dict[str, dict[str, Any]]


@dataclass
class Listening:
    """A kernel that passes everything on, and keeps the keys that went through."""

    kernel: Kernel
    keys: dict[str, bytes] = field(default_factory=dict)

    def send(self, request: Message) -> Message:
        answer = self.kernel.send(request)
        if isinstance(answer, KeysReleased):
            self.keys |= answer.keys
        return answer


@dataclass(frozen=True)
class Stored:
    """A small project in two buckets whose `masked` and `split` are written and checked; and people with roles."""

    project: SmallProject
    people: AppointedPeople

    def parts(self, stage: Stage) -> list[Path]:
        return sorted(self.project.home.glob(f"vault/{ENVIRONMENT}/{PROJECT}/{stage}/*/*/*.parquet"))

    def heard_door(self) -> tuple[Door, Listening]:
        """The door of a run, and what its kernel lets out."""
        listening = Listening(self.project.kernel)
        return self.project.through(lambda kernel: listening).door(), listening

    def look(self, login: str, stage: Stage, **asked: Any) -> tuple[Dataset, Listening]:
        """What that user's client gives to look at, and what its kernel lets out."""
        listening = Listening(JsonKernel(self.people.kernel_of(login)))
        settings = self.people.installation.settings
        client = Client(settings, self.people.installation.projects, listening)
        return client.explore(**{**PLACE, "stage": stage, "purpose": PURPOSE, **asked}), listening


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    root = tmp_path_factory.mktemp("roles")
    clock = Clock()
    project = make_small_project(root, buckets=2).reopened(clock=clock)
    project.write(Stage.MASKED, masked_table())
    project.pass_checks(Stage.MASKED)
    project.write(Stage.SPLIT, split_table())
    project.pass_checks(Stage.SPLIT)
    (root / "actors.yaml").write_text(ACTORS, encoding="utf-8")
    return Stored(project, open_appointed_people(root, clock))


def plainly(path: Path, keys: Mapping[str, bytes], columns: Sequence[str]) -> Read:
    """What plain pyarrow reads of each column with these keys, by way."""
    asked = {"path": str(path), "keys": {key_id: key.hex() for key_id, key in keys.items()}, "columns": list(columns)}
    done = subprocess.run(
        [sys.executable, plain_reader.__file__], input=json.dumps(asked), capture_output=True, text=True, timeout=120
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    # Whatever aborts, aborts over the description of a column: the last of the ways.
    assert {line["way"] for line in lines} >= set(plain_reader.WAYS[:-1]), done.stderr
    read: Read = {name: {} for name in columns}
    for line in lines:
        if "read" in line:
            read[line["column"]][line["way"]] = line["read"]
    return read


def of_part(keys: Mapping[str, bytes], path: Path) -> dict[str, bytes]:
    """The keys that name this part."""
    section, bucket = path.stem.rsplit("-", 1)
    place = f"/{path.parent.name}/{section}/{int(bucket)}/"
    return {key_id: key for key_id, key in keys.items() if place in key_id}


def nothing_of(columns: Sequence[str]) -> Read:
    return {name: {} for name in columns}


def test_the_reader_that_is_not_ours_reads_every_way_with_the_right_keys(stored: Stored) -> None:
    # Without this, what follows would prove nothing.
    door, listening = stored.heard_door()
    table = door.assess(Stage.MASKED, "")[1].read()
    parts = [plainly(path, listening.keys, SCHEMA.names) for path in stored.parts(Stage.MASKED)]
    assert len(parts) == 2
    for column in SCHEMA.names:
        for way in plain_reader.WAYS[:-1]:
            assert [cell for part in parts for cell in part[column][way]] == table[column].to_pylist()
        assert all("path_in_schema" in part[column]["description"] for part in parts)


def test_a_trainers_key_of_one_column_opens_no_other_of_its_file_and_no_other_file(stored: Stored) -> None:
    door, listening = stored.heard_door()
    assert door.open(Stage.SPLIT, "", by=Stage.TRAINED, sections=("train",)).read(["income"]).num_rows
    others = [name for name in split_table().schema.names if name != "income"]
    for path in stored.parts(Stage.SPLIT):
        read = plainly(path, listening.keys, ["income", *others])
        assert ("batches" in read.pop("income")) == path.name.startswith("train")
        assert read == nothing_of(others)


def test_a_trainer_that_reads_all_its_columns_cannot_open_those_that_the_purpose_keeps_back(stored: Stored) -> None:
    door, listening = stored.heard_door()
    opened = door.open(Stage.SPLIT, "", by=Stage.TRAINED, sections=("train",))
    opened.read()
    # `gender` is of the category of `member_id`, whose key the trainer has.
    assert "member_id" in opened.schema.names
    assert "gender" not in opened.schema.names
    training = [path for path in stored.parts(Stage.SPLIT) if path.name.startswith("train")]
    assert len(training) == 2
    for path in training:
        assert plainly(path, listening.keys, ["gender"]) == nothing_of(["gender"])


def test_a_data_scientist_is_given_the_internal_columns_of_masked_and_no_name_of_another(stored: Stored) -> None:
    dataset, listening = stored.look("scientist", Stage.MASKED)
    assert dataset.schema.names == list(INTERNAL)
    assert set(dataset.labels) == set(INTERNAL)
    table = dataset.read()
    assert sorted(table["region"].to_pylist()) == sorted(masked_table().read()["region"].to_pylist())
    assert {key_id.rsplit("/", 1)[1] for key_id in listening.keys} == {"footer", *INTERNAL}


def test_a_data_scientists_keys_open_no_column_of_another_category(stored: Stored) -> None:
    dataset, listening = stored.look("scientist", Stage.MASKED)
    dataset.read()
    for path in stored.parts(Stage.MASKED):
        read = plainly(path, listening.keys, [*INTERNAL, *KEPT_BACK])
        assert all(read.pop(name)["batches"] for name in INTERNAL)
        assert read == nothing_of(KEPT_BACK)


@pytest.mark.parametrize(("asked", "other"), [INTERNAL, INTERNAL[::-1]])
def test_a_data_scientists_key_of_one_column_opens_no_other_of_its_category(
    stored: Stored, asked: str, other: str
) -> None:
    dataset, listening = stored.look("scientist", Stage.MASKED, columns=[asked])
    dataset.read()
    path = stored.parts(Stage.MASKED)[0]
    # A column's key does not make another's either, as the key that it comes from would.
    made = {i.replace(asked, other): column_key(key, other) for i, key in listening.keys.items() if asked in i}
    for keys in (listening.keys, listening.keys | made):
        read = plainly(path, keys, [asked, other])
        assert read[asked]["batches"]
        assert read[other] == {}


def test_keys_of_one_bucket_open_nothing_of_another(stored: Stored) -> None:
    dataset, listening = stored.look("scientist", Stage.MASKED)
    dataset.read()
    first, second = stored.parts(Stage.MASKED)
    assert plainly(first, of_part(listening.keys, second), ["region"]) == nothing_of(["region"])
    assert plainly(first, of_part(listening.keys, first), ["region"])["region"]["batches"]


def test_with_the_footers_key_alone_names_types_and_rows_show_and_nothing_of_a_cell(stored: Stored) -> None:
    dataset, listening = stored.look("scientist", Stage.MASKED)
    dataset.read()
    path = stored.parts(Stage.MASKED)[0]
    keys = {key_id: key for key_id, key in of_part(listening.keys, path).items() if key_id.endswith("/footer")}
    shown = plain_reader.footer(str(path), keys)
    assert shown["columns"] == {field.name: str(field.type) for field in SCHEMA}
    assert shown["metadata"] == {b"format": b"secure_ml/part/2"}
    assert len(shown["row_groups"]) == 1
    # The column's own description, where statistics would stand, is encrypted with its key: pyarrow aborts over it.
    for column in ("region", "income"):
        assert plainly(path, keys, [column]) == nothing_of([column])


# What is asked for, and by whom


def told(stored: Stored) -> tuple[str, str, str | None, str]:
    entry = list(stored.people.installation.log.entries())[-1]
    return entry.action, entry.outcome, entry.actor, entry.reason or ""


@pytest.mark.parametrize("column", KEPT_BACK)
def test_a_data_scientist_who_asks_for_another_column_is_refused_with_the_reason(stored: Stored, column: str) -> None:
    with pytest.raises(AccessRefused, match=f"opens the columns {column} of masked"):
        stored.look("scientist", Stage.MASKED, columns=["region", column])
    action, outcome, actor, reason = told(stored)
    assert (action, outcome, actor) == ("version.open", "refused", "person:scientist-1")
    assert column in reason


@pytest.mark.parametrize("column", KEPT_BACK)
def test_whoever_passes_the_client_by_gets_no_key_of_another_column(stored: Stored, column: str) -> None:
    dataset, listening = stored.look("scientist", Stage.MASKED)
    asked = {
        **PLACE, "stage": Stage.MASKED, "partition": "", "sections": (), "purpose": PURPOSE,
        "version_id": dataset.origins[0], "columns": ("region", column),
    }  # fmt: skip
    with pytest.raises(AccessRefused, match=column):
        listening.send(ReleaseForActor.model_validate(asked))
    assert listening.keys == {}


@pytest.mark.parametrize(
    ("login", "asked"),
    [
        ("scientist", {"stage": Stage.RAW}),
        ("scientist", {"stage": Stage.SPLIT, "sections": ["test"]}),
        ("scientist", {"stage": Stage.SPLIT, "sections": []}),
        ("scientist", {"stage": Stage.MASKED, "purpose": "curiosity"}),
        ("scientist", {"stage": Stage.MASKED, "purpose": ""}),
        ("scientist", {"stage": Stage.MASKED, "environment": "production"}),
        ("scientist", {"stage": Stage.MASKED, "environment": "no such place"}),
        ("steward", {"stage": Stage.MASKED}),
        ("keeper", {"stage": Stage.MASKED}),
        ("auditor", {"stage": Stage.MASKED}),
        ("dpo", {"stage": Stage.MASKED}),
        ("stranger", {"stage": Stage.MASKED}),
        # Whether there is such a version is not told to those who may not look.
        ("auditor", {"stage": Stage.TRAINED}),
        ("stranger", {"stage": Stage.TRAINED}),
    ],
)
def test_a_look_that_no_role_allows_is_refused_and_in_the_log(
    stored: Stored, login: str, asked: dict[str, Any]
) -> None:
    with pytest.raises(AccessRefused):
        stored.look(login, asked.pop("stage"), **asked)
    assert told(stored)[:2] == ("version.open", "refused")


def test_a_look_is_in_the_log_each_time_with_its_columns(stored: Stored) -> None:
    dataset, _ = stored.look("scientist", Stage.SPLIT)
    assert dataset.schema.names == [*INTERNAL, "__period", "__side"]
    assert set(dataset.read(["__side"])["__side"].to_pylist()) == {"train"}
    entries = list(stored.people.installation.log.entries())[-2:]
    assert [(e.action, e.outcome, e.details["columns"], e.details["sections"]) for e in entries] == [
        ("version.open", "allowed", [*INTERNAL, "__period", "__side"], ["train"]),
        ("version.read", "allowed", ["__side"], ["train"]),
    ]


def test_what_is_missing_or_unchecked_is_told_to_those_who_may_look(stored: Stored) -> None:
    with pytest.raises(NothingThere):
        stored.look("scientist", Stage.VALIDATED)
    assert told(stored)[:2] == ("version.open", "failed")


def grant(stored: Stored, columns: tuple[str, ...], *, hours: int = 2) -> None:
    asked = RequestGrant(
        **PLACE, stage=Stage.MASKED, columns=columns, purpose=PURPOSE, hours=hours, reason="an odd income"
    )
    requested = change_grant(stored.people.kernel_of("scientist"), asked)
    approved = ApproveGrant(**PLACE, grant_id=requested.grant_id)
    change_grant(stored.people.kernel_of("steward"), approved)


def test_a_grant_opens_its_column_for_its_hours_and_for_nobody_else(tmp_path: Path, stored: Stored) -> None:
    for name in ("home", "keys", "defs"):
        shutil.copytree(stored.project.root / name, tmp_path / name)
    shutil.copy(stored.project.root / "actors.yaml", tmp_path)
    clock = Clock()
    mine = Stored(stored.project, open_appointed_people(tmp_path, clock))
    grant(mine, ("income",))
    dataset, listening = mine.look("scientist", Stage.MASKED)
    assert dataset.schema.names == ["income", *INTERNAL]
    assert dataset.read(["income"]).num_rows == 40
    assert {key_id.rsplit("/", 1)[1] for key_id in listening.keys} == {"footer", "income"}
    with pytest.raises(AccessRefused, match="income"):
        mine.look("colleague", Stage.MASKED, columns=["income"])
    clock.pass_hours(2)
    with pytest.raises(AccessRefused, match="income"):
        dataset.read(["income"])
    assert dataset.read(["region"]).num_rows == 40


def test_a_version_that_was_replaced_meanwhile_gives_no_more_keys(tmp_path: Path) -> None:
    project = make_small_project(tmp_path)

    def write() -> Dataset:
        project.write(Stage.MASKED, masked_table())
        project.pass_checks(Stage.MASKED)
        return project.installation.explore(**PLACE, stage=Stage.MASKED, purpose=PURPOSE)

    first, second = write(), write()
    assert second.read().num_rows == 40
    with pytest.raises(HeadMoved, match="open it again"):
        first.read()
