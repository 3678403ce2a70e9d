"""What a presigned form may upload to the emulator, and what S3 answers to it."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from front_case import Fronted, error, fronted, xml

BAD = "Invalid according to Policy: "


@pytest.fixture(scope="module")
def aws() -> Iterator[Fronted]:
    with fronted() as started:
        yield started


@pytest.fixture(scope="module")
def bucket(aws: Fronted) -> str:
    return aws.bucket("forms")


@pytest.fixture
def form(aws: Fronted, bucket: str) -> Any:
    """A form for one JPEG of 3 to 5 bytes, as the API hands them out."""
    aws.sent.clear()
    fields = {"Content-Type": "image/jpeg"}
    conditions = [{"key": "up/cat.jpg"}, fields, ["content-length-range", 3, 5]]
    return aws.client(signature_version="s3v4").generate_presigned_post(
        bucket, "up/cat.jpg", Fields=dict(fields), Conditions=conditions
    )


def test_an_upload_that_fits_its_form_is_stored_and_told_once(aws: Fronted, bucket: str, form: Any) -> None:
    answer = aws.post(form, b"12345")
    assert (answer.status, answer.data) == (204, b"")
    stored = aws.client().get_object(Bucket=bucket, Key="up/cat.jpg")
    assert (stored["Body"].read(), stored["ContentType"]) == (b"12345", "image/jpeg")
    assert answer.headers["ETag"] == stored["ETag"]
    assert answer.headers["x-amz-version-id"] == stored["VersionId"]
    assert [(record["eventName"], record["s3"]["object"]["size"]) for record in aws.records] == [
        ("ObjectCreated:Post", 5)
    ]


@pytest.mark.parametrize(
    ("data", "fields", "expected"),
    [
        (b"123456", {}, (400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")),
        (b"12", {}, (400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")),
        (b"", {}, (400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")),
        (b"123", {"key": "up/dog.jpg"},
         (403, "AccessDenied", BAD + 'Policy Condition failed: ["eq", "$key", "up/cat.jpg"]')),
        (b"123", {"Content-Type": "image/JPEG"},
         (403, "AccessDenied", BAD + 'Policy Condition failed: ["eq", "$Content-Type", "image/jpeg"]')),
        (b"123", {"acl": "public-read"}, (403, "AccessDenied", BAD + "Extra input fields: acl")),
        (b"123", {"x-amz-signature": "0" * 64}, (403, "SignatureDoesNotMatch", None)),
        (b"123", {"policy": "e30="}, (403, "SignatureDoesNotMatch", None)),
        (b"123", {"x-amz-credential": "nobody/20261122/us-east-1/s3/aws4_request"}, (403, "InvalidAccessKeyId", None)),
        (b"123", {"x-amz-signature": ""}, (400, "InvalidArgument", None)),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_form_is_refused_in_s3s_words_and_stores_nothing(
    aws: Fronted, form: Any, data: bytes, fields: dict[str, str], expected: tuple[int, str, str | None]
) -> None:
    status, code, message = error(aws.post(form, data, **fields))
    assert (status, code) == expected[:2]
    assert expected[2] in (None, message)
    assert aws.records == []


def test_a_form_ends(aws: Fronted, bucket: str) -> None:
    form = aws.client(signature_version="s3v4").generate_presigned_post(bucket, "late.jpg", ExpiresIn=-1)
    assert error(aws.post(form, b"123")) == (403, "AccessDenied", BAD + "Policy expired.")


def test_a_form_without_a_policy_is_a_strangers(aws: Fronted, form: Any) -> None:
    form["fields"] = {"key": "cat.jpg"}
    assert error(aws.post(form, b"123")) == (403, "AccessDenied", "Access Denied")


def test_a_form_is_for_the_bucket_that_it_was_signed_for(aws: Fronted, bucket: str, form: Any) -> None:
    other = aws.bucket("not-for-forms")
    form["url"] = f"{aws.url}/{other}"
    for fields in ({}, {"bucket": bucket}):
        assert error(aws.post(form, b"123", **fields))[:2] == (403, "AccessDenied")
    assert aws.client().list_objects_v2(Bucket=other)["KeyCount"] == 0


def test_the_browsers_own_headers_are_not_the_objects(aws: Fronted, bucket: str, form: Any) -> None:
    parts = [*form["fields"].items(), ("file", ("cat.jpg", b"123", "image/jpeg"))]
    headers = {
        "Cache-Control": "no-cache", "Content-Encoding": "identity", "Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA==",
        "If-None-Match": "*", "Authorization": "Basic", "x-amz-meta-a": "1",
    }  # fmt: skip
    for _ in range(2):
        answer = aws.http.request("POST", form["url"], fields=parts, headers=headers, redirect=False)
        assert answer.status == 204
    stored = aws.client().head_object(Bucket=bucket, Key="up/cat.jpg")
    assert stored.keys() & {"CacheControl", "ContentEncoding"} == set()
    assert stored["Metadata"] == {}


def test_a_fields_value_makes_no_other_header(aws: Fronted, bucket: str) -> None:
    fields = {"x-amz-meta-a": "1\r\nX-Evil: yes"}
    form = aws.client(signature_version="s3v4").generate_presigned_post(
        bucket, "evil", Fields=dict(fields), Conditions=[fields]
    )
    assert error(aws.post(form, b"123"))[:2] == (400, "InvalidArgument")


def head_of(aws: Fronted, form: Any, length: int) -> bytes:
    """A form up to the first bytes of its file, announced to be as long as that."""
    parts = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in form["fields"].items()
    )
    file = '--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n123456'
    return (
        f"POST {form['url'].removeprefix(aws.url)} HTTP/1.1\r\nHost: 127.0.0.1:{aws.port}\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {length}\r\n\r\n{parts}{file}"
    ).encode()


@pytest.mark.parametrize(
    ("fields", "code"), [({}, b"EntityTooLarge"), ({"x-amz-signature": "0"}, b"SignatureDoesNotMatch")]
)
def test_nobody_waits_for_a_file_that_is_refused(aws: Fronted, form: Any, fields: dict[str, str], code: bytes) -> None:
    form["fields"] |= fields
    with socket.create_connection(("127.0.0.1", aws.port), timeout=30) as connection:
        connection.sendall(head_of(aws, form, 10**12) + bytes(1 << 16))
        answer = b""
        while b"</Error>" not in answer:
            answer += connection.recv(1 << 16)
        assert code in answer


def test_a_file_that_ends_early_is_not_stored(aws: Fronted, form: Any) -> None:
    with socket.create_connection(("127.0.0.1", aws.port), timeout=30) as connection:
        connection.sendall(head_of(aws, form, 10**4))
        connection.shutdown(socket.SHUT_WR)
        assert b"<Code>" in b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert not aws.records


@pytest.mark.parametrize(
    "before",
    [
        b"".join(b'--x\r\nContent-Disposition: form-data; name="%d"\r\n\r\n\r\n' % number for number in range(400)),
        b'--x\r\nContent-Disposition: form-data; name="' + b"a" * 21_000,
        b"--x\r\nA: " + b"a" * 21_000 + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n',
    ],
)
def test_whatever_comes_before_the_file_is_bounded(aws: Fronted, bucket: str, before: bytes) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert error(aws.send("POST", f"{aws.url}/{bucket}", before, kind))[1] == "MaxPostPreDataLengthExceeded"


def test_what_follows_the_file_does_not_count(aws: Fronted, form: Any) -> None:
    parts = [*form["fields"].items(), ("file", ("cat.jpg", b"1234", "image/jpeg")), ("key", "other.jpg")]
    assert aws.http.request("POST", form["url"], fields=parts).status == 204
    first = [("file", ("cat.jpg", b"1234", "image/jpeg")), *form["fields"].items()]
    assert error(aws.http.request("POST", form["url"], fields=first))[1] == "AccessDenied"
    assert error(aws.http.request("POST", form["url"], fields=list(form["fields"].items())))[1] == "InvalidArgument"


def test_a_large_file_and_large_fields(aws: Fronted, bucket: str) -> None:
    client = aws.client(signature_version="s3v4")
    data = bytes(range(256)) * 12_000 + b"\r\n--"
    form = client.generate_presigned_post(bucket, "large.bin")
    assert aws.post(form, data).status == 204
    assert client.get_object(Bucket=bucket, Key="large.bin")["Body"].read() == data
    assert error(aws.post(form, b"123", note="x" * 21_000))[1] == "MaxPostPreDataLengthExceeded"


def test_the_files_own_name_fills_in_the_key(aws: Fronted, bucket: str) -> None:
    client = aws.client(signature_version="s3v4")
    form = client.generate_presigned_post(
        bucket, "in/${filename}", Fields={"success_action_status": "201"},
        Conditions=[["starts-with", "$key", "in/"], {"success_action_status": "201"}],
    )  # fmt: skip
    answer = aws.post(form, b"123", name="my cat é.jpg")
    root = xml(answer)
    assert (answer.status, root.findtext("Key"), root.findtext("Bucket")) == (201, "in/my cat é.jpg", bucket)
    assert root.findtext("Location") == f"{aws.url}/{bucket}/in%2Fmy%20cat%20%C3%A9.jpg" == answer.headers["Location"]
    assert client.head_object(Bucket=bucket, Key="in/my cat é.jpg")["ContentLength"] == 3


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.com/done?album=1", (303, "http://example.com/done?album=1&{}")),
        ("http://example.com/\u00e9#top", (303, "http://example.com/%C3%A9?{}#top")),
        ("http://[example", (204, None)),
        ("javascript:alert(1)", (204, None)),
    ],
)
def test_a_form_may_lead_the_browser_on(aws: Fronted, bucket: str, url: str, expected: tuple[int, str | None]) -> None:
    where = {"success_action_redirect": url}
    form = aws.client(signature_version="s3v4").generate_presigned_post(
        bucket, "a/b.jpg", Fields=dict(where), Conditions=[where]
    )
    answer = aws.post(form, b"123")
    status, place = expected
    query = f"bucket={bucket}&key=a%2Fb.jpg&etag=%22202cb962ac59075b964b07152d234b70%22"
    assert answer.status == status
    assert place is None or answer.headers["Location"] == place.format(query)


def test_a_wrong_checksum_in_the_form_is_found(aws: Fronted, bucket: str) -> None:
    fields = {
        "x-amz-checksum-algorithm": "SHA256",
        "x-amz-checksum-sha256": "pmWkWSBCL51Bfkhn79xPuKBKHz//H6B+mY6G9/eieuM=",
    }
    form = aws.client(signature_version="s3v4").generate_presigned_post(
        bucket, "sum.jpg", Fields=dict(fields), Conditions=[{name: value} for name, value in fields.items()]
    )
    assert error(aws.post(form, b"124"))[:2] == (400, "BadDigest")
    assert aws.post(form, b"123").status == 204


def test_the_older_signature_is_taken(aws: Fronted, bucket: str) -> None:
    form = aws.client(signature_version="s3").generate_presigned_post(bucket, "old.jpg")
    assert "AWSAccessKeyId" in form["fields"]
    assert aws.post(form, b"123").status == 204
    form["fields"]["signature"] = "AAAA"
    assert error(aws.post(form, b"123"))[1] == "SignatureDoesNotMatch"


def test_what_xml_cannot_hold_is_answered_all_the_same(aws: Fronted, bucket: str) -> None:
    client = aws.client(signature_version="s3v4")
    status = {"success_action_status": "201"}
    form = client.generate_presigned_post(bucket, "a\x01\rb", Fields=dict(status), Conditions=[status])
    assert xml(aws.post(form, b"123")).findtext("Key") == "a\ufffd\rb"
    form = client.generate_presigned_post(bucket, "a", Conditions=[["eq", "$key", "\ud800"]])
    assert error(aws.post(form, b"123"))[:2] == (403, "AccessDenied")


def test_what_is_no_form_is_told_so(aws: Fronted, bucket: str) -> None:
    for kind, code in (("text/plain", "PreconditionFailed"), ("multipart/form-data", "MalformedPOSTRequest")):
        assert error(aws.send("POST", f"{aws.url}/{bucket}", b"x", {"Content-Type": kind}))[1] == code
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert error(aws.send("POST", f"{aws.url}/{bucket}", b"--x\r\nnothing", broken))[1] == "MalformedPOSTRequest"
