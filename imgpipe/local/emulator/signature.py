"""Whether a request is signed as AWS demands: Signature Version 4, in the Authorization header or in the query.

The signature is botocore's own, computed again from what arrived, so that client and check cannot drift apart. What
S3's x-amz-content-sha256 says of a body is not held against the body here, which is not read (`body.receive` does).
"""

import io
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final
from urllib.parse import quote, unquote_plus, unquote_to_bytes
from wsgiref.types import WSGIEnvironment

from botocore.auth import UNSIGNED_PAYLOAD, S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from werkzeug.wsgi import get_input_stream

from imgpipe.local.emulator.refused import Refused, mismatch, unknown_key, unsigned
from imgpipe.local.emulator.request import Request
from imgpipe.remote.emulated import REGION

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SKEW: Final = 15 * 60
"""Seconds by which a request's time may differ from ours ("Signature Version 4 request signing")."""
LONGEST: Final = 7 * 24 * 3600
"""Seconds for which a presigned URL may hold ("Authenticating requests: using query parameters")."""
_PARAMETERS: Final = ("X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature")
_UNRESERVED: Final = "-_.~"


@dataclass(frozen=True)
class Scope:
    """Whose signature, for which day, region and service."""

    access_key: str
    day: str
    region: str
    service: str

    @classmethod
    def read(cls, credential: str) -> "Scope | None":
        """The parts of `KEY/YYYYMMDD/REGION/SERVICE/aws4_request`; None where it is something else."""
        *key, day, region, service, end = credential.split("/") if credential.count("/") >= 4 else [""] * 5
        return cls("/".join(key), day, region, service) if key[0] and end == "aws4_request" else None

    def __str__(self) -> str:
        """The credential that `read` takes."""
        return f"{self.access_key}/{self.day}/{self.region}/{self.service}/aws4_request"


@dataclass(frozen=True)
class Signature:
    """What a request says of its own signature. `expires`: seconds, of a presigned URL; None in a header."""

    scope: Scope
    headers: tuple[str, ...]
    value: str
    timestamp: str
    expires: int | None


class _Signer(SigV4Auth):  # type: ignore[misc]
    """botocore's signer over exactly the headers that were signed, and a body whose hash is given."""

    def headers_to_sign(self, request: AWSRequest) -> Any:
        return request.headers

    def payload(self, request: AWSRequest) -> str:
        return str(request.context["payload"])


class _S3Signer(_Signer, S3SigV4Auth):  # type: ignore[misc]
    """S3 alone takes the path as it is."""


def check(environ: WSGIEnvironment, service: str, keys: Mapping[str, str]) -> Signature:
    """The request's signature. Raises Refused unless it is for `service`, by one of `keys`, access key -> secret.

    Of services other than S3 the body is read, since it is signed, and put back.
    """
    request = Request.read(environ)
    signature = read(request)
    if signature is None:
        raise unsigned()
    verify(environ, request, signature, service, keys)
    return signature


def verify(
    environ: WSGIEnvironment, request: Request, signature: Signature, service: str, keys: Mapping[str, str]
) -> None:
    """Do as `check` does with a request and a signature that were read already."""
    scope = signature.scope
    if scope.access_key not in keys:
        raise unknown_key(scope.access_key)
    _check_scope(signature, service)
    _check_time(signature)
    _check_covered(signature, request, service)
    signed = AWSRequest(request.method, _url(request, service))
    for name in signature.headers:
        signed.headers[name] = request.headers.get(name, "")
    payload = _payload(environ, request, signature, service)
    signed.context.update(timestamp=signature.timestamp, payload=payload)
    credentials = Credentials(scope.access_key, keys[scope.access_key])
    signer = (_S3Signer if service == "s3" else _Signer)(credentials, service, scope.region)
    text = signer.string_to_sign(signed, signer.canonical_request(signed))
    if not compare_digest(signer.signature(text, signed).encode(), signature.value.encode()):
        raise mismatch(text)


def read(request: Request) -> Signature | None:
    """The request's signature, unchecked; None where it has none. Raises Refused where it cannot be read."""
    header, query = request.headers.get("authorization"), request.parameters
    if header and "X-Amz-Signature" in query:
        raise Refused("InvalidArgument", "Only one auth mechanism allowed.")
    if header:
        return _from_header(request, header)
    if "Signature" in query and "AWSAccessKeyId" in query:
        raise _no_mechanism()
    return _from_query(query) if query.keys() & {"X-Amz-Algorithm", "X-Amz-Signature", "X-Amz-Credential"} else None


def _from_header(request: Request, header: str) -> Signature:
    algorithm, _, rest = header.partition(" ")
    if algorithm != ALGORITHM:
        raise _no_mechanism()
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    scope = Scope.read(parts.get("Credential", ""))
    if not scope or not parts.get("SignedHeaders") or not parts.get("Signature"):
        raise Refused(
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; it takes Credential, SignedHeaders and Signature.",
        )
    timestamp = request.headers.get("x-amz-date") or _timestamp(request.headers.get("date", ""))
    return Signature(scope, tuple(parts["SignedHeaders"].lower().split(";")), parts["Signature"], timestamp, None)


def _from_query(query: Mapping[str, str]) -> Signature:
    if query.get("X-Amz-Algorithm") != ALGORITHM or not all(query.get(name) for name in _PARAMETERS):
        raise _bad_query(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    scope = Scope.read(query["X-Amz-Credential"])
    if not scope:
        raise _bad_query("Error parsing the X-Amz-Credential parameter; the Credential is mal-formed.")
    if not re.fullmatch(r"-?[0-9]{1,18}", query["X-Amz-Expires"]):
        raise _bad_query("X-Amz-Expires should be a number")
    expires = int(query["X-Amz-Expires"])
    if expires < 0:
        raise _bad_query("X-Amz-Expires must be non-negative")
    if expires > LONGEST:
        raise _bad_query(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
            "604800 seconds"
        )
    headers = tuple(query["X-Amz-SignedHeaders"].lower().split(";"))
    return Signature(scope, headers, query["X-Amz-Signature"], query["X-Amz-Date"], expires)


def _check_scope(signature: Signature, service: str) -> None:
    for given, expected, what, rule in (
        (signature.scope.region, REGION, "region", "a valid region"),
        (signature.scope.service, service, "service", "correct service"),
    ):
        if given == expected:
            continue
        if service != "s3":
            raise Refused(
                "SignatureDoesNotMatch", f"Credential should be scoped to {rule}: {expected!r}, not {given!r}."
            )
        wrong = f"the {what} {given!r} is wrong; expecting {expected!r}"
        if signature.expires is not None:
            raise _bad_query(f"Error parsing the X-Amz-Credential parameter; {wrong}")
        raise Refused("AuthorizationHeaderMalformed", f"The authorization header is malformed; {wrong}", Region=REGION)


def _check_time(signature: Signature) -> None:
    try:
        signed = datetime.strptime(signature.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        if signature.expires is not None:
            raise _bad_query("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"") from None
        raise Refused("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header") from None
    now = time.time()
    if signature.expires is not None and now > signed + signature.expires:
        raise Refused("AccessDenied", "Request has expired")
    if signature.expires is not None and now < signed - SKEW:
        raise Refused("AccessDenied", "Request is not valid yet")
    if signature.expires is None and abs(now - signed) > SKEW:
        raise Refused(
            "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."
        )


def _check_covered(signature: Signature, request: Request, service: str) -> None:
    """S3 takes no x-amz- header that its signer did not see, or a link would let its holder add what it likes."""
    demanded = {name for name in request.headers if name.startswith("x-amz-")} if service == "s3" else set()
    missing = (demanded - {"x-amz-content-sha256"} | {"host"}) - set(signature.headers)
    if missing:
        raise Refused(
            "AccessDenied", f"There were headers present in the request which were not signed: {', '.join(missing)}"
        )


def _payload(environ: WSGIEnvironment, request: Request, signature: Signature, service: str) -> str:
    declared = request.headers.get("x-amz-content-sha256", "")
    if service == "s3":
        if signature.expires is None and not declared:
            raise Refused("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
        return declared or UNSIGNED_PAYLOAD
    body = get_input_stream(environ).read()
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
    payload = sha256(body).hexdigest()
    if declared and declared != payload:
        raise mismatch(payload)
    return payload


def _url(request: Request, service: str) -> str:
    """What was asked for, encoded as it is signed: each character but the unreserved ones, and `/` between segments.
    The path of services other than S3 is left as it came, since their signer encodes it once more."""
    path = request.path
    if service == "s3":
        path = "/".join(quote(unquote_to_bytes(segment), safe=_UNRESERVED) for segment in path.split("/"))
    pairs = (pair.partition("=") for pair in request.query.split("&") if pair)
    kept = ((name, value) for name, _, value in pairs if name != "X-Amz-Signature")
    # Whatever host it has: the one that was asked is signed as a header.
    return f"http://localhost{path}?" + "&".join(
        f"{quote(unquote_plus(name), safe=_UNRESERVED)}={quote(unquote_plus(value), safe=_UNRESERVED)}"
        for name, value in kept
    )


def _timestamp(date: str) -> str:
    try:
        parsed = parsedate_to_datetime(date)
        # Of -0000 there is no zone, and it is UTC (RFC 5322).
        return (parsed.astimezone(UTC) if parsed.tzinfo else parsed).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError):
        return ""


def _bad_query(message: str) -> Refused:
    return Refused("AuthorizationQueryParametersError", message)


def _no_mechanism() -> Refused:
    return Refused(
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    )
