"""The emulator's server: on loopback alone, for many at once."""

import socket
import threading
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from imgpipe.errors import UsageError
from imgpipe.local.emulator.server import serve


def hello(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


def fetch(port: int) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
        return bytes(answer.read())


def test_a_server_answers_many_at_once() -> None:
    together = threading.Barrier(8)

    def wait(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        together.wait(30)
        return hello(environ, start_response)

    server = serve(wait, 0)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(fetch, [server.port] * 8)) == {b"hello"}
    server.close()


def test_nobody_outside_this_machine_reaches_it() -> None:
    server = serve(hello, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outward:
        try:
            outward.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback's")
        address = outward.getsockname()[0]
    with pytest.raises(OSError), socket.create_connection((address, server.port), timeout=5):
        pass
    server.close()


def test_a_closed_server_frees_its_port() -> None:
    server = serve(hello, 0)
    server.close()
    again = serve(hello, server.port)
    assert fetch(again.port) == b"hello"
    again.close()


def test_a_port_that_cannot_be_had_is_said_to_be() -> None:
    server = serve(hello, 0)
    with pytest.raises(UsageError, match=f"Port {server.port} of 127.0.0.1 is taken"):
        serve(hello, server.port)
    server.close()
    with pytest.raises(UsageError, match="70000 is not a port"):
        serve(hello, 70_000)
