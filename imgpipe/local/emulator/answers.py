"""Whole HTTP answers: moto's, and what is said here, which is XML as S3 writes it, or JSON where another service does.

A document can be made of any text: what XML cannot hold, as few characters as that are, becomes U+FFFD.
"""

import base64
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from xml.sax.saxutils import escape

from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.test import run_wsgi_app

from imgpipe.local.emulator.refused import Refused

_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What is no Char of XML 1.0."""


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
    return _said(status, f"<{root}>{_inside(elements)}</{root}>", *headers)


def refusal(refused: Refused, resource: str, identity: Identity) -> Answer:
    """S3's answer to a request for `resource`, a path, that is not carried out."""
    about = {"Resource": resource, "RequestId": identity.request, "HostId": identity.host}
    elements = {"Code": refused.code, "Message": refused.message, **refused.details, **about}
    return document(refused.status, "Error", elements)


def refusal_elsewhere(refused: Refused, media_type: str, identity: Identity) -> Answer:
    """Another service's answer, in the form in which it was asked: JSON, or XML as AWS Query has it."""
    if "json" in media_type:
        body = json.dumps({"__type": refused.code, "message": refused.message}).encode()
        about = (("Content-Type", media_type), ("Content-Length", str(len(body))))
        return Answer(refused.status, about, (body,))
    error = _inside({"Code": refused.code, "Message": refused.message})
    inside = f"<Error>{error}</Error><RequestId>{identity.request}</RequestId>"
    return _said(refused.status, f"<ErrorResponse>{inside}</ErrorResponse>")


def ask(application: WSGIApplication, environ: WSGIEnvironment) -> Answer:
    """What a WSGI application says to a request."""
    body, status, headers = run_wsgi_app(application, environ, buffered=True)
    return Answer(int(status.split()[0]), tuple(headers), tuple(body))


def _said(status: int, content: str, *headers: tuple[str, str]) -> Answer:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{content}'.encode()
    about = (("Content-Type", "application/xml"), ("Content-Length", str(len(body))))
    return Answer(status, about + headers, (body,))


def _inside(elements: Mapping[str, str]) -> str:
    return "".join(
        # A carriage return as it is would be read as a line feed.
        f"<{name}>{escape(_NO_XML.sub(chr(0xFFFD), value), {chr(13): '&#13;'})}</{name}>"
        for name, value in elements.items()
    )
