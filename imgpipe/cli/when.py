"""How a time in the past, and how long something lasts, is given on the command line.

A time without a zone is UTC, as is every time that the commands show.
"""

import re
import time
from datetime import UTC, datetime
from typing import Final

import typer

_SPAN: Final = re.compile(r"(\d{1,9})([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def span(text: str) -> int:
    """How many seconds `text` is: 90s, 10m, 2h, 1d, 1w. Raises typer.BadParameter where it is no such span."""
    found = _SPAN.fullmatch(text)
    if not found:
        raise typer.BadParameter(f"{text!r} is no span of time, as 90s, 10m, 2h or 1d.")
    return int(found[1]) * _SECONDS[found[2]]


def since(text: str) -> float:
    """The moment that `text` names, in seconds since the epoch: so long ago (90s, 10m, 2h, 1d, 1w), or a date or time
    of ISO 8601. Raises typer.BadParameter where it is neither, or still to come."""
    now = time.time()
    if _SPAN.fullmatch(text):
        return max(0.0, now - span(text))
    try:
        told = datetime.fromisoformat(text)
        moment = (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is neither a span, as 10m, 2h or 1d, nor a time, as 2026-11-22 or 2026-11-22T10:00Z."
        ) from None
    if moment > now:
        raise typer.BadParameter(f"{text!r} is still to come; a time without a zone is UTC.")
    return max(0.0, moment)
