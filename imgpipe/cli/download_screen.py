"""A download as a person or a program sees it.

stderr carries the bar; stdout the report, or with `--json` a line for each rendition and the summary last, however the
download ends.
"""

import sys
from collections import Counter
from collections.abc import Collection, Generator, Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from imgpipe.cli import console, lines
from imgpipe.cli.console import counted, size
from imgpipe.cli.ending import INTERRUPTED
from imgpipe.cli.failures import ROWS, print_report
from imgpipe.cli.summary import summarised
from imgpipe.cli.upload_progress import Progress
from imgpipe.errors import ImgpipeError
from imgpipe.remote.download import Downloaded, Result, Would
from imgpipe.remote.failed import Failed
from imgpipe.remote.upload.transfer import Meter
from imgpipe.remote.wanted import Plan


class Screen:
    """Shows the download of `plan` into `directory`."""

    def __init__(self, plan: Plan, directory: Path, *, presets: Collection[str], dry_run: bool, json: bool) -> None:
        self.plan = plan
        self.directory = directory
        self.presets = presets
        self.dry_run = dry_run
        self.json = json
        self.counts: Counter[str] = Counter()
        self.bytes = 0
        self.failures: list[Failed] = []
        self._meter = Meter(sum(wanted.bytes for wanted in plan.wanted))
        # A bar would run through results on the same terminal.
        animated = sys.stderr.isatty() and not ((json or dry_run) and sys.stdout.isatty())
        self._progress = Progress(console.talk(), self._meter, len(plan.wanted), animated=animated, quiet=json)

    def show(self, results: Generator[Result]) -> int:
        """Show it from its first result to its last, and return the exit code."""
        try:
            with summarised(self._counted, json=self.json):
                try:
                    with closing(self._progress), closing(results):
                        for result in results:
                            self._add(result)
                            self._progress.show()
                except BaseException:
                    # What is told further up is only what ended it.
                    if self.failures and not self.json:
                        print_report(self.failures, self.counts["failed"], ())
                    raise
        except KeyboardInterrupt:
            done = counted(self.counts["downloaded"], "rendition")
            console.talk().print(f"Interrupted: {done} downloaded. The same command goes on from there.")
            return INTERRUPTED
        except ImgpipeError:
            if not self.json and self.counts["downloaded"]:
                done = counted(self.counts["downloaded"], "rendition")
                console.talk().print(f"{done} downloaded before this. The same command goes on from there.")
            raise
        if not self.json:
            print_report(self.failures, self.counts["failed"], self._facts())
        return 1 if self.counts["failed"] else 0

    def _counted(self) -> dict[str, int]:
        counts = {name: self.counts[name] for name in ("downloaded", "unchanged", "would", "failed")}
        return counts | {"without": self.plan.without, "bytes": self.bytes}

    def _add(self, result: Result) -> None:
        status = type(result).__name__.lower()
        self.counts[status] += 1
        if self.json:
            path = {} if isinstance(result, Failed) else {"path": str(self.directory / result.key)}
            lines.print_line({"type": "download", "status": status, **msgspec.to_builtins(result), **path})
        match result:
            case Failed():
                self._progress.failed += 1
                if len(self.failures) < ROWS:
                    self.failures.append(result)
                return
            case Downloaded():
                self.bytes += result.bytes
                self._meter.add(result.bytes)
            case Would(action=action) if action != "unchanged":
                self.bytes += result.bytes
                if not self.json:
                    line = f"{action:<9}  {result.key}  {size(result.bytes)}"
                    console.results().print(console.printable(line), soft_wrap=True)
            case _:
                self._meter.spare(result.bytes)
        self._progress.ended += 1

    def _facts(self) -> Iterator[tuple[str, str]]:
        if self.dry_run:
            yield "Would", f"download {size(self.bytes)} into {self.directory}; nothing was written"
        elif not self.counts and self.plan.images:
            presets = " or ".join(sorted(self.presets))
            yield "Downloaded", f"nothing: of {counted(self.plan.images, 'image')}, none has a rendition of {presets}"
        elif not self.counts:
            yield "Downloaded", "nothing: no image with renditions begins so"
        elif self.counts["downloaded"]:
            yield "Downloaded", f"{counted(self.counts['downloaded'], 'rendition')}, {size(self.bytes)}"
        if self.counts["unchanged"]:
            yield "Unchanged", counted(self.counts["unchanged"], "rendition")
        if self.plan.without:
            yield "Without", f"{counted(self.plan.without, 'source')} of which nothing is made, or could be"
        if self.counts["failed"]:
            yield "Failed", f"{self.counts['failed']:,}, listed above"
        if self.counts["downloaded"] or self.counts["unchanged"]:
            yield "Look at", str(self.directory)
