"""The policy language of presigned forms, condition by condition."""

import base64
import json
from typing import Any

import pytest

from imgpipe.local.emulator.form_signature import check
from imgpipe.local.emulator.post_policy import Policy
from imgpipe.local.emulator.refused import Refused


def policy(*conditions: Any, expiration: str = "2999-01-01T00:00:00Z") -> Policy:
    return Policy.read(
        base64.b64encode(json.dumps({"expiration": expiration, "conditions": conditions}).encode()).decode()
    )


@pytest.mark.parametrize(
    ("condition", "fields"),
    [
        ({"key": "a"}, {"key": "a"}),
        ({"KEY": "a"}, {"key": "a"}),
        (["eq", "$key", "a"], {"key": "a"}),
        (["starts-with", "$key", ""], {"key": "anything"}),
        (["starts-with", "$key", "up/"], {"key": "up/cat.jpg"}),
        (["starts-with", "$Content-Type", "image/"], {"content-type": "image/jpeg"}),
        (["starts-with", "$Content-Type", "image/"], {"content-type": "image/jpeg, image/png"}),
        ({"bucket": "photos"}, {}),
        ({"bucket": "photos"}, {"bucket": "other"}),
        ({"key": "a"}, {"key": "a", "x-ignore-me": "1", "policy": "…", "x-amz-signature": "…"}),
    ],
)
def test_a_condition_that_holds(condition: Any, fields: dict[str, str]) -> None:
    policy(condition).check("photos", fields)


@pytest.mark.parametrize(
    ("condition", "fields"),
    [
        ({"key": "a"}, {"key": "A"}),
        ({"key": "a"}, {}),
        (["starts-with", "$key", ""], {}),
        (["eq", "key", "a"], {"key": "a"}),
        (["starts-with", "$key", "up/"], {"key": "Up/cat.jpg"}),
        (["starts-with", "$key", "up"], {"key": "x,up"}),
        (["starts-with", "$Content-Type", "image/"], {"content-type": "image/jpeg,text/html"}),
        ({"bucket": "other"}, {}),
        ({"bucket": "other"}, {"bucket": "other"}),
        ({"key": "a"}, {"key": "a", "acl": "private"}),
    ],
)
def test_a_condition_that_fails(condition: Any, fields: dict[str, str]) -> None:
    with pytest.raises(Refused):
        policy(condition).check("photos", fields)


def test_the_lengths_of_a_file_are_those_that_every_range_allows() -> None:
    assert policy().lengths == (0, 5 * 2**30)
    assert policy(["content-length-range", 10, "20"], ["content-length-range", "5", 15]).lengths == (10, 15)
    for bounds in (("a", "b"), (-1, 2), (0, "9" * 5000)):
        with pytest.raises(Refused):
            _ = policy(["content-length-range", *bounds]).lengths


@pytest.mark.parametrize(
    "document",
    [
        b"no JSON", b"[]", b"{}", b'{"conditions": []}', b'{"expiration": "2999-01-01T00:00:00Z"}',
        b'{"expiration": "2999-01-01 00:00", "conditions": []}',
        b'{"expiration": "2999-01-01T00:00:00Z", "conditions": {}}',
        *(b'{"expiration": "2999-01-01T00:00:00Z", "conditions": [%s]}' % condition for condition in (
            b"{}", b'{"a": "1", "b": "2"}', b'{"key": 1}', b"[]", b'["eq", "$key"]', b'["content-length-range", 1]',
            b'["ends-with", "$key", "x"]', b'["eq", "$key", 1]', b"1",
        )),
    ],
)  # fmt: skip
def test_a_policy_that_is_none_is_said_to_be_invalid(document: bytes) -> None:
    with pytest.raises(Refused) as refused:
        Policy.read(base64.b64encode(document).decode())
    assert refused.value.code == "InvalidPolicyDocument"


def test_a_policy_ends() -> None:
    with pytest.raises(Refused, match="Policy expired"):
        policy(expiration="2020-01-01T00:00:00.000Z").check("photos", {})


def test_amazons_own_example_is_signed_as_amazon_says() -> None:
    # "Example: browser-based upload using HTTP POST (using AWS Signature Version 4)"
    lines = (
        '{ "expiration": "2015-12-30T12:00:00.000Z",', '  "conditions": [', '    {"bucket": "sigv4examplebucket"},',
        '    ["starts-with", "$key", "user/user1/"],', '    {"acl": "public-read"},',
        '    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},',
        '    ["starts-with", "$Content-Type", "image/"],', '    {"x-amz-meta-uuid": "14365123651274"},',
        '    {"x-amz-server-side-encryption": "AES256"},', '    ["starts-with", "$x-amz-meta-tag", ""],', "",
        '    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},',
        '    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},', '    {"x-amz-date": "20151229T000000Z" }', "  ]", "}",
    )  # fmt: skip
    fields = {
        "policy": base64.b64encode("\r\n".join(lines).encode()).decode(),
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request",
        "x-amz-date": "20151229T000000Z",
        "x-amz-signature": "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e",
    }
    check(fields, {"AKIAIOSFODNN7EXAMPLE": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"})
