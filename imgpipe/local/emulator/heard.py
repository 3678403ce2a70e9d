"""What the emulator's functions say in their logs, as results and troubles.

A worker writes the record of each image into its log, so nothing has to be asked of the catalog to see what happened.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from imgpipe.worker.ports import Record


@dataclass(frozen=True)
class Trouble:
    """Something that is no image's fault, as a sentence; `parked` messages went to the dead-letter queue by it."""

    message: str
    parked: int = 0


Told = str | Trouble
"""A line of a function's log, or what a part of the emulator says."""
Hear = Callable[[Sequence[Told]], None]


class _Line(Struct, rename="camel"):
    """What of a line of Lambda's JSON log tells of trouble in the function's own words."""

    level: str = ""
    message: str = ""
    error_message: str = ""


class Ear:
    """Hears every result once, although a worker that only looked says again what was known, maybe after it changed.

    It listens in one thread, and keeps the last results of `remembered` keys.
    """

    def __init__(self, remembered: int = 100_000) -> None:
        self._remembered = remembered
        self._updated: dict[str, str] = {}

    def hear(self, lines: Iterable[Told]) -> Iterator[Record | Trouble]:
        """What is new in these lines of a log; none of it is about the metrics and traces between."""
        for line in lines:
            if isinstance(line, Trouble):
                yield line
                continue
            try:
                record = msgspec.json.decode(line, type=Record)
            except msgspec.DecodeError:
                if trouble := _trouble(line):
                    yield trouble
                continue
            if self._is_news(record):
                yield record

    def _is_news(self, record: Record) -> bool:
        known = self._updated.pop(record.key, "")
        # Back at the end, which is forgotten last.
        self._updated[record.key] = max(known, record.updated)
        if len(self._updated) > self._remembered:
            del self._updated[next(iter(self._updated))]
        return record.updated > known


def _trouble(line: str) -> Trouble | None:
    try:
        told = msgspec.json.decode(line, type=_Line)
    except msgspec.DecodeError:
        return None
    if told.level == "ERROR":
        return Trouble(told.message or told.error_message)
    return None
