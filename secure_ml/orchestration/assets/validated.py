"""validated: what the candidate does on people it has not seen, in figures that show no single one of them."""

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.orchestration.assets.stage import stage_asset
from secure_ml.orchestration.failures import safe_failures
from secure_ml.orchestration.keys import known_partitions
from secure_ml.orchestration.metadata import evidence_metadata
from secure_ml.policy.projects import Project
from secure_ml.vault.dataset import Dataset


def build(project: Project, environment: str) -> dg.AssetsDefinition:
    """The asset for one project."""
    policy = project.policy

    @stage_asset(
        project,
        environment,
        Stage.VALIDATED,
        description="Performance, calibration, fairness, backtest and explanation on the test side; aggregates only.",
        kinds={"fairlearn", "scikitlearn", "encrypted"},
        reads={"split": Stage.SPLIT, "trained": Stage.TRAINED},
    )
    def validated(split: Dataset, trained: Dataset) -> dg.MaterializeResult[Dataset]:
        with safe_failures():
            import numpy as np

            from secure_ml.release.validation import read_evidence, validate_candidate

            evidence = validate_candidate(
                split, trained, policy, periods=known_partitions(policy), generator=np.random.default_rng()
            )
            return dg.MaterializeResult(value=evidence, metadata=evidence_metadata(read_evidence(evidence), policy))

    return validated
