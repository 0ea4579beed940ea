"""The kernel of the profile `production`, on real servers: PostgreSQL over TLS, root keys in a Transit engine over TLS.

Its processes are not tried here, as users of their own: `separated/` does that. What is another kernel's on another
machine is another process here.
"""

import multiprocessing
import os
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from secure_ml.access.stages import Stage
from secure_ml.audit.errors import AuditLogTampered
from secure_ml.audit.log import AuditEvent
from secure_ml.installation import Installation, InstallationError
from secure_ml.policy.projects import find_projects
from secure_ml.settings import read_settings
from secure_ml.state.errors import StateError
from secure_ml.vault.errors import AccessRefused, HeadMoved, Tampered
from secure_ml.vault.promotion import attest, promote
from secure_ml_tests.environments.staged import RUN_USERS, Staged, make_staged
from secure_ml_tests.fakes.certificates import Authority
from secure_ml_tests.fakes.loopback_server import LoopbackServer
from secure_ml_tests.fakes.postgres_server import PostgresServer, postgres_server
from secure_ml_tests.fakes.small_project import PROJECT
from secure_ml_tests.fakes.transit_server import TransitServer

TOKEN = "hvs.token-of-the-trial"


@dataclass(frozen=True)
class Servers:
    """What an installation of production speaks to, and the authority that it trusts."""

    postgres: PostgresServer
    vault: LoopbackServer
    transit: TransitServer
    ca: Path

    @property
    def url(self) -> str:
        return self.postgres.on_loopback("localhost", sslmode="verify-full", sslrootcert=str(self.ca))

    def execute(self, *statements: str) -> None:
        engine = create_engine(self.postgres.url.replace("postgresql://", "postgresql+psycopg2://"))
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    authority, folder = Authority(), tmp_path_factory.mktemp("servers")
    authority.issue(folder, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    transit = TransitServer(root_token=TOKEN)
    with (
        postgres_server(certificate=lambda data: authority.issue(data, "localhost")) as postgres,
        LoopbackServer(transit, tls=context) as vault,
    ):
        yield Servers(postgres, vault, transit, authority.write(folder / "ca.pem"))


@pytest.fixture
def told(tmp_path: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a kernel of production, of an installation that is not there yet."""
    make_staged(tmp_path / "defined")
    servers.execute("drop schema public cascade", "create schema public")
    monkeypatch.setattr("secure_ml.installation.package_digest", lambda: "c" * 64)
    root = tmp_path / "defined"
    environ = {
        "SECURE_ML_PROFILE": "production",
        "SECURE_ML_HOME": str(tmp_path / "home"),
        "SECURE_ML_KEYS": str(tmp_path / "keys"),
        "SECURE_ML_ACTORS": str(root / "actors.yaml"),
        "SECURE_ML_STATE_URL": servers.url,
        "SECURE_ML_KEY_STORE_URL": servers.url,
        "SECURE_ML_KEY_SERVICE": f"vault:{tmp_path.name[-40:].replace('_', '-')}",
        "SECURE_ML_KERNEL_SOCKET": str(tmp_path / "kernel.sock"),
        "SECURE_ML_ASSESSOR_SOCKET": str(tmp_path / "assessor.sock"),
        "SECURE_ML_RUN_USERS": ",".join(f"{name}={login}" for name, login in RUN_USERS.items()),
        "SECURE_ML_ASSESSOR_USER": "judge",
        "VAULT_ADDR": servers.vault.url,
        "VAULT_TOKEN": TOKEN,
        "VAULT_CACERT": str(servers.ca),
        "SECURE_ML_TEST_ROOT": str(root),
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return environ


def opened(environ: dict[str, str]) -> Staged:
    """A kernel's installation in this process."""
    root = Path(environ["SECURE_ML_TEST_ROOT"])
    return Staged(root, Installation(read_settings(environ), find_projects((root / "defs",))))


def test_a_project_goes_from_test_to_production(told: dict[str, str]) -> None:
    made = opened(told)
    with pytest.raises(AccessRefused, match="was not promoted to training"):
        made.start("training")
    for before, target, person in (("test", "training", "engineer"), ("training", "production", "officer")):
        made.run(before, run_id=before)
        found = attest(made.kernel_of(person), environment=before, project=PROJECT)
        place = {"environment": target, "project": PROJECT}
        promote(made.kernel_of(person), **place, evidence=found.evidence, signature=found.signature)
    again = opened(told)
    again.run("production", run_id="production")
    assert again.installation.log.verify(earlier_checkpoint=made.installation.log.checkpoint()).size > 100
    assert not list(Path(told["SECURE_ML_KEYS"]).parent.glob("keys/*"))


def test_a_root_key_that_is_gone_is_not_made_anew_beside_data(told: dict[str, str], servers: Servers) -> None:
    made = opened(told)
    made.start("test")
    servers.transit.delete(told["SECURE_ML_KEY_SERVICE"].removeprefix("vault:"))
    for _ in range(2):
        with pytest.raises(InstallationError, match="its root key is not in"):
            opened(told)


def test_an_empty_key_store_beside_data_is_told(told: dict[str, str], servers: Servers) -> None:
    opened(told).start("test")
    servers.execute("delete from wrapped_keys", "delete from environment_keys", "delete from key_store")
    with pytest.raises(InstallationError, match="holds data, but signing-key/secure_ml is not in"):
        opened(told)


def test_a_server_that_is_away_is_told(told: dict[str, str], servers: Servers) -> None:
    away = {**told, "SECURE_ML_STATE_URL": told["SECURE_ML_STATE_URL"].replace(f":{servers.postgres.port}", ":1")}
    with pytest.raises(StateError, match=r"unreachable|refuses"):
        opened(away)


def test_rows_that_another_wrote_are_told(told: dict[str, str], servers: Servers) -> None:
    made = opened(told)
    made.run("test")
    servers.execute("update verdicts set passed = true, body = body || 'x'::bytea where check_name = 'schema'")
    with pytest.raises(Tampered):
        made.start("test", run_id="later").open(Stage.RAW, "", by=Stage.CLASSIFIED)
    servers.execute("update audit_entries set leaf = leaf || 'x'::bytea where entry_index = 3")
    with pytest.raises(AuditLogTampered):
        made.installation.log.verify()


def _log_many(environ: dict[str, str], barrier: "threading.Barrier", name: str) -> None:
    os.environ.update(environ)
    log = opened(environ).installation.log
    barrier.wait()
    for number in range(30):
        log.record(AuditEvent("trial.write", name, "done", "person:somebody", "", {"number": number}))


def _commit_once(environ: dict[str, str], barrier: "threading.Barrier", name: str) -> None:
    os.environ.update(environ)
    made = opened(environ)
    door = made.start("test", run_id=name, stages=(Stage.RAW,))
    dataset = made.made(Stage.RAW, door)
    barrier.wait()
    try:
        door.write(Stage.RAW, "", dataset)
    except HeadMoved:
        os._exit(7)


def in_processes(target: object, environ: dict[str, str], names: str) -> list[int | None]:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(names))
    processes = [context.Process(target=target, args=(environ, barrier, name)) for name in names]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def test_kernels_that_write_at_once_make_one_log(told: dict[str, str]) -> None:
    made = opened(told)
    assert in_processes(_log_many, told, "abc") == [0, 0, 0]
    made.installation.log.verify()
    entries = [entry for entry in made.installation.log.entries() if entry.action == "trial.write"]
    assert sorted((entry.resource, entry.details["number"]) for entry in entries) == [
        (name, number) for name in "abc" for number in range(30)
    ]


def test_of_two_commits_at_once_to_one_place_one_is_the_head(told: dict[str, str]) -> None:
    made = opened(told)
    codes = in_processes(_commit_once, told, "ab")
    assert sorted(code or 0 for code in codes) in ([0, 7], [0, 0])
    head = made.installation.versions.heads(environment="test", project=PROJECT)[0]
    assert head.sequence == codes.count(0)
    made.installation.log.verify()
