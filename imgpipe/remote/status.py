"""How a stack is doing, from what AWS counts by itself: no table is scanned.

Every part is read by itself: one that may not be read, or that an endpoint does not have, is told in `unread` and
keeps none of the others back.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from msgspec import Struct

from imgpipe.adapters.dynamodb import DynamoDBCatalog
from imgpipe.errors import ImgpipeError
from imgpipe.remote import figures
from imgpipe.remote.figures import LastHour
from imgpipe.remote.outages import Outage, outages
from imgpipe.remote.queue import messages
from imgpipe.remote.session import Session, aws_errors
from imgpipe.remote.stack import Stack
from imgpipe.worker.ports import rfc3339

Part = TypeVar("Part")

DEPTH: Final = 100
"""So many of the newest records of each shard of the feed are looked at for failures."""
ERRORS: Final = 5


class About(Struct, frozen=True, kw_only=True):
    """The stack itself. Times are RFC 3339, UTC; `version` is of the imgpipe that deployed it."""

    name: str
    id: str
    status: str
    reason: str
    version: str | None
    account: str | None
    region: str
    endpoint: str
    created: str
    updated: str


class Recipes(Struct, frozen=True):
    """The hashes of the recipe that is deployed and of the one here; None where there is none to be read."""

    deployed: str | None
    local: str | None
    same: bool | None


class Queue(Struct, frozen=True, rename="camel"):
    """Messages that wait and that are being worked on; `oldest_seconds` is None where nothing waits, or where it
    is not known."""

    waiting: int
    in_flight: int
    oldest_seconds: int | None


class LastError(Struct, frozen=True):
    """Why an image failed, and when (RFC 3339, UTC)."""

    key: str
    code: str
    message: str
    updated: str


class Unread(Struct, frozen=True):
    """A part that could not be read, and why."""

    part: str
    code: str
    message: str
    remedy: str


class Status(Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything at once; a part that is None is explained in `unread`."""

    stack: About
    outputs: dict[str, str]
    recipe: Recipes
    queue: Queue | None
    dead_letters: int | None
    last_hour: LastHour | None
    last_errors: tuple[LastError, ...] | None
    outages: tuple[Outage, ...] | None
    unread: tuple[Unread, ...]


def status(session: Session, stack: Stack, local_recipe: Callable[[], str]) -> Status:
    """What `stack` is doing now; `local_recipe` returns the hash of the recipe here, or raises what
    is wrong with it."""
    unread: list[Unread] = []

    def read(part: str, reading: Callable[[], Part]) -> Part | None:
        try:
            with aws_errors():
                return reading()
        except ImgpipeError as error:
            unread.append(Unread(part, error.code, error.message, error.remedy))
            return None

    def queue() -> Queue:
        url = stack.output("QueueUrl")
        waiting, in_flight = messages(session, url)
        oldest = read("oldest", lambda: figures.oldest_seconds(session, url.rsplit("/", 1)[-1])) if waiting else None
        return Queue(waiting, in_flight, oldest)

    deployed = stack.outputs.get("RecipeHash") or stack.parameters.get("RecipeHash")
    local = read("recipe", local_recipe)
    return Status(
        stack=About(
            name=stack.name,
            id=stack.id,
            status=stack.status,
            reason=stack.reason,
            version=stack.version,
            account=read("account", lambda: session.account),
            region=session.region,
            endpoint=session.endpoint,
            created=rfc3339(stack.created.timestamp()),
            updated=rfc3339(stack.updated.timestamp()),
        ),
        outputs=stack.outputs,
        recipe=Recipes(deployed, local, deployed == local if deployed and local else None),
        queue=read("queue", queue),
        dead_letters=read("dead letters", lambda: messages(session, stack.output("DeadLetterQueueUrl")).all),
        last_hour=read("last hour", lambda: figures.last_hour(session, stack.name)),
        last_errors=read("last errors", lambda: _last_errors(session, stack.output("CatalogTable"))),
        outages=read("outages", lambda: outages(session, stack.output("ProcessorLogGroup"))),
        unread=tuple(unread),
    )


def _last_errors(session: Session, table: str) -> tuple[LastError, ...]:
    """At most `ERRORS` failures, the newest first, of those among the newest records."""
    failed = DynamoDBCatalog(session.client("dynamodb"), table).page(DEPTH, status="failed").records
    return tuple(
        LastError(record.key, record.error.code, record.error.message, record.updated)
        for record in failed[:ERRORS]
        if record.error
    )
