"""A worker's exclusive, expiring hold on a source, kept in the source's record.

What may be written is in the claim before it is written, and a later claim takes over what an earlier one left:
whatever a worker dies of, no rendition is ever unknown to the record.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from msgspec.structs import replace

from imgpipe.core.recipe import Recipe
from imgpipe.errors import Conflict, Retry
from imgpipe.worker.keys import candidates
from imgpipe.worker.ports import Catalog, Claim, Entry, Record, Stat, rfc3339

Clock = Callable[[], float]
"""Seconds since the epoch."""


class Overdue(Retry):
    """The lease has ended under a worker that still works. It is not released, so that it counts as a death."""


@dataclass(frozen=True)
class Hold:
    """A claim that was put: its record, at `revision`. Of the keys in the claim, `earlier` may exist already.

    `strikes` workers died at it before; the lease `ends` in seconds since the epoch.
    """

    record: Record
    revision: int
    earlier: frozenset[str]
    strikes: int
    ends: float

    def check(self, now: float) -> None:
        """Raise Overdue where the lease has ended: what is written now, another may be writing too."""
        if now >= self.ends:
            raise Overdue(f"the lease of {self.record.key} has ended")


@contextmanager
def claimed(
    key: str, entry: Entry | None, stat: Stat | None, recipe: Recipe, catalog: Catalog, clock: Clock, lease: float
) -> Iterator[Hold]:
    """Hold the source for `lease` seconds; what fails meanwhile releases it.

    Raises Conflict where another was first. `stat` may be None: the source may come back while it is held.
    """
    before = entry.record if entry else None
    earlier = may_exist(before)
    now = clock()
    ends = now + lease
    record = described(key, stat, recipe)
    claim = Claim(
        attempt=str(uuid.uuid4()),
        ends=ends,
        keys=tuple(sorted(earlier.union(candidates(recipe, key)))),
        strikes=_strikes(before, record),
    )
    record = replace(record, updated=rfc3339(now), claim=claim)
    try:
        revision = catalog.put(record, entry.revision if entry else None)
        yield Hold(record, revision, earlier, claim.strikes, ends)
    except (Conflict, Overdue):
        raise
    except BaseException:
        _release(catalog, key, claim.attempt, clock)
        raise


def live_until(record: Record | None, now: float) -> float | None:
    """When the live lease on the source ends, in seconds since the epoch; None where there is none."""
    claim = _claim(record)
    return claim.ends if claim and claim.ends is not None and claim.ends > now else None


def may_exist(record: Record | None) -> frozenset[str]:
    """Every rendition key that something may lie at, by what the record says."""
    claim = _claim(record)
    made = [rendition.key for rendition in record.renditions] if record else []
    return frozenset((*made, *(claim.keys if claim else ())))


def described(key: str, stat: Stat | None, recipe: Recipe) -> Record:
    """A record of what the source is, before it is known what becomes of it and when."""
    record = Record(key=key, status="processing", recipe=recipe.hash, updated="")
    return replace(record, version=stat.version, modified=stat.modified, bytes=stat.bytes) if stat else record


def _strikes(before: Record | None, now: Record) -> int:
    """How many workers died on this version and recipe: a lease that was released was no death."""
    claim = _claim(before)
    if before is None or claim is None or (before.version, before.recipe) != (now.version, now.recipe):
        return 0
    return claim.strikes + (claim.ends is not None)


def _release(catalog: Catalog, key: str, attempt: str, clock: Clock) -> None:
    """Let the next worker in at once; where that fails too, it waits for the lease to end.

    The record is read again, since the answer to the claim itself may be what was lost.
    """
    with suppress(Exception):
        entry = catalog.get(key)
        claim = _claim(entry.record) if entry else None
        if entry and claim and claim.attempt == attempt:
            released = replace(entry.record, claim=replace(claim, ends=None), updated=rfc3339(clock()))
            catalog.put(released, entry.revision)


def _claim(record: Record | None) -> Claim | None:
    return record.claim if record and isinstance(record.claim, Claim) else None
