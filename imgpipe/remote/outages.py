"""Why messages come again: the errors that the processor logged lately.

Outages leave no record in the catalog, only lines in the log. Logs are read from the oldest line on, so a flood is
seen by its beginning, and the reading is bounded.
"""

import json
import time
from typing import Any, Final

from msgspec import Struct

from imgpipe.remote.session import Session, aws_errors
from imgpipe.worker.ports import rfc3339

SECONDS: Final = 15 * 60
"""How far back is looked."""
PAGES: Final = 5
"""So many answers are read, each of what CloudWatch finds in 1 MB of the log."""
SHOWN: Final = 5
ENDS: Final = {
    "timeout": "The function ran into its time limit.",
    "error": "The function failed.",
    "failure": "Lambda itself failed to run the function.",
}
"""Status of a report that is no success ("Lambda Telemetry API Event schema reference") -> what it means."""
PATTERN: Final = (
    '{ $.level = "ERROR" || $.log_level = "ERROR" || $.record.status = "timeout" || $.record.status = "error" || '
    '$.record.status = "failure" }'
)
"""What the function logs, what Lambda's runtime logs for it ("Log formats for Python"), and Lambda's own reports of
workers that could log nothing any more."""


class Outage(Struct, frozen=True):
    """One error in its words, how often it was logged, and when last (RFC 3339, UTC)."""

    message: str
    count: int
    last: str


def outages(session: Session, log_group: str) -> tuple[Outage, ...]:
    """At most `SHOWN` errors of the last quarter of an hour, the latest first. Raises AwsError."""
    found: dict[str, Outage] = {}
    since = int((time.time() - SECONDS) * 1000)
    pages = session.client("logs").get_paginator("filter_log_events")
    with aws_errors():
        for number, page in enumerate(
            pages.paginate(logGroupName=log_group, filterPattern=PATTERN, startTime=since), 1
        ):
            for event in page["events"]:
                message = _message(event["message"])
                if not message:
                    continue
                count = found[message].count + 1 if message in found else 1
                found[message] = Outage(message, count, rfc3339(event["timestamp"] / 1000))
            if number == PAGES:
                break
    return tuple(sorted(found.values(), key=lambda outage: outage.last, reverse=True)[:SHOWN])


def _message(line: str) -> str | None:
    """What a line of the log says, in one line; None where it is no error, for not every endpoint knows patterns."""
    try:
        told: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    if told.get("type") == "platform.report":
        return ending(told["record"])
    if "ERROR" not in (told.get("level"), told.get("log_level")):
        return None
    text = told.get("message") or ": ".join(filter(None, (told.get("errorType"), told.get("errorMessage"))))
    return " ".join(str(text or line).split())


def ending(report: dict[str, Any]) -> str | None:
    """How a call ended that did not end well; None where it did."""
    end = ENDS.get(report.get("status", ""))
    metrics = report.get("metrics", {})
    memory = metrics.get("memorySizeMB")
    if end and memory and metrics.get("maxMemoryUsedMB", 0) >= memory:
        return f"The function ran out of its {memory} MB of memory."
    if end and "errorType" in report and report["status"] != "timeout":
        return f"{end[:-1]}: {report['errorType']}."
    return end
