"""Bring the images of the source bucket up to date: find those that are not, and send their events to the queue.

The bucket alone is listed: what was made of a source that is gone is not looked for. One pass counts what is to be done
and keeps it in a temporary file, so that what is sent is what was agreed to and memory stays bounded. For a million
objects the pass takes a thousand LISTs, one after another, and ten thousand reads of a hundred records beside them:
minutes, and seven cents. What fails by what passes is waited for; where all is interrupted nothing is lost: what was
not made is found again.
"""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import PurePosixPath
from types import TracebackType
from typing import Final, NamedTuple, Self

from imgpipe.adapters.dynamodb import BATCH
from imgpipe.core.containers import EXTENSIONS, known
from imgpipe.errors import AwsError
from imgpipe.remote import queue
from imgpipe.remote.pacing import Pace, paced
from imgpipe.remote.patience import Patience
from imgpipe.remote.patiently import patiently, portions
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.session import aws_errors
from imgpipe.remote.staleness import Source, State, Wish, state, wanted
from imgpipe.remote.waiting import Awaited, Outcome, Waiter, wait_out
from imgpipe.worker.events import notification
from imgpipe.worker.ports import Entry, rfc3339

HEAD: Final = 64
"""Bytes that tell a known signature."""


class Found(NamedTuple):
    """An object that was looked at, the state it is in, and whether it is to be made again; `revision` is its record's,
    0 where it has none."""

    key: str
    state: State
    bytes: int
    wanted: bool
    revision: int


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


def sources(
    pipeline: Pipeline, prefix: str, patience: Patience, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Source]:
    """The objects of the source bucket, in the order of their keys, without the empty ones that S3's console marks
    folders by. Raises AwsError for what does not pass."""
    asked = {"Bucket": pipeline.source_bucket, "Prefix": prefix, "OptionalObjectAttributes": ["RestoreStatus"]}
    while True:
        try:
            with aws_errors():
                for page in pipeline.session.client("s3").get_paginator("list_objects_v2").paginate(**asked):
                    patience.over()
                    for told in page.get("Contents", ()):
                        asked["StartAfter"] = told["Key"]
                        if told["Size"] or not told["Key"].endswith("/"):
                            yield Source(
                                told["Key"],
                                told["Size"],
                                rfc3339(told["LastModified"].timestamp()),
                                told.get("StorageClass", "STANDARD"),
                                "RestoreExpiryDate" in told.get("RestoreStatus", ()),
                            )
            return
        except AwsError as error:
            sleep(patience.after(error))


def named(pipeline: Pipeline, keys: Iterable[str], patience: Patience) -> tuple[list[Source], list[str]]:
    """The objects at `keys`, and those keys at which nothing lies. Raises AwsError for what does not pass."""
    there: list[Source] = []
    missing: list[str] = []
    for key, source in patiently(lambda key: (key, _source(pipeline, key)), dict.fromkeys(keys), patience):
        if source:
            there.append(source)
        else:
            missing.append(key)
    return there, missing


def look(
    pipeline: Pipeline,
    sources: Iterable[Source],
    wishes: Collection[Wish],
    recipe: str,
    patience: Patience,
    *,
    by_name: bool = False,
) -> Iterator[Found]:
    """What is to be done with each of `sources`, in no order; `recipe` is the hash of the deployed one.

    What was never made counts as an image where its name or else its first bytes are an image's; `by_name` tells that
    a person named each. Raises AwsError for what does not pass.
    """

    def batch(listed: list[Source]) -> list[Found]:
        entries = pipeline.catalog.entries(source.key for source in listed)
        return [found(source, entries.get(source.key)) for source in listed]

    def found(source: Source, entry: Entry | None) -> Found:
        record = entry.record if entry else None
        now = state(source, record, recipe, pipeline.session.now())
        if now == "new" and not by_name:
            now = _unmade(pipeline, source)
        if source.key.endswith("/") and not source.bytes:
            now = "other"
        is_wanted = wanted(now, record, wishes)
        return Found(source.key, now, source.bytes, is_wanted, entry.revision if entry else 0)

    for looked in patiently(batch, portions(sources, BATCH), patience):
        yield from looked


def send(
    pipeline: Pipeline,
    found: Iterable[Found],
    milliseconds: float,
    patience: Patience,
    on_sent: Callable[[list[Found]], None] = lambda _: None,
) -> Iterator[Pace]:
    """Send the event of each, no faster than the queue is worked off: an image takes so many `milliseconds`. `on_sent`
    gets what was just sent.

    The events are S3's own, and only what is up to date is forced. Raises AwsError and StackError.
    """

    def message(found: Found) -> str:
        force = found.state == "current"
        event = notification(pipeline.source_bucket, found.key, region=pipeline.session.region, force=force)
        return json.dumps(event)

    def send_batch(batch: list[Found]) -> list[Found]:
        queue.send(pipeline.session, pipeline.queue_url, [message(found) for found in batch])
        return batch

    return paced(pipeline, found, send_batch, patience, milliseconds=milliseconds, on_sent=on_sent)


def send_and_wait(
    pipeline: Pipeline,
    found: Iterable[Found],
    working: Iterable[Found],
    milliseconds: float,
    timeout: float,
    patience: Patience,
    on_sent: Callable[[list[Found]], None] = lambda _: None,
) -> Iterator[Pace | Outcome]:
    """As `send`, and what becomes of each image, as it is known, and of those that were `working` already; those that
    were sent last are waited for `timeout` seconds."""
    waiter = Waiter(pipeline)

    def await_all(sent: Iterable[Found]) -> None:
        for found in sent:
            # A result after the one that was found.
            waiter.add(Awaited(found.key, revision=found.revision))

    def note(sent: list[Found]) -> None:
        on_sent(sent)
        await_all(sent)

    await_all(working)
    for pace in send(pipeline, found, milliseconds, patience, note):
        yield pace
        with suppress(AwsError):  # the next look tells whether it passes
            yield from waiter.poll()
    yield from wait_out(waiter, timeout, patience)


def _source(pipeline: Pipeline, key: str) -> Source | None:
    """What lies at `key`, as a listing would tell it."""
    stat = pipeline.sources.stat(key)
    if stat is None:
        return None
    head = pipeline.session.client("s3").head_object(Bucket=pipeline.source_bucket, Key=key)
    # As in: ongoing-request="false", expiry-date="…" ("HeadObject").
    restored = 'ongoing-request="false"' in head.get("Restore", "")
    return Source(key, stat.bytes, stat.modified, head.get("StorageClass", "STANDARD"), restored)


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
