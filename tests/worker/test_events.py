"""Events as AWS documents them are read, and those written here are read the same way."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgpipe.errors import MessageError
from imgpipe.worker.events import Job, Message, envelope, messages, notification


def test_a_documented_event_is_read() -> None:
    """ "Example Amazon SQS message event" (AWS Lambda) around "Event message structure" (Amazon S3)."""
    event = json.loads(Path(__file__).with_name("s3_sqs_event.json").read_text())
    put, trial = messages(event)
    assert (put.id, put.receives) == ("059f36b4-87a3-44ab-83d2-661975830a7d", 3)
    assert put.jobs() == (Job("holiday/déjà vu + 1.jpg"),)
    assert trial.jobs() == ()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.booleans(), st.booleans())
def test_a_written_event_is_read_back(key: str, removed: bool, force: bool) -> None:
    (message,) = messages(envelope("photos", key, removed=removed, force=force, message_id="m1"))
    assert (message.id, message.receives) == ("m1", 1)
    assert message.jobs() == (Job(key, force, expected=not removed),)


def test_a_written_event_has_every_field_of_the_documented_one_that_does_not_describe_the_source() -> None:
    documented = json.loads(Path(__file__).with_name("s3_sqs_event.json").read_text())["Records"][0]
    written = envelope("photos", "cat.jpg")["Records"][0]
    assert documented.keys() - written.keys() == {"md5OfBody"}
    theirs, ours = (json.loads(message["body"])["Records"][0] for message in (documented, written))
    assert theirs.keys() == ours.keys()
    assert theirs["s3"].keys() == ours["s3"].keys()
    assert theirs["s3"]["object"].keys() - ours["s3"]["object"].keys() == {"size", "eTag", "versionId"}
    assert theirs["eventName"] == ours["eventName"]


@pytest.mark.parametrize(
    ("name", "receives", "expected"),
    [
        ("ObjectCreated:Put", 1, True),
        ("ObjectCreated:CompleteMultipartUpload", 2, True),
        ("ObjectCreated:Put", 3, False),
        ("ObjectRemoved:DeleteMarkerCreated", 1, False),
        ("LifecycleExpiration:Delete", 1, False),
    ],
)
def test_what_was_put_is_expected_twice(name: str, receives: int, expected: bool) -> None:
    document = notification("photos", "a.jpg")
    document["Records"][0]["eventName"] = name
    assert Message("m1", receives, json.dumps(document)).jobs() == (Job("a.jpg", expected=expected),)


def test_a_message_may_hold_several_records() -> None:
    records = [*notification("photos", "a b.jpg")["Records"], *notification("photos", "c.jpg", force=True)["Records"]]
    assert Message("m1", 1, json.dumps({"Records": records})).jobs() == (
        Job("a b.jpg", expected=True),
        Job("c.jpg", force=True, expected=True),
    )


@pytest.mark.parametrize(
    "body",
    [
        "", "hello", "null", "[]", "7", "{}", '{"Records": null}', '{"Records": [{}]}', '{"Records": ["s3"]}',
        '{"Records": [{"s3": {"object": {"key": 5}}}]}', '{"Records": [{"s3": {"object": {"key": ""}}}]}',
        '{"Records": [{"s3": {"object": {"key": "a"}}, "imgpipe": 1}]}',
    ],
)  # fmt: skip
def test_an_unknown_body_is_an_error_that_shows_it(body: str) -> None:
    with pytest.raises(MessageError) as caught:
        Message("m1", 1, body).jobs()
    assert "m1" in caught.value.message
    assert repr(body) in caught.value.message


@pytest.mark.parametrize("event", [{}, {"Records": 1}, {"Records": [{}]}, {"Records": ["a"]}, {"detail": "a"}])
def test_an_event_that_is_no_batch_is_an_error(event: dict[str, Any]) -> None:
    with pytest.raises(MessageError):
        list(messages(event))
