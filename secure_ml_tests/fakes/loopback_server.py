"""A server on a loopback address that answers as told, or breaks as told.

Belongs here: serving an application over real HTTP, and the ways in which a service fails. Must stay out: what any one
service says.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from werkzeug.serving import WSGIRequestHandler, make_server

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class _Silent(WSGIRequestHandler):
    def log(self, kind: str, message: str, *args: object) -> None:
        """What was asked stands in `seen`."""


class LoopbackServer(AbstractContextManager["LoopbackServer"]):
    """An application at `url`, while the context lasts.

    Attributes:
        seen: Method, path and headers of each request.
        faults: Answer the next requests, one each, instead of the application.
        fault: Answers every request once `faults` are used up, until it is None again.
    """

    def __init__(self, application: Application, *, tls: ssl.SSLContext | None = None) -> None:
        self.application = application
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.faults: list[Application] = []
        self.fault: Application | None = None
        self._tls = tls
        self._port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it is, also while it is stopped."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listens; after a stop at the same port."""
        self._server = make_server(
            "127.0.0.1", self._port, self._answer, threaded=True, request_handler=_Silent, ssl_context=self._tls
        )
        self._server.daemon_threads = True
        self._port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuses connections from now on."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        headers = {name[5:]: value for name, value in environ.items() if name.startswith("HTTP_")}
        self.seen.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], headers))
        answer = self.faults.pop(0) if self.faults else self.fault or self.application
        return answer(environ, start_response)


def status(code: int, body: bytes = b"", **headers: str) -> Application:
    """Answers always this; an underscore in a header's name is a dash."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        start_response(f"{code} Told", [("Content-Length", str(len(body))), *named])
        return [body]

    return answer


def truncated(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Promises more than it sends."""
    start_response("200 OK", [("Content-Length", "1000"), ("Content-Type", "application/json")])
    yield b'{"data":{"ciphertext":"vau'
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)


def dropped(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Cuts the connection without an answer."""
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError


def hanging(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answers nothing for longer than anybody should wait."""
    threading.Event().wait(60)
    return dropped(environ, start_response)
