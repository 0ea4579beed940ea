"""Keys by message: who may see, rotate, rewrap, destroy and recover them, and that no message carries one."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from secure_ml.installation import Installation, InstallationError
from secure_ml.keys.context import KeyContext
from secure_ml.keys.errors import KeyServiceError, KeyStoreRolledBack
from secure_ml.policy.projects import find_projects
from secure_ml.settings import read_settings
from secure_ml.vault import key_custody as k
from secure_ml.vault.caller import Caller
from secure_ml.vault.errors import AccessRefused
from secure_ml.vault.messages import Message
from secure_ml.vault.wire.client import SocketKernel
from secure_ml.vault.wire.server import MessageServer
from secure_ml_tests.fakes.appointed_people import AppointedPeople, make_appointed_people
from secure_ml_tests.fakes.json_kernel import JsonKernel
from secure_ml_tests.fakes.small_project import make_small_project

CONTEXT = KeyContext("training", "clinic", "f" * 32, "data", 0, "financial")

REQUESTS: dict[str, Message] = {
    "status": k.DescribeKeys(),
    "rotate": k.RotateKeys(environments=("training",), epochs={}),
    "go on rotating": k.RotateKeys(environments=("training",), epochs={"training": 2}),
    "rewrap": k.RewrapKeys(environments=(), to=""),
    "destroy": k.DestroyKeys(version_id=CONTEXT.version_id, reason="erasure", even_if_read=True),
    "recover": k.RecoverKeys(reason="a restored backup"),
}
# By roles.yaml: who keeps keys destroys none, and who has them destroyed keeps none.
MAY = {
    "keeper": {"status", "rotate", "go on rotating", "rewrap", "recover"},
    "dpo": {"status", "destroy"},
    "auditor": {"status"},
    "scientist": set(),
    "steward": set(),
    "stranger": set(),
}


@pytest.fixture
def people(tmp_path: Path) -> AppointedPeople:
    people = make_appointed_people(tmp_path)
    people.installation.keys.create([CONTEXT])
    return people


@pytest.mark.parametrize("asked", REQUESTS)
@pytest.mark.parametrize("login", MAY)
def test_keys_are_kept_and_destroyed_by_different_people(people: AppointedPeople, login: str, asked: str) -> None:
    before = people.installation.keys.describe()[0]
    kernel = JsonKernel(people.kernel_of(login))
    if asked == "recover" and asked in MAY[login]:
        with pytest.raises(KeyServiceError, match="nothing to recover"):
            kernel.send(REQUESTS[asked])
        return
    if asked in MAY[login]:
        kernel.send(REQUESTS[asked])
        return
    with pytest.raises(AccessRefused):
        kernel.send(REQUESTS[asked])
    assert people.installation.keys.describe()[0] == before
    refusal = list(people.installation.log.entries())[-1]
    assert (refusal.action.split(".")[0], refusal.outcome) == ("keys", "refused")


def test_no_answer_holds_a_key(people: AppointedPeople) -> None:
    keeper, officer = people.kernel_of("keeper"), people.kernel_of("dpo")
    key = people.installation.keys.open(CONTEXT)
    for asked in ("status", "rotate", "rewrap", "destroy"):
        answer = (officer if asked == "destroy" else keeper).send(REQUESTS[asked])
        text = answer.model_dump_json()
        assert key.hex() not in text
        assert not [one for one in type(answer).model_fields.values() if one.annotation is bytes]


def test_the_log_names_who_asked_and_why(people: AppointedPeople) -> None:
    people.kernel_of("dpo").send(REQUESTS["destroy"])
    told = [e for e in people.installation.log.entries() if e.action in ("keys.destroy", "key.destroy")]
    assert [(e.action, e.outcome) for e in told] == [
        ("keys.destroy", "allowed"), ("key.destroy", "allowed"), ("key.destroy", "done"),
    ]  # fmt: skip
    assert {e.actor for e in told} == {"person:dpo-1"}
    assert told[0].details["version_id"] == CONTEXT.version_id
    assert told[1].reason == "erasure"


def test_going_on_with_a_rotation_is_decided_each_time_and_told_once(people: AppointedPeople) -> None:
    keeper = people.kernel_of("keeper")
    begun = keeper.send(REQUESTS["rotate"])
    assert isinstance(begun, k.KeysRotated)
    keeper.send(k.RotateKeys(environments=("training",), epochs=begun.epochs))
    told = [e.outcome for e in people.installation.log.entries() if e.action == "keys.rotate"]
    assert told == ["allowed"]


def test_over_a_socket_a_rotation_goes_on_and_an_older_key_store_is_told_as_such(tmp_path: Path) -> None:
    project = make_small_project(tmp_path / "project")
    project.write_raw()
    (tmp_path / "run").mkdir(mode=0o755)
    core = project.installation.core
    server = MessageServer(tmp_path / "run" / "kernel.sock", core.requests, core.answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        kernel = SocketKernel(tmp_path / "run" / "kernel.sock")
        backup = (project.keys / "keys.db").read_bytes()
        answer = kernel.send(k.RotateKeys(environments=(), epochs={}))
        assert isinstance(answer, k.KeysRotated)
        assert (answer.finished, answer.epochs) == (True, {"installation": 2, "training": 2})
        (project.keys / "keys.db").write_bytes(backup)
        told = kernel.send(k.DescribeKeys())
        assert isinstance(told, k.KeysDescribed)
        assert "is an older copy" in told.refusal
        with pytest.raises(KeyStoreRolledBack, match="is an older copy"):
            kernel.send(k.RotateKeys(environments=(), epochs={}))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def behind_a_socket(people: AppointedPeople) -> tuple[Installation, Path]:
    """The installation as a kernel's own process opens it, and the service that its user named as the next."""
    target = people.root / "next"
    settings = replace(
        people.installation.settings, kernel_socket=people.root / "kernel.sock", next_key_service=target.as_uri()
    )
    return Installation(settings, find_projects((people.root / "defs",)), clock=people.clock), target


def test_a_kernel_behind_a_socket_moves_keys_only_where_its_own_user_said(
    people: AppointedPeople, behind_a_socket: tuple[Installation, Path]
) -> None:
    installation, target = behind_a_socket
    keeper = Caller("keeper", "session")
    for own in ((people.root / "mine").as_uri(), "vault:https://vault.invented.example/transit/keys/mine"):
        with pytest.raises(AccessRefused, match="only to what its own user set as SECURE_ML_NEXT_KEY_SERVICE"):
            installation.core.answer(k.RewrapKeys(environments=(), to=own), keeper)
    assert not (people.root / "mine").exists()
    moved = installation.core.answer(k.RewrapKeys(environments=(), to=target.as_uri()), keeper)
    assert moved == k.KeysRewrapped(moved=2, retired=(), refused={})
    assert installation.keys.open(CONTEXT)


def test_an_environment_has_its_own_service_and_a_process_serves_what_it_is_told_to(tmp_path: Path) -> None:
    root = tmp_path / "root"
    environ = {"SECURE_ML_HOME": str(root / "home"), "SECURE_ML_KEYS": str(root / "keys")}
    own = f"development=file:{tmp_path / 'development'}"
    moved = Installation(read_settings(environ), {})
    development = replace(CONTEXT, environment="development")
    made = moved.keys.create([CONTEXT])
    # Root keys are made on the first day; later an environment is moved to its own.
    with pytest.raises(InstallationError, match="its root key"):
        Installation(read_settings({**environ, "SECURE_ML_KEY_SERVICES": own}), {})
    made |= moved.keys.create([development])
    moved.keys.rewrap(environments=["development"], to=moved._next_key_service(f"file:{tmp_path / 'development'}"))

    again = Installation(read_settings({**environ, "SECURE_ML_KEY_SERVICES": own}), {})
    assert again.keys.open_all([CONTEXT, development]) == made
    served = {"SECURE_ML_KEY_SERVICES": own, "SECURE_ML_KEY_ENVIRONMENTS": "development,installation"}
    narrow = Installation(read_settings({**environ, **served}), {})
    assert narrow.keys.open(development) == made[development]
    with pytest.raises(KeyServiceError, match="no keys of training: it serves development, installation"):
        narrow.keys.open(CONTEXT)
