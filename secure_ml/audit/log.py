"""The audit log over the state database: append, read, prove, verify.

Belongs here: the one place that writes the log's tables. Must stay out: decisions, and the signing key
(a port, `Signer`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Connection, insert, select, update

from secure_ml.audit.checkpoint import Checkpoint, Signer, sign_checkpoint
from secure_ml.audit.errors import AuditError, AuditLogTampered
from secure_ml.audit.event import AuditEvent, Detail, encode_leaf
from secure_ml.audit.group_commit import GroupCommit
from secure_ml.audit.merkle import Frontier, consistency_ranges, inclusion_ranges, leaf_hash
from secure_ml.audit.verification import CheckpointKey, Verification, read_leaf, signed_page, signed_tip, verify_log
from secure_ml.state.database import State
from secure_ml.state.tables import audit_entries, audit_tree, checkpoints

__all__ = ["AuditEntry", "AuditError", "AuditEvent", "AuditLog", "AuditLogTampered", "Signer", "Verification"]

_PAGE_ENTRIES = 2048


@dataclass(frozen=True)
class AuditEntry:
    """One entry as it is read back.

    Attributes:
        entry_index: Its place, from 0. The order is proof, the time is the writer's word.
        time: ISO 8601, UTC.
        action: See `AuditEvent`.
        resource: See `AuditEvent`.
        outcome: See `AuditEvent`.
        run_id: See `AuditEvent`.
        details: See `AuditEvent`.
        actor: Who; None once erased.
        reason: Why; None once erased.
    """

    entry_index: int
    time: str
    action: str
    resource: str
    outcome: str
    run_id: str
    details: Mapping[str, Detail]
    actor: str | None
    reason: str | None


class AuditLog:
    """An append-only log whose every size is signed.

    Args:
        state: The database that holds it.
        signer: Signs the checkpoints.
        origin: The log's name in its checkpoints, one line, unique in the world by custom: `example.org/secure_ml`.
        commitment_secret: At least 32 bytes; destroying it forgets every actor and reason that the log commits to.
        clock: Gives the time with its zone.
    """

    def __init__(
        self,
        state: State,
        signer: Signer,
        *,
        origin: str,
        commitment_secret: bytes,
        clock: Callable[[], datetime],
    ) -> None:
        if len(commitment_secret) < 32:
            raise AuditError("the commitment secret has at least 32 bytes; a shorter one can be guessed")
        self._state = state
        self._signer = signer
        self._key = CheckpointKey(origin, signer.name, signer.public_key)
        self._commitment_secret = commitment_secret
        self._clock = clock
        self._recording = GroupCommit(self._record)

    @property
    def key(self) -> CheckpointKey:
        """What an auditor needs to verify this log's checkpoints."""
        return self._key

    def append(self, connection: Connection, event: AuditEvent) -> int:
        """Append inside the caller's transaction (`State.transaction`) and return the entry's index.

        The entry is there exactly when the caller's change is: both commit or neither does.

        Raises:
            AuditLogTampered: The tree is not the one last signed; nothing is put on top of it.
            AuditError: The event cannot be encoded.
        """
        frontier, _ = signed_tip(connection, self._key)
        index = frontier.size
        leaf = encode_leaf(event, entry_index=index, time=self._clock(), commitment_secret=self._commitment_secret)
        hashed = leaf_hash(leaf)
        frontier.append(hashed)
        entry = {"entry_index": index, "leaf": leaf, "leaf_hash": hashed, "actor": event.actor, "reason": event.reason}
        connection.execute(insert(audit_entries).values(entry))
        grown = {"size": frontier.size, "frontier": frontier.encode()}
        if index:
            connection.execute(update(audit_tree).values(grown))
        else:
            connection.execute(insert(audit_tree).values(tree_id=1, **grown))
        connection.execute(insert(checkpoints).values(size=frontier.size, note=self._sign(frontier)))
        return index

    def record(self, event: AuditEvent) -> int:
        """Append in a durable transaction, shared with whoever records at the same time, and return the entry's index.

        Raises:
            StateError: The log is unavailable; nothing was appended, so what it was to record must not happen.
            AuditLogTampered: See `append`.
            AuditError: See `append`.
        """
        self._state.require_no_transaction()
        return self._recording.add(event)

    def _record(self, events: Sequence[AuditEvent]) -> list[int]:
        with self._state.transaction() as connection:
            return [self.append(connection, event) for event in events]

    def checkpoint(self) -> str:
        """The newest signed checkpoint; kept elsewhere, it makes any later rewriting of the log evident.

        Raises:
            StateError: The log is unavailable.
            AuditLogTampered: It does not sign the stored tree.
        """
        with self._state.reading() as connection:
            frontier, note = signed_tip(connection, self._key)
        return self._sign(frontier) if note is None else note

    def size(self) -> int:
        """Entries in the log, by its newest checkpoint.

        Raises:
            StateError: The log is unavailable.
            AuditLogTampered: The newest checkpoint does not sign the stored tree.
        """
        with self._state.reading() as connection:
            return signed_tip(connection, self._key)[0].size

    def verify(self, *, earlier_checkpoint: str | None = None) -> Verification:
        """Recompute the whole log; see `verify_log` for what is checked and raised."""
        return verify_log(
            self._state, self._key, commitment_secret=self._commitment_secret, earlier_checkpoint=earlier_checkpoint
        )

    def entries(self, *, start: int = 0, stop: int | None = None) -> Iterator[AuditEntry]:
        """Entries from `start` up to but without `stop`, in order; only `verify` shows that they are as signed.

        Raises:
            StateError: The log is unavailable.
            AuditLogTampered: An entry is missing or does not parse.
        """
        size, column = self.size(), audit_entries.c.entry_index
        query = select(audit_entries).order_by(column)
        end = size if stop is None else min(stop, size)
        for first in range(start, end, _PAGE_ENTRIES):
            expected = range(first, min(first + _PAGE_ENTRIES, end))
            with self._state.reading() as connection:
                page = connection.execute(query.where(column >= first, column < expected.stop)).all()
            found = {row.entry_index: row for row in page}
            for index in expected:
                if index not in found:
                    raise AuditLogTampered("the entry is missing", entry_index=index)
                yield _entry(index, found[index].leaf, found[index].actor, found[index].reason)

    def signed_entries(self, connection: Connection, *, after: Frontier) -> tuple[list[AuditEntry], Frontier]:
        """The entries that follow those `after` stands for, once they are shown to be the signed ones.

        Args:
            connection: The caller's reading transaction, so that other tables are read at the same moment.
            after: Stands for the entries that the caller has seen.

        Returns:
            The entries, and the frontier that stands for the whole log now; to be given as `after` next time.

        Raises:
            StateError: The log is unavailable.
            AuditLogTampered: An entry is not the one that was signed, or the log does not extend `after`.
        """
        seen, found = Frontier(after.size, list(after.hashes)), []
        tip, _ = signed_tip(connection, self._key)
        query = select(audit_entries).where(audit_entries.c.entry_index >= after.size)
        for row in connection.execute(query.order_by(audit_entries.c.entry_index)):
            seen.append(leaf_hash(row.leaf))
            found.append(_entry(row.entry_index, row.leaf, row.actor, row.reason))
        if (seen.size, seen.root()) != (tip.size, tip.root()):
            raise AuditLogTampered("an entry is not the one that was signed", entry_index=None)
        return found, seen

    def signed_page(self, *, after: Frontier, limit: int) -> tuple[list[AuditEntry], Frontier]:
        """At most `limit` of the entries that follow those `after` stands for, shown to be the signed ones.

        Args:
            after: Stands for the entries that the caller has seen; see `frontier`.
            limit: At least 1.

        Returns:
            The entries, none at the end of the log, and the frontier to be given as `after` next time.

        Raises:
            StateError: The log is unavailable.
            AuditLogTampered: An entry, its actor or its reason is not the one that was signed, or the log does not
                extend `after`.
        """
        stop = min(after.size + limit, self.size())
        if stop <= after.size:
            return [], after
        page, seen = signed_page(
            self._state, self._key, after=after, stop=stop, commitment_secret=self._commitment_secret
        )
        return [_entry(entry.index, entry.leaf, entry.actor, entry.reason) for entry in page], seen

    def frontier(self, size: int) -> Frontier:
        """What stands for the first `size` entries, as they are stored; `signed_page` shows whether that was signed.

        Raises:
            StateError: The log is unavailable.
        """
        column = audit_entries.c.entry_index
        with self._state.reading() as connection:
            hashes = select(audit_entries.c.leaf_hash).where(column < size).order_by(column)
            return Frontier.of(connection.scalars(hashes.execution_options(yield_per=_PAGE_ENTRIES)))

    def inclusion_proof(self, index: int) -> list[bytes]:
        """Prove to a holder of the newest checkpoint that this entry is in the log.

        Raises:
            ProofRefused: There is no such entry.
            StateError: The log is unavailable.
        """
        with self._state.reading() as connection:
            frontier, _ = signed_tip(connection, self._key)
            return [_subtree_root(connection, *span) for span in inclusion_ranges(index, frontier.size)]

    def consistency_proof(self, earlier_size: int) -> list[bytes]:
        """Prove to a holder of a checkpoint of that size that the newest one extends it.

        Raises:
            ProofRefused: The log never had that size.
            StateError: The log is unavailable.
        """
        with self._state.reading() as connection:
            frontier, _ = signed_tip(connection, self._key)
            return [_subtree_root(connection, *span) for span in consistency_ranges(earlier_size, frontier.size)]

    def _sign(self, frontier: Frontier) -> str:
        return sign_checkpoint(Checkpoint(self._key.origin, frontier.size, frontier.root()), self._signer)


def _subtree_root(connection: Connection, start: int, end: int) -> bytes:
    column = audit_entries.c.entry_index
    hashes = select(audit_entries.c.leaf_hash).where(column >= start, column < end).order_by(column)
    return Frontier.of(connection.scalars(hashes)).root()


def _entry(index: int, leaf: bytes, actor: str | None, reason: str | None) -> AuditEntry:
    content = read_leaf(leaf, entry_index=index)
    facts = {name: str(content.get(name)) for name in ("time", "action", "resource", "outcome", "run_id")}
    details = cast("Mapping[str, Detail]", content.get("details"))
    return AuditEntry(entry_index=index, details=details, actor=actor, reason=reason, **facts)
