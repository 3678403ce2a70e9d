"""What a worker says of each image: one line of the log, and metrics in CloudWatch's embedded metric format.

Lambda makes JSON of what `logging` gets, with the extra fields beside the message ("Using structured JSON logs");
metrics are lines of their own on standard output ("Specification: Embedded metric format").
"""

import json
import logging
import sys
import time
from typing import Any, Final

import msgspec

from imgpipe.errors import ImgpipeError, Retry
from imgpipe.worker.events import Job, Message
from imgpipe.worker.ports import Milliseconds, Record, rfc3339

NAMESPACE: Final = "imgpipe"
_UNITS: Final = {
    "Images": "Count",
    "Failures": "Count",
    "SourceBytes": "Bytes",
    "RenditionBytes": "Bytes",
    "ReadTime": "Milliseconds",
    "RenderTime": "Milliseconds",
    "StoreTime": "Milliseconds",
    "TotalTime": "Milliseconds",
}
_log = logging.getLogger("imgpipe")


class Journal:
    """Of one request, which begins now; `stack` is the metrics' dimension."""

    def __init__(self, stack: str, request_id: str) -> None:
        self._stack = stack
        self._request = {"requestId": request_id}
        self._began = rfc3339(time.time())

    def report(self, record: Record) -> None:
        """Say that a source is up to date."""
        known = msgspec.to_builtins(record.public())
        facts = {name: value for name, value in known.items() if value not in (None, [], {})}
        _log.info(_sentence(record), extra=facts | self._request)
        # What was settled before this request began was only looked at.
        if record.status != "deleted" and record.updated >= self._began:
            sys.stdout.write(json.dumps(_metrics(record, self._stack)) + "\n")

    def nothing(self, message: Message, job: Job) -> None:
        """Say that a message was in vain."""
        extra = {"key": job.key, "messageId": message.id, "receives": message.receives}
        _log.info(f"Nothing lies at {job.key}, and nothing is known of it.", extra=extra | self._request)

    def outage(self, message: Message, error: Exception) -> None:
        """Say that a message comes again, and why; where that is no news, without a traceback."""
        level = logging.WARNING if isinstance(error, Retry) else logging.ERROR
        known = isinstance(error, Retry | ImgpipeError)
        extra = {"messageId": message.id, "receives": message.receives, "reason": type(error).__name__}
        text = f"A message comes again: {error}"
        _log.log(level, text, exc_info=None if known else error, extra=extra | self._request)

    def trouble(self, text: str, error: BaseException | None = None) -> None:
        """Say what went wrong with the request as a whole."""
        _log.error(text, exc_info=error, extra=self._request)


def _sentence(record: Record) -> str:
    if record.error:
        return f"{record.key} failed: {record.error.message}"
    return f"{record.key} is {record.status}."


def _metrics(record: Record, stack: str) -> dict[str, Any]:
    spent = record.milliseconds or Milliseconds()
    values = {
        "Images": 1,
        "Failures": int(record.status == "failed"),
        "SourceBytes": record.bytes or 0,
        "RenditionBytes": sum(made.bytes for made in record.renditions),
        "ReadTime": spent.read,
        "RenderTime": spent.render,
        "StoreTime": spent.store,
        "TotalTime": spent.total,
    }
    described = {
        "Namespace": NAMESPACE,
        "Dimensions": [["Stack"]],
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in _UNITS.items()],
    }
    head = {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [described]}
    return {"_aws": head, "Stack": stack, **values}
