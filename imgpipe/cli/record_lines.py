"""A record as a person reads it while results come in: a line where it fits, and what to do below a failure.

A terminal's clock is its owner's; in a file or a pipe times are whole, in UTC, and a record stays one line.
"""

from datetime import datetime
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from imgpipe.cli.console import UNFOLDED, printable, size
from imgpipe.errors import IMAGE_ERRORS
from imgpipe.worker.ports import Record

STYLES: Final = {"done": "green", "failed": "red", "deleted": "dim", "processing": "yellow"}
_KEY: Final = 24
"""Columns to which a key may be shortened before what was made of it goes to lines of its own."""
_INDENT: Final = 4


def line(record: Record, width: int = UNFOLDED) -> Text:
    """The lines of `record`, without the last one's end, for a console that is `width` columns wide."""
    folds = width < UNFOLDED
    time = local(record.updated).strftime("%H:%M:%S") if folds else f"{record.updated[:19]}Z"
    told = Text.assemble(f"{time}  ", (f"{record.status:<7}", STYLES[record.status]), "  ")
    facts = _facts(record)
    free = width - told.cell_len
    left = free - cell_len("  ".join(["", *facts]))
    key, colour = printable(record.key), "red" if record.error else ""
    if cell_len(key) <= left or left >= _KEY:
        told.append(shortened(key, left), colour).append("  ".join(["", *facts]))
    else:
        told.append(shortened(key, free), colour)
        told.append("".join(f"\n{part}" for part in _folded(facts, width)))
    if record.error:
        told.append("\n" if folds else "  ").append(_failure(record, width if folds else None))
    if record.status == "deleted":
        told.stylize("dim")
    return told


def local(time: str) -> datetime:
    """A record's time by this machine's clock."""
    return datetime.fromisoformat(time).astimezone()


def shortened(text: str, width: int) -> str:
    """`text` within `width` columns, two or more: what does not fit goes out of its middle."""
    if cell_len(text) <= width:
        return text
    tail = ""
    for character in reversed(text):
        if cell_len(character + tail) > (width - 1) * 2 // 3:
            break
        tail = character + tail
    head = ""
    for character in text:
        if cell_len(head + character) > width - 1 - cell_len(tail):
            break
        head += character
    return f"{head}…{tail}"


def _facts(record: Record) -> list[str]:
    """What was read, what was made of it, and how long that took."""
    read = [] if record.bytes is None else [size(record.bytes)]
    made = [f"{made.preset} {made.width}×{made.height} {size(made.bytes)}" for made in record.renditions]
    spent = [f"{record.milliseconds.total:,} ms"] if record.milliseconds and made else []
    return [*read, *([f"→ {', '.join(made)}"] if made else []), *spent]


def _folded(facts: list[str], width: int) -> list[str]:
    """`facts` in indented lines, which end before a fact or behind a comma."""
    lines = [""]
    for fact in facts:
        for number, part in enumerate(fact.split(", ")):
            joint = ", " if number else "  "
            if lines[-1] and cell_len(f"{lines[-1]}{joint}{part},") > width - _INDENT:
                lines[-1] += joint.rstrip()
                lines.append(f"  {part}")
            else:
                lines[-1] += f"{joint}{part}" if lines[-1] else part
    return [" " * _INDENT + each for each in lines]


def _failure(record: Record, width: int | None) -> Text:
    """Why it failed and what to do; folded to `width`."""
    if record.error is None:
        return Text()
    message, remedy = printable(record.error.message), IMAGE_ERRORS.get(record.error.code, "")
    told = Text.assemble((message, "red"), f" {remedy}" if remedy else "")
    if width is None:
        return told
    from rich.console import Console

    lines = told.wrap(Console(width=width), width - _INDENT)
    for part in lines:
        part.rstrip()
    return Text("\n").join(Text(" " * _INDENT).append_text(part) for part in lines)
