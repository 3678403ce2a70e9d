"""Which web pages may use the emulator's buckets: those that the template's rules name."""

from collections.abc import Iterator

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from front_case import KEY, Fronted, error, fronted

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


def signed(aws: Fronted, action: str) -> str:
    """A link by which a browser has SQS do something."""
    link = AWSRequest("GET", f"{aws.url}/?{action}")
    SigV4QueryAuth(Credentials(KEY, KEY), "sqs", "us-east-1").add_auth(link)
    return str(link.url)


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
    for headers in ({"Origin": "http://localhost:3000"}, {"Sec-Fetch-Site": "cross-site"}, {}):
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
    answer = aws.send("GET", signed(aws, "Action=ListQueues"), headers={"Origin": "http://localhost:3000"})
    assert (answer.status, answer.headers.get("Access-Control-Allow-Origin")) == (200, None)


@pytest.mark.parametrize(
    "origin", ["https://evil.com", "null", "http://localhost.evil.com", "http://127.0.0.1.evil.com"]
)
def test_a_page_from_elsewhere_does_nothing_however_well_it_signs(aws: Fronted, url: str, origin: str) -> None:
    for name in ("cat.jpg", "dog.jpg"):
        page = aws.client(signature_version="s3v4")
        link = page.generate_presigned_url("put_object", Params={"Bucket": "pages", "Key": name})
        assert error(aws.send("PUT", link, b"evil", {"Origin": origin}))[:2] == (403, "AccessForbidden")
    form = aws.client().generate_presigned_post("pages", "cat.jpg")
    fields = [*form["fields"].items(), ("file", ("cat.jpg", b"evil", "image/jpeg"))]
    posted = aws.http.request("POST", form["url"], fields=fields, headers={"Origin": origin})
    assert error(posted)[:2] == (403, "AccessForbidden")
    assert error(aws.send("GET", url, headers={"Origin": origin}))[:2] == (403, "AccessForbidden")
    assert aws.send("GET", url).data == b"pixels"


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.com"}, {"Origin": PAGE}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_page_from_elsewhere_reaches_no_other_service(aws: Fronted, headers: dict[str, str]) -> None:
    link = signed(aws, "Action=ListQueues")
    assert aws.send("GET", link, headers={"Sec-Fetch-Site": "same-site"}).status == 200
    answer = aws.send("GET", link, headers=headers)
    assert (answer.status, b"AccessDenied" in answer.data) == (403, True)
