"""What a run leaves in Dagster about the versions that it made."""

from collections.abc import Iterator

import dagster as dg
import pytest

from secure_ml.access.stages import Stage
from secure_ml_tests.fakes.dagster_project import DagsterProject, dagster_project, failures, key_of
from secure_ml_tests.fakes.small_project import declare_all, make_small_project

PROTECT = (Stage.RAW, Stage.CLASSIFIED, Stage.MASKED)


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterProject]:
    """One partition, through all three stages."""
    root = tmp_path_factory.mktemp("protected")
    with dg.DagsterInstance.ephemeral(tempdir=str(root)) as instance:
        clinic = dagster_project(make_small_project(root, partitioned=True, change=declare_all), instance)
        result = clinic.run(*PROTECT, partition="first")
        assert result.success, failures(result)
        yield clinic


def column_of(project: DagsterProject, stage: Stage, name: str) -> dg.TableColumn:
    schema = project.materialisation(stage).metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchemaMetadataValue)
    return next(column for column in schema.schema.columns if column.name == name)


def test_each_stage_of_a_partition_leaves_its_facts(protected: DagsterProject) -> None:
    rows = {Stage.RAW: 30, Stage.CLASSIFIED: 11, Stage.MASKED: 27}
    for stage in PROTECT:
        made = protected.materialisation(stage)
        assert made.partition == "first"
        assert made.metadata["dagster/row_count"].value == rows[stage]
        assert made.tags is not None
        assert made.tags["dagster/data_version"] == made.metadata["digest"].value


def test_metadata_name_the_version_and_the_audit_entry_that_committed_it(protected: DagsterProject) -> None:
    for stage in PROTECT:
        metadata = protected.materialisation(stage).metadata
        index = int(str(metadata["audit_log_entry"].value))
        (entry,) = (e for e in protected.project.installation.log.entries() if e.entry_index == index)
        assert str(metadata["version"].value) in str(entry)


def test_the_schema_says_what_a_column_is_and_what_was_done_to_it(protected: DagsterProject) -> None:
    name = column_of(protected, Stage.RAW, "full_name")
    member = column_of(protected, Stage.MASKED, "member_id")

    assert name.tags == {"category": "pii", "identifies": "direct", "entity": "person_name"}
    assert name.description == "invented pii column In masked: dropped."
    assert member.tags == {"category": "pii", "identifies": "pseudonym", "entity": "subject_id"}
    assert "Here: keyed token" in (member.description or "")


def test_the_schema_says_that_the_label_is_true_for_the_positive_outcome(protected: DagsterProject) -> None:
    label = column_of(protected, Stage.MASKED, "approved")

    assert label.type == "bool"
    assert "Here: true for yes; what the model learns to predict." in (label.description or "")


def test_every_column_of_the_findings_is_explained(protected: DagsterProject) -> None:
    schema = protected.materialisation(Stage.CLASSIFIED).metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchemaMetadataValue)

    assert [column.name for column in schema.schema.columns if not column.description] == []


def test_masked_columns_come_from_raw_columns_of_the_same_name(protected: DagsterProject) -> None:
    metadata = protected.materialisation(Stage.MASKED).metadata
    lineage = metadata["dagster/column_lineage"]
    assert isinstance(lineage, dg.TableColumnLineageMetadataValue)
    deps = lineage.value.deps_by_column
    schema = metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchemaMetadataValue)

    assert set(deps) == {column.name for column in schema.schema.columns}
    assert deps["income"] == [dg.TableColumnDep(key_of(Stage.RAW), "income")]


def test_the_same_rows_have_the_same_data_version_and_another_partition_another(protected: DagsterProject) -> None:
    first = protected.materialisation(Stage.RAW).metadata
    protected.run(Stage.RAW, partition="first")
    again = protected.materialisation(Stage.RAW).metadata
    protected.run(Stage.RAW, partition="second")
    second = protected.materialisation(Stage.RAW).metadata

    assert first["digest"] == again["digest"]
    assert first["version"] != again["version"]
    assert second["digest"] != first["digest"]


def test_checks_name_their_version_and_their_audit_entry(protected: DagsterProject) -> None:
    result = protected.run(Stage.RAW, partition="first")
    version = protected.materialisation(Stage.RAW).metadata["version"]

    evaluations = result.get_asset_check_evaluations()

    assert {e.check_name for e in evaluations} == {"schema", "quality"}
    for evaluation in evaluations:
        assert evaluation.metadata["version"] == version
        assert isinstance(evaluation.metadata["audit_log_entry"], dg.TextMetadataValue)


def test_no_cell_of_the_table_stands_in_the_event_log(protected: DagsterProject) -> None:
    logs = "".join(protected.texts(record.dagster_run.run_id) for record in protected.instance.get_run_records())

    assert "zorblax" not in logs.lower()
    assert "MEMBER-0" not in logs
