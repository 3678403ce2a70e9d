"""Which requests come from this machine's own programs and web pages.

The credentials here are public, so that a signature proves nothing of a web page: any could sign for itself. What it
cannot change is what the browser says of it, in Host, Origin and Sec-Fetch-Site.
"""

import re
from typing import Final
from wsgiref.types import WSGIEnvironment

_HOST: Final = re.compile(r"(?:127\.0\.0\.1|\[::1\]|(?:[\w.-]+\.)?localhost)(?::\d+)?", re.ASCII | re.IGNORECASE)


def is_asked_here(environ: WSGIEnvironment) -> bool:
    """Whether the request is for a name that is this machine's everywhere. Any other can be anyone's, whose pages would
    then count as ours ("DNS rebinding")."""
    return _HOST.fullmatch(environ.get("HTTP_HOST", "")) is not None


def foreign_origin(environ: WSGIEnvironment) -> str | None:
    """The origin of the page that asks, `null` included; None where that is of this machine, or no page."""
    origin: str | None = environ.get("HTTP_ORIGIN")
    ours = origin is None or _HOST.fullmatch(re.sub("^https?://", "", origin))
    return None if ours else origin


def is_embedded(environ: WSGIEnvironment) -> bool:
    """Whether a page of another site has the browser ask, as it does for an image, without saying which page."""
    return "HTTP_ORIGIN" not in environ and environ.get("HTTP_SEC_FETCH_SITE") == "cross-site"
