"""An HTTP API in front of a function, asked over HTTP by clients that sign as AWS's own do."""

import base64
import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from function_case import Logged

from imgpipe.local.emulator.function import PAYLOAD_BYTES
from imgpipe.local.emulator.gateway import BODY_BYTES, Gateway
from imgpipe.local.emulator.heard import Trouble
from imgpipe.local.emulator.server import serve

KEYS = {"imgpipe": "secret"}
ROUTES = ("GET /images", "GET /images/{id}", "POST /images", "POST /images/{id}/reprocess")
CORS = {
    "AllowOrigins": ["https://photos.example", "http://*"],
    "AllowMethods": ["GET", "POST", "DELETE"],
    "AllowHeaders": ["authorization", "content-type"],
    "MaxAge": 3600,
}
HANDLER = """
    import json

    def handler(event, context):
        if event["rawPath"].endswith("/reprocess"):
            answer = json.loads(event["body"])
            if answer == "raise":
                raise ValueError("a secret")
            return "x" * 7_000_000 if answer == "too much" else answer
        return {"event": event}
"""
Answered = urllib3.BaseHTTPResponse


class Client:
    """What asks the API at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._pool = urllib3.PoolManager(retries=False)

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answered:
        """An unsigned request."""
        return self._pool.request(method, self.url + path, body=body, headers=headers)

    def sign(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        secret: str = "secret",  # noqa: S107  opens nothing
        service: str = "execute-api",
        region: str = "us-east-1",
        host: str = "",
    ) -> Answered:
        """A request signed by botocore."""
        request = AWSRequest(method, f"http://{host}{path}" if host else self.url + path, data=body)
        SigV4Auth(Credentials("imgpipe", secret), service, region).add_auth(request)
        sent = urllib3.HTTPHeaderDict({"host": host} if host else {})
        sent.extend(headers or {})
        sent.extend(request.headers.items())
        return self.ask(method, path, body, sent)

    def event(self, *args: Any, **options: Any) -> dict[str, Any]:
        """The event that the function was given."""
        answer = self.sign(*args, **options)
        assert answer.status == 200, answer.data
        event: dict[str, Any] = answer.json()["event"]
        return event

    def answer(self, answer: object) -> Answered:
        """What becomes of the function's `answer`."""
        headers = {"content-type": "application/json"}
        return self.sign("POST", "/images/x/reprocess", json.dumps(answer).encode(), headers)


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    logged = Logged(tmp_path_factory.mktemp("code"), HANDLER)
    yield logged
    logged.function.close()


def serving(function: Logged, cors: Mapping[str, Any] | None) -> Iterator[Client]:
    server = serve(Gateway(ROUTES, function.function, KEYS, cors), 0)
    yield Client(f"http://127.0.0.1:{server.port}")
    server.close()


@pytest.fixture(scope="module")
def api(function: Logged) -> Iterator[Client]:
    yield from serving(function, None)


@pytest.fixture(scope="module")
def open_api(function: Logged) -> Iterator[Client]:
    """The API for which web pages are configured."""
    yield from serving(function, CORS)


def message(answer: Answered) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["apigw-requestid"]
    document = answer.json()
    assert document.keys() == {"message"}
    return answer.status, document["message"]


def test_an_event_has_the_shape_of_payload_format_2(api: Client) -> None:
    before = int(time.time() * 1000)
    event = api.event("GET", "/images?status=done", headers={"User-Agent": "tests/1", "Cookie": "a=1; b=2"})
    context = event["requestContext"]
    assert context.pop("authorizer") == {
        "iam": {
            "accessKey": "imgpipe",
            "accountId": "123456789012",
            "callerId": "imgpipe",
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": "arn:aws:iam::123456789012:user/imgpipe",
            "userId": "imgpipe",
        }
    }
    assert context.pop("http") == {
        "method": "GET",
        "path": "/images",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "tests/1",
    }
    assert before <= context.pop("timeEpoch") <= time.time() * 1000
    assert re.fullmatch(r"\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000", context.pop("time"))
    assert len(context.pop("requestId")) == 16
    assert context == {
        "accountId": "123456789012",
        "apiId": "127",
        "domainName": "127.0.0.1",
        "domainPrefix": "127",
        "routeKey": "GET /images",
        "stage": "$default",
    }
    headers = event.pop("headers")
    assert headers["host"] == api.url.removeprefix("http://")
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 ")
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-port"] == api.url.rpartition(":")[2]
    assert headers["x-amzn-trace-id"].startswith("Root=1-")
    assert "cookie" not in headers
    event.pop("requestContext")
    assert event == {
        "version": "2.0",
        "routeKey": "GET /images",
        "rawPath": "/images",
        "rawQueryString": "status=done",
        "queryStringParameters": {"status": "done"},
        "cookies": ["a=1", "b=2"],
        "isBase64Encoded": False,
    }


def test_what_comes_twice_is_joined_by_commas(api: Client) -> None:
    headers = urllib3.HTTPHeaderDict([("X-Tag", "a"), ("X-Tag", "b")])
    event = api.event("GET", "/images?b=2&a=%26%20x&a=y&empty=", headers=headers)
    assert event["rawQueryString"] == "b=2&a=%26%20x&a=y&empty="
    assert event["queryStringParameters"] == {"b": "2", "a": "& x,y", "empty": ""}
    assert event["headers"]["x-tag"] == "a,b"


@pytest.mark.parametrize(
    ("segment", "parameter"),
    [("YS5qcGc", "YS5qcGc"), ("d%C3%A9j%C3%A0%20%2B1", "déjà +1"), ("!(*)'", "!(*)'"), ("%21%2A", "!*")],
)
def test_paths_and_their_parameters_arrive_decoded(api: Client, segment: str, parameter: str) -> None:
    event = api.event("GET", f"/images/{segment}")
    assert event["pathParameters"] == {"id": parameter}
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == f"/images/{parameter}"
    assert event["routeKey"] == event["requestContext"]["routeKey"] == "GET /images/{id}"


@pytest.mark.parametrize(
    ("media_type", "body", "is_text"),
    [
        ("application/json", '{"name": "é.jpg"}'.encode(), True),
        ("text/csv; charset=utf-8", b"a,b", True),
        ("application/json", b"\xff\xfe", False),
        ("application/x-www-form-urlencoded", b"a=b", False),
        ("image/png", b"\x89PNG", False),
        ("", b"plain", False),
    ],
)
def test_a_body_comes_as_text_or_in_base64_by_its_type(
    api: Client, media_type: str, body: bytes, is_text: bool
) -> None:
    event = api.event("POST", "/images", body, {"content-type": media_type} if media_type else None)
    assert event["isBase64Encoded"] is not is_text
    assert (event["body"].encode() if is_text else base64.b64decode(event["body"])) == body


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/imagesx"),
        ("GET", "/images/"),
        ("GET", "/images/a%2Fb"),
        ("DELETE", "/images"),
        ("HEAD", "/images"),
        ("OPTIONS", "/images"),
    ],
)
def test_what_no_route_is_for_is_not_found_whoever_asks(api: Client, method: str, path: str) -> None:
    answers = [api.ask(method, path), api.sign(method, path)]
    assert [answer.status for answer in answers] == [404, 404]
    assert method == "HEAD" or {message(answer) for answer in answers} == {(404, "Not Found")}


def test_who_does_not_sign_as_asked_is_forbidden(api: Client, function: Logged) -> None:
    forbidden = (403, "Forbidden")
    assert message(api.ask("GET", "/images")) == forbidden
    assert message(api.ask("GET", "/images", headers={"authorization": "Bearer token"})) == forbidden
    assert message(api.sign("GET", "/images", secret="guessed")) == forbidden  # noqa: S106  it must not open anything
    assert message(api.sign("GET", "/images", service="s3")) == forbidden
    assert message(api.sign("GET", "/images", region="eu-west-1")) == forbidden
    request = AWSRequest("GET", api.url + "/images")
    SigV4Auth(Credentials("imgpipe", "secret"), "execute-api", "us-east-1").add_auth(request)
    signed = dict(request.headers.items())
    assert message(api.ask("GET", "/images?status=done", headers=signed)) == forbidden
    assert api.ask("GET", "/images", headers=signed).status == 200


def test_an_answer_with_a_status_is_passed_on(api: Client) -> None:
    answer = api.answer(
        {
            "statusCode": 201,
            "headers": {"content-type": "application/problem+json", "x-count": 3, "x-ok": True},
            "cookies": ["a=1; Secure", "b=2"],
            "body": "é",
        }
    )
    assert (answer.status, answer.data.decode()) == (201, "é")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.headers["x-count"], answer.headers["x-ok"]) == ("3", "true")
    assert answer.headers.getlist("set-cookie") == ["a=1; Secure", "b=2"]


def test_an_answer_in_base64_is_passed_on_as_bytes(api: Client) -> None:
    body = base64.b64encode(b"\x89PNG").decode()
    answer = api.answer({"statusCode": "200", "isBase64Encoded": True, "body": body})
    assert (answer.status, answer.data) == (200, b"\x89PNG")


@pytest.mark.parametrize(
    ("answer", "body"), [({"a": [1, "é"]}, b'{"a":[1,"\\u00e9"]}'), ("plain é", "plain é".encode()), (None, b"null")]
)
def test_an_answer_without_a_status_is_the_body(api: Client, answer: object, body: bytes) -> None:
    got = api.answer(answer)
    assert (got.status, got.headers["content-type"], got.data) == (200, "application/json", body)


def test_an_answer_with_a_status_alone_has_no_body(api: Client) -> None:
    answer = api.answer({"statusCode": 204})
    assert (answer.status, answer.data) == (204, b"")


@pytest.mark.parametrize(
    "answer",
    [
        "raise",
        "too much",
        {"statusCode": "many"},
        {"statusCode": None},
        {"statusCode": 1000},
        {"statusCode": 200, "body": {"not": "a string"}},
        {"statusCode": 200, "body": "no base64!", "isBase64Encoded": True},
        {"statusCode": 200, "headers": ["x"]},
        {"statusCode": 200, "headers": {"x": ["y"]}},
        {"statusCode": 200, "headers": {"x": "y\r\nz: 1"}},
        {"statusCode": 200, "cookies": "a=1"},
    ],
)
def test_a_function_that_fails_or_answers_nonsense_is_an_error_that_tells_nothing(api: Client, answer: object) -> None:
    assert message(api.answer(answer)) == (500, "Internal Server Error")


@pytest.mark.parametrize("size", [PAYLOAD_BYTES, BODY_BYTES + 1, 30_000_000])
def test_a_body_that_is_too_long_is_refused(api: Client, size: int) -> None:
    answer = api.sign("POST", "/images", b"x" * size, {"content-type": "text/plain"})
    assert message(answer) == (413, "Request Entity Too Large")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://photos.example", "https://photos.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://elsewhere.example", None),
    ],
)
def test_pages_of_the_configured_origins_may_call(open_api: Client, origin: str, allowed: str | None) -> None:
    asks = {"origin": origin, "access-control-request-method": "POST"}
    preflight = open_api.ask("OPTIONS", "/images", headers=asks)
    assert (preflight.status, preflight.data) == (204, b"")
    assert preflight.headers.get("access-control-allow-methods") == ("GET,POST,DELETE" if allowed else None)
    assert preflight.headers.get("access-control-allow-headers") == ("authorization,content-type" if allowed else None)
    assert preflight.headers.get("access-control-max-age") == ("3600" if allowed else None)
    answers = [preflight, open_api.ask("GET", "/images", headers={"origin": origin})]
    answers.append(open_api.sign("GET", "/images", headers={"origin": origin}))
    assert [answer.status for answer in answers] == [204, 403, 200 if allowed else 403]
    assert [answer.headers.get("access-control-allow-origin") for answer in answers] == [allowed] * 3


def test_only_the_configuration_says_who_may_read_an_answer(open_api: Client) -> None:
    answer = open_api.answer({"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}})
    assert answer.status == 200
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://localhost.elsewhere.example"])
def test_a_page_from_elsewhere_is_forbidden_however_well_it_signs(api: Client, open_api: Client, origin: str) -> None:
    assert message(api.sign("GET", "/images", headers={"origin": origin})) == (403, "Forbidden")
    assert api.sign("GET", "/images", headers={"origin": "http://localhost:3000"}).status == 200
    answer = open_api.sign("POST", "/images", headers={"origin": origin.replace("http:", "https:")})
    assert message(answer) == (403, "Forbidden")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:4567", 200),
        ("[::1]:4567", 200),
        ("api.localhost", 200),
        ("evil.com", 403),
        ("localhost.evil.com", 403),
    ],
)
def test_only_a_name_of_this_machine_reaches_the_function(api: Client, host: str, status: int) -> None:
    assert api.sign("GET", "/images", host=host).status == status


def test_every_origin_may_be_allowed(function: Logged, tmp_path: Path) -> None:
    for api in serving(function, CORS | {"AllowOrigins": ["*"]}):
        assert api.ask("GET", "/images", headers={"origin": "x://y"}).headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-origin" not in api.ask("GET", "/images").headers


def test_what_is_not_answered_in_time_is_503_and_the_emulator_says_so(tmp_path: Path) -> None:
    slow = Logged(tmp_path, "import time\ndef handler(event, context): time.sleep(1000)")
    told: list[Trouble] = []
    server = serve(Gateway(ROUTES, slow.function, KEYS, timeout=0.2, tell=told.append), 0)
    answer = Client(f"http://127.0.0.1:{server.port}").sign("GET", "/images")
    assert message(answer) == (503, "Service Unavailable")
    assert told == [Trouble("GET /images was not answered in 0.2 seconds: 503 for its caller.")]
    slow.function.close()
    server.close()


def test_a_function_that_fails_is_told_to_the_emulator_and_not_to_the_caller(function: Logged) -> None:
    told: list[Trouble] = []
    server = serve(Gateway(ROUTES, function.function, KEYS, tell=told.append), 0)
    answer = Client(f"http://127.0.0.1:{server.port}").answer("raise")
    assert message(answer) == (500, "Internal Server Error")
    assert told == [Trouble("imgpipe-test ended with ValueError: 500 for its caller.")]
    server.close()


def test_the_route_that_names_more_of_a_path_is_taken(function: Logged) -> None:
    routes = ("GET /{any}/{id}", "GET /images/{id}", "GET /images/all", "GET /{any}/all")
    server = serve(Gateway(routes, function.function, KEYS), 0)
    client = Client(f"http://127.0.0.1:{server.port}")
    taken = [client.event("GET", path)["routeKey"] for path in ("/images/all", "/images/x", "/a/all", "/a/b")]
    assert taken == ["GET /images/all", "GET /images/{id}", "GET /{any}/all", "GET /{any}/{id}"]
    server.close()
