"""What is parked comes back to the queue whole, or stays where it is, and is told with what is known of it."""

import json
import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from running_stack import Running

from imgpipe.errors import AwsError
from imgpipe.remote import queue
from imgpipe.remote.dead_letters import HELD, DeadLetters, Letter, records
from imgpipe.remote.patience import Patience
from imgpipe.remote.reasons import reasons
from imgpipe.remote.redrive import redrive
from imgpipe.worker.events import notification

PATIENCE = Patience(lambda _: None)


def park(running: Running, *bodies: str) -> None:
    for body in bodies:
        running.client("sqs").send_message(QueueUrl=running.pipeline.dead_letter_queue_url, MessageBody=body)


def event(running: Running, *keys: str) -> str:
    told = [notification(running.pipeline.source_bucket, key)["Records"][0] for key in keys]
    return json.dumps({"Records": told})


def parked(running: Running) -> queue.Messages:
    return queue.messages(running.pipeline.session, running.pipeline.dead_letter_queue_url)


def waiting(running: Running) -> list[str]:
    """The bodies on the queue, each taken off it."""
    place = {"QueueUrl": running.pipeline.queue_url}
    bodies = []
    while received := running.client("sqs").receive_message(**place, MaxNumberOfMessages=10).get("Messages"):
        for message in received:
            bodies.append(message["Body"])
            running.client("sqs").delete_message(**place, ReceiptHandle=message["ReceiptHandle"])
    return bodies


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Receives that do not wait where there is nothing: the server of the tests holds all it has in one place."""
    monkeypatch.setattr("imgpipe.remote.dead_letters.SECONDS", 0)


@pytest.mark.usefixtures("quick")
def test_every_parked_message_is_seen_once_and_a_look_leaves_them_all(running: Running) -> None:
    park(running, *(event(running, f"{number} é.jpg") for number in range(23)))
    park(running, "no event", json.dumps({"Event": "s3:TestEvent"}), event(running, "a.jpg", "b.jpg", "a.jpg"))
    for _ in range(2):
        with DeadLetters(running.pipeline) as letters:
            seen = list(letters.receive())
            assert parked(running) == (0, 26)
        assert parked(running) == (26, 0)
        keys = {letter.keys for letter in seen}
        assert len(seen) == 26
        assert keys == {(f"{number} é.jpg",) for number in range(23)} | {None, (), ("a.jpg", "b.jpg")}
        assert all(abs(letter.sent - time.time()) < 60 for letter in seen)


@pytest.mark.usefixtures("quick")
def test_attempts_are_those_of_workers_however_often_was_looked(running: Running) -> None:
    sqs, pipeline = running.client("sqs"), running.pipeline
    running.tell("a.jpg")
    for _ in range(5):
        got = sqs.receive_message(QueueUrl=pipeline.queue_url, VisibilityTimeout=0).get("Messages", [])
    assert got == []
    for _ in range(3):
        with DeadLetters(pipeline) as letters:
            (letter,) = letters.receive()
    assert letter.keys == ("a.jpg",)
    assert letter.attempts == 4


@pytest.mark.usefixtures("quick")
def test_messages_go_back_as_they_were_and_the_others_stay(running: Running) -> None:
    bodies = [event(running, f"{number}.jpg") for number in range(12)]
    park(running, *bodies, "no event")
    with DeadLetters(running.pipeline) as letters:
        moved = [letter for letter in letters.receive() if letter.keys]
        paces = list(redrive(running.pipeline, letters, moved, PATIENCE))
    assert paces[-1].sent == 12
    assert sorted(waiting(running)) == sorted(bodies)
    assert parked(running) == (1, 0)


@pytest.mark.usefixtures("quick")
def test_nothing_is_lost_where_it_breaks_off_between_sending_and_removing(running: Running) -> None:
    bodies = [event(running, f"{number}.jpg") for number in range(15)]
    park(running, *bodies)
    calls: list[str] = []

    def refuse(model: object, **_: object) -> None:
        calls.append("delete")
        if len(calls) == 2:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, "DeleteMessageBatch")

    running.pipeline.session.client("sqs").meta.events.register("before-call.sqs.DeleteMessageBatch", refuse)
    with pytest.raises(AwsError), DeadLetters(running.pipeline) as letters:
        list(redrive(running.pipeline, letters, list(letters.receive()), PATIENCE))
    assert parked(running) in ((5, 0), (10, 0))
    assert set(waiting(running)) == set(bodies)


@pytest.mark.usefixtures("quick")
def test_what_is_known_of_a_parked_image_comes_from_its_record_and_the_log(running: Running) -> None:
    running.put("a.jpg", b"no image")
    running.work()
    park(running, event(running, "a.jpg"), event(running, "b.jpg"))
    with DeadLetters(running.pipeline) as letters:
        seen = {letter.keys: letter for letter in letters.receive()}
    one, other = seen[("a.jpg",)], seen[("b.jpg",)]
    assert {key: record.status for key, record in records(running.pipeline, seen.values()).items()} == {
        "a.jpg": "failed"
    }
    log(running, other, "A message comes again: no\npermission", "A message comes again: S3 is slow")
    assert reasons(running.pipeline, [one, other]) == ({other.id: "S3 is slow"}, True)
    assert reasons(running.pipeline, []) == ({}, True)


@pytest.mark.usefixtures("quick")
def test_on_a_busy_stack_a_reason_is_looked_for_where_the_message_was_tried_last(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    visibility = running.client("sqs").get_queue_attributes(
        QueueUrl=running.pipeline.queue_url, AttributeNames=["VisibilityTimeout"]
    )["Attributes"]["VisibilityTimeout"]
    last = time.time()
    letter = Letter("4", "", ("a.jpg",), last - 3 * int(visibility), 4)
    log(running, letter, "A message comes again: no permission")
    asked: list[dict[str, Any]] = []
    client = running.pipeline.session.client("logs")
    client.meta.events.register(
        "provide-client-params.logs.FilterLogEvents", lambda params, **_: asked.append(dict(params))
    )
    monkeypatch.setattr("imgpipe.remote.reasons._PAGES", 3)
    assert reasons(running.pipeline, [letter]) == ({"4": "no permission"}, True)
    (window,) = asked
    assert window["startTime"] <= last * 1000 < window["endTime"]
    assert window["endTime"] - window["startTime"] < 300_000
    monkeypatch.setattr("imgpipe.remote.reasons._PAGES", 1)
    other = letter._replace(id="5")
    assert reasons(running.pipeline, [other]) == ({}, False)


@pytest.mark.usefixtures("quick")
def test_two_that_look_at_once_move_each_message_once(running: Running) -> None:
    park(running, *(event(running, f"{number}.jpg") for number in range(25)))
    with DeadLetters(running.pipeline) as one, DeadLetters(running.pipeline) as other:
        first = one.receive()
        mine = [next(first) for _ in range(5)]
        theirs = list(other.receive())
        mine += first
        for parked, letters in ((one, mine), (other, theirs)):
            list(redrive(running.pipeline, parked, letters, PATIENCE))
    assert len(waiting(running)) == len(mine) + len(theirs) == 25


@pytest.mark.usefixtures("quick")
def test_messages_stay_hidden_as_long_as_they_are_looked_at(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    renewed = threading.Event()
    monkeypatch.setattr("imgpipe.remote.dead_letters.HELD", 1)
    events = running.pipeline.session.client("sqs").meta.events
    renewals: list[float] = []

    def note(**_: object) -> None:
        renewals.append(time.time())
        if renewals[-1] - renewals[0] > 1:
            renewed.set()

    park(running, event(running, "a.jpg"))
    with DeadLetters(running.pipeline) as letters:
        (letter,) = letters.receive()
        events.register("after-call.sqs.ChangeMessageVisibilityBatch", note)
        assert renewed.wait(30)
        assert parked(running) == (0, 1)
        assert letters.held([letter]) == [letter]
    assert parked(running) == (1, 0)


@pytest.mark.usefixtures("quick")
def test_what_was_held_too_long_by_a_machine_that_slept_is_left_to_others(running: Running) -> None:
    park(running, event(running, "a.jpg"))
    now = time.time()
    with DeadLetters(running.pipeline, clock=lambda: now) as letters:
        seen = list(letters.receive())
        now += HELD
        assert [pace.sent for pace in redrive(running.pipeline, letters, seen, PATIENCE)] == [0]
    assert waiting(running) == []
    assert parked(running).all == 1


def log(running: Running, letter: Letter, *lines: str) -> None:
    """Have the function have said this of a message, and something of another."""
    group = running.outputs["ProcessorLogGroup"]
    logs = running.client("logs")
    logs.create_log_stream(logGroupName=group, logStreamName="one")
    now = int(time.time() * 1000)
    told = [{"timestamp": now + n, "message": json.dumps({"messageId": letter.id, "message": line})}
            for n, line in enumerate(lines)]  # fmt: skip
    told.append({"timestamp": now + 9, "message": json.dumps({"messageId": "other", "message": "else"})})
    told.append({"timestamp": now + 9, "message": "START"})
    logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=told)
