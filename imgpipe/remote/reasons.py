"""Why messages were parked: what the processor last logged of each.

A parked message has no record that tells, since an outage is no answer. A worker that was ended by force logged
nothing of its message either. Logs are read from a time on, oldest first, and a busy processor's are long: so what was
said when a message was tried last is looked for there first, and before that only as far as some answers reach.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from imgpipe.remote.dead_letters import Letter
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.session import aws_errors

LOOKED: Final = 100
"""So many letters are looked for."""
_TOGETHER: Final = 15
"""Ids in one pattern, of at most 1,024 characters ("FilterLogEvents")."""
_BEFORE: Final = 10.0
_AFTER: Final = 120.0
"""Seconds around the time at which a message was tried last, without what workers kept it waiting."""
_PAGES: Final = 60
"""So many answers are read in all, each of what CloudWatch finds in 1 MB of the log."""


class Reasons(NamedTuple):
    """Id of a letter -> what was said when it was tried last; and whether the log was read as far as it may tell."""

    found: dict[str, str]
    is_whole: bool


def reasons(pipeline: Pipeline, letters: Sequence[Letter]) -> Reasons:
    """Of the first `LOOKED` letters. Raises AwsError and StackError."""
    letters = sorted(letters[:LOOKED], key=lambda letter: letter.sent)
    if not letters:
        return Reasons({}, True)
    with aws_errors():
        log = _Log(pipeline)
        hidden = _visibility(pipeline)
        for near in _near(letters, hidden):
            log.search(near, _tried(near[0], hidden) - _BEFORE, _tried(near[-1], hidden) + _AFTER)
        left = [letter for letter in letters if letter.id not in log.latest]
        for start in range(0, len(left), _TOGETHER):
            log.search(left[start : start + _TOGETHER], left[start].sent, None)
    return Reasons({name: text for name, (_, text) in log.latest.items()}, log.pages > 0)


def _visibility(pipeline: Pipeline) -> float:
    """Seconds after which a message that failed is tried again."""
    asked = {"QueueUrl": pipeline.queue_url, "AttributeNames": ["VisibilityTimeout"]}
    return float(pipeline.session.client("sqs").get_queue_attributes(**asked)["Attributes"]["VisibilityTimeout"])


def _tried(letter: Letter, hidden: float) -> float:
    """When the letter was tried last, at the earliest."""
    return letter.sent + max(letter.attempts - 1, 0) * hidden


def _near(letters: Sequence[Letter], hidden: float) -> Iterator[list[Letter]]:
    """The letters in groups that were tried last at about the same time."""
    group: list[Letter] = []
    for letter in sorted(letters, key=lambda letter: _tried(letter, hidden)):
        if group and (len(group) == _TOGETHER or _tried(letter, hidden) - _tried(group[0], hidden) > _AFTER):
            yield group
            group = []
        group.append(letter)
    yield group


class _Log:
    """The processor's log; `latest` is what it said of each message, with its time, `pages` how much may be read."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pages = pipeline.session.client("logs").get_paginator("filter_log_events")
        self._group = pipeline.stack.output("ProcessorLogGroup")
        self.latest: dict[str, tuple[int, str]] = {}
        self.pages = _PAGES

    def search(self, letters: Sequence[Letter], start: float, end: float | None) -> None:
        """Look for the letters in what was logged from `start` to `end`, in seconds since the epoch."""
        wanted = {letter.id for letter in letters}
        pattern = " || ".join(f'$.messageId = "{name}"' for name in sorted(wanted))
        times = {"startTime": int(start * 1000)} | ({} if end is None else {"endTime": int(end * 1000)})
        if not self.pages:
            return
        for page in self._pages.paginate(logGroupName=self._group, filterPattern=f"{{ {pattern} }}", **times):
            for event in page["events"]:
                name, text = _told(event["message"])
                # Not every endpoint knows patterns.
                if name in wanted:
                    self.latest[name] = max(self.latest.get(name, (0, "")), (event["timestamp"], text))
            self.pages -= 1
            if not self.pages:
                return


def _told(line: str) -> tuple[str, str]:
    """The message that a line of the log is about, and what it says: both "" where it is about none."""
    try:
        told = json.loads(line)
        return told["messageId"], " ".join(str(told["message"]).removeprefix(_AGAIN).split())
    except (KeyError, TypeError, ValueError):
        return "", ""


_AGAIN: Final = "A message comes again: "
"""What the journal says before the error's own words."""
