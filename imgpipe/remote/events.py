"""What CloudFormation does to a stack, as it does it.

Follow a stack by its id (its ARN), not by its name: a name is forgotten the moment the stack is gone.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from imgpipe.errors import AwsError, NoStackError
from imgpipe.remote.session import aws_errors

SECONDS: Final = 2.0
"""Between two looks, while CloudFormation answers."""
PATIENCE: Final = 20
"""So many looks in a row may be throttled or find no way to AWS; each waits longer, up to `LONGEST` seconds."""
LONGEST: Final = 30.0
PASSING: Final = frozenset({"not_aws", "throttled", "unavailable", "unreachable"})
"""A proxy on the way answers for AWS, too."""
_CANCELLED: Final = ("Resource creation cancelled", "Resource update cancelled", "Resource deletion cancelled")


@dataclass(frozen=True)
class StackEvent:
    """One change of one resource, or of the stack itself; `reason` is CloudFormation's, empty where it gave none."""

    id: str
    time: datetime
    resource: str
    type: str
    status: str
    reason: str
    of_stack: bool

    @property
    def failed(self) -> bool:
        return self.status.endswith("_FAILED")

    @property
    def settled(self) -> bool:
        """Whether this ends what was done to the stack."""
        return self.of_stack and settled(self.status)


def settled(status: str) -> bool:
    """Whether a stack of this status is at rest."""
    return not status.endswith("_IN_PROGRESS") or status == "REVIEW_IN_PROGRESS"


def last_rest(client: Any, stack: str) -> str | None:
    """The id of the event with which the stack last came to rest: what is done to it now, or next, begins there."""
    with aws_errors():
        return next((event.id for event in _newest_first(client, stack) if event.settled), None)


def follow(
    client: Any, stack: str, since: str | None, sleep: Callable[[float], None] = time.sleep
) -> Iterator[StackEvent]:
    """Every event after the one whose id is `since`, oldest first and once, until the stack is at rest or forgotten.

    Throttling and a way to AWS that is cut for a while are waited for; then AwsError is raised as for any other call.
    """
    seen: set[str] = set() if since is None else {since}
    failures = 0
    while True:
        try:
            with aws_errors():
                news = _until(_newest_first(client, stack), seen)
        except NoStackError:
            return
        except AwsError as error:
            failures += 1
            if error.code not in PASSING or failures > PATIENCE:
                raise
            sleep(min(SECONDS * 2**failures, LONGEST))
            continue
        failures = 0
        seen.update(event.id for event in news)
        yield from news
        if news and news[-1].settled:
            return
        sleep(SECONDS)


def cause(events: Iterable[StackEvent]) -> StackEvent | None:
    """Why it failed: the first failure of `events` that is not another's doing."""
    return next((event for event in events if event.failed and not event.reason.startswith(_CANCELLED)), None)


def _until(newest_first: Iterator[StackEvent], seen: set[str]) -> list[StackEvent]:
    """The events before the first that was seen, oldest first."""
    news = []
    for event in newest_first:
        if event.id in seen:
            break
        news.append(event)
    return news[::-1]


def _newest_first(client: Any, stack: str) -> Iterator[StackEvent]:
    for page in client.get_paginator("describe_stack_events").paginate(StackName=stack):
        for event in page["StackEvents"]:
            yield StackEvent(
                id=event["EventId"],
                time=event["Timestamp"],
                resource=event.get("LogicalResourceId", ""),
                type=event.get("ResourceType", ""),
                status=event.get("ResourceStatus", ""),
                reason=event.get("ResourceStatusReason", ""),
                of_stack=event.get("PhysicalResourceId") == event["StackId"],
            )
