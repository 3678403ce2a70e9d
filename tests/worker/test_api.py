"""Each route's answers, with S3, SQS and DynamoDB played by moto."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from moto_cases import REGION, aws, client, make_bucket, make_table
from msgspec import UNSET
from msgspec.structs import replace
from simulation import RECIPES

from imgpipe.adapters.dynamodb import DynamoDBCatalog
from imgpipe.adapters.s3 import S3Presigner, S3Store
from imgpipe.adapters.sqs import SqsQueue
from imgpipe.core.recipe_file import document
from imgpipe.errors import IMAGE_ERRORS
from imgpipe.worker.api import PAGE, ROUTES, Ports, respond
from imgpipe.worker.events import Job, Message
from imgpipe.worker.ids import to_id
from imgpipe.worker.ports import Claim, Record, Rendition, Status
from imgpipe.worker.problems import STATUS

KEY = "a/cat.jpg"
IMAGE = f"/images/{to_id(KEY)}"
UPLOAD = {"name": "cat.jpg", "content_type": "image/jpeg", "size": 1234}


def record(key: str, status: Status) -> Record:
    made = Rendition(preset="web", key=f"web/{key}", width=8, height=6, bytes=9, format="jpeg", watermark=False)
    claim = Claim(attempt="a1", ends=1.5, keys=(made.key,)) if status == "processing" else UNSET
    return Record(
        key=key, status=status, width=4032, height=3024, format="jpeg", updated="2026-11-22T10:00:00.000Z",
        renditions=(made,) if status == "done" else (), claim=claim,
    )  # fmt: skip


class Api:
    """The API over an empty account."""

    def __init__(self) -> None:
        s3, sqs, dynamodb = client("s3", signature_version="s3v4"), client("sqs"), client("dynamodb")
        for bucket in ("photos", "made"):
            make_bucket(s3, bucket, versions=True)
        make_table(dynamodb, "catalog")
        self.sqs, self.queue = sqs, sqs.create_queue(QueueName="jobs")["QueueUrl"]
        self.catalog = DynamoDBCatalog(dynamodb, "catalog")
        self.sources = S3Store(s3, "photos")
        presigner = S3Presigner(s3, "photos")
        self.ports = Ports(
            recipe=RECIPES[0], source_bucket="photos", region=REGION, sources=self.sources,
            catalog=self.catalog, feed=self.catalog, uploads=presigner, source_links=presigner,
            rendition_links=S3Presigner(s3, "made"), queue=SqsQueue(sqs, self.queue),
        )  # fmt: skip
        self.errors: list[Exception] = []

    def answer(self, method: str, path: str, body: str | None = None, **event: Any) -> dict[str, Any]:
        request = {"version": "2.0", "rawPath": path, "requestContext": {"http": {"method": method}}, "body": body}
        return respond(request | event, self.ports, self.errors.append)

    def ask(self, method: str, path: str, body: object = None, **query: str) -> tuple[int, Any]:
        """The status and the document."""
        made = self.answer(method, path, None if body is None else json.dumps(body), queryStringParameters=query)
        document = json.loads(made["body"])
        if made["statusCode"] >= 400:
            assert made["headers"]["content-type"] == "application/problem+json"
            assert document["status"] == made["statusCode"] == STATUS[document["code"]]
            assert document["type"] == f"urn:imgpipe:problem:{document['code']}"
            assert all(document[name].endswith(".") for name in ("detail", "remedy"))
        else:
            assert made["headers"]["content-type"] == "application/json"
        assert made["headers"]["cache-control"] == "no-store"
        assert self.errors == []
        return made["statusCode"], document


@pytest.fixture
def api() -> Iterator[Api]:
    with aws():
        yield Api()


def test_health_and_recipe_tell_what_runs(api: Api) -> None:
    status, health = api.ask("GET", "/health")
    assert (status, health["status"], health["recipe"]) == (200, "ok", RECIPES[0].hash)
    assert api.ask("GET", "/recipe") == (200, json.loads(json.dumps(document(RECIPES[0]))))


def test_an_upload_is_offered_for_five_minutes_under_a_key_of_its_own(api: Api) -> None:
    status, offer = api.ask("POST", "/images", UPLOAD | {"name": "../../My cat.jpg"})
    assert status == 201
    assert offer["id"] == to_id(offer["key"])
    assert offer["key"].endswith("/My-cat.jpg")
    fields = offer["upload"]["fields"]
    assert (fields["key"], fields["Content-Type"]) == (offer["key"], "image/jpeg")
    policy = json.loads(base64.b64decode(fields["policy"]))
    assert ["content-length-range", 1234, 1234] in policy["conditions"]
    signed = f"{fields['x-amz-date'][9:11]}:{fields['x-amz-date'][11:13]}"
    minutes = [int(time[:2]) * 60 + int(time[3:]) for time in (signed, policy["expiration"][11:16])]
    assert (minutes[1] - minutes[0]) % 1440 == 5


def test_a_checksum_is_pinned_too(api: Api) -> None:
    checksum = base64.b64encode(b"\1" * 32).decode()
    _, offer = api.ask("POST", "/images", UPLOAD | {"checksum": checksum})
    policy = json.loads(base64.b64decode(offer["upload"]["fields"]["policy"]))
    assert {"x-amz-checksum-sha256": checksum} in policy["conditions"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"content_type": "image/svg+xml"}, "unsupported_format"),
        ({"size": 10**12}, "too_many_bytes"),
        ({"size": 0}, "empty"),
        ({"size": -1}, "bad_request"),
        ({"size": "1"}, "bad_request"),
        ({"size": 1.5}, "bad_request"),
        ({"name": ""}, "bad_request"),
        ({"name": None}, "bad_request"),
        ({"key": "mine.jpg"}, "bad_request"),
        ({"checksum": "short"}, "bad_request"),
        ({"checksum": ""}, "bad_request"),
    ],
)
def test_an_upload_that_may_not_be_is_refused(api: Api, change: dict[str, Any], code: str) -> None:
    assert api.ask("POST", "/images", UPLOAD | change)[1]["code"] == code


@pytest.mark.parametrize("body", [None, "", "{", "[]", "\u00ff"])
def test_a_body_that_is_none_is_refused(api: Api, body: str | None) -> None:
    assert json.loads(api.answer("POST", "/images", body)["body"])["code"] == "bad_request"


def test_a_whole_number_of_bytes_may_have_a_point(api: Api) -> None:
    _, offer = api.ask("POST", "/images", UPLOAD | {"size": 1234.0})
    policy = json.loads(base64.b64decode(offer["upload"]["fields"]["policy"]))
    assert ["content-length-range", 1234, 1234] in policy["conditions"]


def test_a_body_in_base64_is_read(api: Api) -> None:
    body = base64.b64encode(json.dumps(UPLOAD).encode()).decode()
    assert api.answer("POST", "/images", body, isBase64Encoded=True)["statusCode"] == 201


def test_an_image_is_nothing_then_queued_then_its_record_with_links(api: Api) -> None:
    assert api.ask("GET", IMAGE)[1]["code"] == "not_found"
    api.sources.write(KEY, b"12345", "image/jpeg")
    status, queued = api.ask("GET", IMAGE)
    assert (status, queued["status"], queued["bytes"], queued["key"]) == (200, "queued", 5, KEY)
    revision = api.catalog.put(record(KEY, "processing"), None)
    _, processing = api.ask("GET", IMAGE)
    assert processing["status"] == "processing"
    assert "claim" not in processing
    api.catalog.put(record(KEY, "done"), revision)
    _, done = api.ask("GET", IMAGE)
    assert (done["status"], done["id"], done["width"]) == ("done", to_id(KEY), 4032)
    (web,) = done["renditions"]
    assert "/web/a/cat.jpg?" in web["url"]
    assert "response-content-type=image%2Fjpeg" in web["url"]
    assert "X-Amz-Expires=900" in web["url"]
    assert "/a/cat.jpg?" in done["url"]


def test_a_deleted_image_is_told_until_it_is_there_again(api: Api) -> None:
    api.catalog.put(record(KEY, "deleted"), None)
    assert api.ask("GET", IMAGE)[1]["status"] == "deleted"
    api.sources.write(KEY, b"1", "image/jpeg")
    assert api.ask("GET", IMAGE)[1]["status"] == "queued"


def test_a_source_that_is_no_image_gets_no_link(api: Api) -> None:
    api.catalog.put(replace(record(KEY, "failed"), format=None), None)
    assert "url" not in api.ask("GET", IMAGE)[1]


def test_deleting_removes_the_source_once(api: Api) -> None:
    api.sources.write(KEY, b"1", "image/jpeg")
    assert api.ask("DELETE", IMAGE) == (202, {"id": to_id(KEY), "key": KEY})
    assert api.sources.is_gone(KEY)
    assert api.ask("DELETE", IMAGE)[0] == 404


def test_reprocessing_sends_a_forced_job(api: Api) -> None:
    assert api.ask("POST", f"{IMAGE}/reprocess")[0] == 404
    api.sources.write(KEY, b"1", "image/jpeg")
    assert api.ask("POST", f"{IMAGE}/reprocess")[0] == 202
    (sent,) = api.sqs.receive_message(QueueUrl=api.queue)["Messages"]
    assert Message("m1", 3, sent["Body"]).jobs() == (Job(KEY, force=True),)
    assert json.loads(sent["Body"])["Records"][0]["awsRegion"] == REGION


def test_images_are_listed_newest_first_page_by_page(api: Api) -> None:
    for number in range(PAGE + 5):
        updated = f"2026-11-22T10:00:{number % 60:02}.000Z"
        api.catalog.put(replace(record(f"{number:03}.jpg", "failed" if number % 2 else "done"), updated=updated), None)
    _, first = api.ask("GET", "/images")
    _, second = api.ask("GET", "/images", cursor=first["cursor"])
    assert second["cursor"] is None
    keys = [image["key"] for image in (*first["images"], *second["images"])]
    assert keys == [f"{number:03}.jpg" for number in reversed(range(PAGE + 5))]
    assert first["images"][0]["renditions"][0]["url"]
    _, found = api.ask("GET", "/images", prefix="00", status="failed", since="2026-11-22T11:00:05+01:00")
    assert [image["key"] for image in found["images"]] == ["009.jpg", "007.jpg", "005.jpg"]


def test_a_page_may_begin_before_what_is_asked_for(api: Api) -> None:
    cursor = to_id(f"2026-11-22T10:00:00.000Z#{KEY}")
    assert api.ask("GET", "/images", cursor=cursor, since="2026-11-23") == (200, {"images": [], "cursor": None})


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "5"},
        {"status": "lost"},
        {"status": "processing"},
        {"since": "yesterday"},
        {"since": "0001-01-01T00:00:00+10:00"},
        {"cursor": "?"},
        {"cursor": "YQ"},
        {"status": ""},
        {"since": ""},
        {"cursor": ""},
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(api: Api, query: dict[str, str]) -> None:
    assert api.ask("GET", "/images", **query)[1]["code"] == "bad_request"


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/images/", "/images/!", "/images/YQ==", f"{IMAGE}/other", "/Health"]
)
def test_there_is_nothing_elsewhere(api: Api, path: str) -> None:
    assert api.ask("GET", path)[1]["code"] == "not_found"


def test_another_method_is_told_the_right_ones(api: Api) -> None:
    made = api.answer("PUT", "/images")
    assert (made["statusCode"], made["headers"]["allow"]) == (405, "GET, POST")


def test_an_outage_says_nothing_of_its_inside(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(key: str) -> None:
        raise OSError("10.0.0.1 is down")

    monkeypatch.setattr(api.catalog, "get", fail)
    made = api.answer("GET", IMAGE)
    assert (made["statusCode"], "10.0.0.1" in made["body"]) == (500, False)
    assert [str(error) for error in api.errors] == ["10.0.0.1 is down"]


def test_a_caller_needs_more_rights_to_change_than_to_look() -> None:
    assert {(route.method, route.changes) for route in ROUTES} == {("GET", False), ("POST", True), ("DELETE", True)}
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


def test_codes_of_records_are_records_codes() -> None:
    own = {"bad_request", "not_found", "method_not_allowed", "internal"}
    assert STATUS.keys() - own <= IMAGE_ERRORS.keys()


def test_no_request_is_an_error_of_the_server(api: Api) -> None:
    @given(st.sampled_from(["GET", "POST", "DELETE", "PATCH"]), st.text(max_size=30), st.text(max_size=30))
    @example("GET", "A0nCg00", "")  # a key that XML cannot carry
    def ask(method: str, tail: str, body: str) -> None:
        for path in (f"/images/{tail}", f"/images{tail}", f"/images/{tail}/reprocess", tail):
            assert api.answer(method, path, body)["statusCode"] < 500, api.errors

    ask()
