"""What S3 says through a queue: read it, and say it the same way.

An event means only "look at this key": to which version and in which order it happened is not read from it, since S3
delivers more than once and in any order ("Event notification types and destinations"). That something was put only
makes a worker look again where it finds nothing: for up to 15 minutes after versioning was first enabled, S3 may not
find what was just put ("How S3 Versioning works"), and two of the queue's delays, each its visibility timeout, outlast
that. A job that is to be done even where its source is up to date carries `"imgpipe": {"force": true}` beside the
record's `s3`, which S3 never sends.
"""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus, unquote_plus

from imgpipe.errors import MessageError
from imgpipe.worker.ports import rfc3339

BELIEVED: Final = 3
"""From which receive on a message that something was put expects it no longer."""
_REGION: Final = "us-east-1"
"""Of what no region's S3 or queue sends."""


@dataclass(frozen=True)
class Job:
    """One source to bring up to date; `force` even where it is recorded as done.

    `expected`: it was put, so that nothing at its key is believed only where the store is certain.
    """

    key: str
    force: bool = False
    expected: bool = False


@dataclass(frozen=True)
class Message:
    """One item of a queue's batch, received for the `receives`th time."""

    id: str
    receives: int
    body: str

    def jobs(self) -> tuple[Job, ...]:
        """The jobs of the S3 event in the body, none for the test event that S3 sends first.

        Raises MessageError where the body is something else.
        """
        try:
            document = json.loads(self.body)
            if document.get("Event") == "s3:TestEvent":
                return ()
            return tuple(_job(record, self.receives) for record in document["Records"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise MessageError(
                f"Message {self.id} holds no S3 event: {self.body[:200]!r}.",
                "Remove it, and let only the source bucket send to this queue.",
            ) from error


def messages(event: Mapping[str, Any]) -> Iterator[Message]:
    """The messages of a batch from SQS (AWS Lambda, "Example Amazon SQS message event").

    Raises MessageError where the event is something else.
    """
    try:
        for record in event["Records"]:
            receives = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
            yield Message(record["messageId"], receives, record["body"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MessageError("The event is no batch from a queue.", "Call the function through its queue.") from error


def notification(
    bucket: str, key: str, *, region: str = _REGION, removed: bool = False, force: bool = False
) -> dict[str, Any]:
    """What S3 sends to a queue when `key` was put or removed ("Event message structure", version 2.1).

    `size` and `eTag` are left out: what the source is now, a worker asks the store.
    """
    now = time.time_ns()
    record: dict[str, Any] = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": rfc3339(now / 1e9),
        "eventName": "ObjectRemoved:Delete" if removed else "ObjectCreated:Put",
        "userIdentity": {"principalId": "imgpipe"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": f"{now:016X}", "x-amz-id-2": f"{now:016X}"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "imgpipe",
            "bucket": {
                "name": bucket,
                "ownerIdentity": {"principalId": "imgpipe"},
                "arn": f"arn:aws:s3:::{bucket}",
            },
            "object": {"key": quote_plus(key, safe="/"), "sequencer": f"{now:018X}"},
        },
    }
    if force:
        record["imgpipe"] = {"force": True}
    return {"Records": [record]}


def envelope(
    bucket: str, key: str, *, removed: bool = False, force: bool = False, message_id: str | None = None
) -> dict[str, Any]:
    """The event with which SQS would call the function for one put or removed `key`."""
    milliseconds = str(time.time_ns() // 1_000_000)
    return {
        "Records": [
            {
                "messageId": message_id or str(uuid.uuid4()),
                "receiptHandle": "imgpipe",
                "body": json.dumps(notification(bucket, key, removed=removed, force=force)),
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": milliseconds,
                    "SenderId": "imgpipe",
                    "ApproximateFirstReceiveTimestamp": milliseconds,
                },
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{_REGION}:000000000000:imgpipe",
                "awsRegion": _REGION,
            }
        ]
    }


def _job(record: Mapping[str, Any], receives: int) -> Job:
    key = unquote_plus(record["s3"]["object"]["key"])
    if not key:
        raise ValueError("S3 has no empty keys")
    return Job(
        key=key,
        force=bool(record.get("imgpipe", {}).get("force", False)),
        expected=receives < BELIEVED and str(record.get("eventName")).startswith("ObjectCreated:"),
    )
