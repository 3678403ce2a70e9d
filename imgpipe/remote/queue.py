"""How many messages a queue holds: SQS's own counts, which are approximate."""

from typing import Final, NamedTuple

from imgpipe.remote.session import Session, aws_errors

WAITING: Final = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed")
IN_FLIGHT: Final = "ApproximateNumberOfMessagesNotVisible"


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
