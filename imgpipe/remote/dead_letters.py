"""What is parked in the dead-letter queue: every message of it, held while it is looked at.

A receive is a sample of the queue's servers, so messages are received, and thereby hidden from everybody else, until
there are none left, or 120,000 are held, more than which SQS does not hand out. They stay hidden however long the look
takes; what is not taken away is shown again at the end. Whoever is cut off by force leaves them hidden for `HELD`
seconds, and loses none.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from imgpipe.adapters.dynamodb import BATCH as RECORDS
from imgpipe.errors import ImgpipeError, MessageError
from imgpipe.remote.parallel import unordered
from imgpipe.remote.patiently import portions
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.queue import BATCH, messages
from imgpipe.remote.session import aws_errors
from imgpipe.worker.events import Message
from imgpipe.worker.ports import Record

HELD: Final = 300
"""Seconds for which messages are hidden, again and again."""
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


@dataclass
class _Hold:
    """By which receipt a message is hidden, and until when by this machine's clock."""

    receipt: str
    until: float


class DeadLetters:
    """The dead-letter queue of a pipeline, for `with`, whose end shows again what was not removed; `on_release` gets
    how many these are before.

    Methods raise AwsError.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        on_release: Callable[[int], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._session = pipeline.session
        self._sqs = pipeline.session.client("sqs")
        self._url = pipeline.dead_letter_queue_url
        self._work = pipeline.queue_url
        self._on_release = on_release
        self._clock = clock
        self._held: dict[str, _Hold] = {}
        self._over = Event()
        self._renewing = Thread(target=self._renew, daemon=True)

    def __enter__(self) -> Self:
        self._renewing.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._renewing.join()
        held = [hold for hold in self._held.values() if hold.until > self._clock()]
        if held:
            self._on_release(len(held))
        # Otherwise they show again by themselves, only later.
        with suppress(ImgpipeError):
            for _ in unordered(lambda holds: self._hide(holds, 0), portions(held, BATCH)):
                pass

    def count(self) -> int:
        """About how many messages there are, also those that somebody else looks at."""
        return messages(self._session, self._url).all

    def receive(self) -> Iterator[Letter]:
        """Every message that is there, each once."""
        with aws_errors():
            most = self._most_attempts()
            empty = 0
            while empty < EMPTY:
                until = self._clock() + HELD
                answer = self._sqs.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=BATCH,
                    VisibilityTimeout=HELD,
                    WaitTimeSeconds=SECONDS,
                    MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
                )
                received = {message["MessageId"]: message for message in answer.get("Messages", ())}
                new = received.keys() - self._held.keys()
                # One that comes again is held by its newest receipt.
                self._held |= {name: _Hold(message["ReceiptHandle"], until) for name, message in received.items()}
                empty = 0 if received else empty + 1
                yield from (_letter(message, most) for name, message in received.items() if name in new)

    def held(self, letters: Sequence[Letter]) -> list[Letter]:
        """Those of `letters` that nobody else can have received: a machine that slept did not renew its hold."""
        now = self._clock()
        return [letter for letter in letters if letter.id in self._held and self._held[letter.id].until > now]

    def remove(self, letters: Sequence[Letter]) -> None:
        """Take at most `BATCH` letters out of the queue. One that SQS keeps all the same will come twice."""
        entries = [{"Id": str(n), "ReceiptHandle": self._held[letter.id].receipt} for n, letter in enumerate(letters)]
        with aws_errors():
            answer = self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
        for entry in answer.get("Successful", ()):
            del self._held[letters[int(entry["Id"])].id]

    def _renew(self) -> None:
        while not self._over.wait(HELD / 3):
            for holds in portions(list(self._held.values()), BATCH):
                if self._over.is_set():
                    return
                with suppress(ImgpipeError):  # in time for another try
                    self._hide(holds, HELD)

    def _hide(self, holds: Sequence[_Hold], seconds: int) -> None:
        """Hide messages for so long from now on."""
        until = self._clock() + seconds
        entries = [
            {"Id": str(number), "ReceiptHandle": hold.receipt, "VisibilityTimeout": seconds}
            for number, hold in enumerate(holds)
        ]
        with aws_errors():
            answer = self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
        for entry in answer.get("Successful", ()):
            holds[int(entry["Id"])].until = until

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
            found |= {
                key: entry.record for key, entry in pipeline.catalog.entries(keys[start : start + RECORDS]).items()
            }
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
