"""What is parked in the dead-letter queue: every message of it, held while it is looked at.

A receive is a sample of the queue's servers, so messages are received, and thereby hidden from everybody else, until
there are none left; what is not taken away is shown again at the end. Whoever is cut off by force leaves them hidden
for `HELD` seconds, and loses none.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from imgpipe.adapters.dynamodb import BATCH as RECORDS
from imgpipe.errors import ImgpipeError, MessageError
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.queue import BATCH
from imgpipe.remote.session import aws_errors
from imgpipe.worker.events import Message
from imgpipe.worker.ports import Record

HELD: Final = 900
"""Seconds for which messages are hidden: time to receive them all, and to answer a question."""
EMPTY: Final = 2
"""So many receives in a row must find nothing. Each asks every server of the queue ("long polling")."""
SECONDS: Final = 1
"""Of long polling."""


class Letter(NamedTuple):
    """One parked message. `keys` are of the sources that it is about, None where it is no S3 event; `sent` is when it
    was first sent, in seconds since the epoch, and `attempts` how often workers have tried it."""

    id: str
    body: str
    keys: tuple[str, ...] | None
    sent: float
    attempts: int


class DeadLetters:
    """The dead-letter queue of a pipeline, for `with`, whose end shows again what was not removed.

    Methods raise AwsError.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._sqs = pipeline.session.client("sqs")
        self._url = pipeline.dead_letter_queue_url
        self._work = pipeline.queue_url
        self._held: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        held = list(self._held.values())
        for start in range(0, len(held), BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(held[start : start + BATCH])
            ]
            # Otherwise they show again by themselves, only later.
            with suppress(ImgpipeError), aws_errors():
                self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    def receive(self) -> Iterator[Letter]:
        """Every message that is there, each once."""
        with aws_errors():
            most = self._most_attempts()
            empty = 0
            while empty < EMPTY:
                answer = self._sqs.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=BATCH,
                    VisibilityTimeout=HELD,
                    WaitTimeSeconds=SECONDS,
                    MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
                )
                received = {message["MessageId"]: message for message in answer.get("Messages", ())}
                new = received.keys() - self._held.keys()
                self._held |= {name: message["ReceiptHandle"] for name, message in received.items()}
                empty = 0 if new else empty + 1
                yield from (_letter(message, most) for name, message in received.items() if name in new)

    def remove(self, letters: Sequence[Letter]) -> None:
        """Take at most `BATCH` letters out of the queue. One that SQS keeps all the same will come twice."""
        entries = [{"Id": str(n), "ReceiptHandle": self._held[letter.id]} for n, letter in enumerate(letters)]
        with aws_errors():
            answer = self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
        for entry in answer.get("Successful", ()):
            del self._held[letters[int(entry["Id"])].id]

    def _most_attempts(self) -> int:
        """How often workers may try a message before it is parked. That looking counts as receiving is so left out."""
        answer = self._sqs.get_queue_attributes(QueueUrl=self._work, AttributeNames=["RedrivePolicy"])
        return int(json.loads(answer["Attributes"]["RedrivePolicy"])["maxReceiveCount"])


def records(pipeline: Pipeline, letters: Iterable[Letter]) -> dict[str, Record]:
    """What is known of the sources that `letters` are about. Raises AwsError."""
    keys = list(dict.fromkeys(key for letter in letters for key in letter.keys or ()))
    found: dict[str, Record] = {}
    with aws_errors():
        for start in range(0, len(keys), RECORDS):
            found |= pipeline.catalog.records(keys[start : start + RECORDS])
    return found


def _letter(message: dict[str, Any], most: int) -> Letter:
    told = message["Attributes"]
    receives = int(told["ApproximateReceiveCount"]) - 1
    keys: tuple[str, ...] | None
    try:
        keys = tuple(dict.fromkeys(job.key for job in Message(message["MessageId"], receives, message["Body"]).jobs()))
    except MessageError:
        keys = None
    sent = int(told["SentTimestamp"]) / 1000
    return Letter(message["MessageId"], message["Body"], keys, sent, min(receives, most))
