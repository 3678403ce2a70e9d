"""An upload's bytes at the emulator: whole, and as the checksums beside them say."""

import base64
import hashlib
import http.client
import socket
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from front_case import KEY, Fronted, error, fronted
from urllib3 import BaseHTTPResponse

DATA = bytes(range(256)) * 1000
CRC32 = base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()
NOT = {
    "ContentMD5": base64.b64encode(bytes(16)).decode(),
    "ChecksumSHA256": base64.b64encode(bytes(32)).decode(),
    "ChecksumSHA1": base64.b64encode(bytes(20)).decode(),
    "ChecksumCRC32": base64.b64encode(b"none").decode(),
}


@pytest.fixture(scope="module")
def aws() -> Iterator[Fronted]:
    with fronted() as started:
        yield started


@pytest.fixture(scope="module")
def bucket(aws: Fronted) -> str:
    return aws.bucket("bodies")


def put(
    aws: Fronted, key: str, body: bytes, *, content: str, headers: dict[str, str], chunked: bool = False
) -> BaseHTTPResponse:
    """A signed PUT whose x-amz-content-sha256 is `content`, sent as it is."""
    host = f"127.0.0.1:{aws.port}"
    request = AWSRequest("PUT", f"{aws.url}/bodies/{key}", headers={"Host": host, **headers})
    signer: Any = S3SigV4Auth(Credentials(KEY, KEY), "s3", "us-east-1")
    signer.payload = lambda request: content
    signer.add_auth(request)
    signed = dict(request.headers.items())
    return aws.http.request("PUT", request.url, body=body, headers=signed, chunked=chunked)


def framed(*chunks: bytes, trailer: str = "", extension: str = "") -> bytes:
    """`chunks` in aws-chunked."""
    parts = [b"%x%s\r\n%s\r\n" % (len(chunk), extension.encode(), chunk) for chunk in chunks]
    return b"".join(parts) + f"0{extension}\r\n{trailer}\r\n".encode()


@pytest.mark.parametrize("name", NOT)
def test_a_wrong_checksum_is_found_before_anything_is_stored(aws: Fronted, bucket: str, name: str) -> None:
    client, sent = aws.client(), len(aws.sent)
    with pytest.raises(ClientError, match="BadDigest"):
        client.put_object(Bucket=bucket, Key=name, Body=DATA, **{name: NOT[name]})
    with pytest.raises(ClientError, match="BadDigest"):
        client.put_object(Bucket=bucket, Key=name, Body=b"", **{name: NOT[name]})
    with pytest.raises(ClientError, match="404"):
        client.head_object(Bucket=bucket, Key=name)
    assert len(aws.sent) == sent


def test_a_right_checksum_is_kept_with_the_object(aws: Fronted, bucket: str) -> None:
    client = aws.client()
    sha256 = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
    md5 = base64.b64encode(hashlib.md5(DATA, usedforsecurity=False).digest()).decode()
    client.put_object(Bucket=bucket, Key="right", Body=DATA, ChecksumSHA256=sha256, ContentMD5=md5)
    got = client.get_object(Bucket=bucket, Key="right", ChecksumMode="ENABLED")
    assert (got["Body"].read(), got["ChecksumSHA256"]) == (DATA, sha256)


def test_the_checksum_of_an_assembled_object_is_not_held_against_the_list_of_its_parts(
    aws: Fronted, bucket: str
) -> None:
    client = aws.client()
    upload = client.create_multipart_upload(Bucket=bucket, Key="parts", ChecksumAlgorithm="CRC32")["UploadId"]
    part = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    tag = client.upload_part(**part, PartNumber=1, Body=DATA)["ETag"]
    listed = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
    client.complete_multipart_upload(**part, MultipartUpload=listed, ChecksumCRC32=CRC32, ChecksumType="FULL_OBJECT")
    assert client.get_object(Bucket=bucket, Key="parts")["Body"].read() == DATA


def test_a_checksum_that_is_none_is_said_to_be_invalid(aws: Fronted, bucket: str) -> None:
    for field, code in (("ContentMD5", "InvalidDigest"), ("ChecksumSHA256", "InvalidRequest")):
        with pytest.raises(ClientError, match=code):
            aws.client().put_object(Bucket=bucket, Key="none", Body=DATA, **{field: "no digest"})


def test_a_body_that_was_not_signed_is_found(aws: Fronted, bucket: str) -> None:
    answer = put(aws, "tampered", DATA, content=hashlib.sha256(b"other").hexdigest(), headers={})
    assert error(answer)[:2] == (400, "XAmzContentSHA256Mismatch")


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    "content", ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"]
)
def test_what_came_in_chunks_is_stored_without_them(aws: Fronted, bucket: str, content: str, chunked: bool) -> None:
    headers = {
        "Content-Encoding": "gzip,aws-chunked",
        "x-amz-decoded-content-length": str(len(DATA)),
        "x-amz-trailer": "x-amz-checksum-crc32",
        "x-amz-sdk-checksum-algorithm": "CRC32",
    }
    body = framed(
        DATA[:70_000], DATA[70_000:], trailer=f"x-amz-checksum-crc32:{CRC32}\r\n", extension=";chunk-signature=0"
    )
    assert put(aws, "chunks", body, content=content, headers=headers, chunked=chunked).status == 200
    stored = aws.client().get_object(Bucket=bucket, Key="chunks", ChecksumMode="ENABLED")
    assert (stored["ContentEncoding"], stored["ChecksumCRC32"]) == ("gzip", CRC32)
    assert stored["Body"].read() == DATA
    assert aws.records[-1]["s3"]["object"]["size"] == len(DATA)
    wrong = framed(DATA, trailer=f"x-amz-checksum-crc32:{NOT['ChecksumCRC32']}\r\n")
    assert error(put(aws, "chunks", wrong, content=content, headers=headers, chunked=chunked))[:2] == (400, "BadDigest")


@pytest.mark.parametrize(
    "body", [framed(DATA[1:]), framed(DATA, b"1"), framed(DATA)[:-70_000], b"-5\r\n", b"no chunks", b""]
)
def test_chunks_that_are_not_what_they_announce_are_refused(aws: Fronted, bucket: str, body: bytes) -> None:
    headers = {"x-amz-decoded-content-length": str(len(DATA)), "Content-Encoding": "aws-chunked"}
    answer = put(aws, "broken", body, content="STREAMING-UNSIGNED-PAYLOAD-TRAILER", headers=headers)
    assert error(answer)[:2] == (400, "IncompleteBody")


def test_a_body_of_unknown_length_is_refused(aws: Fronted, bucket: str) -> None:
    assert error(put(aws, "unknown", DATA, content="UNSIGNED-PAYLOAD", headers={}, chunked=True))[0] == 411


@pytest.mark.parametrize("length", ["", "Content-Length: 1000\r\n"])
def test_a_body_that_is_not_there_makes_no_object(aws: Fronted, bucket: str, length: str) -> None:
    link = aws.client(signature_version="s3v4").generate_presigned_url(
        "put_object", Params={"Bucket": bucket, "Key": "x"}
    )
    with socket.create_connection(("127.0.0.1", aws.port), timeout=30) as connection:
        path = link.removeprefix(aws.url)
        connection.sendall(f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1:{aws.port}\r\n{length}\r\n".encode())
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert (b"<Code>IncompleteBody" if length else b"<Code>MissingContentLength") in answer
    with pytest.raises(ClientError, match="404"):
        aws.client().head_object(Bucket=bucket, Key="x")


def test_a_trailer_that_was_announced_must_come(aws: Fronted, bucket: str) -> None:
    headers = {"x-amz-decoded-content-length": str(len(DATA)), "x-amz-trailer": "x-amz-checksum-crc32"}
    answer = put(aws, "trailer", framed(DATA), content="STREAMING-UNSIGNED-PAYLOAD-TRAILER", headers=headers)
    assert error(answer)[:2] == (400, "MalformedTrailerError")


def test_what_a_links_parameters_say_of_the_body_counts_as_headers_do(aws: Fronted, bucket: str) -> None:
    for checksum, status in ((CRC32, 200), (NOT["ChecksumCRC32"], 400)):
        query = urlencode({"x-amz-checksum-crc32": checksum, "x-amz-meta-a": "1"})
        request = AWSRequest("PUT", f"{aws.url}/{bucket}/link?{query}")
        S3SigV4QueryAuth(Credentials(KEY, KEY), "s3", "us-east-1").add_auth(request)
        assert aws.send("PUT", request.url, DATA).status == status
    stored = aws.client().head_object(Bucket=bucket, Key="link", ChecksumMode="ENABLED")
    assert (stored["Metadata"], stored["ChecksumCRC32"]) == ({"a": "1"}, CRC32)


def test_a_client_that_asks_before_it_sends_is_told_to_go_on_once(aws: Fronted, bucket: str) -> None:
    link = aws.client(signature_version="s3v4").generate_presigned_url(
        "put_object", Params={"Bucket": bucket, "Key": "expect"}
    )
    connection = http.client.HTTPConnection("127.0.0.1", aws.port)
    connection.putrequest("PUT", link.removeprefix(aws.url))
    connection.putheader("Content-Length", str(len(DATA)))
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    assert connection.sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.send(DATA)
    assert connection.getresponse().status == 200
    connection.close()
