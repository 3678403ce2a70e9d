"""What is to be done with an object of the source bucket, by its listing and its record.

A listing tells no versions, so an object is held against its record by its size and time: that finds what was
overwritten and never noticed. What is decided from is a moment old; the worker that gets the event decides anew.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final, Literal, NamedTuple

from imgpipe.worker.ports import Claim, Record

State = Literal["new", "changed", "recipe", "abandoned", "failed", "working", "current", "archived", "other"]
Wish = Literal["stale", "failed", "all"]

STALE: Final[Collection[State]] = ("new", "changed", "recipe", "abandoned")
"""What `stale` asks for."""
LEFT: Final[Collection[State]] = ("working", "archived", "other")
"""What is left alone whatever is asked for: in work, not to be read, no image."""
ARCHIVED: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Storage classes whose objects S3 does not hand out before they are restored."""
_ALIKE: Final = 2.0
"""Seconds by which a listing's time may differ from that of the object itself."""


class Source(NamedTuple):
    """An object as it is listed: size in bytes, time in RFC 3339, UTC. `restored`: there is a copy of what is archived,
    to be read for some days."""

    key: str
    bytes: int
    modified: str
    storage: str = "STANDARD"
    restored: bool = False


def state(source: Source, record: Record | None, recipe: str, now: float) -> State:
    """What became of `source` so far; `now` is in seconds since the epoch.

    `new` was never made, `changed` since it was, `recipe` was made by another; `abandoned` was begun by a worker whose
    lease has ended, and `failed` by this very recipe.
    """
    if source.storage in ARCHIVED and not source.restored:
        return "archived"
    if record is None or record.status == "deleted":
        return "new"
    if record.status == "processing":
        claim = record.claim
        return "working" if isinstance(claim, Claim) and (claim.ends or 0) > now else "abandoned"
    if record.bytes != source.bytes or _seconds_apart(record.modified or "", source.modified) > _ALIKE:
        return "changed"
    if record.recipe != recipe:
        return "recipe"
    return "failed" if record.status == "failed" else "current"


def wanted(state: State, record: Record | None, wishes: Collection[Wish]) -> bool:
    """Whether what is in `state` is to be made again."""
    if state in LEFT:
        return False
    failed = record is not None and record.status == "failed"
    return "all" in wishes or ("stale" in wishes and state in STALE) or ("failed" in wishes and failed)


def _seconds_apart(one: str, other: str) -> float:
    if one == other:
        return 0.0
    try:
        return abs((datetime.fromisoformat(one) - datetime.fromisoformat(other)).total_seconds())
    except ValueError:
        return float("inf")
