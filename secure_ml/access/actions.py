"""What can be asked for, and where: the closed words that roles, decisions and the log share.

Belongs here: the words, and what each needs to be told. Must stay out: who may.
"""

from enum import StrEnum


class Environment(StrEnum):
    """One code location; the first part of every asset key."""

    DEVELOPMENT = "development"
    TEST = "test"
    TRAINING = "training"
    PRODUCTION = "production"


class Action(StrEnum):
    """One thing that an actor can ask for.

    `version.read` is a look outside a run. What a run reads follows from `run.start` and the stage graph.
    `value.reveal` is to have back one value that a reversible treatment has masked.
    """

    RUN_START = "run.start"
    SOURCE_READ = "source.read"
    SOURCE_DRAFT = "source.draft"
    VERSION_READ = "version.read"
    VERSION_WRITE = "version.write"
    VERSION_ASSESS = "version.assess"
    VERDICT_RECORD = "verdict.record"
    KEY_DERIVE = "key.derive"
    BUDGET_CHARGE = "budget.charge"
    LINEAGE_READ = "lineage.read"
    MODEL_APPROVE = "model.approve"
    PROMOTION_RECORD = "promotion.record"
    GRANT_REQUEST = "grant.request"
    GRANT_APPROVE = "grant.approve"
    GRANT_REVOKE = "grant.revoke"
    GRANT_LIST = "grant.list"
    VALUE_REVEAL = "value.reveal"
    STATUS_READ = "status.read"
    LOG_READ = "log.read"
    LOG_VERIFY = "log.verify"
    KEYS_STATUS = "keys.status"
    KEYS_ROTATE = "keys.rotate"
    KEYS_REWRAP = "keys.rewrap"
    KEYS_DESTROY = "keys.destroy"
    EGRESS_REPORT = "egress.report"


EVERYWHERE = frozenset(
    {
        Action.SOURCE_DRAFT,
        Action.STATUS_READ,
        Action.LOG_READ,
        Action.LOG_VERIFY,
        Action.KEYS_STATUS,
        Action.KEYS_ROTATE,
        Action.KEYS_REWRAP,
        Action.KEYS_DESTROY,
        Action.EGRESS_REPORT,
    }
)
"""Actions on the whole installation; any other names its environment."""

ON_STAGES = frozenset(
    {
        Action.RUN_START,
        Action.SOURCE_READ,
        Action.VERSION_READ,
        Action.VERSION_WRITE,
        Action.VERSION_ASSESS,
        Action.VERDICT_RECORD,
        Action.KEY_DERIVE,
        Action.BUDGET_CHARGE,
        Action.GRANT_REQUEST,
    }
)
"""Actions that name the stages they are about."""

ON_DATA = ON_STAGES | {
    Action.SOURCE_DRAFT,
    Action.MODEL_APPROVE,
    Action.PROMOTION_RECORD,
    Action.GRANT_APPROVE,
    Action.GRANT_REVOKE,
    Action.GRANT_LIST,
    Action.VALUE_REVEAL,
}
"""Actions that move data or models, or open the way to them: what an administrator never does."""

BY_ANOTHER = frozenset({Action.MODEL_APPROVE, Action.GRANT_APPROVE})
"""Actions that need another person than the one who made what is acted on.

So does `promotion.record`, but in the profile `personal`, whose only user records alone what nothing depends on there.
"""
