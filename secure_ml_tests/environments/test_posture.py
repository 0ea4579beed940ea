"""Each profile refuses to start on what it does not allow, and status tells what does not hold here."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from secure_ml.installation import open_whole
from secure_ml.posture import (
    DAGSTER_URL,
    ProfileNotMet,
    kernel_shortfalls,
    local_shortfalls,
    require_dagster_storage,
    require_kernel,
    require_shared_dagster,
    require_source,
)
from secure_ml.settings import Settings, read_settings
from secure_ml.state.transport import is_protected

TLS = "postgresql://kernel@db.invented.example/state?sslmode=verify-full&sslrootcert=/etc/ca.pem"
SOCKET = "postgresql:///state?host=/run/postgresql"
VAULT = "vault:root?address=https://vault.invented.example:8200"


def settings(tmp_path: Path, profile: str, **more: str) -> Settings:
    return read_settings(environ(tmp_path, profile, **more))


def environ(tmp_path: Path, profile: str, **more: str) -> dict[str, str]:
    return {
        "SECURE_ML_PROFILE": profile,
        "SECURE_ML_HOME": str(tmp_path / "home"),
        "SECURE_ML_KEYS": str(tmp_path / "keys"),
        "SECURE_ML_KERNEL_SOCKET": str(tmp_path / "kernel" / "kernel.sock"),
        "SECURE_ML_ASSESSOR_SOCKET": str(tmp_path / "assessor" / "assessor.sock"),
        "SECURE_ML_RUN_USERS": "training=nobody",
        "SECURE_ML_ASSESSOR_USER": "daemon",
    } | more


@pytest.mark.parametrize(
    ("url", "protected"),
    [
        ("sqlite:////srv/state.db", True),
        (SOCKET, True),
        ("postgresql+psycopg2://u@/db?host=/run/postgresql", True),
        (TLS, True),
        ("postgresql://u@db/x?sslmode=verify-ca", False),
        ("postgresql://u@db/x?sslmode=require", False),
        ("postgresql://u@db/x", False),
        ("postgresql:///x", False),  # libpq would take PGHOST
        ("postgresql://u@/x?host=/run/postgresql&host=db.invented.example", False),
        ("postgresql://u@/x?host=/run/postgresql,db.invented.example", False),
        ("postgresql://u@/x?host=/run/postgresql&hostaddr=192.0.2.1", False),
        ("postgresql://u@db/x?sslmode=require&sslmode=verify-full", False),
        (TLS + "&service=elsewhere", False),
    ],
)
def test_a_connection_is_protected_when_nobody_can_stand_in_it(url: str, protected: bool) -> None:
    assert is_protected(url) is protected


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"SECURE_ML_KEY_SERVICE": VAULT}, "needs PostgreSQL for the state, and no file: set SECURE_ML_STATE_URL"),
        (
            {"SECURE_ML_KEY_SERVICE": VAULT, "SECURE_ML_STATE_URL": "postgresql://u@db/x?sslmode=require"},
            "the way to the state is not protected: end SECURE_ML_STATE_URL with sslmode=verify-full",
        ),
        ({"SECURE_ML_STATE_URL": TLS}, "keeps no root key in a file, and that of installation, development, test"),
        (
            {"SECURE_ML_STATE_URL": TLS, "SECURE_ML_KEY_SERVICE": "FILE:/srv/keys?protect=passphrase"},
            "keeps no root key in a file",
        ),
        (
            {
                "SECURE_ML_STATE_URL": SOCKET,
                "SECURE_ML_KEY_SERVICE": VAULT,
                "SECURE_ML_KEY_SERVICES": "training=file:/srv/keys",
            },
            "that of training is in one",
        ),
        (
            {
                "SECURE_ML_STATE_URL": TLS,
                "SECURE_ML_KEY_SERVICE": VAULT,
                "SECURE_ML_KEY_STORE_URL": "postgresql://u@db/k",
            },
            "the way to the key store is not protected",
        ),
        (
            {"SECURE_ML_STATE_URL": "mysql://u@db/x", "SECURE_ML_KEY_SERVICE": VAULT},
            "a mysql database is not supported",
        ),
    ],
)
def test_a_production_kernel_refuses(tmp_path: Path, more: Mapping[str, str], said: str) -> None:
    with pytest.raises(ProfileNotMet, match=said):
        require_kernel(settings(tmp_path, "production", **more))


@pytest.mark.parametrize("state", [TLS, SOCKET])
def test_a_production_kernel_starts_on_servers(tmp_path: Path, state: str) -> None:
    more = {"SECURE_ML_STATE_URL": state, "SECURE_ML_KEY_SERVICE": VAULT, "SECURE_ML_KEY_ENVIRONMENTS": "training"}
    require_kernel(settings(tmp_path, "production", **more))


def test_a_service_of_an_environment_that_is_not_served_here_does_not_count(tmp_path: Path) -> None:
    more = {
        "SECURE_ML_KEY_SERVICES": "development=file:/srv/keys",
        "SECURE_ML_KEY_ENVIRONMENTS": "installation,training",
    }
    require_kernel(settings(tmp_path, "production", SECURE_ML_STATE_URL=TLS, SECURE_ML_KEY_SERVICE=VAULT, **more))


@pytest.mark.parametrize("profile", ["personal", "separated"])
def test_the_other_profiles_start_on_files(tmp_path: Path, profile: str) -> None:
    require_kernel(settings(tmp_path, profile))
    require_dagster_storage(settings(tmp_path, profile), f"sqlite:///{tmp_path}/dagster")


def test_the_kernel_command_refuses_before_it_makes_anything(tmp_path: Path) -> None:
    told = {"PATH": os.environ["PATH"], **environ(tmp_path, "production")}
    for command in ("kernel", "ui"):
        ended = subprocess.run(
            [Path(sys.executable).with_name("secure-ml"), command],
            env=told,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 1, ended.stderr
        assert "error ProfileNotMet: the profile production" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_opening_the_whole_installation_refuses_too(tmp_path: Path) -> None:
    with pytest.raises(ProfileNotMet):
        open_whole(environ(tmp_path, "production"), unfinished=lambda error: None)


def test_production_keeps_dagsters_records_on_a_server(tmp_path: Path) -> None:
    production = settings(tmp_path, "production")
    require_dagster_storage(production, TLS)
    for url, said in (
        (f"sqlite:///{tmp_path}/dagster", "needs PostgreSQL for Dagster's records"),
        ("postgresql://u@db/x", DAGSTER_URL),
    ):
        with pytest.raises(ProfileNotMet, match=said):
            require_dagster_storage(production, url)


def test_no_instance_of_production_opens_on_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from secure_ml.orchestration.instance import dagster_instance

    for name, value in environ(tmp_path, "production").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(DAGSTER_URL, raising=False)
    with (
        pytest.raises(ProfileNotMet, match="needs PostgreSQL for Dagster's records"),
        dagster_instance(read_settings(os.environ)),
    ):
        pytest.fail("it opened")


@pytest.mark.parametrize("profile", ["separated", "production"])
def test_pages_and_daemon_do_not_share_files_with_the_runs_of_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    several = settings(tmp_path, profile)
    require_shared_dagster(several, in_files=False)
    with pytest.raises(ProfileNotMet, match=f"the profile {profile} has several users on Dagster's records"):
        require_shared_dagster(several, in_files=True)


@pytest.mark.parametrize("profile", ["personal", "separated", "production"])
def test_code_of_production_does_not_load_beside_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    from secure_ml.definitions import build

    for name, value in environ(tmp_path, profile).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(DAGSTER_URL, raising=False)
    if profile == "production":
        with pytest.raises(ProfileNotMet, match="set SECURE_ML_DAGSTER_POSTGRES_URL"):
            build("training")
    else:
        assert build("training").resolve_all_asset_keys()


@pytest.mark.parametrize(
    ("profile", "url", "allowed"),
    [
        ("production", "postgresql://u@db/x", False),
        ("production", TLS, True),
        ("production", "oracle://u@db/x", True),
        ("separated", "postgresql://u@db/x", True),
    ],
)
def test_rows_of_a_source_do_not_travel_in_the_open(tmp_path: Path, profile: str, url: str, allowed: bool) -> None:
    if allowed:
        require_source(settings(tmp_path, profile), url, name="BANK_URL")
    else:
        with pytest.raises(ProfileNotMet, match="the way to the source is not protected: end BANK_URL with"):
            require_source(settings(tmp_path, profile), url, name="BANK_URL")


def names(tmp_path: Path, profile: str, **more: str) -> set[str]:
    told = settings(tmp_path, profile, **more)
    return {found.name for found in (*kernel_shortfalls(told), *local_shortfalls(told, more))} - {
        "swap",
        "no-confinement",
    }


def test_what_does_not_hold_is_told(tmp_path: Path) -> None:
    own = " ".join(f"{name}={VAULT}-{name}" for name in ("development", "test", "training", "production"))
    assert names(tmp_path, "personal") == {"unprotected-root-key", "shared-root-key", "no-network-namespace"}
    assert names(tmp_path, "personal", SECURE_ML_KEY_SERVICE=f"file:{tmp_path}?protect=passphrase") == {
        "shared-root-key", "no-network-namespace",
    }  # fmt: skip
    assert names(tmp_path, "separated", SECURE_ML_KEY_SERVICE=VAULT, SECURE_ML_KEY_SERVICES=own) == {"no-dagster-pages"}
    assert names(
        tmp_path, "separated", SECURE_ML_KEY_SERVICE=VAULT, SECURE_ML_KEY_ENVIRONMENTS="installation,training",
        SECURE_ML_STATE_URL="postgresql://u@db/x", SECURE_ML_DAGSTER_POSTGRES_URL=SOCKET,
    ) == {"unprotected-state"}  # fmt: skip


def test_keys_beside_data_are_told(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "keys").mkdir()
    assert "keys-beside-data" in names(tmp_path, "personal")
