"""One image as it is now, from its record and from what lies at its key."""

import urllib.request

import pytest
from image_case import jpeg
from moto_cases import answer
from running_stack import Running

from imgpipe.errors import AwsError, NoImageError, UsageError
from imgpipe.remote.showing import look
from imgpipe.remote.source_keys import source_key


def test_a_made_image_has_its_record_and_links_that_fetch_what_was_made(running: Running) -> None:
    data = jpeg()
    version = running.put("a/cat.jpg", data)
    (record,) = running.work()
    told = look(running.pipeline, "a/cat.jpg", 60).document()
    assert told["status"] == "done"
    assert told["version"] == version
    assert told["current"] is True
    for made, rendition in zip(told["renditions"], record.renditions, strict=True):
        with urllib.request.urlopen(made["url"]) as answer:  # noqa: S310 - an http URL of our own
            assert answer.headers["Content-Type"] == f"image/{rendition.format}"
            assert len(answer.read()) == rendition.bytes
    with urllib.request.urlopen(told["url"]) as answer:  # noqa: S310
        assert answer.read() == data


def test_what_no_worker_has_looked_at_is_queued(running: Running) -> None:
    running.put("cat.jpg", jpeg())
    told = look(running.pipeline, "cat.jpg", 60).document()
    assert told["status"] == "queued"
    assert told["current"] is False
    assert told["source"]["bytes"] == len(jpeg())


def test_what_was_removed_and_put_again_is_queued_and_not_deleted(running: Running) -> None:
    running.put("cat.jpg", jpeg())
    running.work()
    running.delete("cat.jpg")
    running.work()
    assert look(running.pipeline, "cat.jpg", 60).status == "deleted"
    running.put("cat.jpg", jpeg(90))
    assert look(running.pipeline, "cat.jpg", 60).status == "queued"


def test_a_record_of_what_lies_there_no_longer_is_not_current(running: Running) -> None:
    running.put("changed.jpg", jpeg())
    running.put("removed.jpg", jpeg())
    running.work()
    running.put("changed.jpg", jpeg(90))
    running.delete("removed.jpg")
    for key in ("changed.jpg", "removed.jpg"):
        shown = look(running.pipeline, key, 60)
        assert shown.status == "done"
        assert not shown.is_current
    assert shown.url is None
    running.work()
    assert look(running.pipeline, "changed.jpg", 60).is_current
    assert look(running.pipeline, "removed.jpg", 60).is_current


def test_a_key_that_is_nearly_one_leads_to_it(running: Running) -> None:
    for key in ("a/cat.png", "photo", "\u00e9t\u00e9.jpg"):
        running.put(key, jpeg(), told=False)
    for typed, meant in (
        ("/a/cat.png", "a/cat.png"),
        ("./a/cat.png", "a/cat.png"),
        ("web/a/cat.png", "a/cat.png"),
        ("thumb/a/cat.png.webp", "a/cat.png"),
        ("web/photo.jpg.jpg", "photo"),
        ("e\u0301te\u0301.jpg", "\u00e9t\u00e9.jpg"),
    ):
        with pytest.raises(NoImageError) as missing:
            look(running.pipeline, typed, 60)
        assert missing.value.remedy == f"There is {meant}: name that, if it is meant."
    with pytest.raises(NoImageError, match=r"It is a folder.*--prefix a/$"):
        look(running.pipeline, "a", 60)
    with pytest.raises(NoImageError, match="See what there is with: imgpipe list"):
        look(running.pipeline, "b", 60)


def test_a_key_may_be_typed_as_a_url_of_the_source_bucket_and_of_no_other(running: Running) -> None:
    pipeline = running.pipeline
    assert source_key(pipeline, f"s3://{pipeline.source_bucket}/a/cat.jpg") == "a/cat.jpg"
    for text, words in (
        (f"s3://{pipeline.destination_bucket}/web/a/cat.jpg", "holds the renditions"),
        ("s3://elsewhere/a.jpg", "holds no sources"),
        ("", "has 0 bytes"),
        (f"s3://{pipeline.source_bucket}/", "has 0 bytes"),
        ("a" * 1025, "1,025 bytes"),
        ("\udcff.jpg", "not valid UTF-8"),
    ):
        with pytest.raises(UsageError, match=words):
            source_key(pipeline, text)


def test_a_missing_right_is_told_by_its_call(running: Running) -> None:
    s3 = running.account.session.client("s3")
    s3.meta.events.register("before-send.s3.HeadObject", lambda request, **_: answer(request, 403, b""))
    with pytest.raises(AwsError, match="AWS refused HeadObject") as refused:
        look(running.pipeline, "cat.jpg", 60)
    assert refused.value.code == "denied"
