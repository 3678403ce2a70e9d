"""Why messages were parked: what the processor last logged of each.

A parked message has no record that tells, since an outage is no answer. A worker that was ended by force logged
nothing of its message either.
"""

import json
from collections.abc import Sequence
from typing import Final

from imgpipe.remote.dead_letters import Letter
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.session import aws_errors

LOOKED: Final = 100
"""So many letters are looked for: logs are read from end to end, which takes time."""
_TOGETHER: Final = 15
"""Ids in one pattern, of at most 1,024 characters ("FilterLogEvents")."""
_PAGES: Final = 10
"""So many answers are read for one pattern, each of what CloudWatch finds in 1 MB of the log."""


def reasons(pipeline: Pipeline, letters: Sequence[Letter]) -> dict[str, str]:
    """Id of a letter -> what was said when it was tried last, for those of the first `LOOKED` of which something was.
    Raises AwsError and StackError."""
    found: dict[str, str] = {}
    for start in range(0, min(len(letters), LOOKED), _TOGETHER):
        found |= _logged(pipeline, letters[start : start + _TOGETHER])
    return found


def _logged(pipeline: Pipeline, letters: Sequence[Letter]) -> dict[str, str]:
    wanted = {letter.id for letter in letters}
    pattern = " || ".join(f'$.messageId = "{name}"' for name in sorted(wanted))
    latest: dict[str, tuple[int, str]] = {}
    with aws_errors():
        pages = pipeline.session.client("logs").get_paginator("filter_log_events")
        for number, page in enumerate(
            pages.paginate(
                logGroupName=pipeline.stack.output("ProcessorLogGroup"),
                filterPattern=f"{{ {pattern} }}",
                startTime=int(min(letter.sent for letter in letters) * 1000),
            ),
            1,
        ):
            for event in page["events"]:
                name, text = _told(event["message"])
                # Not every endpoint knows patterns.
                if name in wanted:
                    latest[name] = max(latest.get(name, (0, "")), (event["timestamp"], text))
            if number == _PAGES:
                break
    return {name: text for name, (_, text) in latest.items()}


def _told(line: str) -> tuple[str, str]:
    """The message that a line of the log is about, and what it says: both "" where it is about none."""
    try:
        told = json.loads(line)
        return told["messageId"], " ".join(str(told["message"]).removeprefix(_AGAIN).split())
    except (KeyError, TypeError, ValueError):
        return "", ""


_AGAIN: Final = "A message comes again: "
"""What the journal says before the error's own words."""
