"""Recompute the whole log and hold it against what was signed.

Belongs here: every check that an auditor makes, over a reading connection and a public key. Must stay out:
private keys, writing.
"""

import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from secure_ml.audit.checkpoint import Checkpoint, verify_checkpoint
from secure_ml.audit.errors import AuditLogTampered, CheckpointRefused
from secure_ml.audit.event import LEAF_FORMAT, Committed, commit
from secure_ml.audit.merkle import Frontier, ProofRefused, leaf_hash
from secure_ml.state.database import State
from secure_ml.state.tables import audit_entries, audit_tree, checkpoints

# On SQLite a reader holds up commits: each page is a short transaction of its own, which append-only rows permit.
_PAGE_ENTRIES = 2048


@dataclass(frozen=True)
class CheckpointKey:
    """Whose checkpoints count: the log's origin, the key's name and its public half."""

    origin: str
    name: str
    public_key: bytes

    def verify(self, unverified_note: str) -> Checkpoint:
        """Return what a note states.

        Raises:
            CheckpointRefused: It is not this log's, or not signed by this key.
        """
        return verify_checkpoint(unverified_note, origin=self.origin, name=self.name, public_key=self.public_key)


@dataclass(frozen=True)
class Verification:
    """What a passed verification found.

    Attributes:
        size: Entries verified.
        root: The root that the newest checkpoint signs.
        checkpoint: That checkpoint, to be kept elsewhere; None while the log is empty.
        erased: Entries whose actor or reason is no longer kept; their commitments cannot be opened.
        consistent_with: Size of the earlier checkpoint that this log was shown to extend, if one was given.
    """

    size: int
    root: bytes
    checkpoint: str | None
    erased: int
    consistent_with: int | None


def signed_tip(connection: Connection, key: CheckpointKey) -> tuple[Frontier, str | None]:
    """The tree's frontier and newest checkpoint, if they agree with each other and with the number of entries.

    Raises:
        AuditLogTampered: They do not.
    """
    tree = connection.execute(select(audit_tree.c.size, audit_tree.c.frontier)).one_or_none()
    newest = connection.execute(select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1)).one_or_none()
    last = connection.scalar(select(audit_entries.c.entry_index).order_by(audit_entries.c.entry_index.desc()).limit(1))
    if tree is None and newest is None and last is None:
        return Frontier(), None
    if tree is None or newest is None or last is None:
        raise AuditLogTampered("the tree, its checkpoints or its entries are gone", entry_index=None)
    try:
        frontier = Frontier.parse(tree.size, tree.frontier)
    except ProofRefused:
        raise AuditLogTampered("the stored tree is damaged", entry_index=None) from None
    signed = _verified(newest.note, key, size=newest.size)
    if (signed.size, signed.root) != (frontier.size, frontier.root()):
        raise AuditLogTampered("the stored tree is not the one that the newest checkpoint signs", entry_index=None)
    if last != frontier.size - 1:
        beyond = min(last + 1, frontier.size)
        raise AuditLogTampered(f"the checkpoint signs {frontier.size} entries, not {last + 1}", entry_index=beyond)
    return frontier, newest.note


def verify_log(
    state: State, key: CheckpointKey, *, commitment_secret: bytes | None, earlier_checkpoint: str | None
) -> Verification:
    """Recompute every leaf hash and root, and hold them against every signed checkpoint.

    Entries appended while it runs are left to the next verification.

    Args:
        state: Where the log is.
        key: Whose signatures count.
        commitment_secret: Opens the commitments to actor and reason; None leaves them closed (the secret is destroyed).
        earlier_checkpoint: One that somebody kept elsewhere: the log must extend it. Only this detects a log that was
            rolled back or rewritten together with its signing key.

    Raises:
        AuditLogTampered: Something does not hold; it names the first such entry.
        CheckpointRefused: The earlier checkpoint is not one of this log.
        StateError: The log cannot be read.
    """
    earlier = key.verify(earlier_checkpoint) if earlier_checkpoint is not None else None
    with state.reading() as connection:
        tip, note = signed_tip(connection, key)
    if note is None:
        if earlier is not None and earlier.size:
            raise AuditLogTampered(f"the log is empty, an earlier checkpoint has {earlier.size} entries", entry_index=0)
        return Verification(0, tip.root(), None, 0, None if earlier is None else 0)
    if earlier is not None and earlier.size > tip.size:
        raise AuditLogTampered(f"an earlier checkpoint has {earlier.size} entries", entry_index=tip.size)
    tree, erased = Frontier(), 0
    for entry in _stored_entries(state, tip.size):
        _require_signed(entry, tree, key)
        erased += _require_commitments(entry, commitment_secret)
        if earlier is not None and tree.size == earlier.size and tree.root() != earlier.root:
            raise AuditLogTampered(
                "up to here the log is not the one of the earlier checkpoint", entry_index=entry.index
            )
    return Verification(tip.size, tree.root(), note, erased, None if earlier is None else earlier.size)


def signed_page(
    state: State, key: CheckpointKey, *, after: Frontier, stop: int, commitment_secret: bytes
) -> tuple[list["StoredEntry"], Frontier]:
    """The entries from those that `after` stands for up to but without `stop`, shown to be the signed ones.

    One signature is verified, that of the checkpoint of size `stop`: its root covers all that comes before.

    Args:
        state: Where the log is.
        key: Whose signatures count.
        after: Stands for the entries before; `after.size < stop`, and `stop` is not beyond the log.
        stop: Index that the page ends before.
        commitment_secret: Opens the commitments to actor and reason.

    Returns:
        The entries, and the frontier that stands for all entries before `stop`.

    Raises:
        AuditLogTampered: An entry is not the one that was signed, or the log does not extend `after`.
        StateError: The log cannot be read.
    """
    seen, page = Frontier(after.size, list(after.hashes)), []
    for entry in _stored_entries(state, stop, start=after.size):
        _require_hash(entry)
        _require_commitments(entry, commitment_secret)
        seen.append(entry.leaf_hash)
        page.append(entry)
    last = page[-1]
    signed = None if last.note is None else _verified(last.note, key, size=stop, entry_index=last.index)
    if signed is None or (signed.size, signed.root) != (seen.size, seen.root()):
        raise AuditLogTampered("the entries up to this one are not those that were signed", entry_index=last.index)
    return page, seen


@dataclass(frozen=True)
class StoredEntry:
    """A row of the log with the checkpoint of its size, as it is stored."""

    index: int
    leaf: bytes
    leaf_hash: bytes
    actor: str | None
    reason: str | None
    note: str | None


def _stored_entries(state: State, size: int, *, start: int = 0) -> Iterator[StoredEntry]:
    entries, at = audit_entries.c, start
    columns = (entries.entry_index, entries.leaf, entries.leaf_hash, entries.actor, entries.reason, checkpoints.c.note)
    signed = audit_entries.outerjoin(checkpoints, checkpoints.c.size == entries.entry_index + 1)
    query = select(*columns).select_from(signed).order_by(entries.entry_index)
    while at < size:
        stop = min(at + _PAGE_ENTRIES, size)
        with state.reading() as connection:
            page = connection.execute(query.where(entries.entry_index >= at, entries.entry_index < stop)).all()
        for row in page:
            stored = StoredEntry(*row)
            if stored.index != at:
                break
            yield stored
            at += 1
        if at != stop:
            raise AuditLogTampered("the entry is missing", entry_index=at)


def _require_signed(entry: StoredEntry, tree: Frontier, key: CheckpointKey) -> None:
    """Put the entry on the tree and hold it against the checkpoint that was signed when it was appended."""
    index = entry.index
    _require_hash(entry)
    tree.append(entry.leaf_hash)
    if entry.note is None:
        raise AuditLogTampered(f"the checkpoint of size {tree.size} is missing", entry_index=index)
    signed = _verified(entry.note, key, size=tree.size, entry_index=index)
    if (signed.size, signed.root) != (tree.size, tree.root()):
        raise AuditLogTampered("the entry is not the one that its checkpoint signs", entry_index=index)


def _require_hash(entry: StoredEntry) -> None:
    if leaf_hash(entry.leaf) != entry.leaf_hash:
        raise AuditLogTampered("the entry was changed: its hash is another", entry_index=entry.index)


def _verified(note: str, key: CheckpointKey, *, size: int, entry_index: int | None = None) -> Checkpoint:
    try:
        return key.verify(note)
    except CheckpointRefused as error:
        raise AuditLogTampered(f"checkpoint of size {size}: {error}", entry_index=entry_index) from None


def _require_commitments(entry: StoredEntry, secret: bytes | None) -> bool:
    """Open what can be opened; return whether something of the entry is erased."""
    content = read_leaf(entry.leaf, entry_index=entry.index)
    texts: tuple[tuple[Committed, str | None], ...] = (("actor", entry.actor), ("reason", entry.reason))
    for committed, text in texts:
        if secret is None or text is None:
            continue
        expected = commit(committed, text, entry_index=entry.index, secret=secret)
        if not hmac.compare_digest(expected, str(content.get(f"{committed}_commitment"))):
            raise AuditLogTampered(f"the {committed} is not the one committed to", entry_index=entry.index)
    return entry.actor is None or entry.reason is None


def read_leaf(leaf: bytes, *, entry_index: int) -> dict[str, object]:
    """Parse a leaf of a known format, written for this place.

    Raises:
        AuditLogTampered: It is not.
    """
    try:
        content = json.loads(leaf)
    except ValueError:
        raise AuditLogTampered("the leaf does not parse", entry_index=entry_index) from None
    if not isinstance(content, dict) or content.get("format") != LEAF_FORMAT:
        raise AuditLogTampered(f"the leaf is not of format {LEAF_FORMAT}", entry_index=entry_index)
    if content.get("index") != entry_index:
        raise AuditLogTampered("the entry was written for another place", entry_index=entry_index)
    return content
