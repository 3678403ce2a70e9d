"""What S3 answers when it refuses: an XML document with a code, a message and an HTTP status."""

import base64
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from xml.sax.saxutils import escape

from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.test import run_wsgi_app

from imgpipe.local.emulator.signature import Refused

_STATUS: Final = {
    "AccessDenied": 403,
    "AccessForbidden": 403,
    "InternalError": 500,
    "InvalidAccessKeyId": 403,
    "MethodNotAllowed": 405,
    "MissingContentLength": 411,
    "NotImplemented": 501,
    "PreconditionFailed": 412,
    "RequestTimeTooSkewed": 403,
    "SignatureDoesNotMatch": 403,
}
"""Codes that are not answered with 400 ("Error responses")."""


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: tuple[bytes, ...] = ()

    def header(self, name: str) -> str:
        """The value of the first header called `name`, in whatever case; empty where there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    def without(self, *prefixes: str) -> "Answer":
        """The same without the headers whose lower-case names start so."""
        kept = tuple(header for header in self.headers if not header[0].lower().startswith(prefixes))
        return Answer(self.status, kept, self.body)

    def also(self, *headers: tuple[str, str]) -> "Answer":
        """The same with more headers."""
        return Answer(self.status, self.headers + headers, self.body)

    def send(self, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a WSGI request with it."""
        start_response(f"{self.status} {HTTP_STATUS_CODES.get(self.status, 'Unknown')}", list(self.headers))
        return self.body


@dataclass(frozen=True)
class Identity:
    """The two ids that S3 gives a request, in its answer's headers and in its events."""

    request: str
    host: str

    @classmethod
    def new(cls) -> "Identity":
        return cls(secrets.token_hex(8).upper(), base64.b64encode(secrets.token_bytes(48)).decode())

    @property
    def headers(self) -> tuple[tuple[str, str], tuple[str, str]]:
        return ("x-amz-request-id", self.request), ("x-amz-id-2", self.host)


def document(status: int, root: str, elements: Mapping[str, str], *headers: tuple[str, str]) -> Answer:
    """An XML document of one level."""
    inside = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in elements.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{inside}</{root}>'.encode()
    about = (("Content-Type", "application/xml"), ("Content-Length", str(len(body))))
    return Answer(status, about + headers, (body,))


def refusal(refused: Refused, resource: str, identity: Identity) -> Answer:
    """The answer to a request for `resource`, a path, that is not carried out."""
    about = {"Resource": resource, "RequestId": identity.request, "HostId": identity.host}
    return document(
        _STATUS.get(refused.code, 400),
        "Error",
        {"Code": refused.code, "Message": refused.message, **refused.details, **about},
    )


def ask(application: WSGIApplication, environ: WSGIEnvironment) -> Answer:
    """What a WSGI application says to a request."""
    body, status, headers = run_wsgi_app(application, environ, buffered=True)
    return Answer(int(status.split()[0]), tuple(headers), tuple(body))
