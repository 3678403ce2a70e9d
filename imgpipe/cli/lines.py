"""What the commands that change a stack tell a program, a JSON document a line, and how they name one another.

The last line is always a result, however the command ends.
"""

import shlex
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from imgpipe.cli import console
from imgpipe.errors import ImgpipeError


def print_line(document: Mapping[str, Any]) -> None:
    """Print one document on stdout, to be read at once."""
    sys.stdout.buffer.write(msgspec.json.encode(document) + b"\n")
    sys.stdout.buffer.flush()


def print_result(status: str, error: Exception | None = None, **more: object) -> None:
    """Print the last line, with `more` of what that command's results tell."""
    print_line({"type": "result", "status": status, **more, "error": describe(error) if error else None})


def describe(error: Exception) -> dict[str, str]:
    """An error as a program reads it."""
    if isinstance(error, ImgpipeError):
        return {"code": error.code, "message": error.message, "remedy": error.remedy}
    return {"code": "error", "message": f"{type(error).__name__}: {error}.", "remedy": "See stderr for what to do."}


def words(options: Mapping[str, object]) -> list[str]:
    """The options that have a value, as they stand in a command; a switch stands alone."""
    return [
        word
        for option, value in options.items()
        if value
        for word in ((option,) if value is True else (option, str(value)))
    ]


def command(name: str, *words: str) -> str:
    """A command to be typed."""
    return console.printable(shlex.join(["imgpipe", name, *words]))
