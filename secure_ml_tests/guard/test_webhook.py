"""The webhook against a real HTTP server."""

import base64
import datetime as dt
import hmac
import ipaddress
import json
import ssl
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from secure_ml.guard import webhook as module
from secure_ml.guard.webhook import Webhook, WebhookError, read_webhook, sign
from secure_ml_tests.fakes.loopback_server import LoopbackServer, dropped, hanging, status

NOW = dt.datetime(2031, 5, 5, 9, tzinfo=dt.UTC)
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
BODY = json.dumps({"findings": [1, 2]}).encode()


class Receiver:
    """Takes messages as a receiver should: it verifies each, and notes a message that it has already only once."""

    def __init__(self) -> None:
        self.taken: dict[str, Any] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        named, timestamp = environ["HTTP_WEBHOOK_ID"], environ["HTTP_WEBHOOK_TIMESTAMP"]
        expected = hmac.digest(b"k" * 32, f"{named}.{timestamp}.".encode() + body, "sha256")
        given = environ["HTTP_WEBHOOK_SIGNATURE"].removeprefix("v1,")
        good = hmac.compare_digest(base64.b64encode(expected).decode(), given)
        if good:
            self.taken.setdefault(named, json.loads(body))
        start_response("204 No Content" if good else "401 Unauthorized", [])
        return []


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def server(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackServer]:
    monkeypatch.setattr(module, "_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(module, "_TIMEOUT_SECONDS", (1, 0.3))
    with LoopbackServer(receiver) as running:
        yield running


def deliver(server: LoopbackServer, *, secret: bytes = b"k" * 32, message_id: str = "msg_1") -> None:
    Webhook(f"{server.url}/hook?token=t0p", secret).deliver(BODY, message_id=message_id, now=NOW)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    # The vector of the reference libraries of Standard Webhooks.
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(secret, b'{"test": 2432232314}', message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp="1614265330")
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_message_arrives_signed_with_its_time(server: LoopbackServer, receiver: Receiver) -> None:
    deliver(server)
    assert receiver.taken == {"msg_1": {"findings": [1, 2]}}
    ((method, path, headers),) = server.seen
    assert (method, path, headers["WEBHOOK_TIMESTAMP"]) == ("POST", "/hook", str(int(NOW.timestamp())))
    assert "AUTHORIZATION" not in headers


@pytest.mark.parametrize(
    "fault", [status(503), status(429), dropped, hanging], ids=["503", "429", "dropped", "hanging"]
)
def test_a_receiver_that_fails_for_a_while_gets_it_again_under_the_same_id(
    server: LoopbackServer, receiver: Receiver, fault: Callable[..., Any]
) -> None:
    server.faults = [fault, fault]
    deliver(server)
    assert len(server.seen) == 3
    assert {headers["WEBHOOK_ID"] for _, _, headers in server.seen} == {"msg_1"}
    assert list(receiver.taken) == ["msg_1"]


def test_a_message_that_is_told_twice_is_told_by_its_id(server: LoopbackServer, receiver: Receiver) -> None:
    deliver(server)
    deliver(server)
    assert (len(server.seen), len(receiver.taken)) == (2, 1)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (status(503), "answered 503"),
        (status(404), "answered 404"),
        (status(302, Location="http://127.0.0.1:1/elsewhere"), "answered 302"),
        (dropped, "cannot be reached"),
    ],
    ids=["503", "404", "302", "dropped"],
)
def test_what_is_not_accepted_is_an_error_that_does_not_show_the_url(
    server: LoopbackServer, fault: Callable[..., Any], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.fault = fault
    with caplog.at_level("DEBUG"), pytest.raises(WebhookError, match=told) as refused:
        deliver(server)
    assert "t0p" not in str(refused.value) + caplog.text
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_refusal_is_not_tried_again(server: LoopbackServer) -> None:
    with pytest.raises(WebhookError, match="answered 401"):
        deliver(server, secret=b"another secret of 24 bytes")
    assert len(server.seen) == 1


def test_a_receiver_that_is_away_is_an_error(server: LoopbackServer) -> None:
    server.stop()
    try:
        with pytest.raises(WebhookError, match="cannot be reached"):
            deliver(server)
    finally:
        server.start()


def test_no_proxy_stands_between_this_machine_and_itself(
    server: LoopbackServer, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3128")
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:3128")
    deliver(server)
    assert receiver.taken


def test_the_receivers_certificate_is_verified_and_no_password_of_netrc_goes_along(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BACKOFF_SECONDS", 0.01)
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with LoopbackServer(receiver, tls=context) as server:
        with pytest.raises(WebhookError, match="cannot be reached"):
            deliver(server)
        assert receiver.taken == {}
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        monkeypatch.setenv("NETRC", str(private(tmp_path / "netrc", "machine 127.0.0.1 login me password hunter2")))
        deliver(server)
    assert receiver.taken != {}
    assert "AUTHORIZATION" not in server.seen[-1][2]


def self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "invented receiver")])
    today = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form = serialization.PrivateFormat.PKCS8
    (folder / "receiver.pem").write_bytes(
        key.private_bytes(pem, form, serialization.NoEncryption()) + certificate.public_bytes(pem)
    )
    return folder / "receiver.pem"


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    return private(tmp_path / "secret", SECRET + "\n")


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def environ(url: str, secret: Path | None) -> dict[str, str]:
    return {"SECURE_ML_WEBHOOK_URL": url} | ({} if secret is None else {"SECURE_ML_WEBHOOK_SECRET_FILE": str(secret)})


def test_without_a_url_there_is_no_webhook(secret_file: Path) -> None:
    assert read_webhook({}) is None
    assert read_webhook({"SECURE_ML_WEBHOOK_SECRET_FILE": str(secret_file)}) is None


@pytest.mark.parametrize(
    "url", ["https://alerts.bank.example/hook", "http://127.0.0.1:9000/x", "http://[::1]:9000", "http://localhost/x"]
)
def test_https_or_this_machine_is_accepted(url: str, secret_file: Path) -> None:
    read = read_webhook(environ(url, secret_file))
    assert read == Webhook(url, b"k" * 32)
    assert "alerts" not in repr(read)
    assert "k" * 32 not in repr(read)


@pytest.mark.parametrize(
    "url",
    [
        "http://alerts.bank.example/hook",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "http://127.0.0.1@evil.example/",
        "https://me:hunter2@alerts.bank.example/",
        "ftp://127.0.0.1/",
        "https:///hook",
        "https://[::1/hook",
        "https://alerts.bank.example:port/",
        "alerts.bank.example",
    ],
)
def test_any_other_url_is_refused_without_being_shown(url: str, secret_file: Path) -> None:
    with pytest.raises(WebhookError) as refused:
        read_webhook(environ(url, secret_file))
    assert "example" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_the_url_may_lie_in_a_file_of_this_user(tmp_path: Path, secret_file: Path) -> None:
    file = private(tmp_path / "url", "https://alerts.bank.example/t0p\n")
    named = {"SECURE_ML_WEBHOOK_URL_FILE": str(file), "SECURE_ML_WEBHOOK_SECRET_FILE": str(secret_file)}
    assert read_webhook(named) == Webhook("https://alerts.bank.example/t0p", b"k" * 32)
    with pytest.raises(WebhookError, match="not both"):
        read_webhook(named | {"SECURE_ML_WEBHOOK_URL": "https://alerts.bank.example/"})


def test_a_webhook_without_a_secret_is_refused_and_told_how_to_make_one() -> None:
    with pytest.raises(WebhookError, match="openssl rand -base64 32"):
        read_webhook(environ("https://alerts.bank.example/", None))


@pytest.mark.parametrize(
    "text", ["", "hunter2", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", base64.b64encode(b"k" * 32).decode()]
)
def test_a_weak_or_malformed_secret_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(WebhookError, match="24 to 64 bytes") as refused:
        read_webhook(environ("https://alerts.bank.example/", private(tmp_path / "secret", text)))
    assert len(text) < 7 or text not in str(refused.value)


def test_a_secret_that_every_user_can_read_is_refused(secret_file: Path) -> None:
    secret_file.chmod(0o644)
    with pytest.raises(WebhookError, match="chmod o="):
        read_webhook(environ("https://alerts.bank.example/", secret_file))


def test_a_missing_secret_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(WebhookError, match=r"cannot be read.*SECURE_ML_WEBHOOK_SECRET_FILE"):
        read_webhook(environ("https://alerts.bank.example/", tmp_path / "nowhere"))
