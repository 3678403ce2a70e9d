"""What AWS refuses, in words: each code keeps its exit code, and each sentence its facts."""

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from imgpipe.errors import AwsError, NoStackError, StackError
from imgpipe.remote.refusals import explained

ARN = "arn:aws:iam::111122223333:user/ada"


def refusal(code: str, message: str = "", http: int = 400, call: str = "DescribeStacks") -> ClientError:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": http}}
    return ClientError(answer, call)


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (refusal("ExpiredToken", "The security token included in the request is expired", 403), "expired", "expired"),
        (refusal("ExpiredTokenException"), "expired", "expired"),
        (refusal("RequestExpired"), "expired", "expired"),
        (refusal("400", "Bad Request", call="HeadObject"), "expired", "expired"),
        (refusal("InvalidClientTokenId", http=403), "bad_credentials", "InvalidClientTokenId"),
        (refusal("SignatureDoesNotMatch", "The signature does not match", 403), "bad_credentials", "Signature"),
        (refusal("InvalidSignatureException", "Signature expired: 2026…", 403), "clock", "time"),
        (refusal("RequestTimeTooSkewed", http=403), "clock", "time"),
        (refusal("AccessDenied", "Access Denied", 403), "denied", "DescribeStacks"),
        (refusal("403", "Forbidden", 403), "denied", "DescribeStacks"),
        (
            refusal(
                "AccessDenied",
                f"User: {ARN} is not authorized to perform: cloudformation:DescribeStacks on resource: "
                "arn:aws:cloudformation:eu-central-1:111122223333:stack/x/* because no identity-based policy allows it",
                403,
            ),
            "denied",
            "cloudformation:DescribeStacks on arn:aws:cloudformation:eu-central-1:111122223333:stack/x/*",
        ),
        (
            refusal("AccessDeniedException", f"User: {ARN} is not authorized to perform: sqs:SendMessage", 400),
            "denied",
            "sqs:SendMessage",
        ),
        (
            refusal("AccessDenied", f'User: {ARN} is not authorized to perform: s3:ListBucket on resource: "arn:b" as'),
            "denied",
            "AWS refused s3:ListBucket on arn:b.",
        ),
        (refusal("ForbiddenException", "No access"), "denied", "DescribeStacks"),
        (refusal("Throttling", "Rate exceeded"), "throttled", "Throttling"),
        (refusal("SlowDown", http=503), "throttled", "SlowDown"),
        (refusal("ServiceUnavailable", "Come back", 503), "unavailable", "Come back"),
        (ResponseParserError("b'<html>"), "not_aws", "AWS"),
    ],
)
def test_who_cannot_be_reached_or_refuses_ends_with_3(error: Exception, code: str, says: str) -> None:
    told = explained(error)
    assert isinstance(told, AwsError)
    assert (told.code, told.exit_code) == (code, 3)
    assert says in told.message
    for sentence in (told.message, told.remedy):
        assert sentence[0].isupper()
        assert sentence.endswith(".")


@pytest.mark.parametrize(
    "message",
    ["Stack with id holiday does not exist", "Stack [holiday] does not exist", "Stack holiday does not exist"],
)
def test_a_stack_that_is_not_there_names_its_option(message: str) -> None:
    told = explained(refusal("ValidationError", message))
    assert isinstance(told, NoStackError)
    assert (told.name, told.exit_code) == ("holiday", 2)
    assert "--stack" in told.remedy


def test_any_other_refusal_is_told_with_aws_s_words() -> None:
    told = explained(refusal("ValidationError", "Template format error: unsupported structure."))
    assert isinstance(told, StackError)
    assert told.exit_code == 1
    assert told.message == "AWS refused DescribeStacks: Template format error: unsupported structure."


@pytest.mark.parametrize("code", ["NoSuchBucket", "ResourceNotFoundException"])
def test_a_part_that_a_stack_has_lost_is_not_to_be_tried_again(code: str) -> None:
    told = explained(refusal(code, "The specified bucket does not exist", 404, "ListObjectsV2"))
    assert isinstance(told, StackError)
    assert "deploy it again" in told.remedy


@pytest.mark.parametrize("error", [ValueError("ours"), TypeError("ours")])
def test_what_is_no_answer_is_not_explained(error: Exception) -> None:
    assert explained(error) is None
