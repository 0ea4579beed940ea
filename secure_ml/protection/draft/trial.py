"""The draft's own checks on the table, before anybody is handed it.

Belongs here: masking and inspecting in this process, and which columns and bounds fail. Must stay out: what is done
about it.
"""

from dataclasses import dataclass

from secure_ml.policy.project import Policy
from secure_ml.protection.anonymity.errors import AnonymityError
from secure_ml.protection.anonymity.judgement import measure
from secure_ml.protection.mask.inspection import inspect
from secure_ml.protection.mask.masking import Masking
from secure_ml.protection.mask.treatment import MaskingError
from secure_ml.vault.dataset import Dataset


@dataclass(frozen=True)
class Refused:
    """What the checks of `masked` would refuse.

    Attributes:
        columns: those in which an identifier is left, or a cell that their treatment cannot have made.
        anonymity: whether fewer people share what strangers may know than the policy asks, or too much is suppressed.
    """

    columns: tuple[str, ...]
    anonymity: bool


def try_checks(table: Dataset, policy: Policy) -> Refused:
    """Makes `masked` of a raw table batch by batch, looks at every cell as the checks do, and keeps nothing.

    Raises:
        SourceError: the file is broken.
    """
    # Pseudonyms stay in this process, and no check asks whose they are: any key serves.
    masked = Masking(policy, key_for=lambda purpose: bytes(32)).apply(table)
    try:
        found = inspect(masked, policy)
    except (AnonymityError, MaskingError):
        # Without suppression neither comes of the rows.
        if policy.anonymity is None or not policy.anonymity.suppress:
            raise
        return Refused((), True)
    short = policy.anonymity is not None and (
        found.classes is None or bool(measure(found.classes, policy.anonymity).faults(policy.anonymity))
    )
    return Refused(tuple(sorted({*found.residual, *found.untreated})), short)
