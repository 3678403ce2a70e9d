"""The emulator's ports: opened before anything is made for them, so that whoever comes early waits and is answered."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from socket import socket

from imgpipe.errors import UsageError
from imgpipe.local.emulator.server import HOST, listen
from imgpipe.remote.emulated import PORT


def open_ports(first: int) -> tuple[socket, socket]:
    """The sockets of AWS and of the HTTP API, at `first` and the port after it, or where it is 0 at any two.

    Raises UsageError where one is taken, and says so if it is another emulator that has it.
    """
    aws = _open(first)
    try:
        with wanted("the API"):
            return aws, listen(first and first + 1)
    except UsageError:
        aws.close()
        raise


@contextmanager
def wanted(by: str) -> Iterator[None]:
    """Say who needs the port that cannot be had."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{error.message.rstrip('.')}, and {by} needs it.", error.remedy) from error


def _open(port: int) -> socket:
    try:
        return listen(port)
    except UsageError:
        if not _answers_as_aws(port):
            raise
        look = "imgpipe status --local" if port == PORT else f"IMGPIPE_PORT={port} imgpipe status --local"
        raise UsageError(
            f"Port {port} of {HOST} is taken: another emulator seems to answer there.",
            f"Work with that one ({look}), end it, or give another with --port.",
        ) from None


def _answers_as_aws(port: int) -> bool:
    with closing(HTTPConnection(HOST, port, timeout=1)) as connection, suppress(OSError, HTTPException):
        connection.request("GET", "/")
        return any(name.lower().startswith("x-amz") for name, _ in connection.getresponse().getheaders())
    return False
