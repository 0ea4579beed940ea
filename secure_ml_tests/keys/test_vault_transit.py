"""The Transit key service, over HTTP, against a server that keeps its documented interface."""

import base64
import datetime
import ipaddress
import json
import logging
import os
import re
import socket
import ssl
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from secure_ml.keys.errors import KeyDestroyed, KeyNotFound, KeyRefused, KeyServiceError, KeyServiceUnavailable
from secure_ml.keys.remote import Patience
from secure_ml.keys.service import KeyService
from secure_ml.keys.vault_transit import VaultTransitKeyService
from secure_ml_tests.docs.pages import ROOT, blocks
from secure_ml_tests.fakes.loopback_server import (
    Application,
    LoopbackServer,
    dropped,
    hanging,
    status,
    truncated,
)
from secure_ml_tests.fakes.transit_server import TransitServer
from secure_ml_tests.keys.contract import CONTEXT, KEY, KeyServiceContract

TOKEN = "hvs.root-of-the-trial"
URI = "vault:secure-ml"
TWICE, HASTY = Patience(attempts=2), Patience(read_seconds=1, attempts=2)
USE, ROTATE = (
    "\n".join(block.lines)
    for block in blocks(ROOT / "docs" / "key-services.md")
    if block.kind == "text" and block.lines[0].startswith('path "')
)
"""The policies that the page says are the least."""


@pytest.fixture
def vault() -> TransitServer:
    return TransitServer(root_token=TOKEN)


@pytest.fixture
def server(vault: TransitServer) -> Iterator[LoopbackServer]:
    with LoopbackServer(vault) as server:
        yield server


@pytest.fixture
def environ(server: LoopbackServer) -> dict[str, str]:
    return {"VAULT_ADDR": server.url, "VAULT_TOKEN": TOKEN}


@pytest.fixture
def service(environ: dict[str, str]) -> VaultTransitKeyService:
    return VaultTransitKeyService.from_uri(URI, environ=environ, create=True, patience=TWICE)


class TestVaultTransit(KeyServiceContract):
    """The contract."""

    @pytest.fixture
    def service(self, environ: dict[str, str]) -> KeyService:
        return VaultTransitKeyService.from_uri(URI, environ=environ, create=True)

    @pytest.fixture
    def reopen(self, service: KeyService, environ: dict[str, str]) -> Callable[[], KeyService]:
        return lambda: VaultTransitKeyService.from_uri(URI, environ=environ, create=False)

    @pytest.fixture
    def other(self, environ: dict[str, str]) -> KeyService:
        return VaultTransitKeyService.from_uri("vault:another", environ=environ, create=True)


def administer(service: VaultTransitKeyService, path: str, **body: object) -> None:
    """What an administrator does behind the service's back."""
    service._client.token = TOKEN
    assert service._client.adapter.post(f"/v1/transit/keys/{path}", json=body).ok


# Opening


def test_a_missing_key_is_not_made_unless_asked(environ: dict[str, str]) -> None:
    with pytest.raises(KeyNotFound, match="vault write -f transit/keys/secure-ml type=aes256-gcm96"):
        VaultTransitKeyService.from_uri(URI, environ=environ, create=False)
    made = VaultTransitKeyService.from_uri(URI, environ=environ, create=True)
    assert made.key_id == "vault:transit/secure-ml:v1"
    assert VaultTransitKeyService.from_uri(URI, environ=environ, create=True).key_id == made.key_id


def test_a_mount_that_is_not_there_is_said(environ: dict[str, str]) -> None:
    with pytest.raises(KeyNotFound, match="elsewhere/secure-ml; check mount"):
        VaultTransitKeyService.from_uri(f"{URI}?mount=elsewhere", environ=environ, create=False)


@pytest.mark.parametrize(
    "unfit",
    [{"type": "chacha20-poly1305"}, {"derived": True}, {"exportable": True}, {"allow_plaintext_backup": True}],
    ids=lambda unfit: next(iter(unfit)),
)
@pytest.mark.parametrize("create", [False, True])
def test_a_key_that_is_unfit_is_refused(
    service: VaultTransitKeyService, environ: dict[str, str], unfit: dict[str, object], create: bool
) -> None:
    administer(service, "unfit", **{"type": "aes256-gcm96", **unfit})
    with pytest.raises(KeyServiceError, match="not fit for a root key"):
        VaultTransitKeyService.from_uri("vault:unfit", environ=environ, create=create)


def test_a_key_that_became_exportable_wraps_no_more(service: VaultTransitKeyService) -> None:
    administer(service, "secure-ml/config", exportable=True)
    with pytest.raises(KeyServiceError, match="not fit"):
        service.wrap(KEY, context=CONTEXT)


@pytest.mark.parametrize(
    "uri",
    [
        "vault:a/b",
        "vault:..",
        "vault:-a",
        "vault:a?mount=../sys",
        "vault:a?mount=/transit",
        "vault:a?mount=",
        "vault:a?mount=x%20y",
        "vault:a?mount=sys/../transit",
        "vault:a?token=x",
        "vault:a?address=http://vault.bank.example",
    ],
)
def test_a_uri_that_names_no_key_is_refused_without_asking(
    uri: str, environ: dict[str, str], server: LoopbackServer
) -> None:
    with pytest.raises(KeyServiceError):
        VaultTransitKeyService.from_uri(uri, environ=environ, create=False)
    assert server.seen == []


def test_the_address_may_stand_in_the_uri(server: LoopbackServer) -> None:
    uri = f"{URI}?mount=transit&address={server.url}"
    VaultTransitKeyService.from_uri(
        uri, environ={"VAULT_TOKEN": TOKEN, "VAULT_ADDR": "http://127.0.0.1:1"}, create=True
    )


def test_without_an_address_it_says_what_to_set() -> None:
    with pytest.raises(KeyServiceError, match="VAULT_ADDR"):
        VaultTransitKeyService.from_uri(URI, environ={"VAULT_TOKEN": TOKEN}, create=False)


# Tokens, policies, namespaces


@pytest.mark.parametrize("given", [{}, {"VAULT_TOKEN": ""}, {"VAULT_TOKEN": TOKEN, "VAULT_TOKEN_FILE": "/x"}])
def test_one_token_must_be_named(given: dict[str, str], server: LoopbackServer) -> None:
    with pytest.raises(KeyServiceError, match="either VAULT_TOKEN or VAULT_TOKEN_FILE"):
        VaultTransitKeyService.from_uri(URI, environ={"VAULT_ADDR": server.url, **given}, create=False)


def test_a_token_is_never_found_elsewhere(
    server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".vault-token").write_text("hvs.of-another-use")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VAULT_TOKEN", "hvs.of-the-process")
    environ = {"VAULT_ADDR": server.url, "VAULT_TOKEN": TOKEN}
    VaultTransitKeyService.from_uri(URI, environ=environ, create=True)
    assert {headers["X_VAULT_TOKEN"] for _, _, headers in server.seen} == {TOKEN}


def test_a_renewed_token_file_is_read_anew(server: LoopbackServer, vault: TransitServer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    environ = {"VAULT_ADDR": server.url, "VAULT_TOKEN_FILE": str(file)}
    service = VaultTransitKeyService.from_uri(URI, environ=environ, create=True)
    wrapped = service.wrap(KEY, context=CONTEXT)
    vault.policies = {"hvs.renewed": vault.policies[TOKEN]}
    with pytest.raises(KeyServiceError, match="refuses the token"):
        service.unwrap(wrapped, context=CONTEXT)
    file.write_text("hvs.renewed\n")
    assert service.unwrap(wrapped, context=CONTEXT) == KEY


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (TOKEN, 0o640, "chmod 600"),
        ("", 0o600, "not a token"),
        ("two\nlines", 0o600, "not a token"),
        ("é", 0o600, "not a token"),
        ("x" * 5000, 0o600, "longer"),
        (None, 0o600, "No such file"),
    ],
)
def test_a_token_file_that_cannot_be_trusted_is_refused(
    content: str | None, mode: int, says: str, server: LoopbackServer, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    environ = {"VAULT_ADDR": server.url, "VAULT_TOKEN_FILE": str(file)}
    with pytest.raises(KeyServiceError, match=says) as refused:
        VaultTransitKeyService.from_uri(URI, environ=environ, create=False)
    assert not content or content not in str(refused.value)
    assert server.seen == []


def test_a_wrong_token_is_told_what_its_policy_lacks(environ: dict[str, str], vault: TransitServer) -> None:
    environ["VAULT_TOKEN"] = "hvs.s3cr3t"
    with pytest.raises(
        KeyServiceError, match=r'path "transit/keys/secure-ml" \{ capabilities = \["read"\] \}'
    ) as refused:
        VaultTransitKeyService.from_uri(URI, environ=environ, create=False)
    assert not isinstance(refused.value, KeyServiceUnavailable)
    assert "s3cr3t" not in str(refused.value)


def test_what_is_refused_is_not_tried_again(environ: dict[str, str], server: LoopbackServer) -> None:
    environ["VAULT_TOKEN"] = "hvs.wrong"
    with pytest.raises(KeyServiceError):
        VaultTransitKeyService.from_uri(URI, environ=environ, create=False)
    assert len(server.seen) == 1


def test_the_policy_of_the_page_suffices_to_wrap_and_for_nothing_else(
    service: VaultTransitKeyService, environ: dict[str, str], vault: TransitServer
) -> None:
    vault.policies["hvs.uses"] = USE
    user = VaultTransitKeyService.from_uri(URI, environ={**environ, "VAULT_TOKEN": "hvs.uses"}, create=False)
    assert user.unwrap(user.wrap(KEY, context=CONTEXT), context=CONTEXT) == KEY
    with pytest.raises(KeyServiceError, match='path "transit/keys/secure-ml/rotate"'):
        user.rotate()
    service.rotate()
    with pytest.raises(KeyServiceError, match='path "transit/keys/secure-ml/config"'):
        user.retire("vault:transit/secure-ml:v1")
    with pytest.raises(KeyServiceError, match='path "transit/keys/another"'):
        VaultTransitKeyService.from_uri("vault:another", environ={**environ, "VAULT_TOKEN": "hvs.uses"}, create=True)


def test_the_policies_of_the_page_suffice_to_rotate_and_retire(
    service: VaultTransitKeyService, environ: dict[str, str], vault: TransitServer
) -> None:
    vault.policies["hvs.rotates"] = f"{USE}\n{ROTATE}"
    officer = VaultTransitKeyService.from_uri(URI, environ={**environ, "VAULT_TOKEN": "hvs.rotates"}, create=False)
    old_id = officer.key_id
    officer.rotate()
    officer.retire(old_id)
    assert service.unwrap(officer.wrap(KEY, context=CONTEXT), context=CONTEXT) == KEY


def test_a_deleted_key_is_not_made_anew_by_wrapping(service: VaultTransitKeyService, vault: TransitServer) -> None:
    wrapped = service.wrap(KEY, context=CONTEXT)
    vault.delete("secure-ml")
    for use in (
        lambda: service.wrap(KEY, context=CONTEXT),
        lambda: service.unwrap(wrapped, context=CONTEXT),
        lambda: service.key_id,
        service.rotate,
        lambda: service.retire("vault:transit/secure-ml:v1"),
    ):
        with pytest.raises(KeyNotFound, match="no key transit/secure-ml"):
            use()


def test_a_key_made_anew_under_the_same_name_unwraps_nothing(
    service: VaultTransitKeyService, environ: dict[str, str], vault: TransitServer
) -> None:
    wrapped = service.wrap(KEY, context=CONTEXT)
    vault.delete("secure-ml")
    again = VaultTransitKeyService.from_uri(URI, environ=environ, create=True)
    with pytest.raises(KeyRefused):
        again.unwrap(wrapped, context=CONTEXT)


def test_the_namespace_is_said_to_the_server(environ: dict[str, str], vault: TransitServer) -> None:
    vault.namespace = "bank/risk"
    with pytest.raises(KeyServiceError, match="refuses the token"):
        VaultTransitKeyService.from_uri(URI, environ=environ, create=True)
    VaultTransitKeyService.from_uri(URI, environ={**environ, "VAULT_NAMESPACE": "bank/risk"}, create=True)


# Versions


def test_versions_are_retired_in_order(service: VaultTransitKeyService) -> None:
    ids = [service.key_id, service.rotate(), service.rotate()]
    with pytest.raises(KeyServiceError, match="retire vault:transit/secure-ml:v1 first"):
        service.retire(ids[1])
    service.retire(ids[0])
    service.retire(ids[1])
    with pytest.raises(KeyServiceError, match="wraps now"):
        service.retire(ids[2])


def test_an_administrator_cannot_bring_a_retired_version_back(service: VaultTransitKeyService) -> None:
    old_id, old = service.key_id, service.wrap(KEY, context=CONTEXT)
    service.rotate()
    service.retire(old_id)
    with pytest.raises(AssertionError):
        administer(service, "secure-ml/config", min_decryption_version=1)
    with pytest.raises(KeyDestroyed, match="v1 was retired"):
        service.unwrap(old, context=CONTEXT)


@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_retirement_killed_half_way_goes_on(
    service: VaultTransitKeyService, server: LoopbackServer, vault: TransitServer, done: int
) -> None:
    old_id = service.key_id
    service.rotate()
    new = service.wrap(KEY, context=CONTEXT)
    # Reading the key, two limits, then trimming; of these the first ones are done.
    server.faults = [vault] * done + [dropped] * TWICE.attempts
    with pytest.raises(KeyServiceUnavailable):
        service.retire(old_id)
    service.retire(old_id)
    with pytest.raises(KeyNotFound):
        service.retire(old_id)
    with pytest.raises(AssertionError):
        administer(service, "secure-ml/config", min_decryption_version=1)
    assert service.unwrap(new, context=CONTEXT) == KEY


# Away, slow, broken

AWAY: dict[str, Application] = {
    "sealed": status(503, b'{"errors":["Vault is sealed"]}'),
    "uninitialised": status(501),
    "overloaded": status(429, b"", Retry_After="3600"),
    "failing": status(500, b'{"errors":["internal"]}'),
    "behind a failing proxy": status(502, b"<html>"),
    "dropping connections": dropped,
    "sending half an answer": truncated,
}
USES: dict[str, Callable[[VaultTransitKeyService, bytes], object]] = {
    "key_id": lambda service, _: service.key_id,
    "wrap": lambda service, _: service.wrap(KEY, context=CONTEXT),
    "unwrap": lambda service, wrapped: service.unwrap(wrapped, context=CONTEXT),
    "rotate": lambda service, _: service.rotate(),
    "retire": lambda service, _: service.retire("vault:transit/secure-ml:v1"),
}


@pytest.mark.parametrize("fault", AWAY)
def test_a_service_that_is_away_is_said_to_be_and_comes_back(
    fault: str, service: VaultTransitKeyService, server: LoopbackServer
) -> None:
    wrapped = service.wrap(KEY, context=CONTEXT)
    server.fault = AWAY[fault]
    for use in USES.values():
        with pytest.raises(KeyServiceUnavailable):
            use(service, wrapped)
    server.fault = None
    assert service.unwrap(wrapped, context=CONTEXT) == KEY


def test_a_service_that_hangs_is_given_up(
    service: VaultTransitKeyService, environ: dict[str, str], server: LoopbackServer
) -> None:
    hasty = VaultTransitKeyService.from_uri(URI, environ=environ, create=False, patience=HASTY)
    wrapped = service.wrap(KEY, context=CONTEXT)
    server.fault, before = hanging, len(server.seen)
    with pytest.raises(KeyServiceUnavailable, match="not in time"):
        hasty.unwrap(wrapped, context=CONTEXT)
    assert len(server.seen) - before == 2
    server.fault = None
    assert hasty.unwrap(wrapped, context=CONTEXT) == KEY


def test_a_stopped_server_is_away_until_it_starts(service: VaultTransitKeyService, server: LoopbackServer) -> None:
    wrapped = service.wrap(KEY, context=CONTEXT)
    server.stop()
    for use in USES.values():
        with pytest.raises(KeyServiceUnavailable, match="does not answer"):
            use(service, wrapped)
    server.start()
    assert service.unwrap(wrapped, context=CONTEXT) == KEY


def test_a_server_that_is_away_cannot_be_opened(environ: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        environ["VAULT_ADDR"] = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(KeyServiceUnavailable):
            VaultTransitKeyService.from_uri(URI, environ=environ, create=True, patience=TWICE)


@pytest.mark.parametrize("fault", ["sealed", "overloaded", "failing", "dropping connections"])
def test_what_passes_is_tried_again_and_no_more_often_than_said(
    fault: str, environ: dict[str, str], server: LoopbackServer
) -> None:
    patience = Patience(attempts=3)
    service = VaultTransitKeyService.from_uri(URI, environ=environ, create=True, patience=patience)
    server.faults = [AWAY[fault]] * 2
    assert service.key_id == "vault:transit/secure-ml:v1"
    server.fault, before = AWAY[fault], len(server.seen)
    with pytest.raises(KeyServiceUnavailable):
        _ = service.key_id
    assert len(server.seen) - before == 3


def test_the_server_goes_away_between_encrypting_and_the_proof(
    service: VaultTransitKeyService, server: LoopbackServer, vault: TransitServer
) -> None:
    server.faults = [vault, vault, *[dropped] * TWICE.attempts]
    with pytest.raises(KeyServiceUnavailable):
        service.wrap(KEY, context=CONTEXT)


# Garbage and lies


def answers(data: object) -> Application:
    return status(200, json.dumps({"data": data}).encode(), Content_Type="application/json")


FIT = {
    "type": "aes256-gcm96",
    "derived": False,
    "exportable": False,
    "allow_plaintext_backup": False,
    "latest_version": 1,
    "min_decryption_version": 1,
    "min_available_version": 0,
}
GARBAGE: dict[str, Application] = {
    "a page": status(200, b"<html>Welcome s3cr3t</html>"),
    "nothing": status(200),
    "no content": status(204),
    "a list": status(200, b"[]"),
    "null": status(200, b"null"),
    "bytes": status(200, b"\xff\xfe\x00s3cr3t"),
    "deep": status(200, b"[" * 5000),
    "no data": answers(None),
    "empty data": answers({}),
    "a key without its flags": answers({"type": "aes256-gcm96", "latest_version": 1}),
    "flags as texts": answers({**FIT, "exportable": "false"}),
    "a version below one": answers({**FIT, "latest_version": 0}),
    "a version as a text": answers({**FIT, "latest_version": "1"}),
    "numbers": answers({"ciphertext": 1, "plaintext": 2}),
    "no ciphertext": answers({**FIT, "ciphertext": "vault:v0:AAAA", "plaintext": "s3cr3t!"}),
    "another plaintext's form": answers({**FIT, "ciphertext": "s3cr3t", "plaintext": "é"}),
    "a ciphertext and more": answers({**FIT, "ciphertext": "vault:v1:AAAA\n", "plaintext": "AA"}),
    "teapot": status(418, b"s3cr3t"),
    "conflict": status(409, b'{"errors":[{"s3cr3t":1}]}', Content_Type="application/json"),
    "bad request": status(400, b'{"errors":[1, "s3cr3t"]}', Content_Type="application/json"),
    "not found": status(404, b'{"errors":["s3cr3t"]}', Content_Type="application/json"),
    "denied": status(403, b'{"errors":["s3cr3t"]}', Content_Type="application/json"),
}


@pytest.mark.parametrize("use", ["wrap", "unwrap"])
@pytest.mark.parametrize("fault", GARBAGE)
def test_garbage_is_refused_and_not_quoted(
    fault: str, use: str, service: VaultTransitKeyService, server: LoopbackServer
) -> None:
    wrapped = service.wrap(KEY, context=CONTEXT)
    server.fault = GARBAGE[fault]
    with pytest.raises(KeyServiceError) as refused:
        USES[use](service, wrapped)
    assert "s3cr3t" not in "".join(traceback.format_exception(refused.value))


def test_a_redirect_is_not_followed(service: VaultTransitKeyService, server: LoopbackServer) -> None:
    with LoopbackServer(TransitServer(root_token=TOKEN)) as elsewhere:
        for code in (301, 302, 307, 308):
            server.fault = status(code, b"", Location=f"{elsewhere.url}/v1/transit/keys/secure-ml")
            with pytest.raises(KeyServiceError, match="redirects are not followed"):
                _ = service.key_id
        assert elsewhere.seen == []


def test_another_keys_plaintext_is_refused(service: VaultTransitKeyService, server: LoopbackServer) -> None:
    wrapped = service.wrap(KEY, context=CONTEXT)
    for plaintext in ("d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3c=", "", "d3d3"):
        server.fault = answers({"plaintext": plaintext})
        with pytest.raises(KeyRefused):
            service.unwrap(wrapped, context=CONTEXT)


def test_another_keys_ciphertext_is_not_handed_out(
    service: VaultTransitKeyService, server: LoopbackServer, vault: TransitServer
) -> None:
    service.wrap(KEY, context=CONTEXT)
    service._client.token = TOKEN
    other = service._client.secrets.transit.encrypt_data("secure-ml", plaintext="d3d3").json()["data"]
    server.faults = [vault, answers(other)]
    with pytest.raises(KeyServiceError, match="nothing was wrapped"):
        service.wrap(KEY, context=CONTEXT)


def test_a_wrapped_key_that_claims_another_version_is_refused(service: VaultTransitKeyService) -> None:
    wrapped = service.wrap(KEY, context=CONTEXT)
    service.rotate()
    claiming = wrapped.replace(b"secure-ml:v1", b"secure-ml:v2").replace(b"vault:v1:", b"vault:v2:")
    for changed in (
        wrapped.replace(b"secure-ml:v1", b"secure-ml:v2"),
        wrapped.replace(b"vault:v1:", b"vault:v2:"),
        wrapped.replace(b"vault:v1:", b"vault:v9:"),
        claiming,
    ):
        with pytest.raises(KeyRefused):
            service.unwrap(changed, context=CONTEXT)


# What is seen of keys


def test_the_server_never_sees_the_key(service: VaultTransitKeyService, vault: TransitServer) -> None:
    service.wrap(KEY, context=CONTEXT)
    service.wrap(KEY, context=CONTEXT)
    first, second = vault.plaintexts
    assert len(first) == len(second) == 32
    assert len({first, second, KEY}) == 3


def test_the_server_itself_is_told_the_context(service: VaultTransitKeyService) -> None:
    for context in (CONTEXT, b"", bytes(range(256))):
        ciphertext = service._split(service.wrap(KEY, context=context))[1].decode()
        for said, opens in ((context, True), (b"other", False)):
            asked = {"ciphertext": ciphertext, "associated_data": _base64(said)}
            assert service._client.secrets.transit.decrypt_data("secure-ml", **asked).ok == opens


def test_no_log_line_shows_a_key_or_the_token(
    service: VaultTransitKeyService, vault: TransitServer, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrapped = service.wrap(KEY, context=CONTEXT)
    service.unwrap(wrapped, context=CONTEXT)
    server.faults = [dropped]
    service.unwrap(wrapped, context=CONTEXT)
    with pytest.raises(KeyRefused):
        service.unwrap(wrapped, context=b"other")
    assert "Retry" in caplog.text
    text = caplog.text + repr(service) + repr(service.__dict__)
    (fresh_key,) = vault.plaintexts
    for secret in (TOKEN, KEY.hex(), fresh_key.hex(), repr(fresh_key), _base64(fresh_key), _base64(KEY)):
        assert secret not in text


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


# The network


def test_nothing_is_sent_but_to_the_server(
    server: LoopbackServer, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LoopbackServer(status(200)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password s3cr3t\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        asked: list[object] = []
        connect = socket.socket.connect
        monkeypatch.setattr(socket.socket, "connect", lambda self, to: (asked.append(to), connect(self, to))[1])
        service = VaultTransitKeyService.from_uri(URI, environ=environ, create=True)
        assert service.unwrap(service.wrap(KEY, context=CONTEXT), context=CONTEXT) == KEY
        assert proxy.seen == []
    assert asked
    assert set(asked) == {("127.0.0.1", int(server.url.rpartition(":")[2]))}
    assert not any("AUTHORIZATION" in headers for _, _, headers in server.seen)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that is its own authority, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vault of the trial")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def encrypted_server(vault: TransitServer, certificate: tuple[Path, Path]) -> Iterator[LoopbackServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.load_verify_locations(certificate[0])
    context.verify_mode = ssl.CERT_OPTIONAL
    with LoopbackServer(vault, tls=context) as server:
        yield server


def test_a_server_whose_authority_is_named_is_trusted(
    encrypted_server: LoopbackServer, certificate: tuple[Path, Path]
) -> None:
    environ = {"VAULT_ADDR": encrypted_server.url, "VAULT_TOKEN": TOKEN, "VAULT_CACERT": str(certificate[0])}
    service = VaultTransitKeyService.from_uri(URI, environ=environ, create=True)
    assert service.unwrap(service.wrap(KEY, context=CONTEXT), context=CONTEXT) == KEY


def test_a_server_of_an_unknown_authority_is_refused(
    encrypted_server: LoopbackServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(certificate[0]))
    monkeypatch.setenv("VAULT_SKIP_VERIFY", "true")
    environ = {"VAULT_ADDR": encrypted_server.url, "VAULT_TOKEN": TOKEN, "VAULT_SKIP_VERIFY": "true"}
    with pytest.raises(KeyServiceError, match="VAULT_CACERT"):
        VaultTransitKeyService.from_uri(URI, environ=environ, create=True, patience=TWICE)
    assert encrypted_server.seen == []


def test_a_server_that_asks_for_a_certificate_gets_the_one_that_is_named(
    vault: TransitServer, certificate: tuple[Path, Path]
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.load_verify_locations(certificate[0])
    context.verify_mode = ssl.CERT_REQUIRED
    with LoopbackServer(vault, tls=context) as server:
        environ = {"VAULT_ADDR": server.url, "VAULT_TOKEN": TOKEN, "VAULT_CACERT": str(certificate[0])}
        with pytest.raises(KeyServiceError):
            VaultTransitKeyService.from_uri(URI, environ=environ, create=True, patience=TWICE)
        environ |= {"VAULT_CLIENT_CERT": str(certificate[0]), "VAULT_CLIENT_KEY": str(certificate[1])}
        VaultTransitKeyService.from_uri(URI, environ=environ, create=True)


@pytest.mark.parametrize("name", ["VAULT_CACERT", "VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY"])
def test_a_certificate_that_is_not_there_is_said(name: str, environ: dict[str, str]) -> None:
    with pytest.raises(KeyServiceError, match=f"{name} names no file"):
        VaultTransitKeyService.from_uri(URI, environ={**environ, name: "/nowhere.pem"}, create=True)


# The check against a real server


def test_the_check_of_a_real_server_passes_against_this_one_and_leaves_nothing(
    environ: dict[str, str], vault: TransitServer
) -> None:
    command = [sys.executable, "-m", "secure_ml_tests.keys.check_vault"]
    process = subprocess.run(command, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout
    assert int(re.search(r"(\d+) passed", process.stdout)[1]) > 30
    assert vault._keys == {}


def test_the_check_says_what_to_set() -> None:
    command = [sys.executable, "-m", "secure_ml_tests.keys.check_vault"]
    without = {name: value for name, value in os.environ.items() if not name.startswith("VAULT_")}
    process = subprocess.run(command, cwd=ROOT, env=without, capture_output=True, text=True)
    assert process.returncode != 0
    assert "VAULT_ADDR" in process.stderr
