"""A queue from outside: how many messages it holds, by SQS's own counts, and many messages put on it."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from imgpipe.errors import AwsError, StackError
from imgpipe.remote.session import Session, aws_errors

WAITING: Final = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed")
IN_FLIGHT: Final = "ApproximateNumberOfMessagesNotVisible"
BATCH: Final = 10
_BATCH_BYTES: Final = 256 * 1024
"""What one request may hold ("SendMessageBatch"); more is allowed to newer queues alone."""
TRIES: Final = 6
"""How often what SQS could not take is sent, ever later: the last after 3 seconds and more."""
_FIRST_WAIT: Final = 0.1


class Messages(NamedTuple):
    """Messages that wait, and that a worker holds."""

    waiting: int
    in_flight: int

    @property
    def all(self) -> int:
        return self.waiting + self.in_flight


def messages(session: Session, url: str) -> Messages:
    """What the queue at `url` holds. Raises AwsError."""
    with aws_errors():
        answer = session.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[*WAITING, IN_FLIGHT])
    counts = {name: int(count) for name, count in answer["Attributes"].items()}
    return Messages(sum(counts[name] for name in WAITING), counts[IN_FLIGHT])


def send(session: Session, url: str, bodies: Sequence[str], sleep: Callable[[float], None] = time.sleep) -> None:
    """Put a message for each of `bodies` on the queue at `url`, where it may be twice if an answer is lost.

    Raises AwsError and StackError; some of the messages may have been sent then.
    """
    for batch in _batches(bodies):
        left = batch
        for number in range(TRIES):
            if number:
                sleep(_FIRST_WAIT * 2 ** (number - 1))
            entries = [{"Id": str(index), "MessageBody": body} for index, body in enumerate(left)]
            with aws_errors():
                answer = session.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)
            failed: list[dict[str, Any]] = answer.get("Failed", [])
            if refused := next((entry for entry in failed if entry["SenderFault"]), None):
                raise StackError(f"SQS refused a message: {refused.get('Message') or refused['Code']}", _REMEDY)
            left = [left[int(entry["Id"])] for entry in failed]
            if not left:
                break
        else:
            raise AwsError("throttled", f"SQS did not take {len(left)} messages in {TRIES} tries.", _REMEDY)


_REMEDY: Final = "Wait a minute, then run the same command again."


def _batches(bodies: Sequence[str]) -> Iterator[list[str]]:
    """The bodies in order, as many together as one request takes."""
    batch: list[str] = []
    size = 0
    for body in bodies:
        length = len(body.encode())
        if batch and (len(batch) == BATCH or size + length > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(body)
        size += length
    if batch:
        yield batch
