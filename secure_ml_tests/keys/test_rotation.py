"""Rotation moves every key under new ones, whoever is killed, reads, writes or rotates meanwhile."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from secure_ml.keys import rotation
from secure_ml.keys.context import INSTALLATION
from secure_ml.keys.custody import Cause, KeyCustody, Roots
from secure_ml.keys.errors import (
    KeyDestroyed,
    KeyNotFound,
    KeyRefused,
    KeyServiceError,
    KeyServiceUnavailable,
    KeyStoreRolledBack,
)
from secure_ml.keys.local_file import LocalFileKeyService
from secure_ml.keys.store import KeyContext, KeyStore
from secure_ml.state.errors import StateError
from secure_ml_tests.keys.opened_custody import FIRST, Place, at_commit, contexts, fail_the_commit
from secure_ml_tests.keys.test_custody import broken_off

DEVELOPMENT = replace(FIRST, environment="development")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "PAGE_KEYS", 7)


def rotate(custody: KeyCustody, *environments: str, seconds: float = 60) -> list[str]:
    """Rotates to the end; returns the versions of root keys that were retired."""
    progress = custody.rotate(environments or custody.environments(), seconds=seconds)
    while not progress.finished:
        progress = custody.rotate(environments, epochs=progress.epochs, seconds=seconds)
    return list(progress.roots.retired)


def rows(place: Place, query: str) -> list[tuple[object, ...]]:
    engine = create_engine(f"sqlite:///{place.key_store}")
    with engine.begin() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found


def living(place: Place) -> list[tuple[object, ...]]:
    return rows(place, "select environment, epoch from environment_keys where wrapped is not null order by 1, 2")


# What moves


def test_every_key_opens_after_it_and_none_is_under_an_older_key(place: Place) -> None:
    custody = place.custody()
    made = custody.create([*contexts(10), DEVELOPMENT])
    secret = custody.secret("project/training/loans", create=True)
    before = rows(place, "select key_id, wrapped from wrapped_keys where environment = 'training'")
    old_root = place.service().key_id
    assert rotate(custody, "training") == [old_root]
    for opened in (custody, place.custody()):
        assert opened.open_all(list(made)) == made
        assert opened.secret("project/training/loans", create=False) == secret
    assert not set(before) & set(rows(place, "select key_id, wrapped from wrapped_keys"))
    assert living(place) == [("development", 1), ("training", 2)]
    assert rows(place, "select distinct epoch from wrapped_keys where environment = 'training'") == [(2,)]
    new_root = place.service().key_id
    assert new_root != old_root
    wrapped_by = rows(place, "select distinct root_key_id from environment_keys where wrapped is not null")
    assert wrapped_by == [(new_root,)], "the keys of the other environments are under the new root key too"
    with pytest.raises(KeyNotFound):
        place.service().retire(old_root)


def test_environments_that_are_rotated_together_share_one_new_root_key(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    custody = place.custody()
    made = custody.create([FIRST, DEVELOPMENT])
    rotated: list[str] = []
    rotate_root = LocalFileKeyService.rotate

    def counting(self: LocalFileKeyService) -> str:
        rotated.append(rotate_root(self))
        return rotated[-1]

    monkeypatch.setattr(LocalFileKeyService, "rotate", counting)
    assert len(rotate(custody)) == 1
    assert len(rotated) == 1
    assert living(place) == [("development", 2), ("training", 2)]
    assert custody.open_all(list(made)) == made


def test_the_log_has_it_before_and_after(place: Place) -> None:
    custody = place.custody()
    custody.create([FIRST])
    progress = custody.rotate(["training"], seconds=60, cause=Cause("person:keeper", "", "yearly"))
    assert progress.finished
    told = [entry for entry in place.log() if entry.action != "key.store"]
    assert [(entry.action, entry.resource, entry.outcome) for entry in told] == [
        ("key.rotate", "keys", "allowed"),
        ("key.destroy", "environment-key/training/1", "allowed"),
        ("key.destroy", "environment-key/training/1", "done"),
        ("key.rotate", "keys", "done"),
    ]
    assert {entry.actor for entry in told} == {"person:keeper"}
    assert told[0].reason == "yearly"
    assert place.store().mark().generation == 1


def test_it_goes_on_in_steps_and_says_how_far_it_is(place: Place) -> None:
    custody = place.custody()
    made = custody.create(contexts(10))
    progress = custody.rotate(["training"], seconds=0)
    seen = [(progress.left, progress.total, progress.finished)]
    while not progress.finished:
        assert custody.open_all(list(made)) == made
        progress = custody.rotate(["training"], epochs=progress.epochs, seconds=0)
        seen.append((progress.left, progress.total, progress.finished))
    assert seen == [(left, 50, not left) for left in (43, 36, 29, 22, 15, 8, 1, 0)]
    assert custody.rotate(["training"], epochs=progress.epochs, seconds=0).finished
    assert living(place) == [("training", 2)]


def test_keys_made_and_destroyed_meanwhile_stay_so(place: Place) -> None:
    custody = place.custody()
    made = custody.create(contexts(10))
    writes = place.custody()
    assert writes.open(FIRST) == made[FIRST]
    progress = custody.rotate(["training"], seconds=0)
    new = replace(FIRST, version_id="new")
    made |= writes.create([new])
    writes.destroy("version-1")
    writes.destroy("version-9")
    while not progress.finished:
        progress = custody.rotate(["training"], epochs=progress.epochs, seconds=0)
    again = place.custody()
    gone = {context for context in made if context.version_id in ("version-1", "version-9")}
    assert again.open_all([context for context in made if context not in gone]) == {
        context: key for context, key in made.items() if context not in gone
    }
    for context in gone:
        with pytest.raises(KeyDestroyed):
            again.open(context)


def test_a_key_that_is_destroyed_while_its_page_is_rewrapped_stays_destroyed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    custody = place.custody()
    custody.create(contexts(2))
    rewrapped = rotation._rewrapped

    def destroying(*arguments: object) -> object:
        result = rewrapped(*arguments)
        place.custody().destroy("version-1")
        return result

    monkeypatch.setattr(rotation, "_rewrapped", destroying)
    custody.rotate(["training"], seconds=0)
    with pytest.raises(KeyDestroyed):
        custody.open(FIRST)
    assert rows(place, "select count(*) from wrapped_keys where version_id = 'version-1' and wrapped is not null") == [
        (0,)
    ]


def test_a_version_stays_destroyed_and_only_living_keys_count(place: Place) -> None:
    custody = place.custody()
    custody.create(contexts(4))
    custody.destroy("version-2")
    rotate(custody, "training")
    state, refusal = custody.describe()
    (training,) = state.environments
    assert (training.living, training.destroyed, training.left, training.epoch) == (15, 5, 0, 2)
    assert (refusal, state.older_roots, training.rotating) == ("", (), False)


def test_an_environment_without_keys_is_not_rotated(place: Place) -> None:
    custody = place.custody()
    custody.create([FIRST])
    with pytest.raises(KeyNotFound, match="production has no keys yet"):
        custody.rotate(["production"], seconds=0)
    assert living(place) == [("training", 1)]


def test_only_the_environments_that_are_served_are_rotated(place: Place) -> None:
    place.custody().create([FIRST, DEVELOPMENT])
    old_root = place.service().key_id
    store = KeyStore.connect(
        f"sqlite:///{place.key_store}", service=place.service(), environments=frozenset({"development"})
    )
    whole = place.custody()
    narrow = KeyCustody(store, state=whole._state, log=whole._log, actor="service:kernel")
    with pytest.raises(KeyServiceError, match="no keys of training"):
        narrow.rotate(["training"], seconds=60)
    assert narrow.environments() == ("development",)
    assert rotate(narrow) == [], "training's key is still under the older root key, which therefore stays"
    assert place.custody().open(FIRST)
    assert whole.rewrap() == (1, Roots((old_root,)))


class _OldestFirst:
    """A key service that retires the oldest version first, as Vault's does, and keeps one that is not ours."""

    def __init__(self, service: LocalFileKeyService, *, foreign: bool) -> None:
        self._service, self.foreign = service, foreign

    def __getattr__(self, name: str) -> object:
        return getattr(self._service, name)

    def retire(self, key_id: str) -> None:
        living = self._service._read().key_ids
        if key_id in living and (self.foreign or key_id != living[-1]):
            raise KeyServiceError("versions are retired in order; retire another first")
        self._service.retire(key_id)


def test_root_keys_that_are_retired_in_order_only_are_so_and_one_that_cannot_be_is_told(place: Place) -> None:
    service = _OldestFirst(place.service(), foreign=True)
    store = KeyStore.connect(place.store_url, service=service)
    whole = place.custody()
    custody = KeyCustody(store, state=whole._state, log=whole._log, actor="service:kernel")
    made = custody.create([FIRST, DEVELOPMENT])
    first = service.key_id
    progress = custody.rotate(["training"], seconds=60)
    assert progress.finished
    assert dict(progress.roots.refused) == {first: "versions are retired in order; retire another first"}
    second = service.key_id
    custody.rotate(["training"], seconds=60)
    assert sorted(custody.describe()[0].older_roots) == sorted([first, second])
    service.foreign = False
    _, roots = custody.rewrap()
    assert (roots.retired, dict(roots.refused)) == ((first, second), {})
    assert custody.describe()[0].older_roots == ()
    assert place.custody().open_all(list(made)) == made


# Older copies


def test_a_copy_from_before_a_rotation_is_refused_and_without_the_root_key_opens_nothing(place: Place) -> None:
    custody = place.custody()
    custody.create([FIRST])
    with place.put_back():
        rotate(custody)
    for opened in (custody, place.custody()):
        with pytest.raises(KeyStoreRolledBack):
            opened.open(FIRST)
    with pytest.raises(KeyRefused):
        place.store().open(FIRST)


def test_a_copy_from_the_middle_of_a_rotation_is_refused_once_it_ended(place: Place) -> None:
    custody = place.custody()
    custody.create(contexts(4))
    progress = custody.rotate(["training"], seconds=0)
    with place.put_back():
        while not progress.finished:
            progress = custody.rotate(["training"], epochs=progress.epochs, seconds=0)
    with pytest.raises(KeyStoreRolledBack):
        place.custody().open(FIRST)


def test_an_environments_destroyed_key_opens_nothing_though_the_copys_number_was_forged(place: Place) -> None:
    service = place.service()
    store = KeyStore.connect(f"sqlite:///{place.key_store}", service=_Keeping(service))
    whole = place.custody()
    custody = KeyCustody(store, state=whole._state, log=whole._log, actor="service:kernel")
    custody.create([FIRST])
    with place.put_back():
        rotate(custody)
    engine = create_engine(f"sqlite:///{place.key_store}")
    with engine.begin() as connection:
        connection.execute(text("update key_store set generation = 1"))
    engine.dispose()
    with pytest.raises(KeyStoreRolledBack, match="environment-key/training/1, which the audit log knows"):
        custody.open(FIRST)


class _Keeping:
    """A key service whose retired versions an intruder has kept."""

    def __init__(self, service: LocalFileKeyService) -> None:
        self._service = service

    def __getattr__(self, name: str) -> object:
        return getattr(self._service, name)

    def retire(self, key_id: str) -> None:
        pass


# Broken off


def all_open(made: dict[KeyContext, bytes], secret: bytes) -> Callable[[KeyCustody], None]:
    def check(custody: KeyCustody) -> None:
        assert custody.open_all(list(made)) == made
        assert custody.secret("audit", create=False) == secret

    return check


def test_a_rotation_killed_at_any_commit_loses_no_key_and_goes_on(place: Place) -> None:
    custody = place.custody()
    made = custody.create(contexts(2))
    secret = custody.secret("audit", create=True)
    check = all_open(made, secret)

    def check_and_go_on(again: KeyCustody) -> None:
        check(again)
        rotate(again)
        check(again)
        state, _ = again.describe()
        assert [(one.left, one.rotating) for one in state.environments] == [(0, False)] * 2
        assert state.older_roots == ()

    # Announced, 2 environments begun, 3 pages moved, 2 keys destroyed in three steps each, a root key retired, ended.
    assert broken_off(place, rotate, check_and_go_on) == 2 * 14


def _away_at(number: int, step: str, *, done: bool) -> Callable[..., object]:
    """A method of the key service whose n-th call fails: before anything, or with its answer lost."""
    original, calls = getattr(LocalFileKeyService, step), [0]

    def away(self: LocalFileKeyService, *arguments: object, **named: object) -> object:
        calls[0] += 1
        if calls[0] == number and not done:
            raise KeyServiceUnavailable("the key service does not answer")
        result = original(self, *arguments, **named)
        if calls[0] == number:
            raise KeyServiceUnavailable("the answer was lost")
        return result

    return away


@pytest.mark.parametrize("step", ["rotate", "retire", "wrap", "unwrap"])
@pytest.mark.parametrize("done", [False, True])
def test_a_root_key_that_answers_no_more_loses_no_key(
    place: Place, monkeypatch: pytest.MonkeyPatch, step: str, done: bool
) -> None:
    custody = place.custody()
    made = custody.create([*contexts(3), DEVELOPMENT])
    secret = custody.secret("audit", create=True)
    check = all_open(made, secret)
    for number in range(1, 20):
        rotates = place.custody()
        with monkeypatch.context() as patch:
            patch.setattr(LocalFileKeyService, step, _away_at(number, step, done=done))
            try:
                rotate(rotates)
            except KeyServiceUnavailable:
                pass
            else:
                break
        check(rotates)
        check(place.custody())
    assert number > 1
    rotate(place.custody())
    check(place.custody())
    state, _ = place.custody().describe()
    assert state.older_roots == ()
    assert len(place.service()._read().key_ids) == 1


def test_a_rotation_whose_nth_commit_fails_loses_no_key_and_goes_on(place: Place) -> None:
    custody = place.custody()
    made = custody.create([*contexts(3), DEVELOPMENT])
    secret = custody.secret("audit", create=True)
    check = all_open(made, secret)
    for number in range(1, 100):
        with at_commit(number, fail_the_commit, after=False) as counted, ExitStack() as expected:
            rotates = place.custody()
            expected.enter_context(pytest.raises((KeyServiceError, StateError)))
            rotate(rotates)
            expected.pop_all()
        if counted[0] < number:
            break
        check(rotates)
        check(place.custody())
    # What failed later had less left to do.
    assert number > 10


# At once


def test_readers_and_writers_go_on_while_keys_are_rotated(place: Place) -> None:
    custody = place.custody()
    made = custody.create(contexts(10))
    failures: list[BaseException] = []
    new: dict[KeyContext, bytes] = {}
    stop = threading.Event()

    def work(own: KeyCustody, number: int) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            try:
                assert own.open_all(list(made)) == made
                new.update(own.create([replace(FIRST, version_id=f"new-{number}-{turn}")]))
            except BaseException as error:  # noqa: BLE001 - told below
                failures.append(error)
                return

    workers = [threading.Thread(target=work, args=(place.custody(), number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for _ in range(3):
        rotate(custody, "training")
    stop.set()
    for worker in workers:
        worker.join()
    assert failures == []
    assert new
    assert place.custody().open_all([*made, *new]) == made | new


def test_a_reader_whom_the_end_of_a_rotation_overtakes_reads_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    custody = place.custody()
    made = custody.create(contexts(2))
    reader = place.custody()
    unwrap = LocalFileKeyService.unwrap
    overtaken = [False]

    def overtake(self: LocalFileKeyService, wrapped: bytes, *, context: bytes) -> bytes:
        if not overtaken[0]:
            overtaken[0] = True
            rotate(place.custody())
        return unwrap(self, wrapped, context=context)

    monkeypatch.setattr(LocalFileKeyService, "unwrap", overtake)
    assert reader.open_all(list(made)) == made
    assert overtaken == [True]


def test_a_writer_whom_the_beginning_of_a_rotation_overtakes_makes_keys_under_the_new_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    custody = place.custody()
    custody.create([FIRST])
    store = custody._store
    current = store.environment_keys.current
    overtaken = [False]

    def overtake(environment: str) -> object:
        key = current(environment)
        if not overtaken[0]:
            overtaken[0] = True
            rotate(place.custody())
        return key

    monkeypatch.setattr(store.environment_keys, "current", overtake)
    new = replace(FIRST, version_id="new")
    made = custody.create([new])
    assert rows(place, "select epoch from wrapped_keys where version_id = 'new'") == [(2,)]
    assert place.custody().open(new) == made[new]


def test_rotations_at_once_lose_no_key(place: Place) -> None:
    made = place.custody().create([*contexts(8), DEVELOPMENT])
    barrier, failures = threading.Barrier(4), list[BaseException]()

    def work(own: KeyCustody) -> None:
        barrier.wait()
        try:
            for _ in range(3):
                rotate(own, "development", "training", seconds=0)
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(place.custody(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    again = place.custody()
    assert again.open_all(list(made)) == made
    state, _ = again.describe()
    assert [(one.left, one.rotating) for one in state.environments] == [(0, False)] * 2
    assert state.older_roots == ()
    assert len(place.service()._read().key_ids) == 1


def test_who_comes_to_a_begun_rotation_joins_it(place: Place) -> None:
    first, second = place.custody(), place.custody()
    made = first.create(contexts(4))
    begun = first.rotate(["training"], seconds=0)
    joined = second.rotate(["training"], seconds=0)
    assert joined.epochs == begun.epochs == {"training": 2}
    while not joined.finished:
        joined = second.rotate(["training"], epochs=joined.epochs, seconds=0)
    assert first.rotate(["training"], epochs=begun.epochs, seconds=0).finished
    assert living(place) == [("training", 2)]
    assert first.open_all(list(made)) == made


def test_a_begun_rotation_is_finished_before_another_begins(place: Place) -> None:
    custody = place.custody()
    custody.create([*contexts(4), DEVELOPMENT])
    custody.rotate(["training"], seconds=0)
    rotate(custody, "development", "training")
    assert living(place) == [("development", 1), ("training", 2)]
    rotate(custody, "development", "training")
    assert living(place) == [("development", 2), ("training", 3)]


# Rewrapping


def test_rewrapping_moves_what_an_older_root_key_wraps_and_retires_it(place: Place) -> None:
    custody = place.custody()
    made = custody.create([FIRST, DEVELOPMENT])
    assert custody.rewrap() == (0, Roots())
    old = place.service().key_id
    place.service().rotate()
    below = rows(place, "select * from wrapped_keys")
    assert custody.rewrap() == (2, Roots((old,)))
    assert rows(place, "select * from wrapped_keys") == below, "what the environments' keys wrap stays as it is"
    assert custody.open_all(list(made)) == place.custody().open_all(list(made)) == made
    assert custody.rewrap() == (0, Roots())


def test_a_rewrapping_killed_at_any_commit_loses_no_key_and_goes_on(place: Place) -> None:
    custody = place.custody()
    made = custody.create([FIRST, DEVELOPMENT])
    check = all_open(made, custody.secret("audit", create=True))
    place.service().rotate()

    def rewrap(custody: KeyCustody) -> None:
        custody.rewrap()

    def check_and_go_on(again: KeyCustody) -> None:
        check(again)
        rewrap(again)
        check(again)
        assert again.describe()[0].older_roots == ()

    # Announced, the environments' keys moved, the older root key retired, ended.
    assert broken_off(place, rewrap, check_and_go_on) == 2 * 4


def test_rewrapping_to_another_service_moves_all_there(place: Place, tmp_path: Path) -> None:
    custody = place.custody()
    made = custody.create([FIRST, DEVELOPMENT])
    secret = custody.secret("audit", create=True)
    target = LocalFileKeyService.create(tmp_path / "target")
    left = place.service()
    assert custody.rewrap(to=target) == (3, Roots())
    assert custody.open_all(list(made)) == made, "this process goes on with it"
    assert rotate(custody, "training") != []
    moved = KeyStore.connect(f"sqlite:///{place.key_store}", service=LocalFileKeyService.open(tmp_path / "target"))
    assert moved.open_all(list(made)) == made
    assert moved.secret("audit", create=False) == secret
    with pytest.raises(KeyRefused, match=f"use the service of root key {target.key_id}"):
        KeyStore.connect(f"sqlite:///{place.key_store}", service=left).open(FIRST)
    assert left.key_id == place.service().key_id, "the service that was left is not touched"


def test_one_environment_can_move_to_a_service_of_its_own(place: Place, tmp_path: Path) -> None:
    custody = place.custody()
    made = custody.create([FIRST, DEVELOPMENT])
    target = LocalFileKeyService.create(tmp_path / "target")
    assert custody.rewrap(environments=["development"], to=target) == (1, Roots())
    services = {"development": target, "training": place.service(), INSTALLATION: place.service()}
    store = KeyStore.connect(f"sqlite:///{place.key_store}", service=services.__getitem__)
    assert store.open_all(list(made)) == made
    with pytest.raises(KeyRefused):
        KeyStore.connect(f"sqlite:///{place.key_store}", service=target).open(FIRST)


def test_a_service_that_answers_no_more_leaves_all_where_it_was(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    custody = place.custody()
    made = custody.create([FIRST, DEVELOPMENT])
    target = LocalFileKeyService.create(tmp_path / "target")
    wrap, calls = LocalFileKeyService.wrap, [0]

    def away(self: LocalFileKeyService, key: bytes, *, context: bytes) -> bytes:
        calls[0] += 1
        if calls[0] == 2:
            raise KeyServiceUnavailable("the key service does not answer")
        return wrap(self, key, context=context)

    monkeypatch.setattr(LocalFileKeyService, "wrap", away)
    with pytest.raises(KeyServiceUnavailable):
        custody.rewrap(to=target)
    assert place.custody().open_all(list(made)) == custody.open_all(list(made)) == made
    assert custody.rewrap(to=target) == (2, Roots())
