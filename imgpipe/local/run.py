"""A folder run: look through IN, bring up to date what is not, and tell of it event by event.

The parent process scans, decides what is up to date, and alone writes the catalog; worker processes do the rest, one
job at a time each. Whatever happens to any of them, the next run goes on from the catalog.
"""

import time
from collections.abc import Generator
from contextlib import closing

from imgpipe.local import folders
from imgpipe.local.options import Options
from imgpipe.local.preview import preview
from imgpipe.local.run_events import Event, Tally
from imgpipe.local.session import Session
from imgpipe.local.watch import watch

__all__ = ["Options", "run"]


def run(options: Options) -> Generator[Event]:
    """Carry out a run; its events come as they happen, `Summary` last. A watching run ends only by being closed.

    Closing it, or an exception in the midst of it, ends the workers at once and leaves a valid catalog.
    Raises UsageError, before anything is done, where IN and OUT cannot go together or another run holds OUT.
    """
    tally = Tally()
    with closing(_events(options)) as events:
        for event in events:
            tally.add(event)
            yield event
    yield tally.summary()


def _events(options: Options) -> Generator[Event]:
    # A file that changes again within its clock's tick keeps its time; no clock ticks slower than two seconds (FAT).
    trusted_before_ns = time.time_ns() - 2_000_000_000
    folders.check(options)
    if options.dry_run:
        yield from preview(options, trusted_before_ns)
        return
    with Session(options, trusted_before_ns) as session:
        if options.watch:
            yield from watch(session)
        else:
            scan, gone = session.look()
            yield from session.update(scan, scan.found, gone)
        yield from session.finish()
