"""Which digest of a policy governs a version: by its environment, and by its stage.

What precedes training does not change with what only training reads.

Belongs here: that rule. Must stay out: the digests themselves (policy).
"""

from secure_ml.access.stages import Stage
from secure_ml.policy.project import Policy
from secure_ml.vault.errors import StaleVersion
from secure_ml.vault.manifest import Address, Manifest

_BEFORE_TRAINING = frozenset({Stage.RAW, Stage.CLASSIFIED, Stage.MASKED, Stage.SPLIT})


def governing_digest(policy: Policy, address: Address) -> str:
    """The digest that a version at this address is made under."""
    seen = policy.seen_in(address.environment)
    return seen.data_digest if Stage(address.stage) in _BEFORE_TRAINING else seen.digest


def require_current(manifest: Manifest, policy: Policy) -> None:
    """Returns if the version was made under today's policy.

    Raises:
        StaleVersion: it was made under another one.
    """
    if manifest.policy_digest != governing_digest(policy, manifest.address):
        raise StaleVersion(
            f"{manifest.address} was made under another policy than today's; materialise it again before it is used"
        )
