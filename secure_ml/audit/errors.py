"""What the audit log refuses.

Belongs here: the room's typed errors. Must stay out: values of persons; entries are named by index.
"""


class AuditError(Exception):
    """The audit log was asked for something that it does not do or have."""


class CheckpointRefused(AuditError):
    """A checkpoint is malformed, or not signed by the key that this log's checkpoints are signed by."""


class AuditLogTampered(AuditError):
    """The log is not the one that was signed.

    Attributes:
        entry_index: The first entry that does not hold; None when it is a checkpoint or the tree.
    """

    def __init__(self, message: str, *, entry_index: int | None) -> None:
        where = "" if entry_index is None else f"entry {entry_index}: "
        super().__init__(f"{where}{message}; compare with a backup and with checkpoints that others hold")
        self.entry_index = entry_index
