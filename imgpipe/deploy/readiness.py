"""Whether a stack's status lets it be deployed to, and what has to be done first where it does not.

The ways out of a dead end are CloudFormation's: what failed while it was made or deleted can only be deleted, and what
failed while it was rolled back has to be rolled back to the end.
"""

from collections.abc import Callable, Generator, Iterator
from enum import Enum
from functools import partial
from typing import Final, Literal, NamedTuple

from imgpipe.deploy.events import Ask, Event, Executing, Step, Waiting
from imgpipe.errors import NoStackError, StackError, UsageError
from imgpipe.remote.events import StackEvent, cause, follow, last_rest, settled
from imgpipe.remote.session import Session
from imgpipe.remote.stack import Stack, find

Sleep = Callable[[float], None]


class Need(Enum):
    """What has to be done to a stack before a deployment."""

    NOTHING = "nothing"
    WAIT = "wait until its operation has ended"
    DELETE = "delete it"
    ROLL_BACK = "roll its last update back to the end"


class Ready(NamedTuple):
    """What can be deployed to: the stack, or None where it has to be made; and the one that was deleted for that,
    whose parameters and tags the new one takes over."""

    stack: Stack | None
    former: Stack | None = None


class Declined(Exception):
    """The person answered no."""


def need(status: str) -> Need:
    """What a stack of this status needs."""
    if not settled(status):
        return Need.WAIT
    if status in {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}:
        return Need.DELETE
    return Need.ROLL_BACK if status == "UPDATE_ROLLBACK_FAILED" else Need.NOTHING


def look(session: Session, name: str) -> Stack | None:
    """The stack `name`; None where there is none. Raises UsageError where it is another's than imgpipe's."""
    try:
        stack = find(session, name)
    except NoStackError:
        return None
    if stack.status == "DELETE_COMPLETE":
        return None
    if not stack.is_ours and stack.status != "REVIEW_IN_PROGRESS":
        raise UsageError(
            f"The stack {name} is not one of imgpipe's: it was made from another template.",
            "Choose another name with --stack.",
        )
    return stack


def make_ready(session: Session, name: str, ask: Ask | None, sleep: Sleep) -> Generator[Event, None, Ready]:
    """Bring the stack `name` to where it can be deployed to, or to where it has to be made.

    What deletes or rolls back is asked for. Raises Declined, UsageError where nobody can be asked, and StackError
    where the way out fails too.
    """
    client = session.client("cloudformation")
    former = None
    while stack := look(session, name):
        match need(stack.status):
            case Need.NOTHING:
                # What is under review was never made: its change set is as good as none.
                return Ready(None, former) if stack.status == "REVIEW_IN_PROGRESS" else Ready(stack)
            case Need.WAIT:
                former = stack
                since = last_rest(client, stack.id)
                # What has ended since it was looked at would be followed for ever: look again.
                if (again := look(session, name)) and need(again.status) is Need.WAIT:
                    yield Waiting(again.status)
                    yield from follow(client, again.id, since, sleep)
            case Need.DELETE:
                agree(ask, f"The stack {name} is in {stack.status}. Delete it and make it anew?")
                yield Step("delete")
                former = stack
                begin = partial(client.delete_stack, StackName=stack.id)
                yield from carry_out(session, stack.id, "delete", begin, sleep)
            case Need.ROLL_BACK:
                agree(ask, f"The stack {name} is in {stack.status}. Roll its last update back to the end and go on?")
                yield Step("roll back")
                begin = partial(client.continue_update_rollback, StackName=stack.id)
                yield from carry_out(session, stack.id, "roll back", begin, sleep)
    return Ready(None, former)


def agree(ask: Ask | None, question: str) -> None:
    """Go on only where the person says so. Raises Declined, or UsageError where nobody can be asked."""
    if not somebody(ask)(question):
        raise Declined


def somebody(ask: Ask | None) -> Ask:
    """Whoever can be asked. Raises UsageError where there is nobody."""
    if ask is None:
        raise UsageError("There is no terminal to ask on.", "Add --yes to go on without a question.")
    return ask


def carry_out(
    session: Session,
    stack: str,
    operation: Literal["deploy", "delete", "roll back"],
    begin: Callable[[], object],
    sleep: Sleep,
) -> Iterator[Event]:
    """Begin an operation on a stack (its id) and follow it until it is at rest. Raises StackError with the root cause
    where that is none of the operation's `GOALS`."""
    client = session.client("cloudformation")
    since = last_rest(client, stack)
    begin()
    yield Executing(operation)
    events = []
    for event in follow(client, stack, since, sleep):
        events.append(event)
        yield event
    if events and events[-1].status not in GOALS[operation]:
        raise failure(events)


GOALS: Final = {
    "deploy": {"CREATE_COMPLETE", "UPDATE_COMPLETE"},
    "delete": {"DELETE_COMPLETE"},
    "roll back": {"UPDATE_ROLLBACK_COMPLETE"},
}
"""Operation -> the statuses in which it has succeeded."""


WAYS_OUT: Final = {
    "UPDATE_ROLLBACK_COMPLETE": "Mend that, then deploy again; the stack is as it was before.",
    "UPDATE_ROLLBACK_FAILED": "Mend that, then deploy again: it offers to roll the update back to the end.",
    "DELETE_FAILED": "Mend that, then deploy again: it offers to go on deleting.",
}
"""The status that a failure left behind -> what to do."""


def failure(events: list[StackEvent]) -> StackError:
    """Why an operation failed, by its events, and what to do about it."""
    status = events[-1].status
    why = cause(events) or events[-1]
    reason = (why.reason or "CloudFormation gave no reason").rstrip(".")
    return StackError(
        f"{why.resource} ({why.type}) is {why.status}: {reason}. The stack is in {status}.",
        WAYS_OUT.get(status, "Mend that, then deploy again: it offers to delete this one first."),
    )
