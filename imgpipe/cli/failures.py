"""The end of a command that works on many images: what failed and why, then what was done."""

from collections.abc import Iterable

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from imgpipe.cli import console
from imgpipe.remote.failed import Failed

ROWS = 20
"""So many failures are told; `--json` tells them all."""


def print_report(failures: Iterable[Failed], failed: int, facts: Iterable[tuple[str, str]]) -> None:
    """Print on stdout those of `failed` failures that were kept, and then the facts: label and words."""
    paper = console.results()
    for failure in failures:
        console.lay_out(paper, Text(console.printable(failure.key), "red"))
        for sentence in (failure.message, failure.remedy):
            console.lay_out(paper, Padding(console.printable(sentence), (0, 0, 0, 4), expand=False))
    if failed > ROWS:
        paper.print(f"and {failed - ROWS:,} more: see them all with --json")
    if failed:
        paper.print()
    table = Table.grid(padding=(0, 2))
    for label, words in facts:
        table.add_row(Text(label, "bold"), console.printable(words))
    console.lay_out(paper, table)
    paper.file.flush()
