"""Which digest of a policy governs a stage: what precedes training does not change with what only training reads.

Belongs here: that rule. Must stay out: the digests themselves (policy).
"""

from secure_ml.access.stages import Stage
from secure_ml.policy.project import Policy
from secure_ml.vault.errors import StaleVersion
from secure_ml.vault.manifest import Manifest

_BEFORE_TRAINING = frozenset({Stage.RAW, Stage.CLASSIFIED, Stage.MASKED, Stage.SPLIT})


def governing_digest(policy: Policy, stage: Stage) -> str:
    """The digest that a version of this stage is made under."""
    return policy.data_digest if stage in _BEFORE_TRAINING else policy.digest


def require_current(manifest: Manifest, policy: Policy) -> None:
    """Returns if the version was made under today's policy.

    Raises:
        StaleVersion: it was made under another one.
    """
    if manifest.policy_digest != governing_digest(policy, Stage(manifest.address.stage)):
        raise StaleVersion(
            f"{manifest.address} was made under another policy than today's; materialise it again before it is used"
        )
