"""Whose requests the emulator carries out: those that AWS would."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from front_case import KEY, Fronted, error, fronted
from werkzeug.test import EnvironBuilder

from imgpipe.local.emulator.signature import Refused, check

ODD = "a b/é+%2F'()!*~&?=#$@:;,.jpg"


@pytest.fixture(scope="module")
def aws() -> Iterator[Fronted]:
    with fronted() as started:
        yield started


@pytest.fixture
def signed_at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let what is signed from now on be signed at another time."""

    def move(by: timedelta) -> None:
        monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: datetime.now(UTC) + by)

    return move


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_url_is_for_one_method_and_one_address(aws: Fronted, version: str) -> None:
    bucket = aws.bucket(f"links-{version}")
    client = aws.client(signature_version=version)
    aws.client().put_object(Bucket=bucket, Key=ODD, Body=b"pixels")
    asked = {"Bucket": bucket, "Key": ODD, "ResponseContentType": "image/x"}
    link = client.generate_presigned_url("get_object", Params=asked)
    answer = aws.send("GET", link)
    assert (answer.status, answer.data, answer.headers["Content-Type"]) == (200, b"pixels", "image/x")
    assert aws.send("HEAD", link).status == 403
    for tampered in (
        link.replace("image%2Fx", "text%2Fhtml"),
        link.replace("/a%20b/", "/a%20c/"),
        link + "&versionId=1",
    ):
        assert error(aws.send("GET", tampered))[:2] == (403, "SignatureDoesNotMatch")


def test_a_presigned_url_ends(aws: Fronted, signed_at: Any) -> None:
    asked = {"Bucket": "nowhere", "Key": "cat.jpg"}
    old = aws.client(signature_version="s3").generate_presigned_url("get_object", Params=asked, ExpiresIn=-1)
    signed_at(timedelta(seconds=-61))
    client = aws.client(signature_version="s3v4")
    for link in (old, client.generate_presigned_url("get_object", Params=asked, ExpiresIn=60)):
        assert error(aws.send("GET", link)) == (403, "AccessDenied", "Request has expired")
    assert error(aws.send("GET", client.generate_presigned_url("get_object", Params=asked)))[1] == "NoSuchBucket"


def test_a_presigned_put_takes_the_headers_that_were_signed_and_no_other_of_amazons(aws: Fronted) -> None:
    bucket = aws.bucket("presigned-put")
    asked = {"Bucket": bucket, "Key": "cat.jpg", "ContentType": "image/jpeg"}
    link = aws.client(signature_version="s3v4").generate_presigned_url("put_object", Params=asked)
    assert error(aws.send("PUT", link, b"x", {"Content-Type": "text/html"}))[1] == "SignatureDoesNotMatch"
    more = {"Content-Type": "image/jpeg", "x-amz-acl": "public-read"}
    assert "not signed: x-amz-acl" in error(aws.send("PUT", link, b"x", more))[2]
    assert not aws.records
    assert aws.send("PUT", link, b"x", {"Content-Type": "image/jpeg"}).status == 200
    assert [record["eventName"] for record in aws.records] == ["ObjectCreated:Put"]


def test_a_stranger_is_refused(aws: Fronted) -> None:
    bucket = aws.bucket("strangers")
    aws.client().put_object(Bucket=bucket, Key="cat.jpg", Body=b"x", ACL="public-read")
    for method, path in (
        ("GET", "/strangers/cat.jpg"),
        ("GET", "/"),
        ("PUT", "/strangers/dog.jpg"),
        ("POST", "/moto-api/reset"),
    ):
        assert error(aws.send(method, aws.url + path)) == (403, "AccessDenied", "Access Denied")
    assert aws.send("HEAD", f"{aws.url}/strangers/cat.jpg").data == b""
    for client, code in (
        (aws.client(key="other"), "InvalidAccessKeyId"),
        (aws.client("s3", KEY, "another"), "SignatureDoesNotMatch"),
    ):
        with pytest.raises(ClientError, match=code):
            client.list_objects_v2(Bucket=bucket)


def test_a_clock_may_be_a_quarter_of_an_hour_wrong(aws: Fronted, signed_at: Any) -> None:
    signed_at(timedelta(minutes=14))
    aws.client().list_buckets()
    for minutes in (16, -16):
        signed_at(timedelta(minutes=minutes))
        with pytest.raises(ClientError, match="RequestTimeTooSkewed"):
            aws.client().list_buckets()


@pytest.mark.parametrize(
    ("parameter", "value", "reason"),
    [
        ("X-Amz-Expires", "604801", "less than a week"),
        ("X-Amz-Expires", "-1", "non-negative"),
        ("X-Amz-Expires", "soon", "should be a number"),
        ("X-Amz-Date", "yesterday", "ISO8601"),
        ("X-Amz-Credential", "imgpipe", "mal-formed"),
        ("X-Amz-Algorithm", "none", "requires the X-Amz-Algorithm"),
    ],
)
def test_a_malformed_presigned_url_is_told_what_is_wrong(aws: Fronted, parameter: str, value: str, reason: str) -> None:
    link = aws.client(signature_version="s3v4").generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    url, _, query = link.partition("?")
    pairs = [f"{parameter}={value}" if pair.startswith(f"{parameter}=") else pair for pair in query.split("&")]
    status, code, message = error(aws.send("GET", f"{url}?{'&'.join(pairs)}"))
    assert (status, code) == (400, "AuthorizationQueryParametersError")
    assert reason in message


def test_both_styles_of_address_reach_the_same_object(aws: Fronted) -> None:
    bucket = aws.bucket("styles")
    aws.client().put_object(Bucket=bucket, Key=ODD, Body=b"pixels")
    for host in (
        f"{bucket}.localhost",
        f"{bucket}.s3.localhost",
        f"{bucket}.s3.us-east-1.amazonaws.com",
        "s3.localhost",
    ):
        client = aws.client(signature_version="s3v4", s3={"addressing_style": "path"})
        prefix = f"/{bucket}" if host == "s3.localhost" else ""
        link = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": ODD})
        path = urlsplit(link).path.removeprefix(f"/{bucket}")
        request = AWSRequest(
            "GET", f"http://{host}{prefix}{path}", headers={"Host": host, "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
        )
        _sign(request, "s3")
        answer = aws.send("GET", f"{aws.url}{prefix}{path}", headers=dict(request.headers.items()))
        assert (answer.status, answer.data) == (200, b"pixels"), host


def test_another_services_body_is_signed_too() -> None:
    request = AWSRequest(
        "POST", "http://127.0.0.1/uploads?b=2&a=1%2F", headers={"Host": "127.0.0.1"}, data=b'{"size": 1}'
    )
    _sign(request, "execute-api")
    environ = _environ(request, b'{"size": 1}')
    check(environ, "execute-api", {"imgpipe": "imgpipe"})
    assert environ["wsgi.input"].read() == b'{"size": 1}'
    for tampered, service in ((b'{"size": 2}', "execute-api"), (b'{"size": 1}', "s3")):
        with pytest.raises(Refused):
            check(_environ(request, tampered), service, {"imgpipe": "imgpipe"})


def test_a_date_header_is_a_time_as_well() -> None:
    request = AWSRequest(
        "GET",
        "http://127.0.0.1/",
        headers={"Host": "127.0.0.1", "Date": format_datetime(datetime.now(UTC), usegmt=True)},
    )
    _sign(request, "execute-api")
    check(_environ(request, b""), "execute-api", {"imgpipe": "imgpipe"})


def _sign(request: AWSRequest, service: str) -> None:
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(Credentials("imgpipe", "imgpipe"), service, "us-east-1").add_auth(request)


def _environ(request: AWSRequest, body: bytes) -> dict[str, Any]:
    builder = EnvironBuilder(method=request.method, data=body, headers=dict(request.headers.items()))
    parts = urlsplit(request.url)
    return {
        **builder.get_environ(),
        "RAW_URI": f"{parts.path}?{parts.query}" if parts.query else parts.path,
        "QUERY_STRING": parts.query,
    }
