"""What is in the bucket is brought up to date: all that is not, nothing else, and never too much at once."""

import io
import json
from collections.abc import Collection, Sequence
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError
from msgspec.structs import replace
from PIL import Image
from running_stack import Running

from imgpipe.errors import StackError
from imgpipe.remote import queue
from imgpipe.remote.patience import Patience
from imgpipe.remote.prices import Rate, dollars, measured
from imgpipe.remote.reprocess import Found, Plan, look, named, send, sources
from imgpipe.remote.staleness import Source, State, Wish, state, wanted
from imgpipe.worker.ports import Claim, Record, Status

PATIENCE: Final = Patience(lambda _: None)
STALE: Final[tuple[Wish, ...]] = ("stale",)


def jpeg(colour: str = "red", size: tuple[int, int] = (40, 30)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, "JPEG")
    return data.getvalue()


def states(running: Running, wishes: Collection[Wish] = STALE, prefix: str = "") -> dict[str, tuple[State, bool]]:
    """Key -> its state, and whether it is wanted."""
    found = look(running.pipeline, sources(running.pipeline, prefix, PATIENCE), wishes, running.recipe.hash, PATIENCE)
    return {it.key: (it.state, it.wanted) for it in found}


def sent(running: Running, wishes: Collection[Wish] = STALE) -> int:
    """Find and send what is wished for; returns how many images that were."""
    told: list[Found] = []
    found = look(running.pipeline, sources(running.pipeline, "", PATIENCE), wishes, running.recipe.hash, PATIENCE)
    for _ in send(running.pipeline, [it for it in found if it.wanted], 300, PATIENCE, told.extend):
        pass
    return len(told)


def take(running: Running) -> str | None:
    """Take one message off the queue, as a worker does; its body."""
    place = {"QueueUrl": running.pipeline.queue_url}
    messages = running.client("sqs").receive_message(**place, MaxNumberOfMessages=1).get("Messages")
    if not messages:
        return None
    running.client("sqs").delete_message(**place, ReceiptHandle=messages[0]["ReceiptHandle"])
    return str(messages[0]["Body"])


def queued(running: Running) -> int:
    return queue.messages(running.pipeline.session, running.pipeline.queue_url).all


def test_images_that_were_there_before_are_made_once_and_then_nothing_is_left_to_do(running: Running) -> None:
    for key in ("a.jpg", "b/c d+é.JPG", "nameless"):
        running.put(key, jpeg(), told=False)
    running.put("readme.txt", b"text", told=False)
    running.put("folder/", b"", told=False)
    assert states(running) == {
        "a.jpg": ("new", True),
        "b/c d+é.JPG": ("new", True),
        "nameless": ("new", True),
        "readme.txt": ("other", False),
    }
    assert sent(running) == 3
    assert {record.key: record.status for record in running.work()} == {
        "a.jpg": "done",
        "b/c d+é.JPG": "done",
        "nameless": "done",
    }
    assert sent(running) == 0
    assert states(running, prefix="b/") == {"b/c d+é.JPG": ("current", False)}


def test_what_another_recipe_made_and_what_failed_is_told_apart(running: Running) -> None:
    for key, data in (("done.jpg", jpeg()), ("broken.jpg", b"no image"), ("old.jpg", jpeg())):
        running.put(key, data)
    running.work()
    entry = running.pipeline.catalog.get("old.jpg")
    assert entry
    running.pipeline.catalog.put(replace(entry.record, recipe="0" * 16), entry.revision)
    assert states(running) == {
        "done.jpg": ("current", False),
        "broken.jpg": ("failed", False),
        "old.jpg": ("recipe", True),
    }
    assert [key for key, (_, is_wanted) in states(running, ["failed"]).items() if is_wanted] == ["broken.jpg"]
    assert sent(running, ["all"]) == 3
    before = {record.key: record.updated for record in (entry.record,)}
    made = running.work()
    assert sorted(record.key for record in made) == ["broken.jpg", "done.jpg", "old.jpg"]
    assert all(record.recipe == running.recipe.hash for record in made)
    assert all(record.updated > before["old.jpg"] for record in made)


def test_an_overwritten_source_whose_event_was_lost_is_found(running: Running) -> None:
    running.put("a.jpg", jpeg())
    running.work()
    running.put("a.jpg", jpeg("blue", (50, 50)), told=False)
    assert states(running) == {"a.jpg": ("changed", True)}
    sent(running)
    (record,) = running.work()
    assert (record.width, record.height) == (50, 50)


def test_named_images_are_made_again_and_missing_ones_are_told(running: Running) -> None:
    running.put("a.jpg", jpeg())
    running.put("notes", b"no image", told=False)
    (first,) = running.work()
    running.put("folder/", b"", told=False)
    there, missing = named(running.pipeline, ["a.jpg", "notes", "a.jpg", "b.jpg", "folder/"], PATIENCE)
    assert missing == ["b.jpg"]
    found = list(look(running.pipeline, there, ["all"], running.recipe.hash, PATIENCE, by_name=True))
    assert {it.key: (it.state, it.wanted) for it in found} == {
        "a.jpg": ("current", True),
        "notes": ("new", True),
        "folder/": ("other", False),
    }
    list(send(running.pipeline, [it for it in found if it.wanted], 300, PATIENCE))
    made = {record.key: record for record in running.work()}
    assert made["a.jpg"].updated > first.updated
    assert made["notes"].status == "failed"


def test_what_cannot_be_read_to_see_whether_it_is_an_image_is_left_alone(running: Running) -> None:
    for key in ("archived", "gone"):
        running.put(key, jpeg(), told=False)
    listed = list(sources(running.pipeline, "", PATIENCE))
    running.client("s3").delete_object(Bucket=running.pipeline.source_bucket, Key="gone")

    def refuse(params: dict[str, Any], **_: object) -> None:
        if params["url_path"].endswith("archived"):
            answer = {"Error": {"Code": "InvalidObjectState"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
            raise ClientError(answer, "GetObject")

    running.pipeline.session.client("s3").meta.events.register("before-call.s3.GetObject", refuse)
    found = look(running.pipeline, listed, ["all"], running.recipe.hash, PATIENCE)
    assert {it.key: (it.state, it.wanted) for it in found} == {
        "archived": ("archived", False),
        "gone": ("other", False),
    }


def test_an_archived_object_counts_once_a_copy_of_it_is_restored(running: Running) -> None:
    s3, bucket = running.client("s3"), running.pipeline.source_bucket
    for key in ("a.jpg", "b.jpg"):
        s3.put_object(Bucket=bucket, Key=key, Body=jpeg(), StorageClass="GLACIER")
    s3.restore_object(Bucket=bucket, Key="a.jpg", RestoreRequest={"Days": 2})
    there, _ = named(running.pipeline, ["a.jpg", "b.jpg"], PATIENCE)
    found = look(running.pipeline, there, ["all"], running.recipe.hash, PATIENCE, by_name=True)
    assert {it.key: it.state for it in found} == {"a.jpg": "new", "b.jpg": "archived"}

    def tell(parsed: dict[str, Any], **_: object) -> None:
        parsed["Contents"][0]["RestoreStatus"] = {"RestoreExpiryDate": "2026-12-24T00:00:00Z"}

    running.pipeline.session.client("s3").meta.events.register("after-call.s3.ListObjectsV2", tell)
    assert states(running) == {"a.jpg": ("new", True), "b.jpg": ("archived", False)}


def test_a_look_goes_on_behind_what_was_listed_where_aws_fails_for_a_while(running: Running) -> None:
    for number in range(5):
        running.put(f"{number}.jpg", jpeg(), told=False)
    calls: list[str] = []
    waits: list[float] = []
    events = running.pipeline.session.client("s3").meta.events

    def fail(**_: object) -> None:
        calls.append("list")
        if len(calls) in (2, 3):
            raise ClientError({"Error": {"Code": "SlowDown", "Message": ""}}, "ListObjectsV2")

    events.register("before-call.s3.ListObjectsV2", fail)
    events.register("provide-client-params.s3.ListObjectsV2", lambda params, **_: params | {"MaxKeys": 2})
    listed = [source.key for source in sources(running.pipeline, "", PATIENCE, waits.append)]
    assert listed == [f"{number}.jpg" for number in range(5)]
    assert waits == [1.0, 2.0]


def test_a_plan_gives_back_what_it_was_given_and_is_wanted() -> None:
    given = [Found(f"{number}\n\x00é.jpg", "new", 5, number % 2 == 0, number) for number in range(5)]
    with Plan() as plan:
        for found in given:
            plan.add(found)
        assert list(plan.found()) == list(plan.found()) == given[::2]
        assert (plan.wanted, plan.bytes, plan.states["new"]) == (3, 15, 5)


def test_what_sqs_did_not_take_is_sent_again_and_what_it_refuses_for_good_is_an_error(running: Running) -> None:
    events = running.pipeline.session.client("sqs").meta.events
    refused: list[str] = []

    def fail_some(params: dict[str, Any], **_: object) -> None:
        body = json.loads(params["body"])
        if len(body["Entries"]) > 1:
            dropped = body["Entries"].pop()
            refused.append(dropped["MessageBody"])
            params["body"] = json.dumps(body).encode()
            params["context"]["dropped"] = dropped["Id"]

    def tell(parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        if dropped := context.get("dropped"):
            parsed["Failed"] = [{"Id": dropped, "SenderFault": False, "Code": "InternalError"}]

    events.register("before-call.sqs.SendMessageBatch", fail_some)
    events.register("after-call.sqs.SendMessageBatch", tell)
    bodies = [f"body {number}" for number in range(12)] + ["x" * 200_000, "y" * 200_000]
    queue.send(running.pipeline.session, running.pipeline.queue_url, bodies, lambda _: None)
    assert refused
    taken = []
    while message := take(running):
        taken.append(message)
    assert sorted(taken) == sorted(bodies)
    refusal = {"Id": "0", "SenderFault": True, "Code": "InvalidMessageContents", "Message": "No such character."}
    events.register("after-call.sqs.SendMessageBatch", lambda parsed, **_: parsed.update(Failed=[refusal]))
    with pytest.raises(StackError, match="No such character"):
        queue.send(running.pipeline.session, running.pipeline.queue_url, ["a"])


SEEN = Source("a.jpg", 5, "2026-11-22T10:00:00.000Z")


def known(status: Status = "done", **more: Any) -> Record:
    facts: dict[str, Any] = {
        "recipe": "1",
        "bytes": 5,
        "modified": "2026-11-22T10:00:01.000Z",
        "updated": "2026",
    } | more
    return Record(key="a.jpg", status=status, **facts)


def claim(ends: float | None) -> Claim:
    return Claim(attempt="1", ends=ends, keys=())


@pytest.mark.parametrize(
    ("source", "record", "expected", "wishes"),
    [
        (SEEN, None, "new", ["stale", "all"]),
        (SEEN, known("deleted"), "new", ["stale", "all"]),
        (SEEN, known(), "current", ["all"]),
        (SEEN, known("failed"), "failed", ["failed", "all"]),
        (SEEN, known(recipe="0"), "recipe", ["stale", "all"]),
        (SEEN, known("failed", recipe="0"), "recipe", ["stale", "failed", "all"]),
        (SEEN, known(bytes=6), "changed", ["stale", "all"]),
        (SEEN, known(modified="2026-11-22T10:00:03.000Z"), "changed", ["stale", "all"]),
        (SEEN, known(modified=None), "changed", ["stale", "all"]),
        (SEEN, known("processing", claim=claim(101)), "working", []),
        (SEEN, known("processing", claim=claim(99)), "abandoned", ["stale", "all"]),
        (SEEN, known("processing", claim=claim(None)), "abandoned", ["stale", "all"]),
        (SEEN._replace(storage="GLACIER"), None, "archived", []),
        (SEEN._replace(storage="GLACIER", restored=True), None, "new", ["stale", "all"]),
    ],
)
def test_what_is_to_be_done_follows_from_listing_and_record(
    source: Source, record: Record | None, expected: State, wishes: Sequence[Wish]
) -> None:
    found = state(source, record, "1", 100)
    assert found == expected
    every: list[Wish] = ["stale", "failed", "all"]
    assert [wish for wish in every if wanted(found, record, [wish])] == wishes


def test_the_cost_is_reckoned_from_what_images_took(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(running.pipeline) == Rate()
    running.put("a.jpg", jpeg())
    running.work()
    for number in range(5):
        running.delete(f"{number}.jpg")
    running.work()
    monkeypatch.setattr("imgpipe.remote.prices.SAMPLE", 1)
    rate = measured(running.pipeline)
    assert (rate.renditions, rate.sample) == (len(running.recipe.presets), 1)
    one = dollars(running.pipeline, Rate(300, 2, 1), 1_000_000)
    assert 20 < one < 35
    assert dollars(running.pipeline, Rate(300, 2, 1), 2_000_000) == pytest.approx(2 * one)
    assert dollars(running.pipeline, Rate(600, 2, 1), 1_000_000) - one == pytest.approx(8.64, rel=0.01)
