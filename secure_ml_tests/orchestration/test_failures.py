"""Errors inside stages: what Dagster keeps of them, and that a refusal stays one."""

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import dagster as dg
import pyarrow as pa
import pytest

from secure_ml.access.stages import Stage
from secure_ml.orchestration.assets import classified, masked, registered, split, trained, validated
from secure_ml.orchestration.failures import safe_failures
from secure_ml.settings import project_root
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.errors import VaultError
from secure_ml_tests.fakes.dagster_project import DagsterProject, failures
from secure_ml_tests.fakes.small_project import ENVIRONMENT, PROJECT

CANARY = "Zorblax Canary 99999"


class _QuotesACell(ValueError):
    """An error of a library, as pandas or pyarrow raise them."""


def broken_while_streaming(dataset: Dataset) -> Dataset:
    """The dataset, whose rows raise once they are read, as an error inside a `map` does."""
    from dataclasses import replace

    def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield next(iter(dataset.open(columns)))
        raise _QuotesACell(f"could not convert string to float: {CANARY!r}")

    return replace(dataset, open=scan)


@pytest.fixture
def receiving(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Dataset], object]], None]:
    """Replaces what the door gives to `raw`."""

    def receive(change: Callable[[Dataset], object]) -> None:
        from secure_ml.vault.door import Door

        original = Door.receive

        def changed(self: Door, *args: object, **options: object) -> object:
            return change(original(self, *args, **options))

        monkeypatch.setattr(Door, "receive", changed)

    return receive


def test_an_error_while_rows_stream_leaves_no_cell_in_log_or_terminal(
    clinic: DagsterProject,
    receiving: Callable[[Callable[[Dataset], object]], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    receiving(broken_while_streaming)

    result = clinic.run(Stage.RAW, partition="first")

    (words,) = failures(result)
    assert not result.success
    assert words.startswith("_QuotesACell")
    printed = capfd.readouterr()
    assert CANARY not in clinic.texts(result.run_id) + printed.out + printed.err
    assert clinic.instance.get_latest_materialization_event(clinic_key()) is None


def test_an_asset_that_returns_no_dataset_is_refused(
    clinic: DagsterProject, receiving: Callable[[Callable[[Dataset], object]], None]
) -> None:
    receiving(lambda dataset: {"full_name": CANARY})

    result = clinic.run(Stage.RAW, partition="first")

    assert not result.success
    assert CANARY not in clinic.texts(result.run_id)
    assert not list(clinic.project.home.glob("vault/**/*.parquet"))


def test_a_refusal_is_not_tried_again(clinic: DagsterProject) -> None:
    result = clinic.run(Stage.MASKED, partition="first")

    (failed,) = (event for event in result.all_events if event.is_step_failure)
    data = failed.step_failure_data.user_failure_data
    assert data is not None
    assert "NothingThere" in (data.description or "")
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


def test_a_version_whose_check_failed_is_refused_in_a_later_run(under_declared: DagsterProject) -> None:
    first = under_declared.run(Stage.RAW, Stage.CLASSIFIED, Stage.MASKED, partition="first")
    later = under_declared.run(Stage.MASKED, partition="first")

    assert [e.check_name for e in first.get_asset_check_evaluations() if not e.passed] == [
        "no_undeclared_sensitive_column"
    ]
    assert not first.success
    (words,) = failures(later)
    assert words.startswith(
        "ChecksNotPassed: training/clinic/classified[first] failed its blocking checks no_undeclared_sensitive_column"
    )


def test_an_error_of_this_project_keeps_its_words() -> None:
    with pytest.raises(dg.Failure) as caught, safe_failures():
        raise VaultError("the part is shorter than its manifest says")

    assert caught.value.description == "VaultError: the part is shorter than its manifest says"
    assert caught.value.allow_retries is False


def test_an_error_of_a_library_keeps_its_class_only_and_no_cause() -> None:
    with pytest.raises(dg.Failure) as caught, safe_failures():
        raise _QuotesACell(CANARY)

    assert CANARY not in str(caught.value.description)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("stage", "module"),
    [
        (classified, "secure_ml.protection.classify.findings"),
        (masked, "secure_ml.protection.mask.masking"),
        (split, "secure_ml.training.split"),
        (trained, "secure_ml.release.candidate"),
        (validated, "secure_ml.release.validation"),
        (registered, "secure_ml.release.registration"),
    ],
    ids=lambda value: value.__name__.rpartition(".")[2] if isinstance(value, ModuleType) else "",
)
def test_a_stage_whose_import_is_broken_fails_as_any_other(
    clinic: DagsterProject, monkeypatch: pytest.MonkeyPatch, stage: ModuleType, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    body = inspect.unwrap(
        stage.build(clinic.project.installation.projects[PROJECT], ENVIRONMENT).op.compute_fn.decorated_fn
    )

    with pytest.raises(dg.Failure) as caught:
        body(*[None] * len(inspect.signature(body).parameters))

    place = Path(str(stage.__file__)).relative_to(project_root())
    assert str(caught.value.description).startswith(f"ModuleNotFoundError at {place}:")


def test_a_check_whose_import_is_broken_closes_the_version(
    clinic: DagsterProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "secure_ml.protection.quality", None)

    result = clinic.run(Stage.RAW, partition="first")

    (words,) = failures(result)
    assert words.startswith("ModuleNotFoundError at secure_ml/orchestration/checks/raw.py:")
    assert "ChecksNotPassed" in failures(clinic.run(Stage.CLASSIFIED, partition="first"))[0]


def test_a_failure_passes_as_it_is() -> None:
    with pytest.raises(dg.Failure, match="said already"), safe_failures():
        raise dg.Failure("said already")


def clinic_key() -> dg.AssetKey:
    return dg.AssetKey(["training", "clinic", "raw"])
