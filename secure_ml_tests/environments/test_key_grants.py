"""Development has the whole vault, the whole key store and all state of training at hand, and opens nothing of it."""

import os
import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from secure_ml.access.stages import Stage
from secure_ml.installation import Installation, InstallationError
from secure_ml.keys.context import KeyContext
from secure_ml.keys.errors import KeyRefused, KeyServiceError
from secure_ml.keys.opening import open_key_service
from secure_ml.policy.projects import find_projects
from secure_ml.settings import read_settings
from secure_ml.vault.errors import AccessRefused
from secure_ml_tests.adversarial.plain_reader import unwrapped
from secure_ml_tests.fakes.small_project import PROJECT, SmallProject, as_csv, attributes, rows, write_policy

SECRETS = ("MEMBER-00003-QX", "Zorblax Quillfeather 00003")


@dataclass(frozen=True)
class Place:
    """An installation below one folder, each of whose environments has a root key in a folder of its own."""

    root: Path

    def environ(self, **more: str) -> dict[str, str]:
        own = {name: f"file:{self.root / 'roots' / name}" for name in ("installation", "development", "training")}
        services = " ".join(f"{name}={uri}" for name, uri in own.items())
        return {
            "SECURE_ML_HOME": str(self.root / "home"),
            "SECURE_ML_KEYS": str(self.root / "keys"),
            "SECURE_ML_KEY_SERVICES": services,
        } | more

    def open(self, **more: str) -> SmallProject:
        projects = find_projects((self.root / "defs",))
        installation = Installation(read_settings(self.environ(**more)), projects)
        return SmallProject(self.root, installation, installation.kernel)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Training holds the real table, development an invented one."""
    place = Place(tmp_path_factory.mktemp("written"))
    content = attributes()
    content["environments"] = {"development": {"source": {"format": "csv", "path": "invented.csv"}}}
    folder = place.root / "defs" / PROJECT
    write_policy(folder, content)
    (folder / "table.csv").write_text(as_csv(rows()), encoding="utf-8")
    (folder / "invented.csv").write_text(as_csv(rows(10)), encoding="utf-8")
    (place.root / "roots").mkdir()
    made = place.open()
    for environment in ("training", "development"):
        door = made.door(environment=environment)
        door.write(Stage.RAW, "", made.receive(door=door))
    return place


@pytest.fixture
def stolen(written: Place, tmp_path: Path) -> Place:
    """A copy of everything but the credentials of training's key service: here, its root key."""
    shutil.copytree(written.root, tmp_path / "stolen")
    shutil.rmtree(tmp_path / "stolen" / "roots" / "training")
    return Place(tmp_path / "stolen")


def test_with_its_credentials_training_is_open(written: Place) -> None:
    manifest, dataset = written.open().door(environment="training").assess(Stage.RAW, "")
    assert dataset.read().column("member_id").to_pylist()[3] == SECRETS[0]
    assert manifest.rows == 60


def test_development_opens_its_own_and_its_kernel_answers_for_nothing_else(stolen: Place) -> None:
    made = stolen.open(SECURE_ML_KEY_ENVIRONMENTS="development,installation")
    assert made.door(environment="development").assess(Stage.RAW, "")[0].rows == 10
    with pytest.raises(AccessRefused, match="this kernel does not answer for training"):
        made.door(environment="training").assess(Stage.RAW, "")
    last = made.log("kernel.ask")[-1]
    assert (last.resource, last.outcome, last.details) == ("training", "refused", {"request": "IssueTicket"})


def test_told_to_serve_training_it_does_not_start_without_trainings_root_key(stolen: Place) -> None:
    with pytest.raises(InstallationError, match="its root key is not in"):
        stolen.open()
    assert not (stolen.root / "roots" / "training").exists()


def other_services(stolen: Place) -> dict[str, str]:
    roots = stolen.root / "roots"
    fresh = open_key_service(f"file:{roots / 'fresh'}", environ=os.environ, create=True)
    assert fresh.key_id
    return {name: f"file:{roots / name}" for name in ("development", "installation", "fresh")}


@pytest.mark.parametrize("service", ["development", "installation", "fresh"])
def test_another_service_in_the_place_of_trainings_opens_nothing(stolen: Place, service: str) -> None:
    own = other_services(stolen)
    services = f"installation={own['installation']} development={own['development']} training={own[service]}"
    made = stolen.open(SECURE_ML_KEY_SERVICES=services)
    with pytest.raises(KeyRefused, match="the key of training is not one that this key service wrapped"):
        made.door(environment="training").assess(Stage.RAW, "")[1].read()


def test_a_key_that_is_given_out_as_developments_in_the_key_store_opens_nothing(stolen: Place) -> None:
    with sqlite3.connect(stolen.root / "keys" / "keys.db") as store:
        wrapped = store.execute("select wrapped from environment_keys where environment = 'training'").fetchone()
        store.execute("update environment_keys set wrapped = ? where environment = 'development'", wrapped)
    made = stolen.open(SECURE_ML_KEY_ENVIRONMENTS="development,installation")
    with pytest.raises(KeyRefused, match="the key of development is not one that this key service wrapped"):
        made.door(environment="development").assess(Stage.RAW, "")[1].read()


def test_a_version_of_trainings_is_not_read_at_an_address_of_developments(stolen: Place) -> None:
    made = stolen.open(SECURE_ML_KEY_ENVIRONMENTS="development,installation")
    with sqlite3.connect(stolen.root / "home" / "state" / "state.db") as state:
        (version,) = state.execute("select version_id from heads where environment = 'training'").fetchone()
        (index,) = state.execute("select audit_index from heads where environment = 'training'").fetchone()
        state.execute(
            "update heads set version_id = ?, audit_index = ? where environment = 'development'", (version, index)
        )
    with pytest.raises(Exception, match="is not the version that the audit log committed last"):
        made.door(environment="development").assess(Stage.RAW, "")[1].read()


def test_no_key_that_development_can_get_unwraps_any_key_of_training(stolen: Place, written: Place) -> None:
    """Not through the product: every key that it can open, on every wrapped key of training, for every context."""
    contexts, of_training = _wrapped_keys(stolen)
    keys = _all_keys(stolen.open(SECURE_ML_KEY_ENVIRONMENTS="development,installation"), "development", contexts)
    assert len(keys) > 4
    assert _unwraps(keys, of_training, contexts) == 0
    theirs = _all_keys(written.open(), "training", contexts)
    assert _unwraps(theirs, of_training, contexts) == len(of_training) - 1  # all but the one that the root wraps


def test_the_services_that_development_has_unwrap_no_environment_key_of_training(stolen: Place) -> None:
    with sqlite3.connect(stolen.root / "keys" / "keys.db") as store:
        query = "select environment, epoch, wrapped from environment_keys"
        stored = {f"environment-key/{name}/{epoch}": wrapped for name, epoch, wrapped in store.execute(query)}
    uris = other_services(stolen).values()
    services = [open_key_service(uri, environ=os.environ, create=False) for uri in uris]
    for service in services:
        for context in stored:
            with pytest.raises(KeyServiceError):
                service.unwrap(stored["environment-key/training/1"], context=context.encode())


def test_trainings_files_hold_nothing_in_clear(stolen: Place) -> None:
    files = [file for file in stolen.root.rglob("*") if file.is_file() and "defs" not in file.parts]
    content = b"".join(file.read_bytes() for file in files)
    for secret in SECRETS:
        assert secret.encode() not in content


def test_an_installation_of_its_own_opens_nothing_of_the_other(written: Place, tmp_path: Path) -> None:
    """Development as production keeps it: a key store, a state and a root key of its own, and a copy of training's."""
    own = Place(tmp_path / "own")
    shutil.copytree(written.root / "defs", own.root / "defs")
    single: Mapping[str, str] = {"SECURE_ML_KEY_SERVICES": "", "SECURE_ML_KEY_SERVICE": f"file:{own.root / 'root'}"}
    own.open(**single).write_raw()
    for name in ("home", "keys"):
        shutil.rmtree(own.root / name)
        shutil.copytree(written.root / name, own.root / name)
    with pytest.raises(KeyRefused, match="not one that this key service wrapped"):
        own.open(**single)


def _all_keys(made: SmallProject, environment: str, contexts: list[str]) -> list[bytes]:
    """Every key of an environment and of the installation that a process with their key services can have."""
    custody = made.installation.keys
    of_versions = [custody.open(KeyContext.parse(at)) for at in contexts if at.startswith(f"v1/{environment}/")]
    scopes = (f"project/{environment}/{PROJECT}", "signing-key/secure_ml", "audit/commitments")
    above = [custody._store.environment_keys.current(name).key for name in (environment, "installation")]
    return [*of_versions, *(custody.secret(scope, create=False) for scope in scopes), *above]


def _unwraps(keys: list[bytes], wrapped: list[bytes], contexts: list[str]) -> int:
    """How many wrapped keys at least one of these keys opens for at least one context."""
    opens = (
        any(unwrapped(key, one, context.encode()) is not None for key in keys for context in contexts)
        for one in wrapped
    )
    return sum(opens)


def _wrapped_keys(place: Place) -> tuple[list[str], list[bytes]]:
    """Every context in the key store, and every wrapped key of training."""
    with sqlite3.connect(place.root / "keys" / "keys.db") as store:
        found = store.execute("select key_id, environment, wrapped from wrapped_keys").fetchall()
        above = store.execute("select environment, epoch, wrapped from environment_keys").fetchall()
    contexts = [key_id for key_id, _, _ in found] + [f"environment-key/{name}/{epoch}" for name, epoch, _ in above]
    of_training = [wrapped for _, name, wrapped in found if name == "training"]
    return contexts, of_training + [wrapped for name, _, wrapped in above if name == "training"]
