import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from secure_ml.keys import opening
from secure_ml.keys.errors import KeyNotFound, KeyRefused, KeyServiceError
from secure_ml.keys.local_file import LocalFileKeyService
from secure_ml.keys.opening import SCHEMES, open_key_service

ENVIRON = {"SECURE_ML_ROOT_SECRET": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}


def test_a_root_key_is_made_once_and_then_opened(tmp_path: Path) -> None:
    uri = (tmp_path / "keys").as_uri()
    with pytest.raises(KeyNotFound):
        open_key_service(uri, environ={}, create=False)
    assert not (tmp_path / "keys").exists()
    made = open_key_service(uri, environ={}, create=True)
    assert isinstance(made, LocalFileKeyService)
    for create in (True, False):
        assert open_key_service(uri, environ={}, create=create).key_id == made.key_id


@pytest.mark.parametrize("form", ["file:{}", "file://{}", "file://localhost{}", "FILE:{}"])
def test_a_directory_is_named_in_each_form_of_rfc_8089(form: str, tmp_path: Path) -> None:
    directory = tmp_path / "100% my keys?"
    service = LocalFileKeyService.create(directory)
    uri = form.format(directory.as_uri().removeprefix("file://"))
    assert open_key_service(uri, environ={}, create=False).key_id == service.key_id


@pytest.mark.parametrize(
    "uri",
    [
        "file:",
        "file:keys",
        "file://elsewhere/nowhere/keys",
        "file:/nowhere/keys#part",
        "file:/nowhere/keys?protect",
        "file:/nowhere/keys?protect=",
        "file:/nowhere/keys?protect=none",
        "file:/nowhere/keys?protect=Passphrase",
        "file:/nowhere/keys?protect=passphrase&protect=environment",
        "file:/nowhere/keys?protected=passphrase",
        "file:/nowhere/keys?passphrase=secret-of-tests",
        "file:/nowhere/%00",
        "file:/nowhere/%ff",
    ],
)
def test_a_file_uri_that_says_anything_else_is_refused(uri: str) -> None:
    with pytest.raises(KeyServiceError, match="absolute/path") as refused:
        open_key_service(uri, environ=ENVIRON, create=True)
    assert "secret-of-tests" not in str(refused.value)


def test_what_was_made_protected_opens_protected_only(tmp_path: Path) -> None:
    uri = (tmp_path / "keys").as_uri()
    made = open_key_service(f"{uri}?protect=environment", environ=ENVIRON, create=True)
    assert open_key_service(f"{uri}?protect=environment", environ=ENVIRON, create=False).key_id == made.key_id
    other = {"SECURE_ML_ROOT_SECRET": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="}
    with pytest.raises(KeyRefused):
        open_key_service(f"{uri}?protect=environment", environ=other, create=True)
    for protect, environ in (("", ENVIRON), ("?protect=environment", {}), ("?protect=passphrase", ENVIRON)):
        with pytest.raises(KeyServiceError):
            open_key_service(uri + protect, environ=environ, create=True)


def test_a_missing_secret_makes_no_unprotected_root_key(tmp_path: Path) -> None:
    for protect in ("environment", "passphrase"):
        with pytest.raises(KeyServiceError, match="SECURE_ML_"):
            open_key_service(f"{(tmp_path / 'keys').as_uri()}?protect={protect}", environ={}, create=True)
    assert not (tmp_path / "keys" / "root.key").exists()


def test_the_passphrase_is_read_from_the_named_file(tmp_path: Path) -> None:
    uri = f"{(tmp_path / 'keys').as_uri()}?protect=passphrase"
    named = tmp_path / "passphrase"
    named.touch(mode=0o600)
    named.write_text("six words drawn at random\n")
    made = open_key_service(uri, environ={"SECURE_ML_PASSPHRASE_FILE": str(named)}, create=True)
    named.write_text("six words drawn at random")
    assert open_key_service(uri, environ={"SECURE_ML_PASSPHRASE_FILE": str(named)}, create=False).key_id == made.key_id
    named.write_text("six other words drawn at random")
    with pytest.raises(KeyRefused):
        open_key_service(uri, environ={"SECURE_ML_PASSPHRASE_FILE": str(named)}, create=False)


@pytest.mark.parametrize(
    "uri", ["", "vault", "/nowhere/keys", "http://vault.example/secret-of-tests", "sqlite:///keys.db"]
)
def test_an_unknown_scheme_is_refused_with_the_known_ones(uri: str) -> None:
    with pytest.raises(KeyServiceError, match="file:, vault:, awskms:, pkcs11:") as refused:
        open_key_service(uri, environ={}, create=True)
    assert "secret-of-tests" not in str(refused.value)


@pytest.mark.parametrize(("scheme", "extra"), [("vault", "vault"), ("awskms", "aws"), ("pkcs11", "pkcs11")])
def test_a_missing_extra_is_named(scheme: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "find_spec", lambda module: None)
    with pytest.raises(KeyServiceError, match=rf"secure_ml\[{extra}\]"):
        open_key_service(f"{scheme}:root", environ={}, create=True)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_scheme_opens_its_own_service(scheme: str) -> None:
    # This is no service's URI, so that its own reader refuses it, and nothing is connected to.
    with pytest.raises(KeyServiceError) as refused:
        open_key_service(f"{scheme}:#", environ={}, create=True)
    assert "begins with one of" not in str(refused.value)


def test_what_is_not_used_is_not_imported(tmp_path: Path) -> None:
    heavy = ("hvac", "boto3", "botocore", "requests", "pkcs11")
    assert all(importlib.util.find_spec(module) for module in heavy)
    program = (
        "import sys, secure_ml.keys.opening as o, secure_ml.keys.hsm, secure_ml.keys.vault_transit;"
        "o.open_key_service(sys.argv[1], environ={}, create=True);"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    run = (sys.executable, "-c", program, (tmp_path / "keys").as_uri())
    assert subprocess.check_output(run, text=True, timeout=60).strip() == "[]"
