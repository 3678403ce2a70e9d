"""Whose requests the emulator carries out: those that AWS would."""

import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from front_case import KEY, Fronted, error, fronted, xml
from werkzeug.test import EnvironBuilder

from imgpipe.local.emulator.refused import Refused
from imgpipe.local.emulator.signature import check

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
    endless = re.sub("Expires=[0-9]+", "Expires=" + "9" * 5000, old)
    assert error(aws.send("GET", endless))[:2] == (403, "AccessDenied")
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
    odd = {"Host": "[", "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD", "X-Amz-Date": f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"}
    scope = f"{KEY}/20261122/us-east-1/s3/aws4_request"
    signed = "host;x-amz-content-sha256;x-amz-date"
    odd["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={signed}, Signature=0"
    assert error(aws.send("GET", f"{aws.url}/strangers/cat.jpg", headers=odd))[:2] == (403, "AccessDenied")
    for client, code in (
        (aws.client(key="other"), "InvalidAccessKeyId"),
        (aws.client("s3", KEY, "another"), "SignatureDoesNotMatch"),
    ):
        with pytest.raises(ClientError, match=code):
            client.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("service", ["sqs", "S3", "SQS", "dynamodb", "s3tables", "x.s3", "no such"])
@pytest.mark.parametrize("key", ["nobody", KEY])
def test_the_name_of_another_service_opens_no_bucket(aws: Fronted, service: str, key: str) -> None:
    bucket = f"forged-{key}-{abs(hash(service))}"
    aws.bucket(bucket)
    aws.client().put_object(Bucket=bucket, Key="cat.jpg", Body=b"secret")
    aws.sent.clear()
    credential = f"{key}/{datetime.now(UTC):%Y%m%d}/us-east-1/{service}/aws4_request"
    parameters = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": credential, "X-Amz-Expires": "9",
        "X-Amz-Date": f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}", "X-Amz-SignedHeaders": "host", "X-Amz-Signature": "0",
    }  # fmt: skip
    header = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"
    for query, headers in ((f"?{urlencode(parameters)}", {}), ("", {"Authorization": header})):
        for method in ("GET", "PUT", "DELETE"):
            answer = aws.send(method, f"{aws.url}/{bucket}/cat.jpg{query}", b"", headers)
            assert answer.status >= 400
            assert b"secret" not in answer.data
    assert aws.client().get_object(Bucket=bucket, Key="cat.jpg")["Body"].read() == b"secret"
    assert not aws.sent


def test_what_is_signed_for_another_service_never_reaches_a_bucket(aws: Fronted) -> None:
    bucket = aws.bucket("elsewhere")
    aws.client().put_object(Bucket=bucket, Key="cat.jpg", Body=b"secret")
    for service in ("sqs", "logs", "s3tables", "xs3", "sqs.s3"):
        request = AWSRequest("GET", f"{aws.url}/{bucket}/cat.jpg", headers={"Host": f"127.0.0.1:{aws.port}"})
        _sign(request, service)
        answer = aws.send("GET", request.url, headers=dict(request.headers.items()))
        assert (answer.status >= 400, b"secret" in answer.data) == (True, False), service
        link = AWSRequest("GET", request.url)
        SigV4QueryAuth(Credentials(KEY, KEY), service, "us-east-1").add_auth(link)
        answer = aws.send("GET", link.url)
        assert (answer.status >= 400, b"secret" in answer.data) == (True, False), service


@pytest.mark.parametrize(("service", "call"), [("sqs", "list_queues"), ("cloudformation", "list_stacks")])
def test_every_service_asks_for_a_signature(aws: Fronted, service: str, call: str, signed_at: Any) -> None:
    getattr(aws.client(service), call)()
    for client, code in (
        (aws.client(service, key="other"), "InvalidAccessKeyId"),
        (aws.client(service, KEY, "another"), "SignatureDoesNotMatch"),
    ):
        with pytest.raises(ClientError, match=code):
            getattr(client, call)()
    signed_at(timedelta(minutes=16))
    with pytest.raises(ClientError, match="RequestTimeTooSkewed"):
        getattr(aws.client(service), call)()


@pytest.mark.parametrize("service", ["s3", "sqs"])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/moto-api/reset"), ("GET", "/latest/meta-data/"), ("GET", "/favicon.ico")]
)
def test_nobody_reaches_motos_own_pages(aws: Fronted, service: str, method: str, path: str) -> None:
    request = AWSRequest(method, aws.url + path, headers={"Host": f"127.0.0.1:{aws.port}"})
    _sign(request, service)
    aws.client("sqs").create_queue(QueueName="kept")
    assert aws.send(method, request.url, headers=dict(request.headers.items())).status == 403
    assert aws.client("sqs").list_queues(QueueNamePrefix="kept")["QueueUrls"]


def test_a_body_that_never_comes_keeps_nobody_waiting(aws: Fronted) -> None:
    link = aws.client("sqs").generate_presigned_url("list_queues")
    with socket.create_connection(("127.0.0.1", aws.port)) as stalled:
        for place in ("/", link.removeprefix(aws.url)):
            stalled.sendall(
                f"POST {place} HTTP/1.1\r\nHost: 127.0.0.1:{aws.port}\r\nContent-Length: 10\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\n\r\n".encode()
            )
            aws.client(read_timeout=30).list_buckets()


def test_what_moto_cannot_do_is_answered_as_the_service_does(aws: Fronted, capfd: pytest.CaptureFixture[str]) -> None:
    client = aws.client("sqs")
    with pytest.raises(ClientError, match=r"InternalError.*moto failed"):
        client.start_message_move_task(SourceArn="arn:aws:sqs:us-east-1:123456789012:none")
    assert capfd.readouterr() == ("", "")


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
        ("X-Amz-Expires", "9" * 5000, "should be a number"),
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
        f"{bucket}.s3.us-east-1.localhost:4566",
        "s3.localhost",
        "LOCALHOST:4566",
        "[::1]:4566",
    ):
        client = aws.client(signature_version="s3v4", s3={"addressing_style": "path"})
        prefix = "" if host.startswith(bucket) else f"/{bucket}"
        link = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": ODD})
        path = urlsplit(link).path.removeprefix(f"/{bucket}")
        request = AWSRequest(
            "GET", f"http://{host}{prefix}{path}", headers={"Host": host, "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
        )
        _sign(request, "s3")
        answer = aws.send("GET", f"{aws.url}{prefix}{path}", headers=dict(request.headers.items()))
        assert (answer.status, answer.data) == (200, b"pixels"), host


@pytest.mark.parametrize("service", ["s3", "sqs"])
@pytest.mark.parametrize("host", ["evil.com", "evil.com:4566", "localhost.evil.com", "127.0.0.1.evil.com"])
def test_a_name_that_may_lead_elsewhere_is_refused_however_it_is_signed(aws: Fronted, service: str, host: str) -> None:
    request = AWSRequest("GET", f"http://{host}/?Action=ListQueues", headers={"Host": host})
    _sign(request, service)
    answer = aws.send("GET", f"{aws.url}/?Action=ListQueues", headers=dict(request.headers.items()))
    assert (answer.status, b"AccessDenied" in answer.data) == (403, True)


def test_a_signature_is_for_one_region(aws: Fronted) -> None:
    request = AWSRequest("GET", f"{aws.url}/", headers={"Host": f"127.0.0.1:{aws.port}"})
    _sign(request, "s3", "eu-west-1")
    answer = aws.send("GET", request.url, headers=dict(request.headers.items()))
    wrong = "the region 'eu-west-1' is wrong; expecting 'us-east-1'"
    malformed = f"The authorization header is malformed; {wrong}"
    assert error(answer) == (400, "AuthorizationHeaderMalformed", malformed)
    assert xml(answer).findtext("Region") == "us-east-1"
    link = AWSRequest("GET", f"{aws.url}/none/cat.jpg")
    S3SigV4QueryAuth(Credentials(KEY, KEY), "s3", "eu-west-1").add_auth(link)
    malformed = f"Error parsing the X-Amz-Credential parameter; {wrong}"
    assert error(aws.send("GET", link.url)) == (400, "AuthorizationQueryParametersError", malformed)
    request = AWSRequest("GET", f"{aws.url}/?Action=ListQueues", headers={"Host": f"127.0.0.1:{aws.port}"})
    _sign(request, "sqs", "eu-west-1")
    answer = aws.send("GET", request.url, headers=dict(request.headers.items()))
    assert (answer.status, b"scoped to a valid region: 'us-east-1', not 'eu-west-1'" in answer.data) == (403, True)


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


@pytest.mark.parametrize("hours", [0, 1, -8])
def test_a_date_header_is_a_time_as_well_in_whatever_zone(hours: int) -> None:
    date = format_datetime(datetime.now(timezone(timedelta(hours=hours))))
    request = AWSRequest("GET", "http://127.0.0.1/", headers={"Host": "127.0.0.1", "Date": date})
    _sign(request, "execute-api")
    check(_environ(request, b""), "execute-api", {"imgpipe": "imgpipe"})


def _sign(request: AWSRequest, service: str, region: str = "us-east-1") -> None:
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(Credentials("imgpipe", "imgpipe"), service, region).add_auth(request)


def _environ(request: AWSRequest, body: bytes) -> dict[str, Any]:
    builder = EnvironBuilder(method=request.method, data=body, headers=dict(request.headers.items()))
    parts = urlsplit(request.url)
    return {
        **builder.get_environ(),
        "RAW_URI": f"{parts.path}?{parts.query}" if parts.query else parts.path,
        "QUERY_STRING": parts.query,
    }
