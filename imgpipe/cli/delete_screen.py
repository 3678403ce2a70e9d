"""A deletion as a person or a program sees it: what would go, what went, and what became of the renditions.

stdout carries results, with `json` a line for each source and the summary last, however it ends; the rest is talk.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from imgpipe.cli import console, lines
from imgpipe.cli.console import counted, printable
from imgpipe.cli.ending import INTERRUPTED
from imgpipe.cli.failures import ROWS, print_report
from imgpipe.cli.question import agreed, check_answer
from imgpipe.cli.summary import summarised
from imgpipe.errors import AwsError, ImgpipeError
from imgpipe.remote.failed import Failed
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.removal import Removed
from imgpipe.remote.waiting import Outcome

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
        self._is_asking = False
        self._is_cancelled = False
        self.removed: list[str] = []

    def show(self, work: Callable[[], int]) -> int:
        """Do `work` and return its exit code, or that of what broke it off, after it was told what had been done."""
        try:
            with summarised(self._counted, json=self._json):
                return work()
        except KeyboardInterrupt:
            return self._end_interrupted()
        except ImgpipeError:
            if not self._json and (self._failures or self.removed):
                print_report(self._failures, self._counts["failed"] + self._counts["timeout"], self._facts())
            raise

    def _counted(self) -> dict[str, object]:
        names = ("deleted", "would", "failed", *(["settled", "superseded", "timeout"] if self._waits else []))
        status = {"status": "cancelled"} if self._is_cancelled else {}
        return {**status, **{name: self._counts[name] for name in names}}

    def agrees(self, keys: Sequence[str]) -> bool:
        """Say what would be deleted, and for how long it could be brought back; returns whether to go on. Raises
        UsageError where nobody can answer."""
        check_answer()
        self._is_asking = True
        talk = console.talk()
        talk.print(f"In {self._pipeline.source_bucket}, with their renditions:", soft_wrap=True)
        for key in keys[:NAMED]:
            talk.print(f"  {printable(key)}", soft_wrap=True)
        if len(keys) > NAMED:
            talk.print(f"  and {len(keys) - NAMED:,} more")
        days = int(self._pipeline.stack.parameters["NoncurrentVersionDays"])
        talk.print(f"S3 keeps the sources for {counted(days, 'day')}, as versions that can be brought back.")
        is_agreed = agreed(f"Delete {counted(len(keys), 'image')}?", yes=False)
        self._is_asking = False
        return is_agreed

    def would(self, key: str) -> None:
        """Tell what a dry run leaves alone."""
        self._counts["would"] += 1
        if self._json:
            lines.print_line({"type": "delete", "status": "would", "key": key})
        else:
            console.results().print(f"delete  {printable(key)}", soft_wrap=True)

    def add(self, result: Removed | Failed) -> None:
        """Tell what became of one source."""
        status = "deleted" if isinstance(result, Removed) else "failed"
        self._counts[status] += 1
        if self._json:
            lines.print_line({"type": "delete", "status": status, **msgspec.to_builtins(result)})
        if isinstance(result, Removed):
            self.removed.append(result.key)
        elif len(self._failures) < ROWS:
            self._failures.append(result)

    def settled(self, outcome: Outcome) -> None:
        """Tell whether the renditions of a source are gone."""
        self._counts[outcome.how] += 1
        key = outcome.awaited.key
        if self._json:
            message = {"message": outcome.why} if outcome.how == "timeout" else {}
            lines.print_line({"type": outcome.how, "key": key, **message})
        if outcome.how == "timeout" and len(self._failures) < ROWS:
            remedy = "It is removed when its turn comes; to wait longer, give a longer --timeout."
            self._failures.append(Failed(key, "timeout", outcome.why, remedy))

    def end(self) -> int:
        """Print the report, and return the exit code."""
        if not self._json:
            print_report(self._failures, self._counts["failed"] + self._counts["timeout"], self._facts())
        return 1 if self._counts["failed"] or self._counts["timeout"] else 0

    def end_cancelled(self) -> int:
        """Say that nothing was done, and return the exit code."""
        self._is_cancelled = True
        console.talk().print("Nothing was deleted.")
        return 1

    def say(self, error: AwsError | None) -> None:
        """Say that AWS cannot be asked for a while what became of the renditions, or can again."""
        words = f"{error.message} Waiting goes on." if error else "AWS answers again."
        console.talk().print(printable(words), style="yellow", soft_wrap=True)

    def _end_interrupted(self) -> int:
        talk = console.talk()
        if self._is_asking:
            talk.print()  # the question stands on a line without an end
        if self._is_asking or self._dry_run:
            talk.print("Nothing was deleted.")
        else:
            done = counted(len(self.removed), "image")
            talk.print(f"Interrupted: {done} deleted, and perhaps those that were under way. Their renditions go, too.")
        return INTERRUPTED

    def _facts(self) -> Iterator[tuple[str, str]]:
        counts = self._counts
        if self._dry_run:
            yield "Would", f"delete {counted(counts['would'], 'image')}; nothing was changed"
        elif counts["deleted"]:
            yield "Deleted", counted(counts["deleted"], "image")
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
