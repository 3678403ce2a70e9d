"""Which bucket and key an S3 request is for, in either of S3's two styles of address.

moto is always given the path style, since it takes the first label of any other host for a bucket ("Virtual hosting
of buckets").
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote_to_bytes
from wsgiref.types import WSGIEnvironment

from imgpipe.local.emulator.refused import Refused
from imgpipe.local.emulator.request import Request

_VIRTUAL: Final = re.compile(r"(?!s3\.)(.+?)\.(?:s3\.(?:.+\.)?)?localhost")
"""Hosts as photos.localhost, photos.s3.localhost and photos.s3.us-east-1.localhost."""


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


def address(request: Request) -> Target:
    """Where the request goes. Raises Refused where that is not UTF-8."""
    virtual = _VIRTUAL.fullmatch(re.sub(r":\d+$", "", request.host.lower()))
    path = f"/{virtual[1]}{request.path}" if virtual else request.path
    bucket, _, key = path[1:].partition("/")
    try:
        return Target(
            bucket=unquote_to_bytes(bucket).decode(),
            key=unquote_to_bytes(key).decode(),
            query=request.parameters,
            path=path,
            base=f"http://{request.host}/{'' if virtual else bucket + '/'}",
        )
    except UnicodeDecodeError:
        raise Refused("InvalidURI", "Couldn't parse the specified URI.") from None


def point(environ: WSGIEnvironment, target: Target, query: str = "") -> None:
    """Make `environ` a request for `target`."""
    path = quote(f"/{target.bucket}/{target.key}" if target.key else f"/{target.bucket}")
    uri = f"{path}?{query}" if query else path
    environ.update(
        HTTP_HOST="localhost",
        # Encoded, though WSGI has it plain: moto only routes by it, and by no path with a line feed.
        PATH_INFO=path,
        QUERY_STRING=query,
        RAW_URI=uri,
        REQUEST_URI=uri,
    )
