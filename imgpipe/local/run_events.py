"""What a folder run says while it works: one frozen event for each thing that happened.

The command line draws these and nothing else, so whatever a person is to see must be an event. A run's last event is
`Summary`; where the run is broken off there is none, and a `Tally` of the events still tells what was done.
"""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from imgpipe.worker.ports import Record


@dataclass(frozen=True)
class Scanned:
    """What one look at IN and the catalog found: `total` images, of which `todo` are to be looked into and `unchanged`
    are up to date; `other` files are no images; `vanished` sources are in the catalog alone. A file that could not be
    looked at counts as an image to do, and comes as `Trouble`. The patterns leave out `unmatched` files; `linked`
    folders are not entered."""

    total: int
    todo: int
    unchanged: int
    other: int
    vanished: int
    unmatched: int = 0
    linked: int = 0


@dataclass(frozen=True)
class Finished:
    """One image was brought up to date: `record.status` is `done` or `failed`."""

    record: Record


@dataclass(frozen=True)
class Postponed:
    """An image that has only just arrived seems half-written: a watching run does it again before it says so."""

    key: str


@dataclass(frozen=True)
class Unchanged:
    """A job found its image up to date by a look at its content."""

    key: str


@dataclass(frozen=True)
class Vanished:
    """A source that the catalog knows, or (`late`) one that was to be worked on, is no longer in IN.

    Its renditions stay unless the run prunes.
    """

    key: str
    late: bool = False


@dataclass(frozen=True)
class Pruned:
    """A vanished source's renditions were removed."""

    key: str


Action = Literal["new", "changed", "unchanged", "fail", "vanished", "prune"]


@dataclass(frozen=True)
class Would:
    """What a run would do with `key`; told by a dry run only. `fail`: its name is no key."""

    key: str
    action: Action


@dataclass(frozen=True)
class Trouble:
    """An outage: `key`, a file or a folder of IN, could not be worked on, and the next run tries it again.

    `message` and `remedy` are a sentence each; `traceback` is for debugging. Where `ends_run`, no further image could
    fare better, and the run stops. Not of an `image`, it is with a folder of IN, or with what the run keeps in OUT or
    would remove.
    """

    key: str
    message: str
    remedy: str
    traceback: str | None = None
    ends_run: bool = False
    image: bool = True


@dataclass(frozen=True)
class Tick:
    """Nothing happened for a tenth of a second."""


@dataclass(frozen=True)
class Idle:
    """A watching run is up to date, its contact sheet too, and waits for changes."""


@dataclass(frozen=True)
class Summary:
    """A run in numbers: images by their last outcome, renditions made, bytes read of finished images and of their
    renditions, wall seconds. `left` images were not come to, because the run stopped early or was a dry one;
    `troubles` are with an image each, `other_troubles` with none."""

    total: int = 0
    done: int = 0
    failed: int = 0
    unchanged: int = 0
    other: int = 0
    vanished: int = 0
    pruned: int = 0
    troubles: int = 0
    other_troubles: int = 0
    unmatched: int = 0
    linked: int = 0
    left: int = 0
    renditions: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: float = 0.0


Event = Scanned | Finished | Postponed | Unchanged | Vanished | Pruned | Would | Trouble | Tick | Idle | Summary


class Tally:
    """Counts events into a `Summary`, from its making on."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._counts: Counter[str] = Counter()
        self._outcomes: dict[str, str] = {}

    def add(self, event: Event) -> None:
        counts = self._counts
        match event:
            case Scanned():
                counts.update(left=event.todo, unchanged=event.unchanged)
                for fact in ("total", "other", "unmatched", "linked"):
                    counts[fact] = getattr(event, fact)
            case Finished(record):
                self._count(record.key, record.status)
                counts.update(
                    renditions=len(record.renditions),
                    bytes_in=record.bytes or 0,
                    bytes_out=sum(rendition.bytes for rendition in record.renditions),
                )
            case Postponed():
                counts.update(left=-1)
            case Unchanged(key):
                self._count(key, "unchanged")
            case Vanished():
                counts.update(vanished=1, left=-event.late)
            case Pruned():
                counts.update(pruned=1)
            case Trouble(image=False):
                counts.update(other_troubles=1)
            case Trouble(key):
                self._count(key, "troubles")
            case Would(key, "fail"):
                self._count(key, "failed")
            case Would(action="vanished" | "prune"):
                counts.update(vanished=1)

    def _count(self, key: str, outcome: str) -> None:
        """A watching run may come to an image again; then only what came of it last counts."""
        if before := self._outcomes.get(key):
            self._counts[before] -= 1
        self._outcomes[key] = outcome
        self._counts.update({outcome: 1, "left": -1})

    def summary(self) -> Summary:
        """The numbers up to now."""
        counts = self._counts | Counter(left=0)  # not below: trouble may be with more than images
        return Summary(**counts, seconds=time.monotonic() - self._began)
