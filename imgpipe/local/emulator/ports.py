"""The emulator's ports: opened before anything is made for them, so that whoever comes early waits and is answered."""

from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from socket import socket

from imgpipe.errors import UsageError
from imgpipe.local.emulator.server import HOST, listen


def open_ports(first: int) -> tuple[socket, socket]:
    """The sockets of AWS and of the HTTP API, at `first` and the port after it, or where it is 0 at any two.

    Raises UsageError where one is taken, and says so if it is another emulator that has it.
    """
    aws = _open(first)
    try:
        return aws, listen(first and first + 1)
    except UsageError:
        aws.close()
        raise


def _open(port: int) -> socket:
    try:
        return listen(port)
    except UsageError:
        if not _answers_as_aws(port):
            raise
        raise UsageError(
            f"Port {port} of {HOST} is taken: another emulator seems to answer there.",
            "Work with that one (imgpipe status --local), end it, or give another port with --port.",
        ) from None


def _answers_as_aws(port: int) -> bool:
    with closing(HTTPConnection(HOST, port, timeout=1)) as connection, suppress(OSError, HTTPException):
        connection.request("GET", "/")
        return any(name.lower().startswith("x-amz") for name, _ in connection.getresponse().getheaders())
    return False
