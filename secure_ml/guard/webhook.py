"""Telling another system by webhook, so that it can check who told it, and what it has been told already.

Belongs here: address, signature, delivery. Must stay out: what is told.

Requests are signed as Standard Webhooks 1.0 says (https://www.standardwebhooks.com), so receivers have libraries for
it: `webhook-id` is the same whenever a message is sent again, and `webhook-signature` is `v1,` and the base64 of
HMAC-SHA-256 over `id.timestamp.body`.
"""

import base64
import binascii
import hmac
import ipaddress
import logging
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from requests import PreparedRequest

URL_VARIABLE, SECRET_VARIABLE = "SECURE_ML_WEBHOOK_URL", "SECURE_ML_WEBHOOK_SECRET_FILE"

_SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix of every such secret, not one
_SECRET_BYTES = range(24, 65)
_TIMEOUT_SECONDS = (3, 5)
_RETRIES = 3
_BACKOFF_SECONDS = 0.5
_TALKATIVE = ("urllib3.connectionpool", "urllib3.util.retry")
_MADE_WITH = f'(umask 077; echo "{_SECRET_PREFIX}$(openssl rand -base64 32)" > FILE)'


class WebhookError(Exception):
    """The webhook is not set up as it must be, or its receiver does not accept; the text does not show the URL."""


@dataclass(frozen=True)
class Webhook:
    """Where to tell, and the secret that is shared with the receiver.

    Attributes:
        url: https, or http on this machine. Many services put a secret into it: it is not shown.
        secret: 24 to 64 bytes.
    """

    url: str = field(repr=False)
    secret: bytes = field(repr=False)

    def deliver(self, body: bytes, *, message_id: str, now: datetime) -> None:
        """Sends a message, and returns once the receiver has said that it took it.

        The receiver may get it more than once, under the same id: an answer can be lost.

        Args:
            body: JSON.
            message_id: the same whenever this message is sent.
            now: with a time zone.

        Raises:
            WebhookError: it was not accepted, after several tries.
        """
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3.util import Retry

        retry = Retry(
            total=_RETRIES,
            backoff_factor=_BACKOFF_SECONDS,
            backoff_jitter=_BACKOFF_SECONDS,
            status_forcelist=(408, 425, 429, 500, 502, 503, 504),
            allowed_methods=("POST",),
            respect_retry_after_header=False,
            raise_on_status=False,
            redirect=0,
        )
        with _unlogged(_TALKATIVE), requests.Session() as session:
            session.mount(self.url, HTTPAdapter(max_retries=retry))
            # http is for this machine only: no proxy on the way. And no password of a .netrc goes with it.
            session.trust_env = self.url.startswith("https:")
            session.auth = _no_auth
            try:
                answer = session.post(
                    self.url,
                    data=body,
                    headers=self._headers(body, message_id=message_id, now=now),
                    timeout=_TIMEOUT_SECONDS,
                    allow_redirects=False,
                    stream=True,
                )
            except (requests.RequestException, OSError) as error:
                raise WebhookError(
                    f"the webhook's receiver cannot be reached ({type(error).__name__}); check {URL_VARIABLE} and the "
                    "network, what was to be told is told at the next try"
                ) from None
            answer.close()
        if not 200 <= answer.status_code < 300:
            raise WebhookError(
                f"the webhook's receiver answered {answer.status_code}; check {URL_VARIABLE} and that it has the secret"
            )

    def _headers(self, body: bytes, *, message_id: str, now: datetime) -> dict[str, str]:
        timestamp = str(int(now.timestamp()))
        return {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": sign(self.secret, body, message_id=message_id, timestamp=timestamp),
        }


def sign(secret: bytes, body: bytes, *, message_id: str, timestamp: str) -> str:
    """The signature of a message: Standard Webhooks 1.0, symmetric."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()


def read_webhook(environ: Mapping[str, str]) -> Webhook | None:
    """The webhook that the environment describes; None where it names no URL.

    Args:
        environ: `SECURE_ML_WEBHOOK_URL`, or `SECURE_ML_WEBHOOK_URL_FILE` with a file that holds it; and
            `SECURE_ML_WEBHOOK_SECRET_FILE`.

    Raises:
        WebhookError: the URL is neither https nor this machine's, or the secret is missing, weak, or open to others.
    """
    url = environ.get(URL_VARIABLE, "")
    if named := environ.get(f"{URL_VARIABLE}_FILE"):
        if url:
            raise WebhookError(f"set {URL_VARIABLE} or {URL_VARIABLE}_FILE, not both")
        url = _read_private(named, f"{URL_VARIABLE}_FILE")
    if not url:
        return None
    url = _safe(url)
    if not (named := environ.get(SECRET_VARIABLE)):
        raise WebhookError(
            f"{SECRET_VARIABLE} is not set: without a secret the receiver cannot tell who told it. "
            f"Make one: {_MADE_WITH}"
        )
    return Webhook(url, _secret(_read_private(named, SECRET_VARIABLE)))


def _safe(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise WebhookError(f"{URL_VARIABLE} is no URL; write https://host/path") from None
    if not host or parts.username is not None or parts.password is not None:
        raise WebhookError(f"{URL_VARIABLE} must be https://host/path, without a user or a password in it")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise WebhookError(f"{URL_VARIABLE} must begin with https://; http is for this machine only")
    return parts.geturl()


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def _secret(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error:
        secret = b""
    if not text.startswith(_SECRET_PREFIX) or len(secret) not in _SECRET_BYTES:
        raise WebhookError(
            f"the file of {SECRET_VARIABLE} must hold {_SECRET_PREFIX} and the base64 of 24 to 64 bytes. "
            f"Make one: {_MADE_WITH}"
        )
    return secret


def _read_private(named: str, variable: str) -> str:
    path = Path(named)
    try:
        if stat.S_IMODE(path.stat().st_mode) & stat.S_IRWXO:
            raise WebhookError(f"{path} can be read by every user; run: chmod o= {path}")
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise WebhookError(f"{path}: cannot be read ({type(error).__name__}); correct {variable}") from None


@contextmanager
def _unlogged(names: Sequence[str]) -> Iterator[None]:
    """Drops what this thread says to a library's loggers: it would say the URL, which may hold a secret."""
    loggers, here = [logging.getLogger(name) for name in names], threading.get_ident()

    def of_others(record: logging.LogRecord) -> bool:
        return record.thread != here

    for logger in loggers:
        logger.addFilter(of_others)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(of_others)


def _no_auth(request: "PreparedRequest") -> "PreparedRequest":
    return request
