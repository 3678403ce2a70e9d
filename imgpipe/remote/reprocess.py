"""Bring the images of the source bucket up to date: find those that are not, and send their events to the queue.

The bucket alone is listed: what was made of a source that is gone is not looked for. One pass counts what is to be done
and keeps it in a temporary file, so that what is sent is what was agreed to and memory stays bounded. For a million
objects the pass takes a thousand LISTs, one after another, and ten thousand reads of a hundred records beside them:
minutes, and seven cents. Nothing is lost where it is interrupted: what was not made is found again.
"""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import PurePosixPath
from types import TracebackType
from typing import Final, NamedTuple, Self, TypeVar

from imgpipe.adapters.dynamodb import BATCH
from imgpipe.core.containers import EXTENSIONS, known
from imgpipe.errors import AwsError
from imgpipe.remote import queue
from imgpipe.remote.pacing import Pace, paced
from imgpipe.remote.parallel import unordered
from imgpipe.remote.patience import Patience
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.session import aws_errors
from imgpipe.remote.staleness import Source, State, Wish, state, wanted
from imgpipe.remote.waiting import Awaited, Outcome, Waiter, wait_out
from imgpipe.worker.events import notification
from imgpipe.worker.ports import Record, rfc3339

Item = TypeVar("Item")

HEAD: Final = 64
"""Bytes that tell a known signature."""


class Found(NamedTuple):
    """An object that was looked at, the state it is in, and whether it is to be made again; `updated` is its record's
    time, "" where it has none."""

    key: str
    state: State
    bytes: int
    wanted: bool
    updated: str


class Plan:
    """What is to be sent, for `with`, whose end forgets it; `states` counts the objects that were looked at."""

    def __init__(self) -> None:
        self.states: Counter[State] = Counter()
        self.wanted = 0
        self.bytes = 0
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by `__exit__`

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, found: Found) -> None:
        """Count it, and keep it where it is wanted."""
        self.states[found.state] += 1
        if found.wanted:
            self.wanted += 1
            self.bytes += found.bytes
            self._file.write(json.dumps(found) + "\n")

    def found(self) -> Iterator[Found]:
        """What is wanted, each once, in no order."""
        self._file.seek(0)
        for line in self._file:
            yield Found(*json.loads(line))


def sources(pipeline: Pipeline, prefix: str = "") -> Iterator[Source]:
    """The objects of the source bucket, in the order of their keys, without the empty ones that S3's console marks
    folders by. Raises AwsError."""
    with aws_errors():
        pages = pipeline.session.client("s3").get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=pipeline.source_bucket, Prefix=prefix):
            for told in page.get("Contents", ()):
                if told["Size"] or not told["Key"].endswith("/"):
                    modified = rfc3339(told["LastModified"].timestamp())
                    yield Source(told["Key"], told["Size"], modified, told.get("StorageClass", "STANDARD"))


def named(pipeline: Pipeline, keys: Iterable[str]) -> tuple[list[Source], list[str]]:
    """The objects at `keys`, and those keys at which nothing lies. Raises AwsError."""
    there: list[Source] = []
    missing: list[str] = []
    with aws_errors():
        looked = unordered(lambda key: (key, pipeline.sources.stat(key)), dict.fromkeys(keys))
        for key, stat in looked:
            if stat:
                there.append(Source(key, stat.bytes, stat.modified))
            else:
                missing.append(key)
    return there, missing


def look(
    pipeline: Pipeline, sources: Iterable[Source], wishes: Collection[Wish], recipe: str, *, by_name: bool = False
) -> Iterator[Found]:
    """What is to be done with each of `sources`, in no order; `recipe` is the hash of the deployed one.

    What was never made counts as an image where its name or else its first bytes are an image's; `by_name` tells that
    a person named each. Raises AwsError.
    """

    def batch(listed: list[Source]) -> list[Found]:
        records = pipeline.catalog.records(source.key for source in listed)
        return [found(source, records.get(source.key)) for source in listed]

    def found(source: Source, record: Record | None) -> Found:
        now = state(source, record, recipe, time.time())
        if now == "new" and not by_name:
            now = _unmade(pipeline, source)
        return Found(source.key, now, source.bytes, wanted(now, record, wishes), record.updated if record else "")

    with aws_errors():
        for looked in unordered(batch, _portions(sources, BATCH)):
            yield from looked


def send(
    pipeline: Pipeline,
    found: Iterable[Found],
    patience: Patience,
    on_sent: Callable[[list[Found]], None] = lambda _: None,
) -> Iterator[Pace]:
    """Send the event of each, no faster than the queue is worked off; `on_sent` gets what was just sent.

    The events are S3's own, and only what is up to date is forced. Raises AwsError and StackError.
    """

    def message(found: Found) -> str:
        force = found.state == "current"
        event = notification(pipeline.source_bucket, found.key, region=pipeline.session.region, force=force)
        return json.dumps(event)

    def send_all(portion: list[Found]) -> None:
        def batch(batch: list[Found]) -> list[Found]:
            queue.send(pipeline.session, pipeline.queue_url, [message(found) for found in batch])
            return batch

        for sent in unordered(batch, _portions(portion, queue.BATCH)):
            on_sent(sent)

    return paced(pipeline, found, send_all, patience)


def send_and_wait(
    pipeline: Pipeline, found: Iterable[Found], timeout: float, patience: Patience
) -> Iterator[Pace | Outcome]:
    """As `send`, and what becomes of each image, as it is known; those that were sent last are waited for `timeout`
    seconds."""
    waiter = Waiter(pipeline)

    def await_all(sent: list[Found]) -> None:
        for found in sent:
            # A result after the one that was found: times are compared with none but the workers' own.
            waiter.add(Awaited(found.key, after=found.updated or None))

    for pace in send(pipeline, found, patience, await_all):
        yield pace
        with suppress(AwsError):  # the next look tells whether it passes
            yield from waiter.poll()
    yield from wait_out(waiter, timeout, patience)


def _unmade(pipeline: Pipeline, source: Source) -> State:
    """What an object is that has no record."""
    if PurePosixPath(source.key).suffix.lower() in EXTENSIONS:
        return "new"
    if not source.bytes:
        return "other"
    client = pipeline.session.client("s3")
    place = {"Bucket": pipeline.source_bucket, "Key": source.key}
    try:
        with client.get_object(**place, Range=f"bytes=0-{HEAD - 1}")["Body"] as body:
            return "new" if known(body.read()) else "other"
    except client.exceptions.ClientError as error:
        match error.response["Error"]["Code"]:
            case "InvalidObjectState":
                return "archived"
            case "NoSuchKey":  # it went meanwhile
                return "other"
        raise


def _portions(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    left = iter(items)
    return iter(lambda: list(islice(left, size)), [])
