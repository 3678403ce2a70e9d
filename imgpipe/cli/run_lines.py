"""One line for each thing that happens in a folder run: for a person, and as JSON."""

from typing import Any

import msgspec

from imgpipe.cli.console import printable, size
from imgpipe.local.run_events import Event, Finished, Postponed, Pruned, Summary, Trouble, Unchanged, Vanished, Would


def line(event: Event) -> str | None:
    """The event for a person; None where it is none that has a line."""
    match event:
        case Finished(record) if record.error:
            return _line("failed", record.key, f"{record.error.code}: {record.error.message}")
        case Finished(record):
            made = ", ".join(f"{rendition.preset} {size(rendition.bytes)}" for rendition in record.renditions)
            spent = f"  {record.milliseconds.total} ms" if record.milliseconds else ""
            return _line("done", record.key, f"{size(record.bytes or 0)} → {made}{spent}")
        case Postponed(key):
            return _line("postponed", key, "it seems half-written")
        case Unchanged(key):
            return _line("unchanged", key)
        case Vanished(key):
            return _line("vanished", key)
        case Pruned(key):
            return _line("pruned", key)
        case Would(key, action):
            return _line(action, key)
        case Trouble(key, message):
            return _line("trouble", key, message)
        case _:
            return None


def _line(word: str, key: str, rest: str = "") -> str:
    return printable(f"{word:<9}  {key}  {rest}".rstrip())


def document(event: Event) -> bytes | None:
    """The event as one line of JSON, without the line's end; None where it is none that programs are told of."""
    told: Any
    match event:
        case Finished(record):
            told = record.public()
        case Vanished() | Pruned() | Would() | Summary():
            told = {"type": type(event).__name__.lower()} | msgspec.to_builtins(event)
        case Trouble():
            told = {"type": "trouble", "key": event.key, "message": event.message, "remedy": event.remedy}
        case _:
            return None
    return msgspec.json.encode(told)
