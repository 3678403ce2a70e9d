"""What brings a queue's messages to a function, as Lambda's event source mapping does.

A receive costs a message one of the tries that it has before the dead-letter queue, so no more is received than can be
invoked at once. What fails is left alone: it comes again when its visibility timeout has passed, or is parked then in
the dead-letter queue, which nobody would hear of if it were not said here.
"""

import base64
import json
import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from imgpipe.errors import MessageError
from imgpipe.local.emulator.environment import FunctionError
from imgpipe.local.emulator.function import Function
from imgpipe.local.emulator.heard import Trouble
from imgpipe.worker import events

_LONG_POLL: Final = 1
"""Seconds that a receive waits for messages: what is under way when the emulator ends outlives it as long."""
_AT_ONCE: Final = 10
"""Messages that one request may receive or delete."""
_PAUSE: Final = 0.5
"""Seconds before a request that failed is made again."""
_REFUSALS: Final = (BotoCoreError, ClientError, ResponseParserError)
_TRIES: Final = 20
"""To delete a message. One that is not deleted comes again."""


class Mapping:
    """From the queue at `queue_url` to `function`: batches of up to `batch_size` messages, gathered for up to `window`
    seconds, of which `max_concurrency` are under way at once. `sqs` is a client of botocore that many threads may use.
    `tell` takes what a person should know of it.
    """

    def __init__(
        self,
        sqs: Any,
        queue_url: str,
        function: Function,
        batch_size: int,
        max_concurrency: int,
        window: float,
        tell: Callable[[Trouble], None],
    ) -> None:
        self._sqs = sqs
        self._url = queue_url
        self._function = function
        self._batch_size = batch_size
        self._free = max_concurrency
        self._window = window
        self._tell = tell
        self._receives = math.inf
        self._stopped = threading.Event()
        self._changed = threading.Condition()

    def start(self) -> None:
        """Begin to receive, until `close`."""
        threading.Thread(target=self._poll, name="mapping", daemon=True).start()

    def close(self) -> None:
        """Receive no more. Invocations under way end with the function; a receive under way ends with the server."""
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()

    def _poll(self) -> None:
        asked = self._ask(self._sqs.get_queue_attributes, AttributeNames=["QueueArn", "RedrivePolicy"])
        attributes = asked.get("Attributes", {})
        arn = attributes.get("QueueArn", "")
        self._receives = float(json.loads(attributes.get("RedrivePolicy", "{}")).get("maxReceiveCount", math.inf))
        held: list[dict[str, Any]] = []
        due = 0.0
        while free := self._wait_for_room():
            wait = max(math.ceil(due - time.monotonic()), 0) if held else _LONG_POLL
            received = self._ask(
                self._sqs.receive_message,
                MaxNumberOfMessages=min(free * self._batch_size - len(held), _AT_ONCE),
                WaitTimeSeconds=min(wait, _LONG_POLL),
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            if self._stopped.is_set():
                return
            if not held:
                due = time.monotonic() + self._window
            held += [record(message, arn) for message in received.get("Messages", [])]
            while held and (len(held) >= self._batch_size or time.monotonic() >= due):
                batch, held = held[: self._batch_size], held[self._batch_size :]
                self._begin(batch)

    def _wait_for_room(self) -> int:
        """How many invocations may begin, once it is one at least; none where it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._free or self._stopped.is_set())
            return 0 if self._stopped.is_set() else self._free

    def _begin(self, batch: list[dict[str, Any]]) -> None:
        with self._changed:
            self._free -= 1
        try:
            threading.Thread(target=self._run, args=(batch,), daemon=True).start()
        except RuntimeError as error:
            self._fail(batch, f"{self._function.name} cannot be invoked ({error}){_at(batch)}")
            self._end()

    def _run(self, batch: list[dict[str, Any]]) -> None:
        try:
            again = failures(self._function.invoke({"Records": batch}), {each["messageId"] for each in batch})
            self._delete([each["receiptHandle"] for each in batch if each["messageId"] not in again])
            self._fail([each for each in batch if each["messageId"] in again])
        except FunctionError as error:
            self._fail(batch, f"{self._function.name} ended with {error.error_type}{_at(batch)}")
        finally:
            self._end()

    def _end(self) -> None:
        with self._changed:
            self._free += 1
            self._changed.notify_all()

    def _fail(self, batch: list[dict[str, Any]], why: str = "") -> None:
        """Say what becomes of messages that failed: for all of them `why`, or as the function has said itself."""
        last = sum(int(each["attributes"]["ApproximateReceiveCount"]) >= self._receives for each in batch)
        if self._stopped.is_set() or not (last or why):
            return
        one = len(batch) == 1
        fate = f"its {'message comes' if one else 'messages come'} again"
        if last:
            fate = f"{'its message is' if one else f'{last} of its messages are'} parked in the dead-letter queue"
        self._tell(Trouble(f"{why or f'{self._function.name} reported a failure'}: {fate}.", last))

    def _delete(self, handles: list[str]) -> None:
        for start in range(0, len(handles), _AT_ONCE):
            entries = [
                {"Id": str(number), "ReceiptHandle": handle}
                for number, handle in enumerate(handles[start : start + _AT_ONCE])
            ]
            for _ in range(_TRIES):
                with suppress(*_REFUSALS):
                    answer = self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
                    failed = {each["Id"] for each in answer.get("Failed", ()) if not each["SenderFault"]}
                    entries = [each for each in entries if each["Id"] in failed]
                if not entries or self._stopped.wait(_PAUSE):
                    break

    def _ask(self, request: Callable[..., dict[str, Any]], **arguments: object) -> dict[str, Any]:
        """The answer to `request`, made again until it is answered; an empty one when closed."""
        refused = False
        while not self._stopped.is_set():
            try:
                answer = request(QueueUrl=self._url, **arguments)
            except _REFUSALS as error:
                if not refused:
                    self._tell(Trouble(f"The queue cannot be received from, and is asked until it can: {error}"))
                refused = True
                self._stopped.wait(_PAUSE)
                continue
            if refused:
                self._tell(Trouble("The queue can be received from again."))
            return answer
        return {}


def record(message: dict[str, Any], arn: str) -> dict[str, Any]:
    """A message of ReceiveMessage as one of an event's Records ("Example Amazon SQS message event")."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
    }


def failures(answer: object, ids: set[str]) -> set[str]:
    """Those of a batch's message `ids` that come again: the ones that `answer` reports, none where it reports nothing,
    all where it is not what was asked for ("Success and failure conditions" of partial batch responses)."""
    reported = answer.get("batchItemFailures") if isinstance(answer, dict) else answer
    if reported is None:
        return set()
    if not isinstance(reported, list):
        return ids
    named = [item.get("itemIdentifier") if isinstance(item, dict) else None for item in reported]
    known = [name for name in named if isinstance(name, str) and name in ids]
    return set(known) if len(known) == len(named) else ids


def _at(batch: list[dict[str, Any]]) -> str:
    """The images that a batch is about, as far as its messages name any, in words."""
    keys: list[str] = []
    for message in events.messages({"Records": batch}):
        with suppress(MessageError):
            keys += [job.key for job in message.jobs()]
    return f" at {', '.join(keys)}" if keys else ""


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    attribute: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        attribute["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        attribute["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return attribute
