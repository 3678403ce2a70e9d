"""Stay with a folder: look every second, and bring up to date what arrived, changed or vanished.

A file counts as completely written once its size and time are the same at two looks in a row; a source has vanished
once it is missing at two.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from imgpipe.local.run_events import Event, Idle, Tick
from imgpipe.local.session import TICK, Session

POLL: Final = 1.0
"""Seconds between two looks."""


def watch(session: Session) -> Iterator[Event]:
    """Follow IN until closed, or until the session is stopped."""
    versions: dict[str, tuple[str, bool]] = {}  # of each key, and whether it was there at two looks
    missing: set[str] = set()
    told: set[str] = set()
    idle = False
    while True:
        scan, vanished = session.look()
        ready = [found for found in scan.found if versions.get(found.key) == (found.version, False)]
        versions = {
            found.key: (found.version, versions.get(found.key, ("", False))[0] == found.version) for found in scan.found
        }
        gone = [key for key in vanished if key in missing and key not in told]
        broken = {key for key, _ in scan.unread}.union(scan.bad_names)
        news = replace(
            scan,
            bad_names=tuple(name for name in scan.bad_names if name not in told),
            unread=tuple(one for one in scan.unread if one[0] not in told),
        )
        missing = set(vanished)
        told = broken.union(gone, told.intersection(vanished))
        if ready or gone or news.bad_names or news.unread:
            yield from session.update(news, ready, gone)
            idle = False
        if session.stopped:
            return
        if not idle and all(twice for _, twice in versions.values()):
            yield from session.finish()
            yield Idle()
            idle = True
        end = time.monotonic() + POLL
        while time.monotonic() < end:
            time.sleep(TICK)
            yield Tick()
