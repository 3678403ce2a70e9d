"""An HTTP request as it came, read once: what its signature is checked over, and what it asks for.

WSGI's own view of a path is decoded, so this is taken from the request line itself; of a parameter that comes twice
the first counts, as it does for moto.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl
from wsgiref.types import WSGIEnvironment

_OF_THE_SIGNATURE: Final = frozenset(
    f"x-amz-{name}"
    for name in ("algorithm", "credential", "date", "expires", "signature", "signedheaders", "security-token")
)
"""Parameters that are no headers in another place."""


@dataclass(frozen=True)
class Request:
    """`path` and `query` are encoded as they came; `headers` are under lower-case names, in UTF-8."""

    method: str
    host: str
    path: str
    query: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]

    @classmethod
    def read(cls, environ: WSGIEnvironment) -> "Request":
        """The request of `environ`, which must have RAW_URI, as werkzeug's server gives it."""
        path, _, query = environ["RAW_URI"].partition("?")
        if not path.startswith("/"):  # as a proxy asks
            path = "/" + path.split("://", 1)[-1].partition("/")[2]
        spelled = environ.get("moto.preserved_header_names", {})
        headers = {
            # WSGI has what it does not know in Latin-1.
            spelled.get(name, name.removeprefix("HTTP_").replace("_", "-")).lower(): value.encode("latin-1").decode(
                errors="replace"
            )
            for name, value in environ.items()
            if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
        }
        return cls(
            method=environ["REQUEST_METHOD"],
            host=environ.get("HTTP_HOST", ""),
            path=path,
            query=query,
            parameters=dict(reversed(parse_qsl(query, keep_blank_values=True))),
            headers=headers,
        )

    def lift(self, environ: WSGIEnvironment) -> None:
        """Make headers of the parameters that stand for some, as in the links of some SDKs."""
        for name, value in self.parameters.items():
            lower = name.lower()
            if lower == "content-md5" or (lower.startswith("x-amz-") and lower not in _OF_THE_SIGNATURE):
                environ.setdefault(f"HTTP_{name.upper().replace('-', '_')}", value.encode().decode("latin-1"))
