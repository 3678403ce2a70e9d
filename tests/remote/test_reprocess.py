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

from imgpipe.errors import AwsError, StackError
from imgpipe.remote import queue
from imgpipe.remote.pacing import bound, paced
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
    found = look(running.pipeline, sources(running.pipeline, prefix), wishes, running.recipe.hash)
    return {it.key: (it.state, it.wanted) for it in found}


def sent(running: Running, wishes: Collection[Wish] = STALE) -> int:
    """Find and send what is wished for; returns how many images that were."""
    told: list[Found] = []
    found = look(running.pipeline, sources(running.pipeline), wishes, running.recipe.hash)
    for _ in send(running.pipeline, [it for it in found if it.wanted], PATIENCE, told.extend):
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
    there, missing = named(running.pipeline, ["a.jpg", "notes", "a.jpg", "b.jpg"])
    assert missing == ["b.jpg"]
    found = list(look(running.pipeline, there, ["all"], running.recipe.hash, by_name=True))
    assert {it.key: (it.state, it.wanted) for it in found} == {"a.jpg": ("current", True), "notes": ("new", True)}
    list(send(running.pipeline, found, PATIENCE))
    made = {record.key: record for record in running.work()}
    assert made["a.jpg"].updated > first.updated
    assert made["notes"].status == "failed"


def test_what_cannot_be_read_to_see_whether_it_is_an_image_is_left_alone(running: Running) -> None:
    for key in ("archived", "gone"):
        running.put(key, jpeg(), told=False)
    listed = list(sources(running.pipeline))
    running.client("s3").delete_object(Bucket=running.pipeline.source_bucket, Key="gone")

    def refuse(params: dict[str, Any], **_: object) -> None:
        if params["url_path"].endswith("archived"):
            answer = {"Error": {"Code": "InvalidObjectState"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
            raise ClientError(answer, "GetObject")

    running.pipeline.session.client("s3").meta.events.register("before-call.s3.GetObject", refuse)
    found = look(running.pipeline, listed, ["all"], running.recipe.hash)
    assert {it.key: (it.state, it.wanted) for it in found} == {
        "archived": ("archived", False),
        "gone": ("other", False),
    }


def test_a_plan_gives_back_what_it_was_given_and_is_wanted() -> None:
    given = [Found(f"{number}\n\x00é.jpg", "new", 5, number % 2 == 0, "2026") for number in range(5)]
    with Plan() as plan:
        for found in given:
            plan.add(found)
        assert list(plan.found()) == list(plan.found()) == given[::2]
        assert (plan.wanted, plan.bytes, plan.states["new"]) == (3, 15, 5)


def test_the_queue_never_holds_more_than_its_workers_do_in_seconds(running: Running) -> None:
    running.pipeline.stack.parameters["MaxConcurrency"] = "2"
    limit = bound(running.pipeline)
    depths: list[int] = []
    for _ in range(7):
        running.tell("live.jpg")

    def work(_: float) -> None:
        depths.append(queued(running))
        for _ in range(9):
            take(running)

    found = [Found(f"{number}.jpg", "new", 1, True, "") for number in range(50)]
    bodies: list[str] = []

    def push(portion: list[Found]) -> None:
        queue.send(running.pipeline.session, running.pipeline.queue_url, [it.key for it in portion])
        bodies.extend(it.key for it in portion)

    paces = list(paced(running.pipeline, found, push, PATIENCE, work))
    assert bodies == [it.key for it in found]
    assert limit == 20
    assert max(depths) == limit
    assert paces[0] == (limit - 7, limit)
    assert paces[-1].sent == 50


def test_throttled_looks_at_the_queue_are_waited_for_and_refusals_are_not(running: Running) -> None:
    events = running.pipeline.session.client("sqs").meta.events
    waits: list[float] = []
    answers = ["ThrottlingException"] * 3

    def refuse(**_: object) -> None:
        if answers:
            raise ClientError({"Error": {"Code": answers.pop(), "Message": ""}}, "GetQueueAttributes")

    events.register("before-call.sqs.GetQueueAttributes", refuse)
    assert list(paced(running.pipeline, ["x"], lambda _: None, PATIENCE, waits.append)) == [(1, 1)]
    assert waits == [1.0, 2.0, 4.0]
    answers.append("AccessDenied")
    with pytest.raises(AwsError):
        list(paced(running.pipeline, ["x"], lambda _: None, PATIENCE, waits.append))


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
    ],
)
def test_what_is_to_be_done_follows_from_listing_and_record(
    source: Source, record: Record | None, expected: State, wishes: Sequence[Wish]
) -> None:
    found = state(source, record, "1", 100)
    assert found == expected
    every: list[Wish] = ["stale", "failed", "all"]
    assert [wish for wish in every if wanted(found, record, [wish])] == wishes


def test_the_cost_is_reckoned_from_what_images_took(running: Running) -> None:
    assert measured(running.pipeline) == Rate()
    running.put("a.jpg", jpeg())
    running.work()
    rate = measured(running.pipeline)
    assert (rate.renditions, rate.sample) == (len(running.recipe.presets), 1)
    one = dollars(running.pipeline, Rate(300, 2, 1), 1_000_000)
    assert 20 < one < 35
    assert dollars(running.pipeline, Rate(300, 2, 1), 2_000_000) == pytest.approx(2 * one)
    assert dollars(running.pipeline, Rate(600, 2, 1), 1_000_000) - one == pytest.approx(8.64, rel=0.01)
