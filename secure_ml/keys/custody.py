"""The key store under the eyes of the audit log: no change without it, and no older copy in place of today's.

Belongs here: the order of log and store, and the comparison of the two. Must stay out: who may (admission), rows.

Whatever takes a key away has a number. The log announces it, the store makes it and takes its number, the log concludes
it. So a store that lacks a concluded change is an older one, put back, and nothing of it is opened; one that lacks only
an announced change met a crash in between, and the change is made. The two are compared at every use, since a store can
be put back under a process that lives on. Beyond the number, what the log knows to be destroyed is not handed out,
whatever the store says of itself.

Others change log and store while one looks, and no transaction spans both. The log is read first, then the store: what
was concluded by then the store has. Where it has more, the log is read again: whatever the store has was announced by
then. What the log came to know only after the store was read says nothing against what was read there.
"""

import os
import threading
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from secure_ml.audit.event import Detail, Outcome
from secure_ml.audit.log import AuditEvent, AuditLog
from secure_ml.keys.change import Cause, Change, ChangeKind
from secure_ml.keys.context import KeyContext, parse_environment_key_id, secret_id
from secure_ml.keys.description import StoreState
from secure_ml.keys.errors import KeyDestroyed, KeyNotFound, KeyServiceError, KeyStoreMismatch, KeyStoreRolledBack
from secure_ml.keys.history import STORE_KNOWN, KeyHistory, Known
from secure_ml.keys.service import KeyService
from secure_ml.keys.store import KeyStore, Mark
from secure_ml.state.database import State

__all__ = ["Cause", "KeyCustody", "RotationProgress"]

_KEY_BYTES = 32


@dataclass(frozen=True)
class Roots:
    """Older versions of root keys.

    Attributes:
        retired: Those that were retired.
        refused: Those that a service refused to retire now, with what it said; they are tried again next time.
    """

    retired: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RotationProgress:
    """How far a rotation is.

    Attributes:
        epochs: The new key of each environment; given to the next call, it goes on with the same rotation.
        total: Living keys of these environments.
        left: Those that are still under an older key.
        finished: Whether the older keys are destroyed and nothing is under an older root key.
        roots: What became of the older versions of the root keys.
    """

    epochs: Mapping[str, int]
    total: int
    left: int
    finished: bool
    roots: Roots


class KeyCustody:
    """The keys of an installation, as everybody but its own opening uses them. Safe to share between threads.

    Args:
        store: Holds the keys.
        state: The database of the log.
        log: The audit log.
        actor: Who is named in the log where nobody asked: on completing what a crash left.
    """

    def __init__(self, store: KeyStore, *, state: State, log: AuditLog, actor: str) -> None:
        self._store, self._state, self._log = store, state, log
        self._history = KeyHistory(state, log)
        self._own = Cause(actor)
        # Within one process nobody takes another's change for a crash's.
        self._changing = threading.RLock()
        self._looked = False

    def create(self, contexts: Sequence[KeyContext]) -> dict[KeyContext, bytes]:
        """Make a fresh 32-byte key for each context; see `KeyStore.create`.

        Raises:
            KeyServiceError: As there.
            KeyStoreRolledBack, KeyStoreMismatch: The store is not the one that the log knows; no key was made.
        """
        self.require_current()
        return self._store.create(contexts)

    def open(self, context: KeyContext) -> bytes:
        """Return the key of a context.

        Raises:
            KeyDestroyed: It was destroyed, or is about to be.
            KeyNotFound: It was never made.
            KeyRefused: The stored bytes are not the ones wrapped for this context.
            KeyStoreRolledBack, KeyStoreMismatch: The store is not the one that the log knows.
            KeyServiceError: The environment is not served here, or the store or the service fails.
            StateError: The log is unavailable.
        """
        return self.open_all((context,))[context]

    def open_all(self, contexts: Sequence[KeyContext]) -> dict[KeyContext, bytes]:
        """Return the keys of these contexts, all or none.

        Raises:
            As `open`, for the first that cannot be opened.
        """
        versions = frozenset(context.version_id for context in contexts)
        keys = self._read([context.key_id for context in contexts], targets=versions)
        return {context: keys[context.key_id] for context in contexts}

    def secret(self, scope: str, *, create: bool) -> bytes:
        """The 32-byte secret of a scope; see `KeyStore.secret`. Its making is in the log.

        Raises:
            As `open`.
        """
        key_id = secret_id(scope)
        while True:
            try:
                return self._read((key_id,), targets=frozenset({key_id}))[key_id]
            except KeyNotFound:
                if not create:
                    raise
            # Whoever was first has made it: it is read then.
            self._change("key.create", key_id, self._own, secret=os.urandom(_KEY_BYTES))

    def destroy(self, version_id: str, *, cause: Cause | None = None) -> int:
        """Destroy every key of a version and return how many there were; a second time, 0.

        What they protect is unreadable from then on, in every copy made of the data. The log has it before and after;
        where a crash comes between, the next process that opens or changes a key completes it.

        Raises:
            KeyNotFound: The version never had a key here.
            KeyStoreRolledBack, KeyStoreMismatch: The store is not the one that the log knows.
            KeyServiceError: Its environment is not served here, or the store fails.
            StateError: The log is unavailable; no key was destroyed.
        """
        self.require_current()
        self._store.environment_keys.require_served(self._store.environment_of_version(version_id))
        return self._change("key.destroy", version_id, cause or self._own)

    def key_service(self, environment: str) -> KeyService:
        """What holds the root key of an environment that is served here.

        Raises:
            KeyServiceError: It is not.
        """
        return self._store.environment_keys.service(environment)

    def environments(self) -> tuple[str, ...]:
        """The environments that have keys and are served here, and the installation.

        Raises:
            KeyServiceError: The store fails.
        """
        return tuple(state.environment for state in self._store.describe().environments if state.served)

    def rotate(
        self,
        environments: Sequence[str],
        *,
        epochs: Mapping[str, int] | None = None,
        seconds: float,
        cause: Cause | None = None,
    ) -> RotationProgress:
        """Give environments new keys under new versions of their root keys, and bring all under them; data stays.

        It goes on for a while and says how far it is: call again with its `epochs` until it is finished. Keys are read,
        made and destroyed meanwhile. Where a rotation of some of them was begun and not finished, such as by a process
        that was killed, that one is joined, and none of another environment is begun.

        Args:
            environments: The environments, `INSTALLATION` among them if it is to be rotated too.
            epochs: What the call before returned; None for the first.
            seconds: How long to go on before returning.
            cause: On whose behalf.

        Raises:
            KeyNotFound: An environment has no keys.
            KeyStoreRolledBack, KeyStoreMismatch: The store is not the one that the log knows.
            KeyServiceError: An environment is not served here, or the store or a service fails; call again.
            StateError: The log is unavailable.
        """
        by, end = cause or self._own, time.monotonic() + seconds
        self.settle()
        if epochs is None:
            self._record("key.rotate", "allowed", by, {"environments": list(environments)})
            begun = {state.environment for state in self._store.describe().environments if state.rotating}
            chosen = [name for name in environments if name in begun] or environments
            epochs = {name: self._store.environment_keys.begin(name) for name in chosen}
        for name in epochs:
            if self._store.move(name, go_on=lambda: time.monotonic() < end):
                return self._progress(epochs, finished=False)
            for key_id in self._store.older_keys(name):
                self._change("key.destroy", key_id, by)
        self._store.environment_keys.rewrap(environments=self.environments(), to=None)
        roots = self._retire_roots()
        self._record("key.rotate", "done", by, {"environments": sorted(epochs), "retired": list(roots.retired)})
        return self._progress(epochs, finished=True, roots=roots)

    def rewrap(
        self, *, environments: Sequence[str] | None = None, to: KeyService | None = None, cause: Cause | None = None
    ) -> tuple[int, Roots]:
        """Bring what older versions of root keys wrap under the newest, or under another service's.

        Args:
            environments: Whose; None for all that are served here.
            to: The service that wraps from now on, also in this process; other processes and the next start of this one
                must be told of it. The older service's key is left as it is.
            cause: On whose behalf.

        Returns:
            How many environments' keys were moved, and what became of the older versions of root keys.

        Raises:
            KeyStoreRolledBack, KeyStoreMismatch: The store is not the one that the log knows.
            KeyServiceError: An environment is not served here, or the store or a service fails.
            StateError: The log is unavailable.
        """
        by = cause or self._own
        self.settle()
        chosen = self.environments() if environments is None else tuple(environments)
        self._record("key.rewrap", "allowed", by, {"environments": list(chosen)})
        moved = self._store.environment_keys.rewrap(environments=chosen, to=to)
        roots = self._retire_roots()
        details: dict[str, Detail] = {"environments": list(chosen), "moved": moved, "retired": list(roots.retired)}
        self._record("key.rewrap", "done", by, details)
        return moved, roots

    def describe(self) -> tuple[StoreState, str]:
        """What the store holds, and why none of it is opened: "" where it is.

        Raises:
            KeyServiceError: The store fails.
            StateError: The log is unavailable.
        """
        refusal = ""
        try:
            self.require_current()
        except (KeyStoreRolledBack, KeyStoreMismatch) as error:
            refusal = str(error)
        return self._store.describe(), refusal

    def require_current(self) -> None:
        """Refuse a store that is not the one that the log knows, or an older copy of it.

        Raises:
            KeyStoreRolledBack: It lacks changes that the log concluded.
            KeyStoreMismatch: It is another store, or the log is an older copy.
            KeyServiceError: The store fails.
            StateError: The log is unavailable.
        """
        known = self._known()
        self._require(self._store.mark(), known)

    def settle(self) -> None:
        """Complete the change that a crash left half made, if there is one.

        Raises:
            KeyStoreRolledBack, KeyStoreMismatch, KeyServiceError, StateError: As `require_current`.
        """
        with self._changing:
            known = self._history.read()
            self._require(self._store.mark(), known)
            if known.pending is not None:
                count = self._apply(known.pending)
                made = known.pending.kind == "key.destroy" or self._store.holds(known.pending.target)
                self._conclude(known.pending, "done" if made else "failed", count or 0, self._own)

    def recover(self, *, cause: Cause) -> tuple[str, ...]:
        """Make an older copy of the store as new as the log: what was destroyed since is destroyed again.

        Environments whose key was replaced since get a new one, for which the older root key must still be there: where
        it was retired, the copy opens nothing, and this fails. Secrets that were made since are lost for ever. Where
        the log is the older of the two, it is told how new the store is. Either way it is in the log, with the reason.

        Args:
            cause: On whose behalf; its reason is not empty.

        Returns:
            The key ids of the secrets that are lost.

        Raises:
            KeyStoreMismatch: It is another installation's store.
            KeyDestroyed, KeyRefused: The root key that an environment's key was under is gone.
            KeyServiceError: There is nothing to recover; or the store or a service fails: begin again.
            StateError: The log is unavailable.
        """
        known, mark, now = self._history.read(), self._store.mark(), self._history.read()
        if now.store_id not in (None, mark.store_id):
            raise KeyStoreMismatch(_FOREIGN.format(place=self._store.place))
        if known.settled <= mark.generation <= now.announced:
            raise KeyServiceError("the key store is as new as the audit log: there is nothing to recover")
        details: dict[str, Detail] = {"store_generation": mark.generation, "log_generation": known.settled}
        self._record("key.recover", "allowed", cause, details)
        lost: tuple[str, ...] = ()
        if mark.generation > now.announced:
            self._record_store(mark, cause)
        else:
            lost = self._make_again(mark.generation, known.settled)
            self.settle()
        self._record("key.recover", "done", cause, {**details, "lost": list(lost)})
        return lost

    def _make_again(self, generation: int, settled: int) -> tuple[str, ...]:
        changes = [change for change in self._history.since(generation) if change.generation <= settled]
        self._store.replay(changes)
        gone = {c.target for c in changes if c.kind == "key.destroy"}
        lost = [c.target for c in changes if c.kind == "key.create" and not self._store.lives(c.target)]
        replaced = [c.target for c in changes if parse_environment_key_id(c.target) is not None]
        last: dict[str, int] = {}
        for environment, epoch in filter(None, map(parse_environment_key_id, replaced)):
            last[environment] = max(epoch, last.get(environment, 0))
        again = list(replaced)
        for environment, epoch in last.items():
            self._replace(environment, epoch)
            again += self._store.older_keys(environment)
        self._store.conclude(settled, sorted(set(again)))
        self._store.environment_keys.rewrap(environments=self.environments(), to=None)
        self._retire_roots()
        return tuple(target for target in lost if target not in gone)

    def _read(self, key_ids: Sequence[str], *, targets: Set[str]) -> Mapping[str, bytes]:
        known = self._known()
        if known.pending is not None and known.pending.kind == "key.destroy" and known.pending.target in targets:
            raise KeyDestroyed(f"the keys of {known.pending.target} are being destroyed; what they protect is gone")
        try:
            opened = self._store.read(key_ids)
        except KeyServiceError:
            # A store that was put back fails in many ways: the first thing to say is that it was.
            self._require(self._store.mark(), known)
            raise
        self._require(opened.mark, known)
        alive_again = known.destroyed(targets | opened.opened_with)
        if alive_again:
            raise KeyStoreRolledBack(
                f"{self._store.place} holds {alive_again[0]}, which the audit log knows to be destroyed; restore the "
                "key store from its newest backup"
            )
        return opened.keys

    def _change(self, kind: ChangeKind, target: str, by: Cause, *, secret: bytes | None = None) -> int:
        """Announce a change, make it, conclude it; returns how many keys it concerned, 0 where it was made before."""
        with self._changing:
            while True:
                self.settle()
                change = self._announce(kind, target, by)
                if change is None:
                    return 0
                count = self._apply(change, secret=secret)
                if count is not None:
                    self._conclude(change, "done", count, by)
                    return count
                # Another process took it for a crash's and completed it: a destruction is made then, a secret is not.

    def _announce(self, kind: ChangeKind, target: str, by: Cause) -> Change | None:
        """The next change, in the log; None where it was made before."""
        while True:
            with self._state.transaction() as connection:
                known = self._history.read_in(connection)
                if known.pending is None:
                    if known.destroyed((target,)) or (kind == "key.create" and self._store.holds(target)):
                        return None
                    change = Change(known.settled + 1, kind, target)
                    self._log.append(connection, change.event("allowed", by))
                    return change
            self.settle()

    def _apply(self, change: Change, *, secret: bytes | None = None) -> int | None:
        named = parse_environment_key_id(change.target)
        if named is not None and not self._store.is_replaced(*named):
            # A copy from the middle of the rotation was put back before its end was in the log.
            self._replace(*named)
        return self._store.apply(change, secret=secret)

    def _replace(self, environment: str, epoch: int) -> None:
        """See to it that an environment has a newer key than this one, and all is under it."""
        self._store.environment_keys.begin(environment, above=epoch)
        self._store.move(environment, go_on=lambda: True)

    def _conclude(self, change: Change, outcome: Outcome, count: int, by: Cause) -> None:
        with self._state.transaction() as connection:
            if self._history.read_in(connection).settled < change.generation:
                self._log.append(connection, change.event(outcome, by, details={"keys": count}))

    def _known(self) -> Known:
        """What the log says; a change that it announces at this process's first look is completed."""
        known = self._history.read()
        with self._changing:
            first, self._looked = not self._looked, True
        if not first or known.pending is None:
            return known
        self.settle()
        return self._history.read()

    def _require(self, mark: Mark, known: Known) -> None:
        """Hold a mark against what the log said before the mark was read."""
        now = known
        if known.store_id is None:
            self._record_store(mark, self._own, unless_known=True)
            now = self._history.read()
        elif mark.generation > known.announced:
            now = self._history.read()
        if mark.store_id != now.store_id:
            raise KeyStoreMismatch(_FOREIGN.format(place=self._store.place))
        if mark.generation < known.settled:
            raise KeyStoreRolledBack(
                f"{self._store.place} is at change {mark.generation} and the audit log at {known.settled}: it is an "
                "older copy, in which destroyed keys are alive again. Restore a copy made after "
                f"{known.settled_at}, or let `secure-ml keys recover` destroy them again"
            )
        if mark.generation > now.announced:
            raise KeyStoreMismatch(
                f"{self._store.place} is at change {mark.generation} and the audit log at {now.announced}: the state "
                "database is an older copy. Restore a newer one, or let `secure-ml keys recover` put it on record"
            )

    def _record_store(self, mark: Mark, by: Cause, *, unless_known: bool = False) -> None:
        with self._state.transaction() as connection:
            now = self._history.read_in(connection)
            # Two may be at it; whoever is second must not set the log back.
            if now.store_id is not None and (unless_known or mark.generation <= now.announced):
                return
            details: dict[str, Detail] = {"store_id": mark.store_id, "generation": mark.generation}
            self._log.append(
                connection, AuditEvent(STORE_KNOWN, "keys", "done", by.actor, by.run_id, details, by.reason)
            )

    def _record(self, action: str, outcome: Outcome, by: Cause, details: Mapping[str, Detail]) -> None:
        self._log.record(AuditEvent(action, "keys", outcome, by.actor, by.run_id, details, by.reason))

    def _retire_roots(self) -> Roots:
        retired, refused = self._store.environment_keys.retire()
        return Roots(tuple(retired), refused)

    def _progress(self, epochs: Mapping[str, int], *, finished: bool, roots: Roots | None = None) -> RotationProgress:
        states = [state for state in self._store.describe().environments if state.environment in epochs]
        total, left = sum(state.living for state in states), sum(state.left for state in states)
        return RotationProgress(dict(epochs), total, left, finished, roots or Roots())


_FOREIGN = (
    "{place} is not the key store that the audit log knows; restore the one that belongs to this state database, or "
    "set SECURE_ML_KEYS to where it is"
)
