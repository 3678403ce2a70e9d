"""Whether the stack made of its images what this machine makes of them by the deployed recipe.

Promise 5 says how much may differ: the same builds make the same bytes, others the same sizes and a likeness. Images
are fetched a few ahead and rendered in worker processes as in a folder run, under names of their own: what is made does
not depend on the key.
"""

import heapq
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path
from random import SystemRandom
from threading import Lock
from typing import Final, Literal, Self, TypeVar

from msgspec import Struct

from imgpipe.adapters.memory import MemoryCatalog
from imgpipe.core.builds import builds
from imgpipe.core.recipe import Recipe
from imgpipe.errors import ImgpipeError
from imgpipe.local import folders, wire
from imgpipe.local.likeness import FLOOR, Distance, distance
from imgpipe.local.pool import Lost, Pool, Settled, usable_cores
from imgpipe.local.stored import Stored, is_there, stored
from imgpipe.remote.parallel import unordered
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.session import aws_errors
from imgpipe.worker.keys import candidates
from imgpipe.worker.ports import Failure, Record, Rendition

Item = TypeVar("Item")

Word = Literal["same", "alike", "different", "stale", "unmade", "limits"]

DEADLINE: Final = 300.0
"""Seconds that one image may take here."""
TICK: Final = 0.5
_LARGE: Final = 32_000_000
"""Bytes of a source above which only one is fetched at a time: it is in memory meanwhile."""
_LIMITS: Final = frozenset({"deadline", "decoder_crashed", "out_of_memory"})
"""What an image fails of in one place and perhaps not in another."""
_WORST_FIRST: Final[tuple[Word, ...]] = ("different", "alike")


class Compared(Struct, frozen=True):
    """One rendition: where pixels were compared and differ, their PSNR in decibels, `psnr` of all and `worst` of the
    part where they are farthest apart; and what is wrong with it, as a sentence."""

    preset: str
    key: str
    verdict: Word
    psnr: float | None = None
    worst: float | None = None
    message: str = ""


class Verdict(Struct, frozen=True):
    """One image. `same`: the same bytes, or failed alike. `alike`: other builds made other bytes of the same picture.
    `different`: what builds do not explain. `stale`: the stack's is of another recipe or of what lay there before,
    `unmade`: there is none; `limits`: one of the two had not the memory or the time for it. None of these is compared.
    `builds` are those that differ: name -> (here, the stack's)."""

    key: str
    verdict: Word
    message: str = ""
    renditions: tuple[Compared, ...] = ()
    builds: dict[str, tuple[str | None, str | None]] = {}


class Verifier:
    """Renders and compares, for `with`, whose end ends the worker processes."""

    def __init__(self, pipeline: Pipeline, recipe: Recipe) -> None:
        self._pipeline = pipeline
        self._recipe = recipe
        self._large = Lock()
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            folder = Path(
                resources.enter_context(tempfile.TemporaryDirectory(prefix="imgpipe-", ignore_cleanup_errors=True))
            )
            self._sources, self._made = folder / "sources", folder / "made"
            self._sources.mkdir()
            self._made.mkdir()
            staging, hold = resources.enter_context(folders.staging(self._made))
            setup = wire.Setup(
                sources=bytes(self._sources),
                renditions=bytes(self._made),
                staging=bytes(staging),
                recipe=self._recipe,
                checksum=False,
                trusted_before_ns=sys.maxsize,  # nothing changes here
            )
            self._pool = Pool(setup, staging, MemoryCatalog(), usable_cores(), deadline=DEADLINE, hold=hold)
            resources.callback(self._pool.close)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def verify(self, keys: Iterable[str]) -> Iterator[Verdict]:
        """The verdict of each, as it comes; at `keys` lies a source each. Raises AwsError, and ImgpipeError where this
        machine cannot render."""
        fetched = unordered(self._fetch, enumerate(keys))
        records: dict[str, Record] = {}
        with aws_errors():
            while True:
                while self._pool.free and (numbered := next(fetched, None)):
                    name, record = numbered
                    if isinstance(record, Verdict):
                        yield record
                        continue
                    records[name] = record
                    self._pool.submit(wire.Job(name))
                if not self._pool.busy:
                    return
                for outcome in self._pool.wait(TICK):
                    here = _made(outcome)
                    yield self._verdict(records.pop(outcome.job.key), here)
                    (self._sources / outcome.job.key).unlink()
                    for made in here.renditions:
                        (self._made / made.key).unlink()

    def _fetch(self, numbered: tuple[int, str]) -> tuple[str, Record | Verdict]:
        """Lay a source below its number, and return that with its record, or with the verdict where there is nothing
        to compare."""
        name, key = str(numbered[0]), numbered[1]
        return name, self._laid(key, self._sources / name)

    def _laid(self, key: str, path: Path) -> Record | Verdict:
        entry = self._pipeline.catalog.get(key)
        record = entry.record if entry else None
        if record is None or record.status not in ("done", "failed"):
            what = "A worker is at it." if record and record.status == "processing" else "It was never made."
            return Verdict(key, "unmade", what)
        if record.recipe != self._recipe.hash:
            return Verdict(key, "stale", f"It was made by the recipe {record.recipe}, not by the deployed one.")
        stat = self._pipeline.sources.stat(key)
        limit = int(self._recipe.limits.max_megabytes * 1e6)
        if stat and stat.bytes <= limit:
            with self._large if stat.bytes > _LARGE else nullcontext():
                blob = self._pipeline.sources.read(key, limit)
                stat = blob.stat if blob else None
                path.write_bytes(blob.data if blob else b"")
        elif stat:
            path.touch()
        if stat is None or stat.version != record.version:
            path.unlink(missing_ok=True)
            what = "has changed since it was made" if stat else "is gone"
            return Verdict(key, "stale", f"The source {what}.")
        # What is too large is refused by its size alone.
        os.truncate(path, stat.bytes)
        return record

    def _verdict(self, record: Record, here: Record) -> Verdict:
        other = _differing(here.builds, record.builds)
        if (here.status, _code(here)) != (record.status, _code(record)):
            message = f"Here it is {_end(here)}; in the stack it is {_end(record)}."
            word: Word = "limits" if {_code(here), _code(record)} & _LIMITS else "different"
            return Verdict(record.key, word, message, builds=other)
        compared = [*self._renditions(record, here, explained=bool(other)), *self._orphans(record)]
        words = {it.verdict for it in compared}
        worst: Word = next((word for word in _WORST_FIRST if word in words), "same")
        return Verdict(record.key, worst, renditions=tuple(compared), builds=other)

    def _renditions(self, record: Record, here: Record, *, explained: bool) -> Iterator[Compared]:
        known = {made.preset: made for made in record.renditions}
        for made in here.renditions:
            there = known.get(made.preset)
            if there is None:
                yield Compared(made.preset, "", "different", message="The record knows none of this preset.")
                continue
            data = (self._made / made.key).read_bytes()
            yield compare(there, made, data, stored(self._pipeline, there.key, data), explained=explained)

    def _orphans(self, record: Record) -> Iterator[Compared]:
        """What lies where only another rendition of this image could, and no record knows."""
        known = {made.key for made in record.renditions}
        others = [key for key in candidates(self._recipe, record.key) if key not in known]
        for key, there in unordered(lambda key: (key, is_there(self._pipeline, key)), others):
            if there:
                yield Compared(
                    key.partition("/")[0], key, "different", message="It lies there, and no record knows it."
                )


def compare(there: Rendition, here: Rendition, data: bytes, stored: Stored | None, *, explained: bool) -> Compared:
    """The verdict on the rendition that its record calls `there`: of what is stored, held against `data`, made `here`.
    Other bytes are `explained` where builds differ."""

    def verdict(word: Word, message: str = "", apart: Distance | None = None) -> Compared:
        psnr, worst = (apart.psnr, apart.worst) if apart else (None, None)
        return Compared(there.preset, there.key, word, psnr, worst, message)

    if stored is None:
        return verdict("different", "It is missing; imgpipe reprocess KEY makes it again.")
    if stored.size != there.bytes:
        return verdict("different", f"It was overwritten: it has {stored.size:,} bytes, its record {there.bytes:,}.")
    if stored.data is None:
        return verdict("same")
    apart = distance(data, stored.data)
    if apart is None:
        size = f"{here.width}×{here.height} {here.format}"
        return verdict("different", f"It is no image of {size}, as the one made here.")
    if not explained:
        return verdict("different", "The same builds should have made the same bytes.", apart)
    if apart.worst is not None and apart.worst < FLOOR:
        return verdict("different", "It is another picture than other builds explain.", apart)
    return verdict("alike", apart=apart)


def sample(items: Iterable[Item], count: int) -> list[Item]:
    """At most `count` of `items`, each as likely as any other."""
    return heapq.nlargest(count, items, key=lambda _: _random.random())


_random: Final = SystemRandom()


def _made(outcome: Settled | Lost) -> Record:
    """The record of what was made here. Raises ImgpipeError where nothing could be."""
    if isinstance(outcome, Lost):
        failure = Failure(outcome.code, outcome.message)
        return Record(key=outcome.job.key, status="failed", error=failure, builds=builds(), updated="")
    trouble = outcome.ended.trouble
    if outcome.ended.record is None:
        raise ImgpipeError(
            f"This machine could not make an image. {trouble.message if trouble else ''}".rstrip(),
            trouble.remedy if trouble else "Run the command again.",
        )
    return outcome.ended.record


def _code(record: Record) -> str | None:
    return record.error.code if record.error else None


def _end(record: Record) -> str:
    return f"failed ({record.error.code})" if record.error else record.status


def _differing(here: dict[str, str], there: dict[str, str]) -> dict[str, tuple[str | None, str | None]]:
    names = sorted({*here, *there})
    return {name: (here.get(name), there.get(name)) for name in names if here.get(name) != there.get(name)}
