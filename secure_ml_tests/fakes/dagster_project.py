"""The small project as Dagster definitions on an instance that lives in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.orchestration.io_manager import DoorIOManager
from secure_ml.orchestration.keys import asset_key
from secure_ml.orchestration.project import project_definitions
from secure_ml.orchestration.registry import RegistryResource
from secure_ml.orchestration.resources import Doors
from secure_ml_tests.fakes.small_project import ENVIRONMENT, PROJECT, SmallProject

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def key_of(stage: Stage) -> dg.AssetKey:
    return asset_key(ENVIRONMENT, PROJECT, stage)


@dataclass(frozen=True)
class DagsterProject:
    """Definitions of the small project, and where its runs are recorded."""

    project: SmallProject
    definitions: dg.Definitions
    instance: dg.DagsterInstance

    def run(self, *stages: Stage, partition: str | None = None, **options: Any) -> dg.ExecuteInProcessResult:
        """One run of some stages with their checks, as a backfill or a person would launch it."""
        return self.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            asset_selection=[key_of(stage) for stage in stages],
            partition_key=partition,
            run_config=_QUIET,
            raise_on_error=False,
            **options,
        )

    def materialisation(self, stage: Stage) -> dg.AssetMaterialization:
        event = self.instance.get_latest_materialization_event(key_of(stage))
        assert event is not None
        assert event.asset_materialization is not None
        return event.asset_materialization

    def texts(self, run_id: str) -> str:
        """Everything that the event log holds about a run."""
        return "\n".join(str(entry) for entry in self.instance.all_logs(run_id))


def dagster_project(
    project: SmallProject, instance: dg.DagsterInstance, *, more: Sequence[dg.AssetsDefinition] = ()
) -> DagsterProject:
    """Binds the project's installation to its definitions."""
    doors = Doors(lambda: project.installation, environ={})
    resources = {
        "doors": doors,
        "io_manager": DoorIOManager(doors),
        "registry": RegistryResource(project.installation.settings),
    }
    bound = dg.Definitions(assets=list(more), resources=resources, executor=dg.in_process_executor)
    declared = project_definitions(project.installation.projects[PROJECT], ENVIRONMENT)
    return DagsterProject(project, dg.Definitions.merge(declared, bound), instance)


def failures(result: dg.ExecuteInProcessResult) -> list[str]:
    """The described failure of each failed step."""
    found = []
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data.user_failure_data
            found.append(data.description or "" if data is not None else event.step_failure_data.error_display_string)
    return found
