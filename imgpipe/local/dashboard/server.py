"""The page's server, on the loopback interface alone: the page's files, the API under `/api`, and the way for uploads.

It is the standard library's. What it holds for itself is the token of its run; all else is the stack's.
"""

import errno
import logging
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from imgpipe.errors import ImgpipeError, UsageError
from imgpipe.local.dashboard.access import Access
from imgpipe.local.dashboard.answers import Answer, Refusal, document, outage, problem
from imgpipe.local.dashboard.desk import Desk
from imgpipe.remote.pipeline import Pipeline

API: Final = "/api"
LARGEST_BODY: Final = 64 * 1024
"""Bytes of a request to the API."""
CONNECTIONS: Final = 128
"""At once: a browser opens six for a window, and other users of the machine may open any."""
_STRANGE_SECONDS: Final = 5
"""How long a connection may say nothing that never showed the token."""
_IDLE_SECONDS: Final = 60
_DIGITS: Final = 16
_POLL: Final = 0.05
"""Seconds between two looks at whether to end."""
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: {images}; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types"
)
"""The page runs nothing but its own files, speaks to this server alone, and shows images from here and the buckets."""

_log = logging.getLogger(__name__)


class Dashboard:
    """The page of the stack that `connect` opens, served at `port` of 127.0.0.1 (0: any that is free) until closed.

    `connect` is called again where credentials were refused, so let it make a session of its own. Raises what it
    raises, and UsageError where the port is taken.
    """

    def __init__(self, connect: Callable[[], Pipeline], port: int = 0) -> None:
        desk = Desk(connect)
        self._server = _Server(desk, port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL,), name="dashboard", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def url(self) -> str:
        """The link that opens the page, as often as one likes."""
        return self._server.access.link

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self, desk: Desk, port: int) -> None:
        self._connections: set[socket.socket] = set()
        self._room = threading.BoundedSemaphore(CONNECTIONS)
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise UsageError(f"Port {port} cannot be had: {error.strerror}.", "Name another with --port.") from None
        self.desk = desk
        self.access = Access(self.server_port)
        pages = Path(__file__).with_name("page").iterdir()
        self.files = {f"/{path.name}": _file(path) for path in pages if path.suffix in _MEDIA_TYPES}
        self.files["/"] = self.files.pop("/index.html")

    @property
    def headers(self) -> dict[str, str]:
        """Those of every response."""
        return {
            "cache-control": "no-store",
            "content-security-policy": _POLICY.format(images=self.desk.opened.image_origins),
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
        }

    def server_bind(self) -> None:
        # Not HTTPServer's, which asks the network for this machine's name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            self._connections.add(request)
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        if request in self._connections:
            self._connections.discard(request)
            self._room.release()
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        # A browser keeps its connections, and the threads behind them would answer on.
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            _log.error("The page's server failed: %r", error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _STRANGE_SECONDS
    server_version = "imgpipe"
    sys_version = ""
    _unread = 0

    def do_GET(self) -> None:
        self._respond(self._get)

    def do_POST(self) -> None:
        self._respond(self._post)

    def do_DELETE(self) -> None:
        self._respond(self._api)

    def _respond(self, answer: Callable[["_Server", str], Answer]) -> None:
        server = cast("_Server", self.server)
        try:
            server.access.check_origin(cast("Mapping[str, str]", self.headers))
            self._unread = self._length()
            made = answer(server, self._path())
        except Refusal as refusal:
            made = refusal.answer
        except ImgpipeError as error:
            made = outage(error)
        except (ConnectionError, TimeoutError):
            raise
        except Exception as error:
            _log.error("A request of the page failed.", exc_info=error)
            made = problem(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "internal",
                "Something went wrong on the server.",
                "Try again in a moment.",
            )
        self._send(made)

    def _send(self, made: Answer) -> None:
        server = cast("_Server", self.server)
        # What is left of a body would be read as the next request.
        if self._unread:
            self.close_connection = True
        self.send_response(made.status)
        closing = {"connection": "close"} if self.close_connection else {}
        for name, value in (server.headers | dict(made.headers) | closing).items():
            self.send_header(name, value)
        if made.status != HTTPStatus.NO_CONTENT:
            self.send_header("content-length", str(len(made.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(made.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """What the library refuses by itself: what is no HTTP, and methods that nothing here has."""
        self.close_connection = True
        # To what it takes for HTTP/0.9 the library sends no headers.
        self.request_version = self.protocol_version
        status = HTTPStatus(code)
        made = problem(status, "bad_request", f"{message or status.phrase}.", "Ask as the page does.")
        try:
            if "Host" in getattr(self, "headers", ()):
                cast("_Server", self.server).access.check_origin(cast("Mapping[str, str]", self.headers))
        except Refusal as refusal:
            made = refusal.answer
        self._send(made)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """For the Date of responses: AWS's clock, by which records are written."""
        return super().date_time_string(cast("_Server", self.server).desk.now() if timestamp is None else timestamp)

    def _check_token(self, server: _Server) -> None:
        server.access.check_token(cast("Mapping[str, str]", self.headers))
        self.connection.settimeout(_IDLE_SECONDS)

    def _get(self, server: _Server, path: str) -> Answer:
        if file := server.files.get(path):
            return file
        if path == "/about":
            self._check_token(server)
            return document(server.desk.about())
        return self._api(server, path)

    def _post(self, server: _Server, path: str) -> Answer:
        if path == "/upload":
            self._check_token(server)
            length, self._unread = self._unread, 0
            return server.desk.opened.relay.send(self.rfile, length, self.headers.get("Content-Type", ""))
        return self._api(server, path)

    def _api(self, server: _Server, path: str) -> Answer:
        if not path.startswith(f"{API}/"):
            raise _unknown(path)
        self._check_token(server)
        query = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        return server.desk.answer(self.command, path.removeprefix(API), query, self._body())

    def _length(self) -> int:
        """Bytes of the body that are to be read yet."""
        text = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (text.isascii() and text.isdigit() and len(text) < _DIGITS):
            self.close_connection = True
            raise Refusal(
                HTTPStatus.BAD_REQUEST, "bad_request", "The length of the body is not told.", "Ask as the page does."
            )
        return int(text)

    def _path(self) -> str:
        """The path that is asked for, decoded."""
        try:
            return unquote(urlsplit(self.path).path)
        except ValueError as error:
            raise Refusal(
                HTTPStatus.BAD_REQUEST, "bad_request", f"The address cannot be read: {error}.", "Ask as the page does."
            ) from None

    def _body(self) -> str:
        if self._unread > LARGEST_BODY:
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "too_many_bytes",
                f"The body has {self._unread:,} bytes; the limit is {LARGEST_BODY:,}.",
                "Send the image itself to the place that POST /api/images names.",
            )
        length, self._unread = self._unread, 0
        return self.rfile.read(length).decode(errors="replace")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: requests of the page are no news."""


def _file(path: Path) -> Answer:
    return Answer(HTTPStatus.OK, path.read_bytes(), {"content-type": _MEDIA_TYPES[path.suffix]})


def _unknown(path: str) -> Refusal:
    return Refusal(
        HTTPStatus.NOT_FOUND, "not_found", f"There is nothing at {path}.", "Open the link that imgpipe printed."
    )
