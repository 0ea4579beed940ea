"""An older copy of the key store becomes as new as the log, or stays refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from secure_ml.keys import rotation
from secure_ml.keys.context import secret_id
from secure_ml.keys.custody import Cause, KeyCustody
from secure_ml.keys.errors import (
    KeyDestroyed,
    KeyRefused,
    KeyServiceError,
    KeyServiceUnavailable,
    KeyStoreMismatch,
    KeyStoreRolledBack,
)
from secure_ml.keys.local_file import LocalFileKeyService
from secure_ml_tests.keys.opened_custody import FIRST, Place, contexts
from secure_ml_tests.keys.test_custody import broken_off
from secure_ml_tests.keys.test_rotation import living, rotate

CAUSE = Cause("person:keeper", "", "the disk was lost")
OTHER = replace(FIRST, version_id="version-2")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "PAGE_KEYS", 7)


def keep_the_root_key(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a service that keeps retired versions for a while, or a root key that was restored too."""
    monkeypatch.setattr(LocalFileKeyService, "retire", lambda self, key_id: None)


def test_what_was_destroyed_since_is_destroyed_again_and_the_rest_opens(place: Place) -> None:
    custody = place.custody()
    made = custody.create([*contexts(3), replace(FIRST, environment="development")])
    custody.secret("project/training/old", create=True)
    with place.put_back():
        custody.destroy("version-1")
        custody.destroy(secret_id("project/training/old"))
        custody.secret("project/training/new", create=True)
    again = place.custody()
    assert again.recover(cause=CAUSE) == ("secret/project/training/new",)
    kept = [context for context in made if context.version_id != "version-1" or context.environment != "training"]
    for opened in (again, place.custody()):
        with pytest.raises(KeyDestroyed):
            opened.open(FIRST)
        for scope in ("project/training/old", "project/training/new"):
            with pytest.raises(KeyDestroyed):
                opened.secret(scope, create=True)
    # Of both environments a version of this name was destroyed: destroying is by the version's id.
    with pytest.raises(KeyDestroyed):
        again.open(replace(FIRST, environment="development"))
    rest = [context for context in kept if context.version_id != "version-1"]
    assert again.open_all(rest) == {context: made[context] for context in rest}
    assert place.store().mark().generation == 4
    assert again.destroy("version-2") == 5
    assert again.require_current() is None


def test_it_is_in_the_log_with_its_reason(place: Place) -> None:
    custody = place.custody()
    custody.create([FIRST, OTHER])
    with place.put_back():
        custody.destroy("version-1")
    place.custody().recover(cause=CAUSE)
    *_, allowed, done = place.log()
    assert (allowed.action, allowed.outcome, done.action, done.outcome) == (
        "key.recover", "allowed", "key.recover", "done",
    )  # fmt: skip
    assert (allowed.actor, allowed.reason) == (CAUSE.actor, CAUSE.reason)
    assert dict(done.details) == {"store_generation": 0, "log_generation": 1, "lost": []}


def test_an_environment_that_was_rotated_since_is_rotated_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_the_root_key(place, monkeypatch)
    custody = place.custody()
    made = custody.create([*contexts(3), replace(FIRST, environment="development")])
    with place.put_back():
        rotate(custody, "training")
        rotate(custody, "training")
        custody.destroy("version-2")
    again = place.custody()
    assert again.recover(cause=CAUSE) == ()
    kept = [context for context in made if context.version_id != "version-2"]
    assert again.open_all(kept) == place.custody().open_all(kept) == {context: made[context] for context in kept}
    with pytest.raises(KeyDestroyed):
        again.open(OTHER)
    assert living(place) == [("development", 1), ("training", 3)], "1 and 2 are destroyed, as the log knows"
    with place.put_back():
        rotate(again)
    with pytest.raises(KeyStoreRolledBack):
        place.custody().open(FIRST)


def test_a_copy_from_the_middle_of_a_rotation_is_recovered(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_the_root_key(place, monkeypatch)
    custody = place.custody()
    made = custody.create(contexts(4))
    progress = custody.rotate(["training"], seconds=0)
    with place.put_back():
        rotate(custody, "training")
        rotate(custody, "training")
    assert progress.left
    again = place.custody()
    again.recover(cause=CAUSE)
    assert again.open_all(list(made)) == made
    state, refusal = again.describe()
    assert [(one.left, one.rotating) for one in state.environments] == [(0, False)]
    assert refusal == ""


def test_a_copy_whose_root_key_was_retired_is_lost_and_stays_refused(place: Place) -> None:
    custody = place.custody()
    custody.create([FIRST, OTHER])
    with place.put_back():
        custody.destroy("version-1")
        rotate(custody)
    again = place.custody()
    with pytest.raises(KeyRefused, match="the key of training is not one that this key service wrapped"):
        again.recover(cause=CAUSE)
    for opened in (again, place.custody()):
        with pytest.raises(KeyStoreRolledBack):
            opened.open(OTHER)


def test_a_rotation_whose_end_was_announced_goes_on_in_a_copy_from_its_middle(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    custody = place.custody()
    made = custody.create(contexts(4))
    custody.rotate(["training"], seconds=0)
    store = custody._store

    def away(*arguments: object, **named: object) -> object:
        raise KeyServiceUnavailable("the store went away after the log had it")

    with place.put_back(), monkeypatch.context() as patch:
        patch.setattr(store, "apply", away)
        with pytest.raises(KeyServiceUnavailable):
            rotate(custody, "training")
    again = place.custody()
    assert again.open_all(list(made)) == made
    assert living(place) == [("training", 2)]
    rotate(again, "training")
    assert place.custody().open_all(list(made)) == made


def test_a_log_that_is_the_older_one_is_told_how_new_the_store_is(place: Place) -> None:
    custody = place.custody()
    made = custody.create([FIRST, OTHER])
    custody.destroy("version-1")
    with place.put_back("state.db"):
        custody.secret("project/training/loans", create=True)
    again = place.custody()
    with pytest.raises(KeyStoreMismatch):
        again.open(OTHER)
    assert again.recover(cause=CAUSE) == ()
    for opened in (again, place.custody()):
        assert opened.open(OTHER) == made[OTHER]
        assert opened.secret("project/training/loans", create=False)
        with pytest.raises(KeyDestroyed):
            opened.open(FIRST)
    assert place.told("key.store", "key.recover")[-3:] == [
        ("key.recover", "keys", "allowed"),
        ("key.store", "keys", "done"),
        ("key.recover", "keys", "done"),
    ]
    assert again.destroy("version-2") == 1


def test_there_is_nothing_to_recover_where_both_are_as_new(place: Place) -> None:
    custody = place.custody()
    custody.create([FIRST])
    custody.destroy("version-1")
    told = place.log()
    with pytest.raises(KeyServiceError, match="nothing to recover"):
        place.custody().recover(cause=CAUSE)
    assert place.log() == told


def test_another_installations_store_is_not_recovered(place: Place, tmp_path: Path) -> None:
    custody = place.custody()
    custody.create([FIRST])
    custody.destroy("version-1")
    other = Place(tmp_path / "other")
    other.custody().create([FIRST])
    place.key_store.write_bytes(other.key_store.read_bytes())
    with pytest.raises(KeyStoreMismatch, match="not the key store that the audit log knows"):
        place.custody().recover(cause=CAUSE)


def test_a_recovery_killed_at_any_commit_goes_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_the_root_key(place, monkeypatch)
    custody = place.custody()
    made = custody.create(contexts(2))
    with place.put_back():
        custody.destroy("version-1")
        custody.secret("project/training/new", create=True)
        rotate(custody, "training")

    def check(again: KeyCustody) -> None:
        try:
            again.open(OTHER)
        except KeyStoreRolledBack:
            assert again.recover(cause=CAUSE) == ("secret/project/training/new",)
        assert again.open(OTHER) == made[OTHER]
        for gone in (lambda: again.open(FIRST), lambda: again.secret("project/training/new", create=True)):
            with pytest.raises(KeyDestroyed):
                gone()

    assert broken_off(place, lambda one: one.recover(cause=CAUSE), check) >= 10
