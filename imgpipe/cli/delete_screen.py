"""A deletion as a person or a program sees it: what would go, what went, and what became of the renditions.

stdout carries results, with `json` a line for each source and the summary last, however it ends; the rest is talk.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Final, Self

import msgspec

from imgpipe.cli import console, lines
from imgpipe.cli.console import counted, printable
from imgpipe.cli.failures import ROWS, print_report
from imgpipe.remote.failed import Failed
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.removal import Removed
from imgpipe.remote.waiting import Outcome

INTERRUPTED: Final = 130
NAMED: Final = 5
"""So many keys are named before it asks."""


class Screen:
    """Shows one deletion; `waits` where the renditions are waited for."""

    def __init__(self, pipeline: Pipeline, *, json: bool, dry_run: bool, waits: bool) -> None:
        self._pipeline = pipeline
        self._json = json
        self._dry_run = dry_run
        self._waits = waits
        self._counts: Counter[str] = Counter()
        self._failures: list[Failed] = []
        self.removed: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._json:
            names = ("removed", "would", "failed", *(["settled", "superseded", "timeout"] if self._waits else []))
            lines.print_line({"type": "summary", **{name: self._counts[name] for name in names}})

    def propose(self, keys: Sequence[str]) -> None:
        """Say what would be deleted, and for how long it could be brought back."""
        talk = console.talk()
        talk.print(f"In {self._pipeline.source_bucket}, with their renditions:", soft_wrap=True)
        for key in keys[:NAMED]:
            talk.print(f"  {printable(key)}", soft_wrap=True)
        if len(keys) > NAMED:
            talk.print(f"  and {len(keys) - NAMED:,} more")
        days = int(self._pipeline.stack.parameters["NoncurrentVersionDays"])
        talk.print(f"S3 keeps the sources for {counted(days, 'day')}, as versions that can be brought back.")

    def would(self, key: str) -> None:
        """Tell what a dry run leaves alone."""
        self._counts["would"] += 1
        if self._json:
            lines.print_line({"type": "would", "key": key, "action": "delete"})
        else:
            console.results().print(f"delete  {printable(key)}", soft_wrap=True)

    def add(self, result: Removed | Failed) -> None:
        """Tell what became of one source."""
        name = type(result).__name__.lower()
        self._counts[name] += 1
        if self._json:
            lines.print_line({"type": name, **msgspec.to_builtins(result)})
        if isinstance(result, Removed):
            self.removed.append(result.key)
        elif len(self._failures) < ROWS:
            self._failures.append(result)

    def settled(self, outcome: Outcome) -> None:
        """Tell whether the renditions of a source are gone."""
        self._counts[outcome.how] += 1
        key = outcome.awaited.key
        if self._json:
            why = {"why": outcome.why} if outcome.how == "timeout" else {}
            lines.print_line({"type": outcome.how, "key": key, **why})
        if outcome.how == "timeout" and len(self._failures) < ROWS:
            remedy = "It is removed when its turn comes; to wait longer, add --timeout."
            self._failures.append(Failed(key, "timeout", outcome.why, remedy))

    def end(self) -> int:
        """Print the report, and return the exit code."""
        if not self._json:
            print_report(self._failures, self._counts["failed"] + self._counts["timeout"], self._facts())
        return 1 if self._counts["failed"] or self._counts["timeout"] else 0

    def end_cancelled(self) -> int:
        """Say that nothing was done, and return the exit code."""
        console.talk().print("Nothing was deleted.")
        return 1

    def end_interrupted(self) -> int:
        """Ctrl-C; returns the exit code."""
        done = counted(self._counts["removed"], "image")
        console.talk().print(f"Interrupted: {done} deleted. Their renditions go all the same.")
        return INTERRUPTED

    def _facts(self) -> Iterator[tuple[str, str]]:
        counts = self._counts
        if self._dry_run:
            yield "Would", f"delete {counted(counts['would'], 'image')}; nothing was changed"
        elif counts["removed"]:
            yield "Deleted", counted(counts["removed"], "image")
            if not self._waits:
                yield "", "The renditions are removed as soon as a worker is free."
        elif not counts["failed"]:
            yield "Deleted", "nothing: no image begins so"
        if counts["settled"]:
            yield "Gone too", f"the renditions of {counted(counts['settled'], 'image')}"
        if counts["superseded"]:
            yield "New", f"{counted(counts['superseded'], 'image')} uploaded again meanwhile"
        if counts["timeout"]:
            yield "Waiting", f"{counted(counts['timeout'], 'image')}, of which renditions may still be there"
        if counts["failed"]:
            yield "Failed", f"{counts['failed']:,}, listed above"
