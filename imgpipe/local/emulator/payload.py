"""An HTTP request as the event that an HTTP API gives a function, and what the function answers as an HTTP response.

This is payload format 2.0 ("Create AWS Lambda proxy integrations for HTTP APIs in API Gateway"). Unlike a REST API an
HTTP API decodes the path before anything else, `%2F` included.
"""

import base64
import binascii
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl
from wsgiref.types import WSGIEnvironment

from werkzeug.wrappers import Request, Response

from imgpipe.local.emulator.function import ACCOUNT

_TEXT: Final = ("application/json", "application/javascript", "application/xml")
"""Media types, beside text/*, of bodies that arrive as text. All others come in base64, even forms and none at all."""


class Malformed(Exception):
    """The function's answer is none that API Gateway can pass on."""


@dataclass(frozen=True)
class Call:
    """A request for the function: who calls, as an access key, and the route with the parameters in `path`."""

    request_id: str
    access_key: str
    route: str
    parameters: Mapping[str, str]
    path: str
    body: bytes


def new_request_id() -> str:
    """16 characters, as API Gateway's are."""
    return base64.b64encode(secrets.token_bytes(11)).decode()


def event(call: Call, environ: WSGIEnvironment) -> dict[str, Any]:
    """The event for `call`, whose request is `environ`."""
    request = Request(environ)
    now = time.time()
    domain = request.host.partition(":")[0]
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": call.route,
        "rawPath": call.path,
        "rawQueryString": environ["QUERY_STRING"],
        "headers": dict(_headers(request)),
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": domain.partition(".")[0],
            "authorizer": {"iam": _caller(call.access_key)},
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": request.method,
                "path": call.path,
                "protocol": environ["SERVER_PROTOCOL"],
                "sourceIp": request.remote_addr,
                "userAgent": request.user_agent.string,
            },
            "requestId": call.request_id,
            "routeKey": call.route,
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if "Cookie" in request.headers:
        made["cookies"] = request.headers["Cookie"].split("; ")
    if query := parse_qsl(environ["QUERY_STRING"], keep_blank_values=True):
        made["queryStringParameters"] = _joined(query)
    if call.parameters:
        made["pathParameters"] = dict(call.parameters)
    if call.body:
        made["isBase64Encoded"], made["body"] = _body(call.body, request.mimetype)
    return made


def response(answer: object) -> Response:
    """The response that `answer` stands for. Raises Malformed."""
    if not isinstance(answer, dict) or "statusCode" not in answer:
        text = answer if isinstance(answer, str) else json.dumps(answer, separators=(",", ":"))
        return Response(text, 200, content_type="application/json")
    status, body, headers = answer["statusCode"], answer.get("body"), answer.get("headers") or {}
    cookies = answer.get("cookies") or []
    if not isinstance(headers, dict) or not isinstance(cookies, list) or not isinstance(body, str | None):
        raise Malformed
    try:
        data = base64.b64decode(body or "", validate=True) if answer.get("isBase64Encoded") else body or ""
        made = Response(data, int(status))
        made.headers["Content-Type"] = "text/plain; charset=utf-8"
        for name, value in headers.items():
            made.headers[name] = _scalar(value)
        for cookie in cookies:
            made.headers.add("Set-Cookie", _scalar(cookie))
    except (binascii.Error, TypeError, ValueError):
        raise Malformed from None
    if not 200 <= made.status_code <= 599:
        raise Malformed
    return made


def _headers(request: Request) -> Iterator[tuple[str, str]]:
    """Their names in lower case, those that came twice joined by commas, and what API Gateway adds."""
    for name, value in request.headers:
        if name.lower() not in ("cookie", "connection"):
            yield name.lower(), value
    trace = f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    yield from {
        "x-amzn-trace-id": trace,
        "x-forwarded-for": request.remote_addr or "",
        "x-forwarded-port": request.environ["SERVER_PORT"],
        "x-forwarded-proto": request.scheme,
    }.items()


def _caller(access_key: str) -> dict[str, str | None]:
    """The user whose key it is; here each key has a user of its name."""
    return {
        "accessKey": access_key,
        "accountId": ACCOUNT,
        "callerId": access_key,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": f"arn:aws:iam::{ACCOUNT}:user/{access_key}",
        "userId": access_key,
    }


def _joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: ",".join(each) for name, each in values.items()}


def _body(data: bytes, media_type: str) -> tuple[bool, str]:
    """Whether the body comes in base64, and the body."""
    if media_type.startswith("text/") or media_type in _TEXT:
        try:
            return False, data.decode()
        except UnicodeDecodeError:
            pass
    return True, base64.b64encode(data).decode()


def _scalar(value: object) -> str:
    """A header's value as a string. Raises TypeError where it is neither a string, a number nor a boolean."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise TypeError
