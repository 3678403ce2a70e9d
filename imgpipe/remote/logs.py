"""What the functions of a stack logged, from their log groups, each line once and in the order of time.

CloudWatch takes lines in with some delay and in no order: a look begins `LATEST` before the one before it, and what
comes again is dropped by its id. FilterLogEvents has a quota for the whole account, so that looks are `SECONDS` apart.
"""

import heapq
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from imgpipe.errors import AwsError
from imgpipe.remote.patience import Patience, repeat
from imgpipe.remote.session import Session, aws_errors
from imgpipe.remote.stack import Stack

GROUPS: Final = {"processor": "ProcessorLogGroup", "api": "ApiLogGroup"}
"""Function -> the stack's output that names its log group."""
LATEST: Final = 10.0
"""Seconds by which CloudWatch may lag."""
SECONDS: Final = 2.0
"""Between two looks."""
_OLD: Final = 1_000
"""Milliseconds that a reading comes on before the ids that cannot come again are forgotten."""


@dataclass(frozen=True)
class Line:
    """One line that `function` logged, at `time`, in milliseconds since the epoch."""

    time: int
    function: str
    id: str
    text: str


class Logs:
    """What `functions` of `stack` logged at `since` (seconds since the epoch) or later, where `pattern` matches
    ("Filter pattern syntax"). `session` may be replaced, by one with newer credentials."""

    def __init__(
        self, session: Session, stack: Stack, functions: tuple[str, ...], since: float, pattern: str | None = None
    ) -> None:
        self.session = session
        self._groups: Mapping[str, str] = {function: stack.output(GROUPS[function]) for function in functions}
        self._pattern = {"filterPattern": pattern} if pattern else {}
        self._start = int(since * 1000)
        self._told: dict[str, int] = {}
        self._forgotten = self._start

    def poll(self) -> Iterator[Line]:
        """What is new, oldest first. May raise botocore's errors, after which nothing is lost: poll again."""
        newest = int((self.session.now() - LATEST) * 1000)
        for line in heapq.merge(*map(self._read, self._groups), key=lambda line: line.time):
            if line.id not in self._told:
                self._told[line.id] = line.time
                yield line
            # What comes before it has come.
            self._advance(min(line.time, newest))
        self._advance(newest)

    def _read(self, function: str) -> Iterator[Line]:
        pages = self.session.client("logs").get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=self._groups[function], startTime=self._start, **self._pattern):
            # Not every endpoint sorts them.
            for event in sorted(page["events"], key=lambda event: event["timestamp"]):
                yield _line(function, event)

    def _advance(self, start: int) -> None:
        self._start = max(self._start, start)
        if self._start >= self._forgotten + _OLD:
            self._told = {name: moment for name, moment in self._told.items() if moment >= self._start}
            self._forgotten = self._start


def so_far(logs: Logs) -> Iterator[Line]:
    """What there is now. Raises AwsError."""
    with aws_errors():
        yield from logs.poll()


def follow(
    logs: Logs,
    connect: Callable[[], Session],
    say: Callable[[AwsError | None], None],
    *,
    renewing: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Line]:
    """Every line as it comes, for ever. `say` is as for Patience; where credentials ran out and `renewing`, the next
    look is by what `connect` returns. Raises AwsError for what does not pass by itself."""

    def renew() -> None:
        logs.session = connect()

    return repeat(logs.poll, renew, Patience(say, renewing=renewing), lambda _: SECONDS, sleep)


def _line(function: str, event: dict[str, Any]) -> Line:
    return Line(event["timestamp"], function, f"{function} {event['eventId']}", event["message"])
