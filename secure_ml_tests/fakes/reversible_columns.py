"""The small project with two columns whose treatments can be undone, and what stands in them once masked."""

import pyarrow as pa

from secure_ml.access.stages import Stage
from secure_ml.installation import Installation
from secure_ml.protection.mask.masking import Masking
from secure_ml.protection.mask.plan import column_treatment
from secure_ml.vault.deriving import project_key
from secure_ml.vault.manifest import Address
from secure_ml_tests.fakes.small_project import ENVIRONMENT, PROJECT, Attributes, SmallProject

REVERSIBLE = {"email": "deterministic_encryption", "full_name": "format_preserving"}
"""Column and treatment."""


def with_reversible_columns(content: Attributes) -> None:
    """Keeps the two columns, for a review of single cases."""
    for name, kind in REVERSIBLE.items():
        content["columns"][name] |= {"treatment": {"kind": kind}, "use": {"kind": "review"}}


def mask(project: SmallProject) -> pa.Table:
    """Masks the project's table for real, and has it judged; what stands in `masked` then."""
    project.write_raw()
    project.pass_checks(Stage.RAW)
    door, policy = project.door(), project.installation.policy_of(PROJECT)
    masking = Masking(policy, key_for=lambda purpose: door.derive_key(purpose, by=Stage.MASKED))
    project.write(Stage.MASKED, masking.apply(door.open(Stage.RAW, "", by=Stage.MASKED)))
    project.pass_checks(Stage.MASKED)
    return project.door("look").assess(Stage.MASKED, "")[1].read()


def masked_cell(
    installation: Installation, column: str, value: str, *, environment: str = ENVIRONMENT, project: str = PROJECT
) -> str:
    """What `masked` makes of a value in a place."""
    address = Address(environment, project, Stage.MASKED, "")

    def key_for(purpose: str) -> bytes:
        return project_key(installation.keys, address, purpose)

    treatment = column_treatment(installation.policy_of(project), column, key_for=key_for)
    assert treatment is not None
    (cell,) = treatment.apply(pa.array([value])).values.to_pylist()
    return str(cell)
