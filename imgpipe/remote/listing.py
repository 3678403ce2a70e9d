"""The catalog's settled records, newest first, over as many pages of its feed as it takes.

An image that is being made anew is not in the feed until it is settled again.
"""

from collections.abc import Iterator
from typing import Final

from imgpipe.remote.session import aws_errors
from imgpipe.worker.ports import Feed, Record, Settled, rfc3339

PAGE: Final = 10_000
"""Records of one page where many are wanted, or few of many: each shard of the feed then answers with the megabyte that
DynamoDB gives at most ("Query"), and little of it is read twice."""


def newest(
    feed: Feed,
    limit: int | None = None,
    *,
    since: float | None = None,
    prefix: str | None = None,
    status: Settled | None = None,
) -> Iterator[Record]:
    """At most `limit` records, updated at `since` (seconds since the epoch) or later, of keys that begin with `prefix`,
    of one `status`; each image once. Raises AwsError."""
    size = PAGE if limit is None or prefix or status else min(limit, PAGE)
    oldest = None if since is None else rfc3339(since)
    seen: set[str] = set()
    cursor = None
    while limit is None or len(seen) < limit:
        with aws_errors():
            page = feed.page(size, cursor=cursor, since=oldest, prefix=prefix, status=status)
        for record in page.records:
            # The index lags: a later page may still show what an image was before.
            if record.key not in seen:
                seen.add(record.key)
                yield record
                if len(seen) == limit:
                    return
        cursor = page.cursor
        if cursor is None:
            return
