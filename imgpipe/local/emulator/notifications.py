"""What S3 tells a queue when an object changed: real event messages, to the queues that a bucket's rules name.

The shape is version 2.1 of "Event message structure". S3 may deliver late, twice and in any order; here a message is
on its queue before the request that caused it is answered, once. What cannot be sent is logged: the object is stored.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote_plus

from imgpipe.local.emulator.answers import Identity

_LOG: Final = logging.getLogger(__name__)
_REGION: Final = "us-east-1"
_OWNER: Final = "IMGPIPE"


@dataclass(frozen=True)
class Rule:
    """`event` as `s3:ObjectCreated:*`; keys must start with `prefix` and end with `suffix`."""

    name: str
    event: str
    queue: str
    prefix: str
    suffix: str

    @classmethod
    def read(cls, properties: Mapping[str, Any]) -> tuple["Rule", ...]:
        """The rules for queues in the resolved properties of an AWS::S3::Bucket."""
        queues = properties.get("NotificationConfiguration", {}).get("QueueConfigurations", ())
        return tuple(cls._read(number, rule) for number, rule in enumerate(queues))

    @classmethod
    def _read(cls, number: int, rule: Mapping[str, Any]) -> "Rule":
        filters = {
            part["Name"].lower(): part["Value"] for part in rule.get("Filter", {}).get("S3Key", {}).get("Rules", ())
        }
        name = f"queue-{number}"
        return cls(name, rule["Event"], rule["Queue"], filters.get("prefix", ""), filters.get("suffix", ""))

    def takes(self, event: str, key: str) -> bool:
        """Whether it is told of `event`, as `ObjectCreated:Put`, at `key`."""
        wanted = self.event.removeprefix("s3:")
        fits = event == wanted or (wanted.endswith("*") and event.startswith(wanted[:-1]))
        return fits and key.startswith(self.prefix) and key.endswith(self.suffix)


@dataclass(frozen=True)
class Change:
    """What happened to one object. `size` in bytes and `etag`, unquoted, of what was created; `version` where there
    are versions."""

    event: str
    key: str
    size: int | None = None
    etag: str | None = None
    version: str | None = None


class Notifier:
    """Sends what the rules ask for through `send`, given a queue's ARN and a message's body."""

    def __init__(self, send: Callable[[str, str], None]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._last = 0

    def test(self, bucket: str, rules: tuple[Rule, ...]) -> None:
        """Say that a bucket's rules were set, as S3 does, to see whether the queues can be reached."""
        for queue in dict.fromkeys(rule.queue for rule in rules):
            identity = Identity.new()
            event = {
                "Service": "Amazon S3",
                "Event": "s3:TestEvent",
                "Time": _now(),
                "Bucket": bucket,
                "RequestId": identity.request,
                "HostId": identity.host,
            }
            self._deliver(queue, event)

    def tell(self, bucket: str, rules: tuple[Rule, ...], change: Change, *, source: str, identity: Identity) -> None:
        """Tell each queue whose rule takes it of a change, asked for by `identity` from the address `source`."""
        taking = [rule for rule in rules if rule.takes(change.event, change.key)]
        sequencer = self._next() if taking else ""
        for rule in taking:
            record = _record(bucket, rule, change, sequencer, source, identity)
            self._deliver(rule.queue, {"Records": [record]})

    def _deliver(self, queue: str, event: dict[str, Any]) -> None:
        try:
            self._send(queue, json.dumps(event))
        except Exception as error:
            # Whatever a queue's end may raise: there is nobody who could do anything about it.
            _LOG.error("%s was not told of a change: %r", queue, error)

    def _next(self) -> str:
        """A greater one each time, as hexadecimal numbers of one length."""
        with self._lock:
            self._last = max(self._last + 1, time.time_ns())
            return f"{self._last:018X}"


def _record(bucket: str, rule: Rule, change: Change, sequencer: str, source: str, identity: Identity) -> dict[str, Any]:
    about = {"key": quote_plus(change.key, safe="/"), "size": change.size, "eTag": change.etag}
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": _REGION,
        "eventTime": _now(),
        "eventName": change.event,
        "userIdentity": {"principalId": f"AWS:{_OWNER}"},
        "requestParameters": {"sourceIPAddress": source},
        "responseElements": {"x-amz-request-id": identity.request, "x-amz-id-2": identity.host},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": rule.name,
            "bucket": {"name": bucket, "ownerIdentity": {"principalId": _OWNER}, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {
                **{name: value for name, value in about.items() if value is not None},
                **({"versionId": change.version} if change.version else {}),
                "sequencer": sequencer,
            },
        },
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
