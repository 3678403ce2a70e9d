"""Which web pages may read a bucket's answers: S3's CORS rules, of which the first that fits decides.

Without a fitting rule S3 answers a request all the same, and it is the browser that keeps the answer from the page.
The emulator, whose credentials any page knows, refuses it, unless the page is of this machine (`loopback`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from wsgiref.types import WSGIEnvironment

from imgpipe.local.emulator.answers import Answer
from imgpipe.local.emulator.refused import Refused


@dataclass(frozen=True)
class Rule:
    """One of a bucket's rules; origins and headers may hold one `*` ("Elements of a CORS configuration")."""

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    exposed: tuple[str, ...]
    seconds: int | None

    @classmethod
    def read(cls, properties: Mapping[str, Any]) -> tuple["Rule", ...]:
        """The rules in the properties of an AWS::S3::Bucket."""
        return tuple(
            cls(
                origins=tuple(rule["AllowedOrigins"]),
                methods=tuple(rule["AllowedMethods"]),
                headers=tuple(rule.get("AllowedHeaders", ())),
                exposed=tuple(rule.get("ExposedHeaders", ())),
                seconds=int(rule["MaxAge"]) if "MaxAge" in rule else None,
            )
            for rule in properties.get("CorsConfiguration", {}).get("CorsRules", ())
        )

    def answers(self, origin: str, asked: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        """The headers for a page at `origin` that may send the headers it `asked` for."""
        everyone = "*" in self.origins
        yield "Access-Control-Allow-Origin", "*" if everyone else origin
        yield "Access-Control-Allow-Methods", ", ".join(self.methods)
        if asked:
            yield "Access-Control-Allow-Headers", ", ".join(asked)
        if self.exposed:
            yield "Access-Control-Expose-Headers", ", ".join(self.exposed)
        if self.seconds is not None:
            yield "Access-Control-Max-Age", str(self.seconds)
        if not everyone:
            yield "Access-Control-Allow-Credentials", "true"
        yield "Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


def preflight(rules: tuple[Rule, ...], environ: WSGIEnvironment) -> Answer:
    """The answer to a browser that asks first. Raises Refused where no rule fits."""
    origin, method = environ.get("HTTP_ORIGIN"), environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
    if not origin or not method:
        raise Refused("BadRequest", "Insufficient information. Origin request header needed.")
    if not rules:
        raise Refused("AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.")
    asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
    headers = tuple(name.strip().lower() for name in asked.split(",") if name.strip())
    rule = _fitting(rules, origin, method, headers)
    if rule is None:
        raise not_allowed()
    return Answer(200, (*rule.answers(origin, headers), ("Content-Length", "0")))


def not_allowed() -> Refused:
    """What is said to a page that no rule fits."""
    return Refused(
        "AccessForbidden",
        "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request "
        "method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the "
        "resource's CORS spec.",
    )


def headers(rules: tuple[Rule, ...], environ: WSGIEnvironment, method: str) -> tuple[tuple[str, str], ...]:
    """What an answer to the request of a page carries beside its own headers."""
    origin = environ.get("HTTP_ORIGIN")
    rule = _fitting(rules, origin, method, ()) if origin else None
    return tuple(rule.answers(str(origin), ())) if rule else ()


def _fitting(rules: tuple[Rule, ...], origin: str, method: str, headers: tuple[str, ...]) -> Rule | None:
    return next(
        (
            rule
            for rule in rules
            if method in rule.methods
            and any(_fits(allowed, origin) for allowed in rule.origins)
            and all(any(_fits(allowed.lower(), name) for allowed in rule.headers) for name in headers)
        ),
        None,
    )


def _fits(pattern: str, value: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), value) is not None
