"""classified: what each column of `raw` was found to hold; counts and words, never values."""

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.orchestration.assets.stage import stage_asset
from secure_ml.orchestration.automation import when_inputs_pass
from secure_ml.orchestration.failures import safe_failures
from secure_ml.policy.projects import Project
from secure_ml.vault.dataset import Dataset


def build(project: Project, environment: str) -> dg.AssetsDefinition:
    """The asset for one project."""

    @stage_asset(
        project,
        environment,
        Stage.CLASSIFIED,
        description="What each column of raw was found to hold, and whom it singles out: counts. Never a value.",
        kinds={"encrypted"},
        reads={"raw": Stage.RAW},
        automation=when_inputs_pass(),
    )
    def classified(raw: Dataset) -> Dataset:
        with safe_failures():
            from secure_ml.protection.classify.findings import classify

            subject = project.policy.subject
            return classify(raw, subject=None if subject is None else subject.column)

    return classified
