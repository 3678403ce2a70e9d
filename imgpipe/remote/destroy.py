"""A stack taken down: first `prepare`, which only reads and says what would be lost; then `carry_out`.

The stack goes before its data, so that nothing is written meanwhile; what is interrupted is taken up by doing the same
again, also when the stack is gone already.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

from msgspec import Struct

from imgpipe.errors import AwsError, NoStackError, StackError
from imgpipe.remote.events import StackEvent, cause, follow, last_rest, settled
from imgpipe.remote.holdings import Holding, holdings
from imgpipe.remote.queue import messages
from imgpipe.remote.session import Session, aws_errors
from imgpipe.remote.stack import Stack, find, find_ours

SECONDS: Final = 2.0
"""Between two looks at a table."""
ROUNDS: Final = 60
"""So many looks at a table, and emptyings of a bucket that an image still arrives in."""
DELETABLE: Final = frozenset({"CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS"})
"""In these CloudFormation takes a deletion, although the stack is not at rest."""


class Plan(Struct, frozen=True, kw_only=True):
    """What would be done, and what would be lost. `messages` wait in the queue and the dead-letter queue; None where
    that is not known."""

    name: str
    stack: Stack | None
    messages: int | None
    holdings: tuple[Holding, ...]
    delete_data: bool

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return self.stack is None and not (self.delete_data and self.holdings)

    @property
    def is_underway(self) -> bool:
        """Whether CloudFormation does it all already, so that it was agreed to."""
        deleting = self.stack is not None and self.stack.status == "DELETE_IN_PROGRESS"
        return deleting and not (self.delete_data and self.holdings)

    @property
    def protected(self) -> tuple[Stack | Holding, ...]:
        """What is protected from what would be done to it."""
        stack = (self.stack,) if self.stack and self.stack.protected else ()
        return (*stack, *(held for held in self.holdings if held.protected and self.delete_data))


class Lifted(Struct, frozen=True):
    """A protection that is no more."""

    name: str


class Deleting(Struct, frozen=True):
    """CloudFormation deletes the stack from here on, whether anybody looks on or not."""

    name: str


class Emptied(Struct, frozen=True):
    """So many versions of a bucket's objects, delete markers among them, are gone so far."""

    name: str
    removed: int


class Deleted(Struct, frozen=True):
    """What is gone whole."""

    kind: Literal["stack", "source", "destination", "catalog"]
    name: str


Step = StackEvent | Lifted | Deleting | Emptied | Deleted


def prepare(session: Session, name: str, *, delete_data: bool) -> Plan:
    """What destroying the stack `name` comes to; only reads.

    Raises UsageError where the stack is not imgpipe's, StackError where it is being changed, and AwsError.
    """
    try:
        stack = find_ours(session, name, leftovers=True)
    except NoStackError:
        stack = None
    if stack and not settled(stack.status) and stack.status not in DELETABLE:
        raise StackError(
            f"The stack {name} is being changed ({stack.status}).", "Wait until that is done, then try again."
        )
    return Plan(
        name=name,
        stack=stack,
        messages=_messages(session, stack) if stack else None,
        holdings=holdings(session, name, stack.outputs if stack else {}),
        delete_data=delete_data,
    )


def carry_out(session: Session, plan: Plan, sleep: Callable[[float], None] = time.sleep) -> Iterator[Step]:
    """Do it, protections and all; each step is told when it is done.

    Raises StackError with the resource and its reason where CloudFormation cannot delete the stack, and AwsError.
    """
    with aws_errors():
        yield from _lift(session, plan)
        if plan.stack:
            yield from _delete_stack(session, plan.stack, sleep)
        if plan.delete_data:
            for held in plan.holdings:
                yield from (_delete_table if held.kind == "catalog" else _delete_bucket)(session, held, sleep)


def _lift(session: Session, plan: Plan) -> Iterator[Step]:
    """Every protection before anything is deleted: who may not lift one has lost nothing."""
    for protected in plan.protected:
        if isinstance(protected, Stack):
            session.client("cloudformation").update_termination_protection(
                StackName=protected.id, EnableTerminationProtection=False
            )
        else:
            session.client("dynamodb").update_table(TableName=protected.name, DeletionProtectionEnabled=False)
        yield Lifted(protected.name)


def _delete_stack(session: Session, stack: Stack, sleep: Callable[[float], None]) -> Iterator[Step]:
    client = session.client("cloudformation")
    since = last_rest(client, stack.id)
    if stack.status != "DELETE_IN_PROGRESS":
        client.delete_stack(StackName=stack.id)
    if stack.status == "REVIEW_IN_PROGRESS":
        # It holds nothing, so it goes at once; nobody promises events of that.
        yield Deleted("stack", stack.name)
        return
    yield Deleting(stack.name)
    events = []
    for event in follow(client, stack.id, since, sleep):
        events.append(event)
        yield event
    try:
        left = find(session, stack.id)
    except NoStackError:
        left = None
    if left and left.status != "DELETE_COMPLETE":
        culprit = cause(events)
        told = f"{culprit.resource} ({culprit.type}): {culprit.reason}" if culprit else left.reason or left.status
        raise StackError(
            f"CloudFormation could not delete the stack {stack.name}. {told.rstrip('.')}.",
            "Mend that, then run the same command again.",
        )
    yield Deleted("stack", stack.name)


def _delete_bucket(session: Session, held: Holding, sleep: Callable[[float], None]) -> Iterator[Step]:
    """Its versions and delete markers first; again where one arrived meanwhile from a function's last breath."""
    s3 = session.client("s3")
    owned = {"Bucket": held.name, "ExpectedBucketOwner": session.account}
    removed = 0
    for _ in range(ROUNDS):
        try:
            for page in s3.get_paginator("list_object_versions").paginate(**owned):
                if entries := [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
                    _delete_versions(s3, owned, entries)
                    removed += len(entries)
                    yield Emptied(held.name, removed)
            s3.delete_bucket(**owned)
        except s3.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "BucketNotEmpty":
                sleep(SECONDS)
                continue
            if code != "NoSuchBucket":
                raise
        yield Deleted(held.kind, held.name)
        return
    raise StackError(f"The bucket {held.name} fills faster than it is emptied.", "Stop what writes to it, then retry.")


def _delete_versions(s3: Any, owned: dict[str, str], entries: list[dict[str, Any]]) -> None:
    objects = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
    answer = s3.delete_objects(**owned, Delete={"Objects": objects, "Quiet": True})
    if errors := answer.get("Errors"):
        first = errors[0]
        reason = first.get("Message", first["Code"]).rstrip(".")
        raise StackError(
            f"S3 did not delete {first['Key']} of {owned['Bucket']}: {reason}.",
            "Mend that, then run the same command again.",
        )


def _delete_table(session: Session, held: Holding, sleep: Callable[[float], None]) -> Iterator[Step]:
    """Until it is gone: a stack made anew would find one that is still being deleted in its way."""
    dynamodb = session.client("dynamodb")
    for _ in range(ROUNDS):
        try:
            dynamodb.delete_table(TableName=held.name)
        except dynamodb.exceptions.ResourceInUseException:
            # It is still being updated, or deleted.
            sleep(SECONDS)
        except dynamodb.exceptions.ResourceNotFoundException:
            yield Deleted(held.kind, held.name)
            return
    raise StackError(f"The table {held.name} stays in use.", "Wait some minutes, then run the same command again.")


def _messages(session: Session, stack: Stack) -> int | None:
    try:
        return sum(messages(session, stack.output(name)).all for name in ("QueueUrl", "DeadLetterQueueUrl"))
    except (AwsError, StackError):
        return None
