"""The emulator as a person or a program sees it: how to reach it, what happened to each image, what it came to.

Results go to stdout, unless that belongs to a command beside it: then only what went wrong is told, on stderr.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic

import msgspec
from rich.table import Table
from rich.text import Text

from imgpipe.cli import console, record_lines
from imgpipe.cli.aws_options import STACK
from imgpipe.cli.console import counted, printable
from imgpipe.cli.lines import print_line
from imgpipe.core import recipe_file
from imgpipe.core.recipe import Recipe
from imgpipe.errors import ImgpipeError
from imgpipe.local.emulator.emulator import Emulator, Options
from imgpipe.local.emulator.heard import Ear, Told, Trouble
from imgpipe.local.emulator.stack import NOT_EMULATED
from imgpipe.remote.emulated import PORT
from imgpipe.worker.ports import Record


class Screen:
    """`file` is the recipe's, None for the built-in one; `beside` tells that a command has stdout."""

    def __init__(self, options: Options, file: Path | None, *, json: bool, beside: bool) -> None:
        self._stack = "" if options.stack == STACK else f" --stack {options.stack}"
        self._file = file
        self._json = json
        self._beside = beside
        self._ear = Ear()
        self._counts: Counter[str] = Counter()
        self._began = monotonic()
        self._talk = console.talk()
        self._results = console.talk() if beside else console.results()

    def begin(self, emulator: Emulator) -> None:
        """Say that it is ready, and how to reach it."""
        self._began = monotonic()
        if self._json:
            places = {"aws": emulator.endpoint, "api": emulator.api, "page": emulator.page}
            print_line({"type": "ready", **places, "environment": emulator.environment})
        elif self._beside:
            self._talk.print(f"The emulator is ready: AWS at {emulator.endpoint}, the API at {emulator.api}.")
        else:
            console.lay_out(self._talk, *self._directions(emulator))

    def hear(self, lines: Sequence[Told]) -> None:
        """Show what is new in these lines of the functions' logs."""
        for told in self._ear.hear(lines):
            if isinstance(told, Trouble):
                self._counts["trouble"] += 1
                self._counts["parked"] += told.parked
                self._trouble(told)
            else:
                self._counts[told.status] += 1
                self._record(told)

    def deployed(self, recipe: Recipe, file: Path | None) -> None:
        """Say that another recipe is in its place; it is the built-in one where there is no `file` any more."""
        if self._json:
            print_line({"type": "deployed", "recipe": recipe.hash})
            return
        presets = ", ".join(preset.name for preset in recipe.presets)
        if not file:
            self._talk.print(f"{recipe_file.NAME} is gone: the built-in recipe is taken.")
        self._talk.print(Text(f"Recipe {recipe.hash} is deployed: {presets}.", "bold"))
        self._talk.print(f"For what was made before: imgpipe reprocess --local{self._stack}")

    def refused(self, error: ImgpipeError) -> None:
        """Say why another recipe, such as one with problems, is not deployed."""
        console.show_error(error)
        self._talk.print("The recipe before it stays deployed.")

    def end(self) -> None:
        """Say what it came to."""
        counts = {name: self._counts[name] for name in ("done", "failed", "deleted", "trouble", "parked")}
        if self._json:
            print_line({"type": "summary", **counts, "seconds": round(monotonic() - self._began, 3)})
            return
        words = [f"{counted(counts['done'], 'image')} done", f"{counts['failed']:,} failed"]
        words += [f"{counts['deleted']:,} removed"] if counts["deleted"] else []
        words += [counted(counts["trouble"], "trouble")] if counts["trouble"] else []
        words += [f"{counted(counts['parked'], 'message')} in the dead-letter queue"] if counts["parked"] else []
        self._talk.print(f"Ended: {', '.join(words)}. Nothing of it is kept.")

    def _record(self, record: Record) -> None:
        if self._json:
            print_line(msgspec.to_builtins(record))
        elif record.error or not self._beside:
            self._results.print(record_lines.line(record, self._results.width))

    def _trouble(self, trouble: Trouble) -> None:
        if self._json:
            print_line({"type": "trouble", "message": trouble.message})
        else:
            self._talk.print(Text(printable(trouble.message), "yellow"))

    def _directions(self, emulator: Emulator) -> Iterator[Text | Table | str]:
        variables = emulator.environment
        yield Text("The whole stack, on this machine, until Ctrl-C", "bold")
        yield ""
        yield _facts(("AWS", emulator.endpoint), ("API", emulator.api), ("Page", emulator.page))
        yield ""
        yield "With imgpipe, in another terminal:"
        yield from self._own_commands(variables["IMGPIPE_PORT"])
        yield "With anything else that speaks to AWS:"
        for names in (_PLACE, _KEYS, _REGIONS):
            yield Text("    export " + " ".join(f"{name}={variables[name]}" for name in names), "cyan")
        yield Text(f"    aws s3 cp photo.jpg s3://{emulator.source_bucket}/", "cyan")
        yield ""
        yield _facts(
            ("Recipe", f"{printable(str(self._file or 'built in'))}, deployed again when it changes"),
            ("Kept", "in memory alone: all of it is gone at the end"),
            ("Lacking", ", ".join(NOT_EMULATED)),
        )
        yield ""

    def _own_commands(self, port: str) -> Iterator[Text]:
        if port != str(PORT):
            yield Text(f"    export IMGPIPE_PORT={port}", "cyan")
        yield Text(f"    imgpipe upload photo.jpg --local{self._stack}", "cyan")


_PLACE = ("AWS_ENDPOINT_URL",)
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")


def _facts(*facts: tuple[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    for label, words in facts:
        table.add_row(Text(label, "bold"), words)
    return table
