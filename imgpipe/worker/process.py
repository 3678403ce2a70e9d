"""Bring one source up to date: claim it, render what it is now, drop what is no longer wanted, say so in its record.

A job is not obeyed, its source is reconciled: it may come twice, late, or in the wrong order. An ImageError is an
answer and ends in the record; any other exception is an outage, and the job comes again.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

from msgspec import UNSET
from msgspec.structs import replace

from imgpipe.core import pipeline
from imgpipe.core.builds import builds
from imgpipe.core.recipe import Recipe
from imgpipe.errors import Busy, Conflict, ImageError, Retry
from imgpipe.worker.claims import Clock, Hold, claimed, described, live_until, may_exist
from imgpipe.worker.events import Job
from imgpipe.worker.keys import rendition_key
from imgpipe.worker.ports import Catalog, Claim, Failure, Milliseconds, Record, Rendition, Stat, Store, rfc3339
from imgpipe.worker.source import Source

Render = Callable[[bytes, Recipe], pipeline.Rendering]

STRIKES: Final = 3
"""How many workers an image may kill."""
_TRIES: Final = 5


def process(
    job: Job,
    sources: Store,
    renditions: Store,
    catalog: Catalog,
    recipe: Recipe,
    *,
    lease: float,
    clock: Clock = time.time,
    render: Render = pipeline.render,
) -> Record | None:
    """Bring the source of `job` up to date and return its record; None where nothing lies there and nothing is known.

    `lease` is in seconds, and longer than the worker may live. Raises Busy where another worker holds the source,
    another Retry where it kept changing, is not to be seen yet or the lease ran out, and whatever the stores and the
    catalog raise: each time the job must come again.
    """
    watch = _Watch()
    source = Source(job, sources)
    for _ in range(_TRIES):
        entry = catalog.get(job.key)
        record = entry.record if entry else None
        stat = source.stat(record.version if record else None)
        if _is_settled(record, stat, recipe, job.force):
            return record
        ends = live_until(record, clock())
        if ends is not None:
            raise Busy(job.key, ends)
        try:
            with claimed(job.key, entry, stat, recipe, catalog, clock, lease) as hold:
                return _Attempt(hold, source, renditions, catalog, recipe, clock, render, watch).settle(stat)
        except Conflict:
            continue
    raise Conflict(job.key)


def give_up(
    key: str,
    code: str,
    message: str,
    renditions: Store,
    catalog: Catalog,
    recipe: Recipe,
    *,
    clock: Clock = time.time,
) -> Record:
    """End the source of a worker that is known to be dead as failed, whatever its lease says, and return the record.

    `code` is one of `errors.IMAGE_ERRORS`, `message` a sentence.
    """
    entry = catalog.get(key)
    record = entry.record if entry else described(key, None, recipe)
    # Another claim first: a record must not say `done` while its renditions are being deleted.
    keys = may_exist(record)
    claim = Claim(attempt=str(uuid.uuid4()), ends=None, keys=tuple(sorted(keys)))
    held = replace(record, status="processing", renditions=(), error=None, updated=rfc3339(clock()), claim=claim)
    revision = catalog.put(held, entry.revision if entry else None)
    renditions.delete(keys)
    failed = replace(
        held,
        status="failed",
        recipe=recipe.hash,
        error=Failure(code, message),
        milliseconds=None,
        builds=builds(),
        updated=rfc3339(clock()),
        claim=UNSET,
    )
    catalog.put(failed, revision)
    return failed


@dataclass(frozen=True)
class _Attempt:
    """The way from a claim to the record that ends it."""

    hold: Hold
    source: Source
    renditions: Store
    catalog: Catalog
    recipe: Recipe
    clock: Clock
    render: Render
    watch: "_Watch"

    def settle(self, stat: Stat | None) -> Record:
        """Make what `stat`, and then what the store holds, asks for, until both are the same; put the record."""
        there = set(self.hold.earlier)
        for _ in range(_TRIES):
            record = self._make(stat, there)
            unwanted = there.difference(rendition.key for rendition in record.renditions)
            if unwanted:
                self.hold.check(self.clock())
                with self.watch.timing("store"):
                    self.renditions.delete(unwanted)
            stat = self.source.stat(record.version)
            if (stat.version if stat else None) == record.version:
                record = replace(record, updated=rfc3339(self.clock()))
                if record.status != "deleted":
                    record = replace(record, milliseconds=self.watch.milliseconds(), builds=builds())
                self.catalog.put(record, self.hold.revision)
                return record
        raise Retry(f"{self.hold.record.key} keeps changing while it is read")

    def _make(self, stat: Stat | None, written: set[str]) -> Record:
        """The record of what is rendered of the source as it is now, without its times; keys go into `written`."""
        key = self.hold.record.key
        deleted = Record(key=key, status="deleted", updated="")
        if stat is None:
            return deleted
        record = described(key, stat, self.recipe)
        try:
            self._refuse(stat)
            with self.watch.timing("read"):
                blob = self.source.read(self._limit, stat.version)
            if blob is None:
                return deleted
            record = described(key, blob.stat, self.recipe)
            self._refuse(blob.stat)
            with self.watch.timing("render"):
                rendering = self.render(blob.data, self.recipe)
            record = replace(record, width=rendering.width, height=rendering.height, format=str(rendering.format))
            return replace(record, status="done", renditions=tuple(self._stored(key, rendering, written)))
        except ImageError as error:
            return replace(record, status="failed", error=Failure(error.code, error.message))
        except MemoryError:
            failure = Failure("out_of_memory", f"Rendering its {record.bytes} bytes takes more memory than there is.")
            return replace(record, status="failed", error=failure)

    def _stored(self, key: str, rendering: pipeline.Rendering, written: set[str]) -> Iterator[Rendition]:
        """Each rendition once it is stored; one at a time is in memory."""
        while True:
            with self.watch.timing("render"):
                output = next(rendering.outputs, None)
            if output is None:
                return
            made = Rendition(
                preset=output.preset,
                key=rendition_key(output.preset, key, output.format),
                width=output.width,
                height=output.height,
                bytes=len(output.data),
                format=str(output.format),
                watermark=output.watermark,
                notes=output.notes or UNSET,
            )
            self.hold.check(self.clock())
            written.add(made.key)
            with self.watch.timing("store"):
                self.renditions.write(made.key, output.data, f"image/{output.format}")
            yield made

    @property
    def _limit(self) -> int:
        return int(self.recipe.limits.max_megabytes * 1_000_000)

    def _refuse(self, stat: Stat) -> None:
        if self.hold.strikes >= STRIKES and stat.version == self.hold.record.version:
            raise ImageError("decoder_crashed", f"{STRIKES} workers died while they rendered it.")
        if stat.bytes > self._limit:
            limit = f"{self.recipe.limits.max_megabytes:g} MB"
            raise ImageError("too_many_bytes", f"It is {stat.bytes / 1_000_000:.1f} MB large; the limit is {limit}.")


class _Watch:
    """Where the time goes, from its making on."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._seconds = {"read": 0.0, "render": 0.0, "store": 0.0}

    @contextmanager
    def timing(self, part: Literal["read", "render", "store"]) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[part] += time.perf_counter() - began

    def milliseconds(self) -> Milliseconds:
        seconds = self._seconds | {"total": time.perf_counter() - self._began}
        return Milliseconds(**{part: round(value * 1000) for part, value in seconds.items()})


def _is_settled(record: Record | None, stat: Stat | None, recipe: Recipe, force: bool) -> bool:
    if stat is None:
        return record is None or record.status == "deleted"
    if record is None or record.status != "done" or force:
        return False
    return (record.version, record.recipe) == (stat.version, recipe.hash)
