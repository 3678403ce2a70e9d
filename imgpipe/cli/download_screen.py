"""A download as a person or a program sees it.

stderr carries the bar; stdout the report, or with `--json` a line for each rendition and the summary last, however the
download ends.
"""

import sys
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from imgpipe.cli import console, lines
from imgpipe.cli.console import counted, size
from imgpipe.cli.failures import ROWS, print_report
from imgpipe.remote.download import Downloaded, Result, Would
from imgpipe.remote.failed import Failed
from imgpipe.remote.wanted import Plan

INTERRUPTED = 130


class Screen:
    """Shows the download of `plan` into `directory`."""

    def __init__(self, plan: Plan, directory: Path, *, dry_run: bool, json: bool) -> None:
        self.plan = plan
        self.directory = directory
        self.dry_run = dry_run
        self.json = json
        self.counts: Counter[str] = Counter()
        self.bytes = 0
        self.failures: list[Failed] = []

    def show(self, results: Generator[Result]) -> int:
        """Show it from its first result to its last, and return the exit code."""
        bar = self._bar()
        task = bar.add_task("", total=sum(wanted.bytes for wanted in self.plan.wanted))
        try:
            with bar, closing(results):
                for result in results:
                    self._add(result)
                    if not isinstance(result, Failed):
                        bar.advance(task, result.bytes)
        except KeyboardInterrupt:
            done = counted(self.counts["downloaded"], "rendition")
            console.talk().print(f"Interrupted: {done} downloaded. The same command goes on from there.")
            return INTERRUPTED
        finally:
            if self.json:
                counts = {name: self.counts[name] for name in ("downloaded", "unchanged", "would", "failed")}
                lines.print_line({"type": "summary", **counts, "bytes": self.bytes})
        if not self.json:
            print_report(self.failures, self.counts["failed"], self._facts())
        return 1 if self.counts["failed"] else 0

    def _bar(self) -> Progress:
        columns = (BarColumn(bar_width=24), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        # A bar would run through results on the same terminal.
        animated = sys.stderr.isatty() and not ((self.json or self.dry_run) and sys.stdout.isatty())
        return Progress(
            *columns,
            console=console.talk(),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not animated,
        )

    def _add(self, result: Result) -> None:
        name = type(result).__name__.lower()
        self.counts[name] += 1
        if self.json:
            path = {} if isinstance(result, Failed) else {"path": str(self.directory / result.key)}
            lines.print_line({"type": name, **msgspec.to_builtins(result), **path})
        match result:
            case Failed():
                if len(self.failures) < ROWS:
                    self.failures.append(result)
            case Downloaded():
                self.bytes += result.bytes
            case Would(action=action) if action != "unchanged":
                self.bytes += result.bytes
                if not self.json:
                    line = f"{action:<9}  {result.key}  {size(result.bytes)}"
                    console.results().print(console.printable(line), soft_wrap=True)

    def _facts(self) -> Iterator[tuple[str, str]]:
        if self.dry_run:
            yield "Would", f"download {size(self.bytes)} into {self.directory}; nothing was written"
        elif not self.counts:
            yield "Downloaded", "nothing: no image with renditions begins so"
        elif self.counts["downloaded"]:
            yield "Downloaded", f"{counted(self.counts['downloaded'], 'rendition')}, {size(self.bytes)}"
        if self.counts["unchanged"]:
            yield "Unchanged", counted(self.counts["unchanged"], "rendition")
        if self.counts["failed"]:
            yield "Failed", f"{self.counts['failed']:,}, listed above"
        if self.counts["downloaded"] or self.counts["unchanged"]:
            yield "Look at", str(self.directory)
