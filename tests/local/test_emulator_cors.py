"""Which web pages may use the emulator's buckets: those that the template's rules name."""

from collections.abc import Iterator

import pytest
from front_case import Fronted, error, fronted

PAGE = "https://photos.example.com"
RULES = [
    {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://*.example.com"], "ExposedHeaders": ["ETag"], "MaxAge": 60},
    {"AllowedMethods": ["GET", "POST"], "AllowedOrigins": [PAGE], "AllowedHeaders": ["content-*"]},
    {"AllowedMethods": ["HEAD"], "AllowedOrigins": ["*"]},
]


@pytest.fixture(scope="module")
def aws() -> Iterator[Fronted]:
    with fronted() as started:
        yield started


@pytest.fixture(scope="module")
def url(aws: Fronted) -> str:
    bucket = aws.bucket("pages", CorsConfiguration={"CorsRules": RULES})
    aws.client().put_object(Bucket=bucket, Key="cat.jpg", Body=b"pixels")
    client = aws.client(signature_version="s3v4")
    return str(client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "cat.jpg"}))


def ask(origin: str, method: str, headers: str = "") -> dict[str, str]:
    asked = {"Access-Control-Request-Headers": headers} if headers else {}
    return {"Origin": origin, "Access-Control-Request-Method": method, **asked}


def test_a_browser_that_asks_first_is_answered_by_the_first_rule_that_fits(aws: Fronted, url: str) -> None:
    first = aws.send("OPTIONS", url, headers=ask(PAGE, "GET"))
    assert (first.status, first.headers["Access-Control-Max-Age"]) == (200, "60")
    second = aws.send("OPTIONS", url, headers=ask(PAGE, "POST", "Content-Type"))
    assert second.headers["Access-Control-Allow-Origin"] == PAGE
    assert second.headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert second.headers["Access-Control-Allow-Headers"] == "content-type"
    third = aws.send("OPTIONS", url, headers=ask("http://anywhere", "HEAD"))
    assert third.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("origin", "method", "headers"),
    [(PAGE, "DELETE", ""), ("https://example.com.evil", "GET", ""), (PAGE, "POST", "content-type, x-other")],
)
def test_a_browser_is_told_where_no_rule_fits(aws: Fronted, url: str, origin: str, method: str, headers: str) -> None:
    answer = aws.send("OPTIONS", url, headers=ask(origin, method, headers))
    assert error(answer)[:2] == (403, "AccessForbidden")
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_an_answer_may_be_read_by_the_pages_that_a_rule_names_alone(aws: Fronted, url: str) -> None:
    answer = aws.send("GET", url, headers={"Origin": PAGE})
    assert (answer.data, answer.headers["Access-Control-Allow-Origin"]) == (b"pixels", PAGE)
    assert answer.headers["Access-Control-Expose-Headers"] == "ETag"
    for headers in ({"Origin": "https://evil.com"}, {}):
        answer = aws.send("GET", url, headers=headers)
        assert (answer.status, "Access-Control-Allow-Origin" in answer.headers) == (200, False)
    refused = aws.send("GET", f"{aws.url}/pages/cat.jpg", headers={"Origin": PAGE})
    assert (refused.status, refused.headers["Access-Control-Allow-Origin"]) == (403, PAGE)


def test_without_rules_no_page_reads_anything(aws: Fronted) -> None:
    aws.bucket("closed")
    assert error(aws.send("OPTIONS", f"{aws.url}/closed/cat.jpg", headers=ask(PAGE, "GET")))[:2] == (
        403,
        "AccessForbidden",
    )
    signed = aws.client("sqs").generate_presigned_url("list_queues")
    assert aws.send("GET", signed, headers={"Origin": PAGE}).headers.get("Access-Control-Allow-Origin") is None
