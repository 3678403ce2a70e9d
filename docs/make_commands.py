"""Write docs/commands.md: every command with its arguments and options, from the commands themselves.

Run it after changing a help text: `python docs/make_commands.py`. A test holds the page against the commands.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from imgpipe.cli import app

PAGE = Path(__file__).with_name("commands.md")
FENCE = "\b\n"
"""Typer's sign that the paragraph after it is not to be folded."""


def page() -> str:
    """The whole page as Markdown."""
    intro = "# Commands\n\nWritten by `docs/make_commands.py` from what `--help` says.\n"
    return "\n".join([intro, *_sections(typer.main.get_command(app), "imgpipe")])


def _sections(command: Any, name: str) -> Iterator[str]:
    yield f"## `{name}`\n"
    yield f"{command.help.replace(FENCE, '').strip()}\n"
    yield "| argument or option | what it does |\n|---|---|"
    for parameter in command.params:
        yield f"| {_spelled(parameter)} | {_told(parameter)} |"
    yield "| `-h`, `--help` | Show the command's help. |\n"
    for child, subcommand in getattr(command, "commands", {}).items():
        yield from _sections(subcommand, f"{name} {child}")


def _spelled(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar}`"
    value = f" {parameter.metavar}" if parameter.metavar else ""
    # Within a table's cell a bar is escaped, even in code.
    return ", ".join(f"`{option}{value}`" for option in parameter.opts).replace("|", "\\|")


def _told(parameter: Any) -> str:
    variable = f" Environment: `{parameter.envvar}`." if parameter.envvar else ""
    return f"{parameter.help}{variable}".replace("*", "\\*")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
