"""An older copy of the key store opens nothing, and a destruction that was broken off is completed."""

import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from secure_ml.audit.log import AuditLog
from secure_ml.keys.context import secret_id
from secure_ml.keys.custody import Cause, KeyCustody
from secure_ml.keys.errors import (
    KeyDestroyed,
    KeyNotFound,
    KeyServiceError,
    KeyStoreMismatch,
    KeyStoreRolledBack,
)
from secure_ml.state.errors import StateError
from secure_ml_tests.keys.opened_custody import FIRST, Place, at_commit, contexts, fail_the_commit, killed

OTHER = replace(FIRST, version_id="version-2")
Work = Callable[[], object] | None
ENDED = Cause("person:officer", "run-9", "a person asked for erasure")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def custody(place: Place) -> KeyCustody:
    custody = place.custody()
    custody.create([FIRST, replace(FIRST, bucket=1), OTHER])
    return custody


def open_nothing(custody: KeyCustody, error: type[KeyServiceError], *, match: str | None = None) -> None:
    """Every use of a key is refused in the same words."""
    uses: list[Callable[[], object]] = [
        lambda: custody.open(FIRST),
        lambda: custody.open(OTHER),
        lambda: custody.open(replace(FIRST, version_id="never")),
        lambda: custody.create([replace(FIRST, version_id="new")]),
        lambda: custody.secret("project/training/loans", create=True),
        lambda: custody.secret("project/training/new", create=True),
        lambda: custody.destroy("version-2"),
        lambda: custody.rotate(["training"], seconds=60),
        lambda: custody.rewrap(),
        custody.require_current,
    ]
    for use in uses:
        with pytest.raises(error, match=match):
            use()


# What the log has


def test_the_log_has_a_destruction_before_the_store_and_after(
    place: Place, custody: KeyCustody, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    store = custody._store
    apply = store.apply

    def look(*arguments: object, **named: object) -> object:
        seen.append(place.told("key.destroy"))
        return apply(*arguments, **named)

    monkeypatch.setattr(store, "apply", look)
    assert custody.destroy("version-1", cause=ENDED) == 2
    assert seen == [[("key.destroy", "version-1", "allowed")]]
    *_, allowed, done = place.log()
    assert (allowed.outcome, done.outcome) == ("allowed", "done")
    assert (allowed.actor, allowed.run_id, allowed.reason) == ("person:officer", "run-9", ENDED.reason)
    assert dict(allowed.details) == {"generation": 1}
    assert dict(done.details) == {"generation": 1, "keys": 2}


def test_a_version_is_destroyed_once_and_an_unknown_one_never(place: Place, custody: KeyCustody) -> None:
    custody.destroy("version-1")
    told = place.told("key.destroy")
    assert custody.destroy("version-1") == 0
    with pytest.raises(KeyNotFound, match="version-9"):
        custody.destroy("version-9")
    assert place.told("key.destroy") == told
    with pytest.raises(KeyDestroyed):
        custody.open(FIRST)
    assert custody.open(OTHER)


def test_a_secret_is_made_and_destroyed_on_record(place: Place, custody: KeyCustody) -> None:
    made = custody.secret("project/training/loans", create=True)
    assert custody.secret("project/training/loans", create=True) == made
    assert custody.destroy(secret_id("project/training/loans")) == 1
    for create in (True, False):
        with pytest.raises(KeyDestroyed):
            custody.secret("project/training/loans", create=create)
    key_id = "secret/project/training/loans"
    assert place.told("key.create", "key.destroy") == [
        ("key.create", key_id, "allowed"),
        ("key.create", key_id, "done"),
        ("key.destroy", key_id, "allowed"),
        ("key.destroy", key_id, "done"),
    ]


def test_without_the_log_nothing_is_destroyed_made_or_opened(
    place: Place, custody: KeyCustody, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, before = custody.open(FIRST), place.key_store.read_bytes()

    def refuse(*arguments: object, **named: object) -> int:
        raise StateError("the log is unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(AuditLog, "append", refuse)
        for attempt in (lambda: custody.destroy("version-1"), lambda: custody.secret("new", create=True)):
            with pytest.raises(StateError):
                attempt()
        patch.setattr(AuditLog, "signed_entries", refuse)
        for attempt in (lambda: custody.open(FIRST), lambda: custody.create([replace(FIRST, version_id="new")])):
            with pytest.raises(StateError):
                attempt()
    assert place.key_store.read_bytes() == before
    assert custody.open(FIRST) == key


# Older copies


def test_a_copy_from_before_a_destruction_opens_nothing_in_a_new_process(place: Place, custody: KeyCustody) -> None:
    with place.put_back():
        custody.destroy("version-1")
    assert place.store().open(FIRST), "the copy itself would open"
    open_nothing(
        place.custody(), KeyStoreRolledBack, match="is at change 0 and the audit log at 1: it is an older copy"
    )


def test_a_copy_from_before_a_destruction_opens_nothing_in_a_process_that_lives_on(
    place: Place, custody: KeyCustody
) -> None:
    custody.secret("project/training/loans", create=True)
    lives_on = place.custody()
    lives_on.open(FIRST)
    with place.put_back():
        custody.destroy("version-1")
    open_nothing(lives_on, KeyStoreRolledBack, match="is at change 1 and the audit log at 2")
    open_nothing(custody, KeyStoreRolledBack)


def test_the_error_says_which_backup_is_new_enough(place: Place, custody: KeyCustody) -> None:
    with place.put_back():
        custody.destroy("version-1")
    done = place.log()[-1]
    with pytest.raises(
        KeyStoreRolledBack, match=rf"Restore a copy made after {done.time.replace('+', '.')}.*keys recover"
    ):
        custody.open(OTHER)


def test_a_copy_from_after_the_destruction_opens_what_it_did(place: Place, custody: KeyCustody) -> None:
    custody.destroy("version-1")
    with place.put_back():
        custody.create([replace(FIRST, version_id="later")])
    again = place.custody()
    assert again.open(OTHER)
    with pytest.raises(KeyDestroyed):
        again.open(FIRST)
    with pytest.raises(KeyNotFound):
        again.open(replace(FIRST, version_id="later"))


def test_a_copy_from_before_a_secret_was_made_makes_no_other(place: Place, custody: KeyCustody) -> None:
    with place.put_back():
        custody.secret("project/training/loans", create=True)
    with pytest.raises(KeyStoreRolledBack):
        place.custody().secret("project/training/loans", create=True)


def test_a_copy_whose_number_was_forged_hands_out_nothing_that_was_destroyed(place: Place, custody: KeyCustody) -> None:
    custody.secret("project/training/loans", create=True)
    with place.put_back():
        custody.destroy("version-1")
        custody.destroy(secret_id("project/training/loans"))
    with closing(sqlite3.connect(place.key_store)) as connection:
        connection.execute("update key_store set generation = 3")
        connection.commit()
    for forged in (place.custody(), custody):
        with pytest.raises(KeyStoreRolledBack, match="version-1, which the audit log knows to be destroyed"):
            forged.open(FIRST)
        with pytest.raises(KeyStoreRolledBack, match="knows to be destroyed"):
            forged.secret("project/training/loans", create=False)
        with pytest.raises(KeyStoreRolledBack):
            forged.open_all([OTHER, FIRST])
        assert forged.open(OTHER)


def test_another_installations_store_is_refused(place: Place, custody: KeyCustody, tmp_path: Path) -> None:
    custody.open(FIRST)
    other = Place(tmp_path / "other")
    other.custody().create([FIRST, OTHER])
    for name in ("keys.db", "root.key"):
        shutil.copy2(other.folder / "keys" / name, place.folder / "keys" / name)
    open_nothing(place.custody(), KeyStoreMismatch, match="not the key store that the audit log knows")
    open_nothing(custody, KeyStoreMismatch)


def test_an_older_log_beside_the_store_is_refused(place: Place, custody: KeyCustody) -> None:
    custody.open(FIRST)
    with place.put_back("state.db"):
        custody.destroy("version-1")
    open_nothing(place.custody(), KeyStoreMismatch, match="at change 1 and the audit log at 0: the state database")


def test_two_who_look_first_put_one_store_on_record(place: Place, custody: KeyCustody) -> None:
    barrier = threading.Barrier(4)
    opened = [place.custody() for _ in range(4)]

    def look(one: KeyCustody) -> None:
        barrier.wait()
        one.open(OTHER)

    threads = [threading.Thread(target=look, args=(one,)) for one in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert place.told("key.store") == [("key.store", "keys", "done")]


# Crashes


def broken_off(place: Place, work: Callable[[KeyCustody], object], check: Callable[[KeyCustody], None]) -> int:
    """Kill work at each commit, before and after, on a fresh copy each time; then another process checks. How often."""
    start = place.folder / "start"
    start.mkdir()
    for name in ("keys", "state.db"):
        source = place.folder / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, start / name)
    times = 0
    for after in (False, True):
        for commit in range(1, 100):
            folder = place.folder / f"{commit}-{after}"
            shutil.copytree(start, folder)
            copied = Place(folder)
            if not killed(lambda copied=copied: work(copied.custody()), commit=commit, after=after):
                break
            times += 1
            check(copied.custody())
            # Whoever looks a second time finds it as it is.
            check(copied.custody())
    return times


def test_a_destruction_killed_at_any_commit_is_completed_or_never_began(place: Place, custody: KeyCustody) -> None:
    custody.secret("project/training/loans", create=True)
    found = set()

    def check(again: KeyCustody) -> None:
        assert again.open(OTHER)
        assert again.secret("project/training/loans", create=False)
        try:
            again.open(FIRST)
        except KeyDestroyed:
            found.add("destroyed")
        else:
            found.add("not begun")

    assert broken_off(place, lambda one: one.destroy("version-1"), check) == 6
    assert found == {"destroyed", "not begun"}


def test_what_a_killed_destruction_left_is_concluded_once(place: Place, custody: KeyCustody) -> None:
    custody.open(FIRST)
    assert killed(lambda: place.custody().destroy("version-1"), commit=1, after=True)
    assert place.told("key.destroy") == [("key.destroy", "version-1", "allowed")]
    assert place.store().open(FIRST)
    again = place.custody()
    assert again.open(OTHER)
    with pytest.raises(KeyDestroyed):
        place.store().open(FIRST)
    assert place.told("key.destroy") == [("key.destroy", "version-1", "allowed"), ("key.destroy", "version-1", "done")]
    assert place.log()[-1].actor == "service:kernel"


def test_a_process_that_lives_on_hands_out_nothing_whose_destruction_is_announced(
    place: Place, custody: KeyCustody
) -> None:
    custody.open(FIRST)
    assert killed(lambda: place.custody().destroy("version-1"), commit=1, after=True)
    with pytest.raises(KeyDestroyed, match="being destroyed"):
        custody.open(FIRST)
    assert custody.open(OTHER)
    custody.destroy("version-2")
    assert [outcome for *_, outcome in place.told("key.destroy")] == ["allowed", "done", "allowed", "done"]


def test_a_store_put_back_after_an_unconcluded_destruction_is_destroyed_again_and_not_refused(
    place: Place, custody: KeyCustody
) -> None:
    custody.open(FIRST)
    with place.put_back():
        assert killed(lambda: place.custody().destroy("version-1"), commit=2, after=True)
        with pytest.raises(KeyDestroyed):
            place.store().open(FIRST)
    assert place.store().open(FIRST)
    assert place.custody().open(OTHER)
    with pytest.raises(KeyDestroyed):
        place.store().open(FIRST)


def test_a_secrets_making_killed_at_any_commit_leaves_one_secret_or_none(place: Place, custody: KeyCustody) -> None:
    custody.open(FIRST)

    def check(again: KeyCustody) -> None:
        made = again.secret("project/training/loans", create=True)
        assert again.secret("project/training/loans", create=False) == made

    assert broken_off(place, lambda one: one.secret("project/training/loans", create=True), check) == 6


@pytest.mark.parametrize("commit", [1, 2, 3])
def test_a_destruction_whose_nth_commit_fails_is_an_error_and_then_completed(
    place: Place, custody: KeyCustody, commit: int
) -> None:
    custody.open(FIRST)
    with (
        at_commit(commit, fail_the_commit, after=False),
        pytest.raises((KeyServiceError, StateError)),
    ):
        custody.destroy("version-1")
    again = place.custody()
    assert again.open(OTHER)
    assert again.destroy("version-1") in (0, 2)
    with pytest.raises(KeyDestroyed):
        again.open(FIRST)
    assert custody.open(OTHER)


def test_many_who_destroy_at_once_make_every_change_once(place: Place) -> None:
    places = contexts(12, each=2)
    place.custody().create(places)
    versions = sorted({context.version_id for context in places})
    counted: list[int] = []
    barrier = threading.Barrier(4)

    def destroy(own: KeyCustody) -> None:
        barrier.wait()
        counted.extend(own.destroy(version) for version in versions)

    threads = [threading.Thread(target=destroy, args=(place.custody(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = [entry for entry in place.log() if (entry.action, entry.outcome) == ("key.destroy", "done")]
    assert [entry.details["generation"] for entry in done] == list(range(1, 13))
    assert sorted(entry.resource for entry in done) == versions
    assert place.store().mark().generation == 12
    place.custody().require_current()


def test_makers_of_one_secret_at_once_get_the_same_and_the_log_has_it_once(place: Place) -> None:
    found: list[bytes] = []
    barrier = threading.Barrier(4)

    def ask(own: KeyCustody) -> None:
        barrier.wait()
        found.append(own.secret("project/training/loans", create=True))

    threads = [threading.Thread(target=ask, args=(place.custody(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    # A maker may be overtaken by who takes it for dead: it tries again, and the log tells of both.
    outcomes = [outcome for *_, outcome in place.told("key.create")]
    assert outcomes.count("done") == 1
    assert outcomes.count("allowed") == outcomes.count("done") + outcomes.count("failed")


# Changes between the looks at log and store


def around(
    monkeypatch: pytest.MonkeyPatch, custody: KeyCustody, look: str, *, before: Work = None, after: Work = None
) -> None:
    """Others do something directly before and after this custody's next look at its store, and not at those within."""
    method = getattr(custody._store, look)

    def looking(*arguments: object) -> object:
        monkeypatch.setattr(custody._store, look, method)
        if before is not None:
            before()
        found = method(*arguments)
        if after is not None:
            after()
        return found

    monkeypatch.setattr(custody._store, look, looking)


@pytest.mark.parametrize("look", ["read", "mark"])
def test_changes_by_another_process_before_and_after_the_store_is_read_are_no_roll_back(
    place: Place, custody: KeyCustody, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    key, other = custody.open(OTHER), place.custody()
    around(
        monkeypatch,
        custody,
        look,
        before=lambda: other.secret("project/training/before", create=True),
        after=lambda: other.secret("project/training/after", create=True),
    )
    if look == "mark":
        custody.require_current()
    assert custody.open(OTHER) == key
    assert place.store().mark().generation == 2


def test_a_key_that_another_thread_destroys_after_it_was_read_is_no_roll_back(
    custody: KeyCustody, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = custody.open(FIRST)
    around(monkeypatch, custody, "read", after=lambda: (custody.destroy("version-1"), custody.require_current()))
    assert custody.open(FIRST) == key
    with pytest.raises(KeyDestroyed):
        custody.open(FIRST)


def test_a_rotation_that_another_thread_ends_after_a_key_was_read_is_no_roll_back(
    custody: KeyCustody, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = custody.open(FIRST)

    def rotate() -> None:
        custody.rotate(["training"], seconds=60)
        custody.require_current()

    around(monkeypatch, custody, "read", after=rotate)
    assert custody.open(FIRST) == key
    assert custody.open(FIRST) == key


def test_changes_by_another_process_at_the_first_look_of_all_are_no_roll_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = place.custody()
    around(monkeypatch, first, "mark", after=lambda: place.custody().secret("project/training/loans", create=True))
    first.require_current()
    assert place.told("key.store") == [("key.store", "keys", "done")]


def test_a_change_by_another_process_leaves_nothing_to_recover(
    place: Place, custody: KeyCustody, monkeypatch: pytest.MonkeyPatch
) -> None:
    custody.open(OTHER)
    around(monkeypatch, custody, "mark", before=lambda: place.custody().destroy("version-1"))
    with pytest.raises(KeyServiceError, match="nothing to recover"):
        custody.recover(cause=ENDED)
    assert place.told("key.recover") == []


def test_a_copy_put_back_between_the_looks_is_refused_whatever_follows(
    place: Place, custody: KeyCustody, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer, keys = place.folder / "older", place.folder / "newer", place.key_store
    custody.secret("project/training/loans", create=True)
    shutil.copy2(keys, older)
    custody.destroy("version-1")
    shutil.copy2(keys, newer)
    # Looked at before and after the reading, the store is the right one.
    around(
        monkeypatch,
        custody,
        "read",
        before=lambda: shutil.copy2(older, keys),
        after=lambda: (shutil.copy2(newer, keys), place.custody().secret("project/training/more", create=True)),
    )
    with pytest.raises(KeyStoreRolledBack, match="is at change 1 and the audit log at 2"):
        custody.open(FIRST)


def test_readers_and_writers_go_on_while_others_destroy(place: Place) -> None:
    places = contexts(10, each=1)
    custody = place.custody()
    made = custody.create(places)
    kept, failures = replace(FIRST, version_id="kept"), list[BaseException]()
    made |= custody.create([kept])
    stop = threading.Event()

    def read(own: KeyCustody) -> None:
        while not stop.is_set():
            try:
                assert own.open(kept) == made[kept]
            except BaseException as error:  # noqa: BLE001 - told below
                failures.append(error)

    readers = [threading.Thread(target=read, args=(one,)) for one in (custody, place.custody())]
    for reader in readers:
        reader.start()
    destroyer = place.custody()
    for context in places:
        destroyer.destroy(context.version_id)
        destroyer.secret(f"project/training/{context.version_id}", create=True)
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
