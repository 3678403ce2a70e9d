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


class Past:
    """What a person named by `text`: so long ago (90s, 10m, 2h, 1d, 1w), or a date or time of ISO 8601. Which moment
    that is, `moment` tells, by a clock that is known only later: AWS's. Raises typer.BadParameter where it is neither.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._ago = span(text) if _SPAN.fullmatch(text) else None
        self._time = 0.0 if self._ago is not None else _time(text)

    def moment(self, now: float) -> float:
        """The moment in seconds since the epoch, as is `now`. Raises typer.BadParameter where it is still to come."""
        if self._ago is not None:
            return max(0.0, now - self._ago)
        if self._time > now:
            raise typer.BadParameter(f"{self._text!r} is still to come; a time without a zone is UTC.")
        return max(0.0, self._time)


def since(text: str) -> float:
    """The moment that `text` names by this machine's clock, as `Past`."""
    return Past(text).moment(time.time())


def _time(text: str) -> float:
    try:
        told = datetime.fromisoformat(text)
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is neither a span, as 10m, 2h or 1d, nor a time, as 2026-11-22 or 2026-11-22T10:00Z."
        ) from None
