"""Stay with a folder: look every second, and bring up to date what arrived, changed or vanished.

A file is worked on once it is the same at two looks in a row and has been quiet for a while, and again where it may
have been half-written all the same; a source has vanished once it is missing at two looks.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from imgpipe.local import settling
from imgpipe.local.reconcile import emptied
from imgpipe.local.run_events import Event, Idle, Postponed, Tick, Trouble
from imgpipe.local.scan import Found
from imgpipe.local.session import TICK, Session

POLL: Final = 1.0
"""Seconds between two looks."""


def watch(session: Session) -> Iterator[Event]:
    """Follow IN until closed, or until the session is stopped."""
    seen: set[Found] = set()
    worked_on: set[Found] = set()
    postponed: set[Found] = set()
    missing: set[str] = set()
    told: set[str] = set()
    idle = False
    while True:
        scan, vanished = session.look()
        present = set(scan.found)
        worked_on &= present
        postponed &= present
        ready = {
            found.key: found
            for found in scan.found
            if found in seen
            and found not in worked_on
            and settling.is_quiet(found.modified_ns, settling.DOUBT if found in postponed else settling.QUIET)
        }
        seen = present
        gone = [key for key in vanished if key in missing and key not in told]
        missing = set(vanished)
        refusal = emptied(session.options, scan, gone)
        if refusal:
            gone = []
            if "" not in told:
                yield Trouble("", refusal.message, refusal.remedy, image=False)
                idle = False
        broken = {unread.place for unread in scan.unread}.union(scan.bad_names)
        news = replace(
            scan,
            bad_names=tuple(name for name in scan.bad_names if name not in told),
            unread=tuple(unread for unread in scan.unread if unread.place not in told),
        )
        told = broken.union(gone, told.intersection(vanished), [""] if refusal else [])
        if ready or gone or news.bad_names or news.unread:
            worked_on.update(ready.values())
            for event in session.update(news, list(ready.values()), gone):
                if isinstance(event, Postponed):
                    worked_on.remove(ready[event.key])
                    postponed.add(ready[event.key])
                yield event
            idle = False
        if session.stopped:
            return
        if not idle and worked_on == present:
            yield from session.finish()
            yield Idle()
            idle = True
        end = time.monotonic() + POLL
        while time.monotonic() < end:
            time.sleep(TICK)
            yield Tick()
