"""Whatever is made, destroyed, rotated, killed, put back and recovered, in any order: what is destroyed stays so."""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from secure_ml.keys.context import KeyContext
from secure_ml.keys.custody import Cause, KeyCustody
from secure_ml.keys.errors import (
    KeyDestroyed,
    KeyNotFound,
    KeyRefused,
    KeyServiceError,
    KeyStoreMismatch,
    KeyStoreRolledBack,
)
from secure_ml_tests.keys.opened_custody import Place, killed

CAUSE = Cause("person:keeper", "", "the disk was lost")


class KeyStoreHistory(RuleBasedStateMachine):
    """A key store with its backups, beside what must be true of each key."""

    versions = Bundle("versions")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.place = Place(self.folder)
        self.made: dict[KeyContext, bytes] = {}
        self.destroyed: set[str] = set()
        self.backups: list[set[KeyContext]] = []
        # Keys that the store as it lies there has: a backup that is put back has fewer.
        self.there: set[KeyContext] = set()
        self.today = True
        self.custody: KeyCustody

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize()
    def open_first(self) -> None:
        self.custody = self.place.custody()

    @rule()
    def another_process_goes_on(self) -> None:
        self.custody = self.place.custody()

    @rule(target=versions, environment=st.sampled_from(["training", "development"]))
    def make(self, environment: str) -> object:
        version = f"version-{len(self.made)}"
        contexts = [KeyContext(environment, "loans", version, "data", bucket, "pii") for bucket in range(2)]
        try:
            made = self.custody.create(contexts)
        except KeyServiceError:
            assert not self.today
            return multiple()
        assert self.today
        self.made |= made
        self.there |= set(made)
        return version

    @rule(version=versions)
    def destroy(self, version: str) -> None:
        self._change(lambda custody: custody.destroy(version), then=lambda: self.destroyed.add(version))

    @rule(version=versions, commit=st.integers(1, 3), after=st.booleans())
    def destroy_and_be_killed(self, version: str, commit: int, after: bool) -> None:
        killed(lambda: self._quietly(lambda: self.place.custody().destroy(version)), commit=commit, after=after)
        if ("key.destroy", version, "allowed") in self.place.told("key.destroy"):
            self.destroyed.add(version)

    @rule(environment=st.sampled_from(["training", "development"]))
    def rotate(self, environment: str) -> None:
        self._change(lambda custody: custody.rotate([environment], seconds=60))

    @rule(environment=st.sampled_from(["training", "development"]), commit=st.integers(1, 12), after=st.booleans())
    def rotate_and_be_killed(self, environment: str, commit: int, after: bool) -> None:
        killed(
            lambda: self._quietly(lambda: self.place.custody().rotate([environment], seconds=60)),
            commit=commit,
            after=after,
        )

    @precondition(lambda self: self.today)
    @rule()
    def back_up(self) -> None:
        shutil.copy2(self.place.key_store, self.folder / f"backup-{len(self.backups)}")
        self.backups.append(set(self.there))

    @precondition(lambda self: self.backups and self.today)
    @rule(data=st.data())
    def put_back(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.backups) - 1))
        shutil.copy2(self.place.key_store, self.folder / "newest")
        before = self.place.store().mark()
        shutil.copy2(self.folder / f"backup-{number}", self.place.key_store)
        # Where nothing was taken away since, it is as good as today's, but for the keys that it lacks.
        self.today = self.place.store().mark() == before
        self.newest_there, self.there = self.there, set(self.backups[number])

    @precondition(lambda self: not self.today)
    @rule()
    def recover(self) -> None:
        try:
            self.place.custody().recover(cause=CAUSE)
        except (KeyRefused, KeyDestroyed):
            # The root key of then is gone: the backup is lost, and the newest copy is put back.
            shutil.copy2(self.folder / "newest", self.place.key_store)
            self.there = self.newest_there
        self.today = True

    @invariant()
    def nothing_destroyed_is_opened_and_what_is_opened_is_right(self) -> None:
        if not hasattr(self, "custody"):
            return
        for context, key in self.made.items():
            try:
                opened = self.custody.open(context)
            except KeyServiceError as error:
                self._may_be_refused(context, error)
            else:
                assert opened == key
                assert context.version_id not in self.destroyed
                assert self.today

    def _may_be_refused(self, context: KeyContext, error: KeyServiceError) -> None:
        if not self.today:
            assert isinstance(error, KeyStoreRolledBack | KeyStoreMismatch), error
        elif context not in self.there:
            assert isinstance(error, KeyNotFound | KeyDestroyed), error
        else:
            assert context.version_id in self.destroyed, error
            assert isinstance(error, KeyDestroyed), error

    def _change(self, work: Callable[[KeyCustody], object], *, then: Callable[[], object] = lambda: None) -> None:
        try:
            work(self.custody)
        except KeyNotFound:
            return
        except KeyServiceError:
            assert not self.today
            return
        assert self.today
        then()

    @staticmethod
    def _quietly(work: Callable[[], object]) -> None:
        with suppress(KeyServiceError):
            work()


KeyStoreHistory.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # Shrinking such steps takes longer than reading them.
)
TestKeyStoreHistory = KeyStoreHistory.TestCase
