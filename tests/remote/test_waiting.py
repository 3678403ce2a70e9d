"""Waiting for versions: what counts as their result, what else ends the wait, and what is said when nothing does."""

import io
from collections.abc import Iterator

import pytest
from moto_cases import answer
from msgspec.structs import replace
from PIL import Image
from running_stack import Running

from imgpipe.errors import AwsError
from imgpipe.remote import waiting
from imgpipe.remote.emulated import EmulatedSession
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.waiting import Awaited, Outcome, Waiter, wait
from imgpipe.worker.ports import Claim, Record, rfc3339


def picture(colour: str = "teal") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (32, 24), colour).save(data, "png")
    return data.getvalue()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def waiter(running: Running, clock: Clock) -> Waiter:
    return Waiter(running.pipeline, clock)


def ends(waiter: Waiter) -> list[tuple[str, str]]:
    return [(outcome.awaited.key, outcome.how) for outcome in waiter.poll()]


def test_a_version_is_settled_when_it_is_done_or_failed(running: Running, waiter: Waiter) -> None:
    good = Awaited("good.png", running.put("good.png", picture()))
    bad = Awaited("bad.png", running.put("bad.png", b"no image"))
    waiter.add(good)
    waiter.add(bad)
    assert waiter.poll() == []
    running.work()
    outcomes = {outcome.awaited: outcome for outcome in waiter.poll()}
    assert {awaited: outcome.how for awaited, outcome in outcomes.items()} == {good: "settled", bad: "settled"}
    assert [outcomes[each].record.status for each in (good, bad)] == ["done", "failed"]  # type: ignore[union-attr]
    assert waiter.is_idle


def test_what_was_settled_before_it_was_asked_for_is_told_at_once(running: Running) -> None:
    version = running.put("a.png", picture())
    running.work()
    waiter = Waiter(running.pipeline)
    waiter.add(Awaited("a.png", version))
    assert ends(waiter) == [("a.png", "settled")]


def test_the_result_of_what_was_there_before_does_not_count(running: Running, waiter: Waiter, clock: Clock) -> None:
    running.put("a.png", picture())
    running.work()
    version = running.put("a.png", picture("red"))
    waiter.add(Awaited("a.png", version))
    for _ in range(5):
        assert waiter.poll() == []
        clock.now += 10
    running.work()
    (outcome,) = waiter.poll()
    assert outcome.how == "settled"
    assert outcome.record
    assert outcome.record.version == version


def test_another_version_that_came_later_supersedes(running: Running, waiter: Waiter) -> None:
    first = running.put("a.png", picture())
    waiter.add(Awaited("a.png", first))
    assert waiter.poll() == []
    second = running.put("a.png", picture("red"))
    running.work()
    (outcome,) = waiter.poll()
    assert outcome.how == "superseded"
    assert outcome.record
    assert outcome.record.version == second


def test_a_removal_supersedes(running: Running, waiter: Waiter) -> None:
    waiter.add(Awaited("a.png", running.put("a.png", picture())))
    running.work()
    assert ends(waiter) == [("a.png", "settled")]
    waiter.add(Awaited("a.png", running.put("a.png", picture("red"))))
    running.delete("a.png")
    running.work()
    assert ends(waiter) == [("a.png", "superseded")]


def test_without_versions_the_etag_is_the_version(running: Running) -> None:
    bucket = "plain"
    running.account.make_bucket(bucket)
    running.pipeline.stack.outputs["SourceBucket"] = bucket
    etag = running.client("s3").put_object(Bucket=bucket, Key="a.png", Body=picture())["ETag"].strip('"')
    running.tell("a.png")
    running.work()
    (outcome,) = wait(running.pipeline, [Awaited("a.png", etag)], 10)
    assert outcome.how == "settled"


def test_a_removal_is_settled_when_its_renditions_are_gone(running: Running, waiter: Waiter, clock: Clock) -> None:
    running.put("a.png", picture())
    running.work()
    running.delete("a.png")
    waiter.add(Awaited("a.png", gone=True))
    for _ in range(3):
        assert waiter.poll() == []
        clock.now += 10
    running.work()
    assert ends(waiter) == [("a.png", "settled")]


def test_a_removal_of_what_no_worker_ever_saw_is_settled(running: Running, waiter: Waiter, clock: Clock) -> None:
    running.put("a.png", picture(), told=False)
    running.delete("a.png")
    waiter.add(Awaited("a.png", gone=True))
    assert waiter.poll() == []
    clock.now += 10
    assert ends(waiter) == [("a.png", "settled")]


def test_what_is_put_again_supersedes_a_removal(running: Running, waiter: Waiter) -> None:
    running.put("a.png", picture())
    running.delete("a.png")
    waiter.add(Awaited("a.png", gone=True))
    running.put("a.png", picture("red"))
    running.work()
    assert ends(waiter) == [("a.png", "superseded")]


@pytest.mark.parametrize("version", ["this", None])
def test_what_was_removed_before_a_worker_saw_it_is_superseded(
    version: str | None, running: Running, waiter: Waiter, clock: Clock
) -> None:
    put = running.put("a.png", picture(), told=False)
    late = Awaited("late.png", running.put("late.png", picture("red")))
    waiter.add(Awaited("a.png", version and put, gone=version is None))
    waiter.add(late)
    running.client("s3").delete_object(Bucket=running.pipeline.source_bucket, Key="a.png")
    ended = []
    for _ in range(6):
        ended += ends(waiter)
        clock.now += 16
    assert ended == [("a.png", "superseded" if version else "settled")]
    running.work()
    assert ends(waiter) == [("late.png", "settled")]


def test_every_doubtful_image_has_its_turn(running: Running, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "BATCH", 2)
    waiter = Waiter(running.pipeline, clock)
    for number in range(6):
        running.pipeline.catalog.put(Record(key=f"{number}.png", status="done", version="1", updated=rfc3339(0)), None)
        waiter.add(Awaited(f"{number}.png", gone=True))
    waiter.add(Awaited("last.png", gone=True))
    assert waiter.poll() == []
    clock.now += 10
    assert [ended for _ in range(4) for ended in ends(waiter)] == [("last.png", "settled")]


def test_a_result_of_a_later_revision_is_waited_for_whatever_the_workers_clocks(
    running: Running, waiter: Waiter, clock: Clock
) -> None:
    put = running.pipeline.catalog.put
    ahead = Record(key="a.png", status="done", version="1", updated=rfc3339(running.pipeline.session.now() + 30))
    revision = put(ahead, None)
    waiter.add(Awaited("a.png", revision=revision))
    assert waiter.poll() == []
    clock.now += 10
    assert waiter.poll() == []
    put(replace(ahead, updated=rfc3339(running.pipeline.session.now())), revision)
    assert ends(waiter) == [("a.png", "settled")]


def test_hundreds_are_waited_for_by_few_calls(running: Running) -> None:
    calls = running.account.session.calls
    waiter = Waiter(running.pipeline)
    catalog = running.pipeline.catalog
    for number in range(250):
        waiter.add(Awaited(f"{number}.png", "1"))
    calls.clear()
    assert waiter.poll() == []
    assert sorted(set(calls)) == ["BatchGetItem", "Query"]
    assert calls.count("BatchGetItem") == 3
    for number in range(250):
        updated = rfc3339(running.pipeline.session.now())
        catalog.put(Record(key=f"{number}.png", status="done", version="1", updated=updated), None)
    calls.clear()
    assert len(waiter.poll()) == 250
    assert set(calls) == {"Query"}


def throttle(running: Running, operation: str, calls: Iterator[bool]) -> None:
    body = b'{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow down"}'
    running.account.session.client("dynamodb").meta.events.register(
        f"before-send.dynamodb.{operation}",
        lambda request, **_: answer(request, 400, body) if next(calls, False) else None,
    )


@pytest.mark.parametrize("operation", ["Query", "BatchGetItem"])
def test_throttling_is_waited_out_and_loses_nothing(
    operation: str, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    throttle(running, operation, iter([True] * 20))
    versions = [(f"{number}.png", running.put(f"{number}.png", picture())) for number in range(3)]
    running.work()
    told: list[str | None] = []
    outcomes = wait(
        running.pipeline,
        [Awaited(*version) for version in versions],
        60,
        lambda error: told.append(error.code if error else None),
        sleep=lambda _: None,
    )
    assert sorted((outcome.awaited.key, outcome.how) for outcome in outcomes) == [
        (key, "settled") for key, _ in versions
    ]
    assert told == ["throttled", None]


def test_an_emulator_that_ended_is_not_waited_for(
    running: Running, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    waiter = Waiter(Pipeline(EmulatedSession(9), running.pipeline.stack), clock)
    waiter.add(Awaited("a.png", "1"))
    codes = []
    for _ in range(3):
        with pytest.raises(AwsError) as raised:
            waiter.poll()
        codes.append(raised.value.code)
        clock.now += 6
    assert codes == ["unreachable", "unreachable", "gone"]
    assert raised.value.exit_code == 3


def test_a_timeout_tells_what_is_missing_and_why(running: Running) -> None:
    now = running.pipeline.session.now()
    put = running.pipeline.catalog.put
    held = Record(key="held.png", status="processing", updated=rfc3339(now))
    put(replace(held, claim=Claim(attempt="a", ends=now + 60, keys=())), None)
    put(replace(held, key="given-up.png", claim=Claim(attempt="a", ends=None, keys=())), None)
    put(Record(key="earlier.png", status="done", version="1", updated=rfc3339(now)), None)
    running.tell("unseen.png")
    running.client("sqs").send_message(QueueUrl=running.pipeline.dead_letter_queue_url, MessageBody="{}")
    keys = ("unseen.png", "held.png", "given-up.png", "earlier.png")
    outcomes = list(wait(running.pipeline, [Awaited(key, "2") for key in keys], 0))
    assert {outcome.how for outcome in outcomes} == {"timeout"}
    why = {outcome.awaited.key: outcome.why for outcome in outcomes}
    place = "; the queue holds 1 that wait and 0 in work, the dead-letter queue 1: imgpipe redrive --stack imgpipe"
    assert why["unseen.png"].startswith(f"No worker has looked at it yet{place}")
    assert why["held.png"].startswith("A worker has been at it since ")
    assert why["given-up.png"].startswith("A worker gave it up at ")
    assert why["earlier.png"].startswith("Its record is still of what was there before, ")
    assert all(place in words for words in why.values())


def test_one_version_may_be_awaited_twice(running: Running) -> None:
    version = running.put("a.png", picture())
    running.work()
    outcomes: list[Outcome] = list(wait(running.pipeline, [Awaited("a.png", version)] * 2, 10))
    assert [outcome.how for outcome in outcomes] == ["settled", "settled"]
