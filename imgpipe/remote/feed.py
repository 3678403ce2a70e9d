"""What became of images, as it happens: the catalog's feed read forward, each result once.

The index shows a record some time after it was written, usually within a second. So a look begins `LATELY` before the
one before it. Every `THOROUGH_EVERY` seconds thorough ones go over what the index may have kept back, for up to
`LATEST`, with a brisk one after each, so that news wait for one of them only. What comes again is dropped: by
its revision, which counts up with every put, so that neither a late answer of the index nor a worker whose clock is off
can turn an image's results around. Time is AWS's, as `Session.now` tells it.

A look is 16 queries, one for each shard, of half a read unit or more: 8 units a second while nothing happens, 29,000
an hour, or a third of a cent ("Amazon DynamoDB pricing", on demand, us-east-1). A record is read three to six times:
one unit more for every image. At 1,000 images a second news are three seconds old at most.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final

from imgpipe.adapters.dynamodb import DynamoDBCatalog
from imgpipe.errors import AwsError
from imgpipe.remote.patience import Patience, repeat
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.session import aws_errors
from imgpipe.worker.ports import Entry, Record, Settled, rfc3339

LATELY: Final = 2.0
LATEST: Final = 60.0
"""Seconds by which the index may lag: what it shows later still is not told."""
THOROUGH_EVERY: Final = 30.0
PAGE: Final = 200
"""Records of one shard that one look reads: a look at a long past is many, so that memory stays bounded."""
BRISK: Final = 0.5
CALM: Final = 1.0
"""Seconds between two looks: while things happen, and while nothing does."""
_END: Final = "~"
"""Sorts behind every time."""


class Feed:
    """What settled at `since` (seconds since the epoch) or later, of keys that begin with `prefix`, of one `status`.
    `catalog` may be replaced by one with newer credentials, and with it `clock`, which never goes ahead of AWS's."""

    def __init__(
        self,
        catalog: DynamoDBCatalog,
        *,
        since: float,
        prefix: str | None = None,
        status: Settled | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.catalog = catalog
        self.clock = clock
        self._prefix = prefix
        self._status = status
        # Everything before `sure` was read when the index could not keep it back any longer, before `read` lately.
        self._sure = self._read = rfc3339(since)
        self._due = clock() + THOROUGH_EVERY
        self._was_thorough = False
        self._place = ""
        self._told: dict[str, tuple[int, str]] = {}

    @property
    def is_behind(self) -> bool:
        """Whether there is more to read already: look again at once."""
        return bool(self._place) or self.clock() >= self._due

    def poll(self) -> list[Entry]:
        """What is new, oldest first. Raises botocore's errors, after which nothing is lost: poll again."""
        # What is written while the answer is under way may not be in it.
        now = self.clock()
        sure = rfc3339(now - LATEST)
        is_thorough = now >= self._due and not self._was_thorough
        place = self._sure if is_thorough else max(self._place, self._read)
        stretch = self.catalog.stretch(PAGE, place, prefix=self._prefix, status=self._status)
        end = stretch.until or _END
        news = [entry for entry in stretch.entries if self._is_news(entry)]
        if place <= self._read:
            self._read = max(self._read, min(end, rfc3339(now - LATELY)))
        if place <= self._sure < sure:
            self._sure = min(end, sure)
            self._told = {key: told for key, told in self._told.items() if f"{told[1]}#{key}" >= self._sure}
        if not is_thorough:
            self._place = stretch.until or ""
        elif end >= sure:
            self._due = now + THOROUGH_EVERY
        self._was_thorough = is_thorough
        return news

    def _is_news(self, entry: Entry) -> bool:
        key = entry.record.key
        if key in self._told and self._told[key][0] >= entry.revision:
            return False
        self._told[key] = entry.revision, entry.record.updated
        return True


class Rhythm:
    """How long to wait before the next look: briefly while there are news, longer and longer while there are none."""

    def __init__(self) -> None:
        self._seconds = BRISK

    def next(self, *, news: bool) -> float:
        """The seconds to wait after a look that brought `news` or none."""
        self._seconds = BRISK if news else min(self._seconds * 1.3, CALM)
        return self._seconds


def to_the_end(feed: Feed) -> Iterator[list[Record]]:
    """Every look of `feed` that brings news, up to what is there now. Raises AwsError."""
    while True:
        with aws_errors():
            news = feed.poll()
        if news:
            yield [entry.record for entry in news]
        if not feed.is_behind:
            return


def follow(
    feed: Feed,
    connect: Callable[[], Pipeline],
    say: Callable[[AwsError | None], None],
    *,
    renewing: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[list[Record]]:
    """Every look of `feed` that brings news, for ever.

    `say` is as for Patience; where credentials ran out and `renewing`, the next look is by what `connect` returns.
    Raises AwsError for what does not pass by itself.
    """
    rhythm = Rhythm()

    def look() -> list[list[Record]]:
        news = feed.poll()
        return [[entry.record for entry in news]] if news else []

    def renew() -> None:
        pipeline = connect()
        feed.catalog, feed.clock = pipeline.catalog, pipeline.session.now

    def pause(news: bool) -> float:
        return 0.0 if feed.is_behind else rhythm.next(news=news)

    return repeat(look, renew, Patience(say, renewing=renewing), pause, sleep)
