"""A queue's messages reach the function as an event source mapping brings them, and none is lost on the way."""

import json
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from function_case import SECONDS, Logged
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto_cases import REGION, answer, client

from imgpipe.local.emulator.heard import Trouble
from imgpipe.local.emulator.mapping import Mapping, failures
from imgpipe.local.emulator.moto_repairs import repair_moto
from imgpipe.local.emulator.server import serve

ECHO = """
    import json

    def handler(event, context):
        print(json.dumps(event))
        for record in event["Records"]:
            if record["body"] == "raise":
                raise ValueError("no")
        return {"batchItemFailures": [
            {"itemIdentifier": record["messageId"]} for record in event["Records"] if record["body"] == "fail"
        ]}
"""
"""Says what it was given; what the bodies say happens to them."""


class Mapped:
    """A queue of its own in front of a function, with a second as visibility timeout, two receives and a DLQ."""

    def __init__(self, endpoint: str, code: Path, source: str, **options: Any) -> None:
        self.sqs = client("sqs", endpoint, retries={"total_max_attempts": 1})
        name = uuid.uuid4().hex
        self.dead_letters = self.sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        redrive = {"deadLetterTargetArn": self.arn(self.dead_letters), "maxReceiveCount": 2}
        attributes = {"VisibilityTimeout": "1", "RedrivePolicy": json.dumps(redrive)}
        self.url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        settings = {"batch_size": 1, "max_concurrency": 1, "window": 0} | options
        self.logged = Logged(code, source, concurrency=settings["max_concurrency"])
        self.troubles: list[Trouble] = []
        self.mapping = Mapping(self.sqs, self.url, self.logged.function, tell=self.troubles.append, **settings)

    def send(self, *bodies: str) -> list[str]:
        """Their ids."""
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        sent = self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)["Successful"]
        return [each["MessageId"] for each in sorted(sent, key=lambda each: int(each["Id"]))]

    def event(self) -> Any:
        """The next event that the function says it was given."""
        while not (line := self.logged.line()).startswith('{"Records"'):
            pass
        return json.loads(line)["Records"]

    def counts(self, url: str | None = None) -> tuple[int, int]:
        """How many messages are visible, and how many are not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counted = self.sqs.get_queue_attributes(QueueUrl=url or self.url, AttributeNames=names)["Attributes"]
        return int(counted[names[0]]), int(counted[names[1]])

    def until_empty(self) -> None:
        until(lambda: self.counts() == (0, 0))

    def arn(self, url: str) -> str:
        asked = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(asked["Attributes"]["QueueArn"])

    def close(self) -> None:
        self.mapping.close()
        self.logged.function.close()


def until(done: Callable[[], bool]) -> None:
    """Wait for what nobody tells of."""
    end = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    repair_moto()
    server = serve(DomainDispatcherApplication(create_backend_app), 0)
    yield f"http://127.0.0.1:{server.port}"
    server.close()


Make = Callable[..., Mapped]


@pytest.fixture
def make(endpoint: str, tmp_path: Path) -> Iterator[Make]:
    made: list[Mapped] = []

    def make(source: str = ECHO, **options: Any) -> Mapped:
        made.append(Mapped(endpoint, tmp_path, source, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_an_event_has_the_shape_of_sqs(make: Make) -> None:
    mapped = make()
    mapped.mapping.start()
    sent = mapped.sqs.send_message(
        QueueUrl=mapped.url,
        MessageBody="é",
        MessageAttributes={
            "text": {"DataType": "String", "StringValue": "x"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    (record,) = mapped.event()
    assert record.pop("receiptHandle")
    attributes = record.pop("attributes")
    assert attributes["ApproximateReceiveCount"] == "1"
    assert abs(int(attributes["SentTimestamp"]) / 1000 - time.time()) < SECONDS
    assert attributes.keys() >= {"SenderId", "ApproximateFirstReceiveTimestamp"}
    empty: dict[str, list[str]] = {"stringListValues": [], "binaryListValues": []}
    assert record == {
        "messageId": sent["MessageId"],
        "body": "é",
        "messageAttributes": {
            "text": {"stringValue": "x", "dataType": "String"} | empty,
            "bytes": {"binaryValue": "AP8=", "dataType": "Binary"} | empty,
        },
        "md5OfBody": sent["MD5OfMessageBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": mapped.arn(mapped.url),
        "awsRegion": REGION,
    }
    mapped.until_empty()


def test_what_fails_comes_again_until_it_is_a_dead_letter(make: Make) -> None:
    mapped = make(max_concurrency=2)
    mapped.mapping.start()
    sent = mapped.send("fail", "raise")
    seen = [mapped.event()[0] for _ in range(4)]
    receives = [(record["messageId"], record["attributes"]["ApproximateReceiveCount"]) for record in seen]
    assert sorted(receives) == sorted((message, receive) for message in sent for receive in ("1", "2"))
    until(lambda: mapped.counts(mapped.dead_letters) == (2, 0))
    assert mapped.counts() == (0, 0)
    assert {trouble.message: trouble.parked for trouble in mapped.troubles} == {
        "imgpipe-test ended with ValueError: its message comes again.": 0,
        "imgpipe-test ended with ValueError: its message is parked in the dead-letter queue.": 1,
        "imgpipe-test reported a failure: its message is parked in the dead-letter queue.": 1,
    }


def test_only_what_is_reported_comes_again(make: Make) -> None:
    mapped = make(batch_size=10)
    _, failing, _ = mapped.send("a", "fail", "b")
    mapped.mapping.start()
    assert [record["body"] for record in mapped.event()] == ["a", "fail", "b"]
    assert [record["messageId"] for record in mapped.event()] == [failing]


def test_an_error_lets_the_whole_batch_come_again(make: Make) -> None:
    mapped = make(batch_size=2)
    sent = mapped.send("a", "raise")
    mapped.mapping.start()
    for _ in range(2):
        assert [record["messageId"] for record in mapped.event()] == sent


def test_batches_are_no_larger_than_asked_for(make: Make) -> None:
    mapped = make(batch_size=2, max_concurrency=3)
    mapped.send(*"abcde")
    mapped.mapping.start()
    assert sorted(len(mapped.event()) for _ in range(3)) == [1, 2, 2]
    mapped.until_empty()


def test_a_window_gathers_what_comes_in_it(make: Make) -> None:
    mapped = make(batch_size=3, window=SECONDS)
    mapped.send("a", "b")
    mapped.mapping.start()
    until(lambda: mapped.counts() == (0, 2))
    mapped.send("c")
    assert [record["body"] for record in mapped.event()] == ["a", "b", "c"]


def test_no_more_is_received_than_can_be_invoked(make: Make) -> None:
    mapped = make("import time\ndef handler(event, context): time.sleep(1000)", max_concurrency=2)
    mapped.sqs.set_queue_attributes(QueueUrl=mapped.url, Attributes={"VisibilityTimeout": "600"})
    mapped.mapping.start()
    mapped.send(*"abcde")
    until(lambda: mapped.counts()[1] == 2)
    function = mapped.logged.function
    until(lambda: len(function._busy) == 2)
    assert mapped.counts() == (3, 2)


def test_invocations_at_once_empty_the_queue_together(make: Make) -> None:
    mapped = make(max_concurrency=3)
    mapped.mapping.start()
    sent = [message for _ in range(4) for message in mapped.send(*"0123456789")]
    seen = [mapped.event()[0]["messageId"] for _ in sent]
    assert sorted(seen) == sorted(sent)
    mapped.until_empty()


def test_a_deletion_that_fails_is_made_again(make: Make) -> None:
    mapped = make()
    refused = threading.Event()

    def refuse(request: Any, **_: object) -> Any:
        if refused.is_set():
            return None
        refused.set()
        return answer(request, 500, b"{}")

    mapped.sqs.set_queue_attributes(QueueUrl=mapped.url, Attributes={"VisibilityTimeout": "600"})
    mapped.sqs.meta.events.register("before-send.sqs.DeleteMessageBatch", refuse)
    mapped.mapping.start()
    mapped.send("a")
    mapped.until_empty()
    assert refused.is_set()


def test_a_deletion_that_is_refused_for_one_message_is_made_again(make: Make) -> None:
    mapped = make()
    bodies: list[bytes] = []

    def refuse(request: Any, **_: object) -> Any:
        bodies.append(request.body)
        failed = {"Id": "0", "SenderFault": False, "Code": "InternalError"}
        return answer(request, 200, json.dumps({"Failed": [failed]}).encode()) if len(bodies) == 1 else None

    mapped.sqs.set_queue_attributes(QueueUrl=mapped.url, Attributes={"VisibilityTimeout": "600"})
    mapped.sqs.meta.events.register("before-send.sqs.DeleteMessageBatch", refuse)
    mapped.mapping.start()
    mapped.send("a")
    mapped.until_empty()
    assert bodies == [bodies[0]] * 2


def test_a_server_that_is_away_is_asked_again(make: Make) -> None:
    mapped = make()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    away = client("sqs", f"http://127.0.0.1:{port}", retries={"total_max_attempts": 1})
    asked = threading.Semaphore(0)
    away.meta.events.register("before-send.sqs", lambda **_: asked.release())
    told: queue.SimpleQueue[Trouble] = queue.SimpleQueue()
    mapping = Mapping(
        away, mapped.url, mapped.logged.function, batch_size=1, max_concurrency=1, window=0, tell=told.put
    )
    mapping.start()
    for _ in range(2):
        assert asked.acquire(timeout=SECONDS)
    mapped.send("a")
    server = serve(DomainDispatcherApplication(create_backend_app), port)
    assert mapped.event()[0]["body"] == "a"
    mapped.until_empty()
    said = [told.get(timeout=SECONDS).message for _ in range(told.qsize())]
    assert said[0].startswith("The queue cannot be received from, and is asked until it can: Could not connect")
    assert said[1:] == ["The queue can be received from again."]
    mapping.close()
    server.close()


def test_a_closed_mapping_takes_nothing(make: Make) -> None:
    mapped = make()
    mapped.mapping.start()
    mapped.send("a")
    mapped.event()
    mapped.until_empty()
    mapped.mapping.close()
    until(lambda: not any(thread.name == "mapping" for thread in threading.enumerate()))


@pytest.mark.parametrize(
    ("answer", "again"),
    [
        (None, ""),
        ({}, ""),
        ({"batchItemFailures": None}, ""),
        ({"batchItemFailures": []}, ""),
        ({"batchItemFailures": [{"itemIdentifier": "a"}]}, "a"),
        ({"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "a"}]}, "a"),
        ({"batchItemFailures": [{"itemIdentifier": "x"}]}, "ab"),
        ({"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "x"}]}, "ab"),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, "ab"),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, "ab"),
        ({"batchItemFailures": [{"itemIdentifier": ["a"]}]}, "ab"),
        ({"batchItemFailures": [{"messageId": "a"}]}, "ab"),
        ({"batchItemFailures": ["a"]}, "ab"),
        ({"batchItemFailures": "a"}, "ab"),
        ({"batchItemFailures": 3}, "ab"),
        ("done", "ab"),
    ],
)
def test_what_comes_again_is_what_the_answer_says(answer: object, again: str) -> None:
    assert failures(answer, {"a", "b"}) == set(again)
