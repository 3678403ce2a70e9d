"""What became of images, as it happens: the catalog's feed read forward, each result once.

The index shows a record some time after it was written, usually within a second. So a look begins `LATELY` before the
one before it, every `THOROUGH_EVERY` seconds one goes back over all that the index may still have kept back, `LATEST`,
and what comes again is dropped: by its revision, which counts up with every put, so that neither a late answer of the
index nor a worker whose clock is off can turn an image's results around. Time is AWS's, as `Session.now` tells it.

A look is 16 queries, one for each shard, of half a read unit or more: 8 units a second while nothing happens, 29,000
an hour, or a third of a cent ("Amazon DynamoDB pricing", on demand, us-east-1). A record is read about eight times:
one unit more for every image.
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
    """What settled at `since` (seconds since the epoch, by `clock`) or later, of keys that begin with `prefix`, of one
    `status`. `catalog` may be replaced, by one with newer credentials."""

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
        self._prefix = prefix
        self._status = status
        self._clock = clock
        # Everything before `sure` was read when the index could not keep it back any longer, before `read` lately.
        self._sure = self._read = rfc3339(since)
        self._thorough = clock()
        self._place: str | None = None
        self._told: dict[str, tuple[int, str]] = {}

    @property
    def is_behind(self) -> bool:
        """Whether the last look did not come to the feed's end: look again at once."""
        return self._place is not None

    def poll(self) -> list[Record]:
        """What is new, oldest first. Raises botocore's errors, after which nothing is lost: poll again."""
        now = self._clock()
        place = self._place or self._next_place(now)
        entries, until = self.catalog.stretch(PAGE, place, prefix=self._prefix, status=self._status)
        end = until or _END
        if place <= self._read:
            self._read = max(self._read, min(end, rfc3339(now - LATELY)))
        news = [entry.record for entry in entries if self._is_news(entry)]
        if place <= self._sure < (sure := min(end, rfc3339(now - LATEST))):
            self._sure = sure
            self._told = {key: told for key, told in self._told.items() if f"{told[1]}#{key}" >= sure}
        self._place = until
        return news

    def _next_place(self, now: float) -> str:
        if now - self._thorough < THOROUGH_EVERY:
            return self._read
        self._thorough = now
        return self._sure

    def _is_news(self, entry: Entry) -> bool:
        key = entry.record.key
        if key in self._told and self._told[key][0] >= entry.revision:
            return False
        self._told[key] = entry.revision, entry.record.updated
        return True


class Pace:
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
            yield news
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
    pace = Pace()

    def look() -> list[list[Record]]:
        news = feed.poll()
        return [news] if news else []

    def renew() -> None:
        feed.catalog = connect().catalog

    def pause(news: bool) -> float:
        return 0.0 if feed.is_behind else pace.next(news=news)

    return repeat(look, renew, Patience(say, renewing=renewing), pause, sleep)
