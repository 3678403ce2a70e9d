"""What `imgpipe verify` shows: a line for each image, and below it what is wrong; at the end which builds differ.

Verdicts go to stdout, with `--json` a document a line and a summary last; the rest to stderr.
"""

import sys
from collections import Counter
from types import TracebackType
from typing import Final, Self

import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.status import Status
from rich.table import Table
from rich.text import Text

from imgpipe.cli import console
from imgpipe.cli.console import counted, printable
from imgpipe.cli.lines import describe, print_line
from imgpipe.errors import AwsError
from imgpipe.local.verify import Compared, Verdict, Word

STYLES: Final[dict[Word, str]] = {
    "same": "green",
    "alike": "green",
    "different": "red",
    "stale": "yellow",
    "unmade": "yellow",
    "limits": "yellow",
}


class Screen:
    """For `with`, while images are rendered."""

    def __init__(self, talk: Console, *, json: bool) -> None:
        self._talk = talk
        self._paper = console.results()
        self._json = json
        self._counts: Counter[Word] = Counter()
        self._builds: dict[str, tuple[str | None, str | None]] = {}
        animated = sys.stderr.isatty() and not (json and sys.stdout.isatty())
        self._status: Status | None = Status("Rendering", console=talk) if animated else None

    def __enter__(self) -> Self:
        if self._status:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()

    def show(self, verdict: Verdict) -> None:
        """Show what was found of one image."""
        self._counts[verdict.verdict] += 1
        self._builds |= verdict.builds
        if self._json:
            print_line(msgspec.to_builtins(verdict))
            return
        if self._status:
            self._status.stop()
        word = Text(f"{verdict.verdict:<9}", STYLES[verdict.verdict])
        console.lay_out(self._paper, Text.assemble(word, "  ", printable(verdict.key)))
        for line in filter(None, (verdict.message, *map(_words, verdict.renditions))):
            console.lay_out(self._paper, Padding(printable(line), (0, 0, 0, 11), expand=False))
        self._paper.file.flush()
        if self._status:
            self._status.update(f"Rendering; {counted(self._counts.total(), 'image')} looked at")
            self._status.start()

    def end(self) -> int:
        """Say what was found of all, and return the exit code."""
        self.end_early("verified")
        if not self._json:
            told = ", ".join(f"{count:,} {word}" for word in STYLES if (count := self._counts[word]))
            images = counted(self._counts.total(), "image")
            self._talk.print(f"{images}: {told}" if told else "There is no image to verify.")
            if self._builds:
                self._talk.print("Builds that differ:")
                table = Table("", "here", "in the stack", box=None, padding=(0, 2, 0, 0), header_style="bold")
                for name, versions in sorted(self._builds.items()):
                    table.add_row(*(printable(version or "-") for version in (name, *versions)))
                console.lay_out(self._talk, table)
        return 1 if self._counts["different"] else 0

    def say(self, error: AwsError | None) -> None:
        """Tell of trouble that is waited for, and of its end."""
        self._talk.print(printable(f"{error.message} Going on as soon as it passes.") if error else "Going on.")

    def say_interrupted(self) -> None:
        """Say how far it came."""
        self._talk.print(f"Interrupted: {counted(self._counts.total(), 'image')} looked at.")

    def end_early(self, status: str, error: Exception | None = None) -> None:
        """Tell a program; a person is told elsewhere."""
        if self._json:
            counts: dict[str, int] = {word: self._counts[word] for word in STYLES}
            told = describe(error) if error else None
            print_line({"type": "summary", "status": status, **counts, "builds": self._builds, "error": told})


def _words(compared: Compared) -> str:
    """What there is to say of a rendition that is not the same."""
    if compared.verdict == "same":
        return ""
    apart = f"{compared.psnr:g} dB, at worst {compared.worst:g} dB" if compared.psnr is not None else ""
    name = compared.key or compared.preset
    return "  ".join(filter(None, (name, apart, compared.message)))
