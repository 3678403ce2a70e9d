"""What a run's parent and its workers say to each other, as msgpack over one connection each.

A worker speaks first (`Ready`), then answers each `Job` with `Ended`; in between it may ask for the catalog, which the
parent alone reads and writes, and waits for the answer.
"""

from multiprocessing.connection import Connection

import msgspec
from msgspec import Struct

from imgpipe.core.recipe import Recipe
from imgpipe.local.run_events import Trouble
from imgpipe.worker.ports import Entry, Record


class Setup(Struct, frozen=True):
    """All that a worker must know of its run, handed over in a file. Paths are bytes, as the file system has them."""

    sources: bytes
    renditions: bytes
    staging: bytes
    recipe: Recipe
    checksum: bool
    trusted_before_ns: int


class Job(Struct, frozen=True):
    """One source to bring up to date: `removed` where it vanished, `force` where its record is not to be trusted.

    `version` is its version by size and time, where the record has one by content that it may replace.
    """

    key: str
    removed: bool = False
    force: bool = False
    version: str | None = None


class Answer(Struct, frozen=True):
    """The answer to `Get` (`entry`) or `Put` (`revision`), or why there is none: a conflict, or an `errno`."""

    entry: Entry | None = None
    revision: int = 0
    conflict: bool = False
    errno: int = 0
    message: str = ""


class Ready(Struct, frozen=True, tag=True):
    """The worker has imported what it needs."""


class Get(Struct, frozen=True, tag=True):
    """Asks for the record of `key`."""

    key: str


class Put(Struct, frozen=True, tag=True):
    """Asks to write `record`, as `ports.Catalog.put`."""

    record: Record
    revision: int | None


class Ended(Struct, frozen=True, tag=True):
    """The job is over: with the settled record, with an outage, or with neither where there was nothing to settle."""

    record: Record | None = None
    trouble: Trouble | None = None
    out_of_memory: bool = False


ToParent = Ready | Get | Put | Ended

_encoder = msgspec.msgpack.Encoder()
_jobs: msgspec.msgpack.Decoder[Job] = msgspec.msgpack.Decoder(Job)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)
_to_parent: msgspec.msgpack.Decoder[ToParent] = msgspec.msgpack.Decoder(ToParent)


def send(connection: Connection, message: Job | Answer | ToParent) -> None:
    """Send `message`. Raises OSError where the other side is gone."""
    connection.send_bytes(_encoder.encode(message))


def heard(connection: Connection) -> ToParent:
    """The worker's next message. Raises EOFError or OSError where it is gone."""
    return _to_parent.decode(connection.recv_bytes())


def next_job(connection: Connection) -> Job:
    """The parent's next job. Raises EOFError or OSError where it is gone."""
    return _jobs.decode(connection.recv_bytes())


def answer(connection: Connection) -> Answer:
    """The parent's answer to what was asked. Raises EOFError or OSError where it is gone."""
    return _answers.decode(connection.recv_bytes())
