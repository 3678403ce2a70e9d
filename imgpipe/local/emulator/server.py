"""An HTTP server on loopback for one WSGI application, with a thread for each connection.

Nothing listens but 127.0.0.1: what runs here has no password worth the name. A connection serves one request, since
werkzeug closes it after its answer.
"""

import errno
import socket
import threading
from typing import Final
from wsgiref.types import WSGIApplication

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

from imgpipe.errors import UsageError

HOST: Final = "127.0.0.1"
_QUEUE: Final = 512
"""Connections that may wait for a thread: more than any client opens at once, so that none is refused."""
_POLL: Final = 0.05
"""Seconds between two looks at whether to end."""


class _Handler(MotoRequestHandler):
    """moto's own, since it keeps the names of S3's metadata; without a line for each request."""

    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    def handle_expect_100(self) -> bool:
        return True  # werkzeug says it: a client that hears it twice may take the second for its answer


class Server:
    """A running server at `port`; its threads end with the process, or with `close`."""

    def __init__(self, app: WSGIApplication, listener: socket.socket) -> None:
        with listener:
            self._server = ThreadedWSGIServer(HOST, 0, app, _Handler, fd=listener.fileno())
        self.port: Final = self._server.port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more requests; what is being answered is not waited for."""
        self._server.shutdown()
        self._thread.join()


def serve(app: WSGIApplication, port: int) -> Server:
    """Serve `app` at `port` of loopback, 0 for any that is free; it answers when this returns.

    Raises UsageError where the port is taken or may not be used.
    """
    return Server(app, listen(port))


def listen(port: int) -> socket.socket:
    """The socket for a `Server`, on which clients wait from now on. Raises UsageError as `serve` does."""
    try:
        return socket.create_server((HOST, port), backlog=_QUEUE)
    except OverflowError as error:
        raise UsageError(f"{port} is not a port.", "Give one from 1 to 65535.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            remedy = "End the program that holds it, or give another with --port."
            raise UsageError(f"Port {port} of {HOST} is taken.", remedy) from error
        problem = f"Port {port} of {HOST} cannot be used: {error.strerror}."
        raise UsageError(problem, "Give another with --port.") from error
