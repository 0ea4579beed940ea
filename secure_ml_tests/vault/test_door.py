import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pytest

from secure_ml.access.stages import CHECKS, Stage
from secure_ml.keys.context import KeyContext
from secure_ml.keys.errors import KeyDestroyed
from secure_ml.vault import writing
from secure_ml.vault.dataset import Dataset, DatasetError, Output, copied, from_batches
from secure_ml.vault.door import bucket_of
from secure_ml.vault.errors import AccessRefused, ChecksNotPassed, HeadMoved, NothingThere, StaleVersion
from secure_ml.vault.labels import PUBLIC
from secure_ml_tests.fakes.masked_table import LABELS, SCHEMA, masked_table, split_table
from secure_ml_tests.fakes.small_project import ENVIRONMENT, PROJECT, SmallProject, rows, write_policy

NEEDED_BY_MASKED = {"member_id", "income", "region", "diagnosis", "gender", "agreed", "approved"}


def by_key(table: pa.Table, key: str) -> dict[object, dict[str, object]]:
    return {row[key]: row for row in table.to_pylist()}


# What is written is read, with its labels


def test_the_rows_that_were_received_are_read_back(project: SmallProject) -> None:
    _, dataset = project.door().assess(Stage.RAW, "")
    expected = {row["remark"]: {name: cell or None for name, cell in row.items()} for row in rows()}
    assert len(expected) == dataset.read().num_rows
    assert by_key(dataset.read(), "remark") == expected


def test_labels_and_types_come_back_with_the_rows(project: SmallProject) -> None:
    written = project.write(Stage.MASKED, masked_table())
    manifest, dataset = project.door().assess(Stage.MASKED, "")
    assert dataset.schema.equals(SCHEMA)
    assert dict(dataset.labels) == LABELS
    assert dataset.origins == (written.version_id,) == (manifest.version_id,)
    assert by_key(dataset.read(), "member_id") == by_key(masked_table().read(), "member_id")


def test_a_version_without_rows_is_written_and_read(project: SmallProject) -> None:
    written = project.write(Stage.MASKED, masked_table(0))
    _, dataset = project.door().assess(Stage.MASKED, "")
    assert (written.rows, dataset.read().num_rows) == (0, 0)


def test_rows_of_one_subject_lie_in_one_part(project: SmallProject) -> None:
    manifest, dataset = project.door().assess(Stage.RAW, "")
    assert sorted(part.bucket for part in manifest.parts) == [0, 1, 2]
    seen: list[str] = []
    for batch in dataset.scan(["member_id"]):
        seen.extend(batch["member_id"].to_pylist())
    ends = [sum(part.rows for part in manifest.parts[: index + 1]) for index in range(3)]
    pieces = [set(seen[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    assert all(part.rows > 0 for part in manifest.parts)
    assert not pieces[0] & pieces[1]
    assert not (pieces[0] | pieces[1]) & pieces[2]


def test_a_bucket_is_the_subjects_keyed_hash_and_zero_without_a_subject() -> None:
    subjects = pa.array(["a", None, "é", "a"])
    first, _, second, _ = buckets = bucket_of(subjects, buckets=7, key=b"k" * 32).tolist()
    for subject, bucket in (("a", first), ("é", second)):
        code = hmac.new(b"k" * 32, subject.encode(), hashlib.sha256).digest()
        assert bucket == int.from_bytes(code[:8], "big") % 7
    assert buckets == [first, 0, second, first]
    assert bucket_of(pa.array([], pa.string()), buckets=7, key=b"k" * 32).tolist() == []


def test_column_names_that_break_the_syntax_of_key_lists_are_written_and_read(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A policy may declare any of them.
    monkeypatch.setattr(writing, "may_be_shown", lambda name, declared: True)
    names = ["a", "b", "a,b", "a;b", "a:b", "a.b", " a ", "आय", "100%", "%61", '"', "member_id"]
    schema = pa.schema([pa.field(name, pa.string()) for name in names])
    batch = pa.RecordBatch.from_arrays([pa.array([f"of {name}"], pa.string()) for name in names], schema=schema)
    labels = dict(zip(names, [*LABELS.values(), *LABELS.values()], strict=True))
    project.write(Stage.CLASSIFIED, from_batches([batch], schema=schema, labels=labels))
    _, dataset = project.door().assess(Stage.CLASSIFIED, "")
    assert dataset.read().to_pylist() == [{name: f"of {name}" for name in names}]
    for name in names:
        assert dataset.read([name]).to_pylist() == [{name: f"of {name}"}]


@pytest.mark.parametrize("type_", [pa.list_(pa.string()), pa.struct([("x", pa.string())]), pa.decimal128(5), pa.null()])
def test_a_type_that_would_stay_in_clear_or_has_no_canonical_bytes_is_refused(
    project: SmallProject, type_: pa.DataType
) -> None:
    schema = pa.schema([pa.field("x", type_)])
    with pytest.raises(DatasetError, match="column x"):
        project.write(Stage.MASKED, from_batches([], schema=schema, labels={"x": PUBLIC}))


def test_the_same_rows_have_the_same_digest_and_another_version_id(project: SmallProject) -> None:
    first = project.write(Stage.MASKED, masked_table(batch_rows=40))
    second = project.write(Stage.MASKED, masked_table(batch_rows=7))
    other = project.write(Stage.MASKED, masked_table(41))
    assert first.digest == second.digest != other.digest
    assert len({first.version_id, second.version_id, other.version_id}) == 3
    assert (first.sequence, second.sequence, other.sequence) == (1, 2, 3)


# Who may read what


def test_a_version_without_verdicts_is_refused(project: SmallProject) -> None:
    project.write_raw()
    with pytest.raises(ChecksNotPassed, match="schema, quality"):
        project.door().open(Stage.RAW, "", by=Stage.MASKED)
    entry = project.log("version.open")[-1]
    assert (entry.outcome, entry.details) == ("failed", {"error": "ChecksNotPassed"})


def test_a_version_that_lacks_one_verdict_is_refused(project: SmallProject) -> None:
    project.write_raw()
    manifest, _ = project.door().assess(Stage.RAW, "")
    project.door().record_verdict(manifest, check="schema", passed=True, blocking=True, facts={})
    with pytest.raises(ChecksNotPassed, match="quality"):
        project.door().open(Stage.RAW, "", by=Stage.MASKED)


@pytest.mark.parametrize("blocking", [True, False])
def test_a_failed_check_closes_the_version_where_it_is_blocking(project: SmallProject, blocking: bool) -> None:
    manifest, _ = project.door().assess(Stage.RAW, "")
    project.door().record_verdict(manifest, check="quality", passed=False, blocking=blocking, facts={"failed": 3})
    if blocking:
        with pytest.raises(ChecksNotPassed, match="quality"):
            project.door().open(Stage.RAW, "", by=Stage.MASKED)
    else:
        assert project.door().open(Stage.RAW, "", by=Stage.MASKED).read().num_rows == 60


def test_a_check_that_fails_after_the_version_was_opened_closes_it(project: SmallProject) -> None:
    dataset = project.door().open(Stage.RAW, "", by=Stage.MASKED)
    project.pass_checks(Stage.RAW, failing=("schema",))
    with pytest.raises(ChecksNotPassed, match="schema"):
        dataset.read()


def test_a_verdict_of_a_check_that_the_stage_does_not_have_is_refused(project: SmallProject) -> None:
    manifest, _ = project.door().assess(Stage.RAW, "")
    with pytest.raises(AccessRefused, match="fairness"):
        project.door().record_verdict(manifest, check="fairness", passed=True, blocking=True, facts={})
    assert project.log("verdict.write")[-1].outcome == "refused"


def test_a_place_where_nothing_was_committed_says_so(project: SmallProject) -> None:
    with pytest.raises(NothingThere, match="materialise"):
        project.door().assess(Stage.MASKED, "")
    with pytest.raises(NothingThere):
        project.door().open(Stage.RAW, "other", by=Stage.MASKED)


@pytest.mark.parametrize(
    ("stage", "by"),
    [
        (Stage.RAW, Stage.SPLIT),
        (Stage.RAW, Stage.TRAINED),
        (Stage.RAW, Stage.RAW),
        (Stage.MASKED, Stage.TRAINED),
        (Stage.SPLIT, Stage.REGISTERED),
        (Stage.VALIDATED, Stage.TRAINED),
    ],
)
def test_a_stage_does_not_read_what_is_not_its_parent(project: SmallProject, stage: Stage, by: Stage) -> None:
    with pytest.raises(AccessRefused, match=f"{by} may not read {stage}"):
        project.door().open(stage, "", by=by)
    entry = project.log("version.open")[-1]
    assert (entry.outcome, entry.resource) == ("refused", f"{ENVIRONMENT}/{PROJECT}/{stage}")


def test_masked_sees_only_the_columns_that_the_purpose_needs(project: SmallProject) -> None:
    dataset = project.door().open(Stage.RAW, "", by=Stage.MASKED)
    assert set(dataset.schema.names) == NEEDED_BY_MASKED
    with pytest.raises(DatasetError):
        dataset.scan(["full_name"])


@pytest.fixture
def split(project: SmallProject) -> SmallProject:
    project.write(Stage.SPLIT, split_table(60))
    project.pass_checks(Stage.SPLIT)
    return project


def test_each_reader_of_split_opens_its_own_sides_and_columns(split: SmallProject) -> None:
    trained = split.door().open(Stage.SPLIT, "", by=Stage.TRAINED, sections=("train",))
    validated = split.door().open(Stage.SPLIT, "", by=Stage.VALIDATED, sections=("validation", "test"))
    assert set(trained.read()["__side"].to_pylist()) == {"train"}
    assert set(validated.read()["__side"].to_pylist()) == {"validation", "test"}
    assert set(trained.schema.names) == {"member_id", "income", "region", "approved", "__period", "__side"}
    assert set(validated.schema.names) - set(trained.schema.names) == {"gender"}


@pytest.mark.parametrize(
    ("by", "sections"),
    [
        (Stage.TRAINED, ("test",)),
        (Stage.TRAINED, ("train", "validation")),
        (Stage.TRAINED, ()),
        (Stage.TRAINED, ("data",)),
        (Stage.VALIDATED, ("train",)),
        (Stage.VALIDATED, ("train", "test")),
    ],
)
def test_a_side_of_split_that_is_not_the_readers_is_refused(
    split: SmallProject, by: Stage, sections: tuple[str, ...]
) -> None:
    with pytest.raises(AccessRefused, match="may open only the sides"):
        split.door().open(Stage.SPLIT, "", by=by, sections=sections)


def test_sides_of_anything_else_are_refused(project: SmallProject) -> None:
    with pytest.raises(AccessRefused, match="no sides"):
        project.door().open(Stage.RAW, "", by=Stage.MASKED, sections=("train",))


def test_split_is_written_in_its_sides_and_nothing_else_is(project: SmallProject) -> None:
    for stage, dataset in ((Stage.SPLIT, masked_table()), (Stage.MASKED, split_table())):
        with pytest.raises(AccessRefused, match="sections"):
            project.door().write(stage, "", dataset)


@pytest.mark.parametrize("side", ["data", "", "Train"])
def test_a_row_on_an_unknown_side_is_refused(project: SmallProject, side: str) -> None:
    with pytest.raises(DatasetError, match="section"):
        project.write(Stage.SPLIT, split_table(sides=("train", side)))


def test_keyed_hashes_are_given_to_the_stages_that_need_them(project: SmallProject) -> None:
    door = project.door()
    token, subject = door.derive_key("token:email", by=Stage.MASKED), door.derive_key("subject", by=Stage.SPLIT)
    assert len({token, subject, door.derive_key("token:phone", by=Stage.MASKED)}) == 3
    assert token == project.door("another").derive_key("token:email", by=Stage.MASKED)
    for derivation, by in (("token:email", Stage.TRAINED), ("subject", Stage.MASKED), ("content digest", Stage.SPLIT)):
        with pytest.raises(AccessRefused, match=derivation):
            door.derive_key(derivation, by=by)


# Policies change, writers race, maps fail


def test_a_version_made_under_another_policy_is_stale(project: SmallProject) -> None:
    changed = project.installation.policy_of(PROJECT).model_dump(mode="json", exclude_none=True)
    changed["columns"]["region"]["treatment"] = {"kind": "redact"}
    changed["columns"]["region"]["use"] = {"kind": "never"}
    write_policy(project.folder, changed)
    with pytest.raises(StaleVersion, match="materialise it again"):
        project.reopened().door().open(Stage.RAW, "", by=Stage.MASKED)
    changed["columns"]["region"] = project.installation.policy_of(PROJECT).model_dump(mode="json")["columns"]["region"]
    changed["title"], changed["retention"]["raw_days"] = "Another title", 31
    write_policy(project.folder, changed)
    assert project.reopened().door().open(Stage.RAW, "", by=Stage.MASKED).read().num_rows == 60


def test_of_two_writers_the_second_is_refused_and_leaves_nothing(project: SmallProject) -> None:
    def meanwhile() -> Iterator[pa.RecordBatch]:
        project.write(Stage.MASKED, masked_table(20), run_id="run-2")
        yield from masked_table(40).scan()

    racing = replace(masked_table(), open=lambda columns: meanwhile())
    with pytest.raises(HeadMoved, match="start the run again"):
        project.write(Stage.MASKED, racing, run_id="run-1")
    manifest, dataset = project.door().assess(Stage.MASKED, "")
    assert (manifest.sequence, manifest.run_id, dataset.read().num_rows) == (1, "run-2", 20)
    assert len(list(project.home.glob("vault/*/*/masked/_/*"))) == 1
    assert project.log("version.abandon")[-1].details["error"] == "HeadMoved"


class CellInside(Exception):
    pass


def failing(after: int) -> Dataset:
    seen = [0]

    def fail(incomes: pa.Array) -> pa.Array:
        seen[0] += 1
        if seen[0] > after:
            raise CellInside
        return incomes

    others = copied(SCHEMA, [name for name in SCHEMA.names if name != "income"])
    return masked_table(64).map([Output("income", pa.float64(), ("income",), fail), *others])


@pytest.mark.parametrize("after", [0, 2])
def test_a_map_that_fails_leaves_no_file_no_key_and_an_entry_in_the_log(project: SmallProject, after: int) -> None:
    project.write(Stage.MASKED, masked_table(8))
    with pytest.raises(CellInside):
        project.write(Stage.MASKED, failing(after))
    manifest, _ = project.door().assess(Stage.MASKED, "")
    (folder,) = project.home.glob("vault/*/*/masked/_/*")
    assert (manifest.sequence, folder.name) == (1, manifest.version_id)
    entry = project.log("version.abandon")[-1]
    assert (entry.outcome, entry.details["error"]) == ("failed", "CellInside")
    gone = str(entry.details["version_id"])
    assert gone != manifest.version_id
    with pytest.raises(KeyDestroyed):
        project.installation.keys.open(KeyContext(ENVIRONMENT, PROJECT, gone, "data", 0, "footer"))


def test_a_write_interrupted_after_its_commit_keeps_its_files_and_keys(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = project.installation.versions
    commit = versions.commit

    def commit_then_interrupt(*arguments: object, **named: object) -> int:
        commit(*arguments, **named)
        raise KeyboardInterrupt

    door = project.door()
    dataset = masked_table(origins=project.parents(Stage.MASKED, door=door))
    monkeypatch.setattr(versions, "commit", commit_then_interrupt)
    with pytest.raises((KeyboardInterrupt, AccessRefused)):
        door.write(Stage.MASKED, "", dataset)
    monkeypatch.undo()
    _, dataset = project.door().assess(Stage.MASKED, "")
    assert dataset.read().num_rows == 40


def test_every_stage_that_is_read_has_checks() -> None:
    assert {stage for stage, checks in CHECKS.items() if not checks} == {Stage.REGISTERED}


def test_an_origin_and_a_summary_are_stored_with_the_version(project: SmallProject) -> None:
    door = project.door()
    origins = project.parents(Stage.MASKED, door=door)
    told = {"rows_read": 3, "unknown.region": 1}
    door.write(Stage.MASKED, "", replace(masked_table(origins=origins), summary=lambda: told))
    manifest, _ = project.door().assess(Stage.MASKED, "")
    assert manifest.parents == origins
    assert dict(manifest.summary) == told


# Lineage


def test_the_lineage_is_the_manifests_of_all_ancestors_and_its_reading_is_in_the_log(project: SmallProject) -> None:
    project.write(Stage.MASKED, masked_table())
    _, masked = project.door().assess(Stage.MASKED, "")
    (raw, _), (classified, _) = (project.door().assess(stage, "") for stage in (Stage.RAW, Stage.CLASSIFIED))
    told = project.door().lineage(masked)
    assert [manifest.version_id for manifest in told] == [*masked.origins, raw.version_id, classified.version_id]
    entry = project.log("lineage.read")[-1]
    assert (entry.outcome, entry.details["version_ids"]) == ("allowed", list(masked.origins))
