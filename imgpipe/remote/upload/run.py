"""Upload what was chosen, and tell what becomes of each file.

Files end in any order. One that fails is told and the rest goes on; what would stop every file (no rights, no bucket,
no network) is raised once, and so is AWS failing many times without a success between.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Final

from imgpipe.errors import AwsError
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.upload.api import Api
from imgpipe.remote.upload.choose import Choice
from imgpipe.remote.upload.crew import Crew
from imgpipe.remote.upload.direct import Direct
from imgpipe.remote.upload.events import Event, Failed
from imgpipe.remote.upload.transfer import Bucket, Meter

CONCURRENCY: Final = 16
"""Requests under way at once, where nobody says. Each holds one part in memory: 5 GB were sent in 265 MiB."""
_ENOUGH: Final = 10
"""Files that AWS fails at, one after the other, before the rest is not tried."""


@dataclass(frozen=True)
class Options:
    """How to upload: straight to the bucket, where `force` sends also what is there already, or by the HTTP API, to
    which a `token` may be shown in place of a signature; `dry_run` only looks; `versions` asks for those of what is
    unchanged; requests at once."""

    force: bool = False
    by_api: bool = False
    token: str | None = None
    dry_run: bool = False
    versions: bool = False
    concurrency: int = CONCURRENCY


def upload(
    pipeline: Pipeline, choice: Choice, options: Options, meter: Meter, late: Callable[[Event], None]
) -> Generator[Event]:
    """Bring every chosen file into the source bucket.

    `meter` counts the bytes while it goes. Where the iterator is closed or raises, what is under way is broken off, and
    `late` hears of each file that had ended or still does: no file lies in the bucket untold. Raises AwsError for what
    would stop every file, and UsageError where the API wants a token.
    """
    crew: Crew = Crew(options.concurrency)
    way: Direct | Api
    if options.by_api:
        way = Api(pipeline, options.token, meter, crew.stopped, dry_run=options.dry_run)
    else:
        kms = bool(pipeline.stack.parameters.get("KmsKeyArn"))
        bucket = Bucket(pipeline.session.client("s3"), pipeline.source_bucket, kms, meter, crew.stopped)
        way = Direct(bucket, force=options.force, dry_run=options.dry_run, versions=options.versions)
    try:
        yield from choice.unread
        yield from _unless_hopeless(crew.work(way.tasks(choice.files)))
    finally:
        crew.close()
        way.close()
        for event in crew.rest():
            late(event)


def _unless_hopeless(events: Iterator[Event]) -> Iterator[Event]:
    """`events`, up to so many outages one after the other."""
    outages = 0
    for event in events:
        yield event
        outages = outages + 1 if isinstance(event, Failed) and event.outage else 0
        if isinstance(event, Failed) and outages == _ENOUGH:
            raise AwsError(event.code, event.message, event.remedy)
