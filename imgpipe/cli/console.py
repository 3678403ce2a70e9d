"""How the commands speak: errors, numbers, and names that cannot harm a terminal.

stdout carries results, stderr talk. Only this module makes rich's consoles: none reads markup out of a file's name,
and without a terminal nothing is coloured or folded.
"""

import sys
from typing import TYPE_CHECKING

from typer import TyperException

from imgpipe.cli.surroundings import STDOUT
from imgpipe.errors import ImgpipeError, RecipeError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

UNFOLDED = 10_000
"""Columns of a console that is no terminal: a line of a log or a pipe stays one line."""


def talk() -> "Console":
    """The console on stderr."""
    return _console(stderr=True)


def results() -> "Console":
    """The console on stdout."""
    return _console(stderr=False)


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if terminal else UNFOLDED
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)


def show_error(error: Exception) -> int:
    """Say on stderr what is wrong and what to do, and return the exit code."""
    if isinstance(error, OSError) and error.filename == STDOUT:
        # What is still buffered must not be tried again when Python ends.
        sys.stdout = None
    if isinstance(error, BrokenPipeError):
        return 1  # nobody reads on
    message, remedy, code = _words(error)
    from rich.table import Table
    from rich.text import Text

    words = Table.grid(padding=(0, 1))
    words.add_row(Text("Error:", "bold red"), printable(message))
    if isinstance(error, RecipeError):
        problems = Table.grid(padding=(0, 2))
        for problem in error.problems:
            line = f"line {problem.line}" if problem.line else ""
            place = (Text(line, "dim"), Text(printable(problem.path), "bold")) if problem.path else ()
            problems.add_row(*place, printable(problem.message))
        words.add_row("", problems)
    words.add_row("", printable(remedy))
    lay_out(talk(), words)
    return code


def lay_out(console: "Console", *parts: "RenderableType") -> None:
    """Print `parts` without the blanks that fill up their lines."""
    with console.capture() as capture:
        console.print(*parts, sep="\n")
    for line in capture.get().splitlines():
        console.file.write(f"{line.rstrip()}\n")


def _words(error: Exception) -> tuple[str, str, int]:
    """(what is wrong, what to do, exit code)"""
    match error:
        case ImgpipeError():
            return error.message, error.remedy, error.exit_code
        case TyperException():
            context = getattr(error, "ctx", None)
            command = context.command_path if context else "imgpipe"
            # What pydantic puts before a sentence of ours.
            message = error.format_message().replace(": Value error, ", ": ", 1)
            return (
                message if message.endswith((".", "?")) else f"{message}.",
                f"See what it takes: {command} --help",
                error.exit_code,
            )
        case OSError(filename=str(name)) if name == STDOUT:
            return f"The results cannot be written to stdout: {error.strerror}.", "Give them another place.", 1
        case OSError(filename=str(name), strerror=str(reason)):
            return f"The system refuses {name}: {reason}.", "Mend that, then run the same command again.", 1
        case OSError():
            return f"The system refused: {error}.", "Mend that, then run the same command again.", 1
        case _:
            return (
                f"imgpipe itself is at fault: {type(error).__name__}: {error}.",
                "Please report it, with what the same command says when --debug is added.",
                1,
            )


def printable(text: str) -> str:
    """`text` with everything that would move a cursor, colour a terminal or not encode written as an escape."""
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # how Python holds a byte of a name that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return ascii(character)[1:-1]


def size(count: int) -> str:
    """Bytes as a person says them, in decimal units: 999 bytes, 319 kB, 2.0 MB."""
    if count < 1000:
        return "1 byte" if count == 1 else f"{count} bytes"
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.5:
            return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
    return f"{value / 1000:,.1f} TB"


def counted(count: int, noun: str) -> str:
    """A number with its noun: 1 image, 2,004 images."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
