"""Which bucket and key an S3 request is for, in either of S3's two styles of address.

moto is always given the path style, since it takes the first label of any other host for a bucket ("Virtual hosting
of buckets").
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, unquote_to_bytes
from wsgiref.types import WSGIEnvironment

from imgpipe.local.emulator.signature import ALGORITHM, Refused

_VIRTUAL: Final = re.compile(r"(?!s3\.)(.+?)\.(?:s3(?:[.-].+)?|localhost)")
"""Hosts as photos.localhost, photos.s3.localhost and photos.s3.us-east-1.amazonaws.com."""

_CHECKED: Final = f"{ALGORITHM} Credential=imgpipe/20260101/us-east-1/s3/aws4_request"


@dataclass(frozen=True)
class Target:
    """A bucket and, where it is for an object, its key, both empty where there is none.

    `path` is that of the path style, encoded as it came; `base` is the URL under which the bucket's keys lie.
    """

    bucket: str
    key: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    base: str = ""


def address(environ: WSGIEnvironment) -> Target:
    """Where the request goes. Raises Refused where that is not UTF-8."""
    raw, _, query = environ["RAW_URI"].partition("?")
    if not raw.startswith("/"):
        raw = "/" + raw.split("://", 1)[-1].partition("/")[2]
    host = environ.get("HTTP_HOST", "")
    virtual = _VIRTUAL.fullmatch(re.sub(r":\d+$", "", host.lower()))
    path = f"/{virtual[1]}{raw}" if virtual else raw
    bucket, _, key = path[1:].partition("/")
    try:
        return Target(
            bucket=unquote_to_bytes(bucket).decode(),
            key=unquote_to_bytes(key).decode(),
            query=dict(parse_qsl(query, keep_blank_values=True)),
            path=path,
            base=f"http://{host}/{'' if virtual else bucket + '/'}",
        )
    except UnicodeDecodeError:
        raise Refused("InvalidURI", "Couldn't parse the specified URI.") from None


def point(environ: WSGIEnvironment, target: Target, query: str = "") -> None:
    """Make `environ` a request for `target` that moto takes for a signed one, since the front has checked it."""
    path = f"/{target.bucket}/{target.key}" if target.key else f"/{target.bucket}"
    uri = f"{quote(path)}?{query}" if query else quote(path)
    environ.setdefault("HTTP_AUTHORIZATION", _CHECKED)
    environ.update(
        HTTP_HOST="localhost",
        # Encoded, though WSGI has it plain: moto only routes by it, and by no path with a line feed.
        PATH_INFO=quote(path),
        QUERY_STRING=query,
        RAW_URI=uri,
        REQUEST_URI=uri,
    )
