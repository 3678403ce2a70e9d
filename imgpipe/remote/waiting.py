"""Waiting until the pipeline has dealt with images: thousands at once by the feed, stragglers by their records.

Waiting is for a version, not for a key: a result of what lay at the key before does not count, and where something
else was put there since, that will never be made. Only the store knows which of the two it is.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import nsmallest
from queue import Empty, SimpleQueue
from typing import Final, Literal

from msgspec import UNSET

from imgpipe.adapters.dynamodb import BATCH
from imgpipe.errors import AwsError, ImgpipeError
from imgpipe.remote.emulated import EmulatedSession
from imgpipe.remote.feed import Feed, Rhythm
from imgpipe.remote.parallel import unordered
from imgpipe.remote.patience import Patience
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.queue import messages
from imgpipe.remote.session import aws_errors
from imgpipe.worker.ports import Entry, Record

How = Literal["settled", "superseded", "timeout"]

_AGAIN: Final = (2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds until a record is read again by itself; the last for ever."""
_AT_ONCE: Final = 10 * BATCH
"""Records that one poll reads by themselves."""
_GONE: Final = 10.0
"""Seconds after which an emulator that does not answer counts as ended, and its stack with it."""


@dataclass(frozen=True)
class Awaited:
    """One thing to wait for at `key`: this `version` done or failed (as `Stat.version` has it), any result whose record
    is of a later revision than `revision`, or that the source is `gone`; else any result."""

    key: str
    version: str | None = None
    revision: int | None = None
    gone: bool = False


@dataclass(frozen=True)
class Outcome:
    """How waiting ended, with the record as it was last seen; `why` says what a timeout waited for, as a sentence.

    `superseded`: something else was put or removed there since, and `record` is settled for that.
    """

    awaited: Awaited
    record: Record | None
    how: How
    why: str = ""


@dataclass(eq=False)
class _Pending:
    """What is waited for, with its record as it was last seen, and when that is `due` to be read by itself."""

    awaited: Awaited
    due: float
    reads: int = 0
    record: Record | None = None


class Waiter:
    """Waits for what is added, from any thread, while one thread polls."""

    def __init__(self, pipeline: Pipeline, clock: Callable[[], float] = time.monotonic) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._feed = Feed(pipeline.catalog, since=pipeline.session.now(), clock=pipeline.session.now)
        self._added: SimpleQueue[Awaited] = SimpleQueue()
        self._pending: dict[str, list[_Pending]] = {}
        self._outcomes: list[Outcome] = []
        self._silent_since: float | None = None

    def add(self, awaited: Awaited) -> None:
        """Wait for one thing more, also for one that is there already."""
        self._added.put(awaited)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to wait for."""
        return not self._pending and self._added.empty()

    def poll(self) -> list[Outcome]:
        """What ended since the last look. Raises AwsError, after which nothing is lost: poll again."""
        self._take_added()
        try:
            with aws_errors():
                self._look_for_others([*self._read_feed(), *self._read_due()])
        except AwsError as error:
            raise self._judged(error) from error
        self._silent_since = None
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def give_up(self) -> list[Outcome]:
        """A timeout of everything that is left, and why."""
        self._take_added()
        left = list(self._all())
        self._pending.clear()
        try:
            entries = self._entries({pending.awaited.key for pending in left})
            place = _place(self._pipeline)
        except ImgpipeError as error:
            return [Outcome(pending.awaited, pending.record, "timeout", error.message) for pending in left]
        now = self._pipeline.session.now()
        outcomes = []
        for pending in left:
            entry = entries.get(pending.awaited.key)
            record = entry.record if entry else None
            outcomes.append(Outcome(pending.awaited, record, "timeout", f"{_state(record, now)}; {place}"))
        return outcomes

    def _judged(self, error: AwsError) -> AwsError:
        """`error`, or that nothing is to come any more."""
        if error.code != "unreachable" or not isinstance(self._pipeline.session, EmulatedSession):
            return error
        if self._silent_since is None:
            self._silent_since = self._clock()
        if self._clock() - self._silent_since < _GONE:
            return error
        return AwsError(
            "gone",
            f"The emulator ended: {error.message}",
            "What it held went with it. Start it anew with: imgpipe emulate",
        )

    def _take_added(self) -> None:
        while True:
            try:
                awaited = self._added.get_nowait()
            except Empty:
                return
            self._pending.setdefault(awaited.key, []).append(_Pending(awaited, self._clock()))

    def _read_feed(self) -> list[_Pending]:
        """Take what the feed tells; returns those that it told something else of."""
        seen = []
        while True:
            for entry in self._feed.poll():
                waiting = tuple(self._pending.get(entry.record.key, ()))
                seen += [pending for pending in waiting if not self._see(pending, entry)]
            if not self._feed.is_behind:
                return seen

    def _read_due(self) -> list[_Pending]:
        """Read what the feed may have told before it was asked for, or may have missed; returns those that it was no
        news of, more than once."""
        now = self._clock()
        due = [pending for pending in self._all() if pending.due <= now]
        due = nsmallest(_AT_ONCE, due, key=lambda pending: pending.due)
        entries = self._entries({pending.awaited.key for pending in due})
        stragglers = [pending for pending in due if pending.reads]
        for pending in due:
            pending.due = now + _AGAIN[min(pending.reads, len(_AGAIN) - 1)]
            pending.reads += 1
            if entry := entries.get(pending.awaited.key):
                self._see(pending, entry)
        return stragglers

    def _entries(self, keys: set[str]) -> dict[str, Entry]:
        ordered = sorted(keys)
        batches = [ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH)]
        found: dict[str, Entry] = {}
        with aws_errors():
            for entries in unordered(self._pipeline.catalog.entries, batches):
                found |= entries
        return found

    def _see(self, pending: _Pending, entry: Entry) -> bool:
        """Whether `entry` is what was waited for."""
        pending.record = entry.record
        if is_settled := _is_settled(pending.awaited, entry):
            self._end(pending, "settled")
        return is_settled

    def _look_for_others(self, stragglers: list[_Pending]) -> None:
        """End what will not come any more, by what lies in the store."""
        doubtful = [pending for pending in stragglers if self._is_pending(pending) and _is_doubtful(pending)]
        for pending in doubtful[BATCH:]:
            pending.due = self._clock()
        for pending, how in unordered(lambda each: (each, self._verdict(each)), doubtful[:BATCH]):
            if how:
                self._end(pending, how)

    def _verdict(self, pending: _Pending) -> How | None:
        """How it ended, if the record is settled for what lies in the store."""
        record = pending.record
        told = record.version if record and record.status != "deleted" else None
        stat = self._pipeline.sources.stat(pending.awaited.key, told)
        there = stat.version if stat else None
        if there != told:
            return None
        return "settled" if pending.awaited.gone and there is None else "superseded"

    def _all(self) -> Iterator[_Pending]:
        for each in self._pending.values():
            yield from each

    def _is_pending(self, pending: _Pending) -> bool:
        return pending in self._pending.get(pending.awaited.key, ())

    def _end(self, pending: _Pending, how: How) -> None:
        key = pending.awaited.key
        self._pending[key].remove(pending)
        if not self._pending[key]:
            del self._pending[key]
        self._outcomes.append(Outcome(pending.awaited, pending.record, how))


def wait(
    pipeline: Pipeline,
    awaited: Iterable[Awaited],
    timeout: float,
    say: Callable[[AwsError | None], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Outcome]:
    """The outcome of each of `awaited` as it comes, for `timeout` seconds at most, through throttling and a way to AWS
    that is cut for a while, of which `say` hears as of Patience. Raises AwsError for what does not pass."""
    waiter = Waiter(pipeline)
    for each in awaited:
        waiter.add(each)
    yield from wait_out(waiter, timeout, Patience(say), sleep)


def wait_out(
    waiter: Waiter, timeout: float, patience: Patience, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Outcome]:
    """As `wait`, for all that was added to `waiter` and not yet polled."""
    until = time.monotonic() + timeout
    rhythm = Rhythm()
    while not waiter.is_idle:
        try:
            outcomes = waiter.poll()
        except AwsError as error:
            pause = patience.after(error)
        else:
            patience.over()
            yield from outcomes
            pause = rhythm.next(news=bool(outcomes))
        left = until - time.monotonic()
        if left <= 0:
            yield from waiter.give_up()
        elif not waiter.is_idle:
            sleep(min(pause, left))


def _is_settled(awaited: Awaited, entry: Entry) -> bool:
    record = entry.record
    if record.status == "processing":
        return False
    if awaited.gone:
        return record.status == "deleted"
    if awaited.version is not None:
        return record.status != "deleted" and record.version == awaited.version
    return awaited.revision is None or entry.revision > awaited.revision


def _is_doubtful(pending: _Pending) -> bool:
    """Whether the record may be settled for something that came later. What was removed before any worker looked at it
    leaves none; but what only waits its turn has none either, so that a version is looked for after a while."""
    awaited, record = pending.awaited, pending.record
    if record is None:
        return awaited.gone or (awaited.version is not None and pending.reads >= len(_AGAIN))
    return record.status != "processing" and (awaited.gone or awaited.version is not None)


def _state(record: Record | None, now: float) -> str:
    """What is known of an image that did not come to its end."""
    if record is None:
        return "No worker has looked at it yet"
    at = f"{record.updated[:19]}Z"
    if record.status != "processing":
        return f"Its record is still of what was there before, of {at}"
    if record.claim is not UNSET and record.claim.ends is not None and record.claim.ends > now:
        return f"A worker has been at it since {at}"
    return f"A worker gave it up at {at}, and its message is to come again"


def _place(pipeline: Pipeline) -> str:
    """Where messages are, and what to do about those that are parked. Raises AwsError."""
    waiting = messages(pipeline.session, pipeline.queue_url)
    parked = messages(pipeline.session, pipeline.dead_letter_queue_url).all
    told = f"the queue holds {waiting.waiting:,} that wait and {waiting.in_flight:,} in work"
    if not parked:
        return f"{told}."
    listing = pipeline.session.command("redrive", pipeline.stack.name, "--dry-run")
    return f"{told}, the dead-letter queue {parked:,}: {listing}"
