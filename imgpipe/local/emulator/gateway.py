"""An HTTP API before a function: its routes, callers that sign as AWS_IAM asks, and the web pages that may call it.

What API Gateway answers itself is a JSON document with a message and no more: why a signature is refused, or how the
function failed, its caller does not learn.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any, Final, NamedTuple
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.wrappers import Response
from werkzeug.wsgi import get_input_stream

from imgpipe.local.emulator import loopback, payload, signature
from imgpipe.local.emulator.environment import FunctionError
from imgpipe.local.emulator.function import PAYLOAD_BYTES, Function
from imgpipe.local.emulator.heard import Trouble
from imgpipe.local.emulator.refused import Refused

BODY_BYTES: Final = 10 * 1024 * 1024
"""The most that a request's body may have ("Quotas for configuring and running an HTTP API")."""
CONCURRENCY: Final = 10
"""Calls that are answered at once; others wait. An account may have a thousand, and this machine a few cores."""
_PIECE: Final = 1 << 20


class _Route(NamedTuple):
    key: str
    method: str
    path: re.Pattern[str]

    @classmethod
    def read(cls, key: str) -> "_Route":
        """From `METHOD /path/{name}`, where a name stands for one segment."""
        method, path = key.split(" ")
        return cls(key, method, re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))))

    @property
    def vagueness(self) -> tuple[bool, ...]:
        """For each segment, whether it is any: of two routes for one path the one that names more of it is taken."""
        return tuple("{" in segment for segment in self.key.split("/"))


class Gateway:
    """A WSGI application that gives what is asked of `routes`, each as in `GET /images/{id}`, to `function`.

    `keys` are the callers' access keys and secrets; `cors` is the CorsConfiguration of an AWS::ApiGatewayV2::Api, and
    `timeout`, in seconds, the integration's, whose default is API Gateway's own. `tell` takes what no caller learns.
    """

    def __init__(
        self,
        routes: Sequence[str],
        function: Function,
        keys: Mapping[str, str],
        cors: Mapping[str, Any] | None = None,
        timeout: float = 30,
        tell: Callable[[Trouble], None] = lambda _: None,
    ) -> None:
        self._routes = sorted(map(_Route.read, routes), key=lambda route: route.vagueness)
        self._function = function
        self._keys = keys
        self._cors = cors
        self._timeout = timeout
        self._tell = tell
        self._calls = ThreadPoolExecutor(CONCURRENCY, "api")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request_id = payload.new_request_id()
        if self._cors and environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
            response = _preflight(self._cors, environ)
        else:
            response = self._answer(environ, request_id)
        if self._cors:
            _allow(self._cors, environ, response)
        response.headers["apigw-requestid"] = request_id
        return response(environ, start_response)

    def _answer(self, environ: WSGIEnvironment, request_id: str) -> Response:
        body = _read(environ)
        if body is None:
            return _said(413, "Request Entity Too Large")
        path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        found = [
            (route.key, match.groupdict())
            for route in self._routes
            if route.method == environ["REQUEST_METHOD"] and (match := route.path.fullmatch(path))
        ]
        if not found:
            return _said(404, "Not Found")
        access_key = self._access_key(environ)
        if access_key is None:
            return _said(403, "Forbidden")
        event = payload.event(payload.Call(request_id, access_key, *found[0], path, body), environ)
        if len(json.dumps(event)) > PAYLOAD_BYTES:
            return _said(413, "Request Entity Too Large")
        call = self._calls.submit(self._function.invoke, event)
        try:
            return payload.response(call.result(self._timeout))
        except TimeoutError:
            call.cancel()
            self._tell(
                Trouble(f"{event['routeKey']} was not answered in {self._timeout:g} seconds: 503 for its caller.")
            )
            return _said(503, "Service Unavailable")
        except (FunctionError, payload.Malformed) as error:
            why = f"ended with {error.error_type}" if isinstance(error, FunctionError) else "answered what is no answer"
            self._tell(Trouble(f"{self._function.name} {why}: 500 for its caller."))
            return _said(500, "Internal Server Error")

    def _access_key(self, environ: WSGIEnvironment) -> str | None:
        """Whose request it is; None where it is not signed as it must be, or comes from a page that may not call."""
        foreign = loopback.foreign_origin(environ) and not (self._cors and _origin(self._cors, environ))
        if foreign or not loopback.is_asked_here(environ):
            return None
        try:
            return signature.check(environ, "execute-api", self._keys).scope.access_key
        except Refused:
            return None


def _preflight(cors: Mapping[str, Any], environ: WSGIEnvironment) -> Response:
    """The answer to a browser that asks first, of which the function hears nothing."""
    response = Response(status=204)
    if _origin(cors, environ):
        response.headers["Access-Control-Allow-Methods"] = ",".join(cors["AllowMethods"])
        response.headers["Access-Control-Allow-Headers"] = ",".join(cors["AllowHeaders"])
        response.headers["Access-Control-Max-Age"] = str(cors["MaxAge"])
    return response


def _allow(cors: Mapping[str, Any], environ: WSGIEnvironment, response: Response) -> None:
    """Say which page may read the answer, whatever the function says of that."""
    del response.headers["Access-Control-Allow-Origin"]
    if origin := _origin(cors, environ):
        response.headers["Access-Control-Allow-Origin"] = origin


def _origin(cors: Mapping[str, Any], environ: WSGIEnvironment) -> str | None:
    """The origin that may read the answer, or `*`; None where the page that asks may not."""
    origin = environ.get("HTTP_ORIGIN", "")
    if not origin or "*" in cors["AllowOrigins"]:
        return "*" if origin else None
    return origin if {origin, f"{origin.partition(':')[0]}://*"} & set(cors["AllowOrigins"]) else None


def _read(environ: WSGIEnvironment) -> bytes | None:
    """The body, put back for the signature's check; None where it is too long. All of it is read in any case: a client
    that still sends when its connection is closed does not see the answer."""
    stream = get_input_stream(environ)
    body = stream.read(BODY_BYTES + 1)
    if len(body) > BODY_BYTES:
        while stream.read(_PIECE):
            pass
        return None
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(body), str(len(body))
    return body


def _said(status: int, message: str) -> Response:
    return Response(json.dumps({"message": message}), status, content_type="application/json")
