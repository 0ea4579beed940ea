"""A stage gets the sides and columns that the graph gives it, whatever its code or a client of Dagster asks for."""

import pytest

from secure_ml.access.stages import SIDES, Stage
from secure_ml.vault import messages as m
from secure_ml.vault.errors import AccessRefused
from secure_ml_tests.fakes.masked_table import split_table
from secure_ml_tests.fakes.small_project import ENVIRONMENT, PROJECT, SmallProject

BEYOND_TRAINING = [("test",), ("validation",), ("train", "test"), SIDES, ()]


@pytest.fixture
def split_project(checked_project: SmallProject) -> SmallProject:
    """A small project whose `split` is written and has passed its checks."""
    checked_project.write(Stage.SPLIT, split_table())
    checked_project.pass_checks(Stage.SPLIT)
    return checked_project


@pytest.mark.parametrize("sides", BEYOND_TRAINING, ids="+".join)
def test_a_trainer_cannot_open_another_side_and_the_refusal_is_logged(
    split_project: SmallProject, sides: tuple[str, ...]
) -> None:
    with pytest.raises(AccessRefused, match="train"):
        split_project.door().open(Stage.SPLIT, "", by=Stage.TRAINED, sections=sides)
    refused = split_project.log("version.open")[-1]
    assert (refused.outcome, refused.details["by"]) == ("refused", "trained")


@pytest.mark.parametrize("sides", BEYOND_TRAINING, ids="+".join)
def test_a_trainer_that_has_opened_its_side_gets_no_key_of_another(
    split_project: SmallProject, sides: tuple[str, ...]
) -> None:
    door = split_project.door()
    opened = door.open(Stage.SPLIT, "", by=Stage.TRAINED, sections=("train",))
    with pytest.raises(AccessRefused):
        door.send(
            m.ReleaseKeys,
            m.KeysReleased,
            by=Stage.TRAINED,
            stage=Stage.SPLIT,
            partition="",
            version_id=opened.origins[0],
            columns=("income",),
            sections=sides,
            assess=False,
        )


def test_a_trainer_is_not_given_what_the_purpose_keeps_from_it(split_project: SmallProject) -> None:
    opened = split_project.door().open(Stage.SPLIT, "", by=Stage.TRAINED, sections=("train",))
    assert "gender" not in opened.schema.names
    with pytest.raises((AccessRefused, KeyError, ValueError)):
        opened.read(["gender"])


@pytest.mark.parametrize("by", [Stage.TRAINED, Stage.VALIDATED, Stage.REGISTERED, Stage.SPLIT])
def test_nothing_behind_masked_opens_raw(split_project: SmallProject, by: Stage) -> None:
    with pytest.raises(AccessRefused):
        split_project.door().open(Stage.RAW, "", by=by)


def test_a_run_may_not_read_in_the_name_of_its_checks(split_project: SmallProject) -> None:
    asked = m.OpenVersion.model_validate(
        {
            "ticket": split_project.kernel.send(
                m.IssueTicket(environment=ENVIRONMENT, project=PROJECT, run_id="trainer", stages=tuple(Stage))
            ),
            "environment": ENVIRONMENT,
            "project": PROJECT,
            "by": Stage.TRAINED,
            "stage": Stage.SPLIT,
            "partition": "",
            "columns": (),
            "sections": (),
            "assess": True,
        }
    )
    with pytest.raises(AccessRefused, match="may not assess"):
        split_project.kernel.send(asked)
