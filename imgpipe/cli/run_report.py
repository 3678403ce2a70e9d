"""The end of a folder run: what failed and why, what was done, where to look."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from imgpipe.cli import console
from imgpipe.cli.console import counted, printable, size
from imgpipe.errors import IMAGE_ERRORS
from imgpipe.local.folders import SHEET
from imgpipe.local.options import Options
from imgpipe.local.run_events import Event, Finished, Summary, Trouble, Would

NOTES = {
    "watermark_too_small": "too small for the watermark",
    "over_max_bytes": "larger than max_bytes allows",
}
ROWS = 20
"""So many failures are listed; the contact sheet shows them all."""


@dataclass(frozen=True)
class Fault:
    """One image that could not be done: why, and what to do."""

    key: str
    message: str
    remedy: str


class Report:
    """Gathers what the end of a run has to say; bounded, however many images there are."""

    def __init__(self, options: Options, *, sample_mark: bool) -> None:
        self.options = options
        self.sample_mark = sample_mark
        self.faults: dict[str, Fault] = {}
        self.planned: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self.has_sheet = True

    def add(self, event: Event) -> None:
        match event:
            case Finished(record) if record.error:
                self._add(Fault(record.key, record.error.message, IMAGE_ERRORS[record.error.code]))
            case Finished(record):
                self.faults.pop(record.key, None)
                self.notes.update(note for made in record.renditions for note in made.notes or ())
            case Trouble(key):
                self._add(Fault(key, event.message, event.remedy))
                self.has_sheet = self.has_sheet and (event.image or key != SHEET)
            case Would(key, action):
                self.planned[action] += 1
                if action == "fail":
                    self._add(Fault(key, f"The name {key} is not valid UTF-8.", IMAGE_ERRORS["bad_key"]))

    def _add(self, fault: Fault) -> None:
        if len(self.faults) < ROWS:
            self.faults[fault.key] = fault

    def print(self, summary: Summary) -> None:
        """Print the whole report on stdout."""
        paper = console.results()
        if self.faults:
            console.lay_out(paper, *self._failures())
            more = summary.failed + summary.troubles + summary.other_troubles - len(self.faults)
            if more > 0 and self.has_sheet and not self.options.dry_run:
                paper.print(f"and {more:,} more: see", self._sheet())
                if summary.troubles + summary.other_troubles:
                    paper.print("    What could not be worked on is not in it: --verbose shows that.")
            elif more > 0:
                paper.print(f"and {more:,} more: see them with --verbose")
            paper.print()
        facts = Table.grid(padding=(0, 2))
        for label, words in self._planned(summary) if self.options.dry_run else self._facts(summary):
            facts.add_row(Text(label, "bold"), words if isinstance(words, Text) else printable(words))
        console.lay_out(paper, facts)
        paper.file.flush()
        if self.sample_mark and summary.done:
            console.talk().print("\nThe mark PROOF is only a sample: for your own, write a recipe with: imgpipe init")

    def print_interrupted(self, summary: Summary) -> None:
        """Say on stderr what is done and how to go on."""
        if not summary.total:
            console.talk().print("Interrupted: nothing was done yet.")
            return
        failed = summary.failed + summary.troubles
        done = f"{counted(summary.done, 'image')} done, {failed:,} failed, {summary.left:,} left"
        console.talk().print(f"Interrupted: {done}. The same command goes on from there.")

    def _failures(self) -> Iterator[Text | Padding]:
        for fault in self.faults.values():
            yield Text(printable(fault.key or str(self.options.source)), "red")
            for sentence in (fault.message, fault.remedy):
                yield Padding(printable(sentence), (0, 0, 0, 4), expand=False)

    def _facts(self, summary: Summary) -> Iterator[tuple[str, str | Text]]:
        yield "Done", f"{counted(summary.done, 'image')}, {counted(summary.renditions, 'rendition')}"
        listed = "listed above" if len(self.faults) < ROWS else f"{ROWS} of them listed above"
        if failed := summary.failed + summary.troubles:
            yield "Failed", f"{counted(failed, 'image')}, {listed}"
        if summary.other_troubles:
            yield "Trouble", f"{summary.other_troubles:,} more, with what is no image"
        for note, words in NOTES.items():
            if self.notes[note]:
                yield "Note", f"{counted(self.notes[note], 'rendition')} {words}"
        if summary.left:
            yield "Left", f"{counted(summary.left, 'image')}, for the next run"
        if summary.unchanged:
            yield "Unchanged", counted(summary.unchanged, "image")
        if summary.pruned:
            yield "Pruned", f"{counted(summary.pruned, 'image')} gone from {self.options.source}"
        if summary.vanished > summary.pruned:
            gone = counted(summary.vanished - summary.pruned, "image")
            yield "Vanished", f"{gone} gone from {self.options.source}; --prune removes the renditions"
        yield from self._passed_over(summary)
        if summary.done:
            yield "Bytes", f"{size(summary.bytes_in)} in, {size(summary.bytes_out)} out"
            rate = (summary.done + summary.failed) / max(summary.seconds, 0.001)
            yield "Time", f"{summary.seconds:,.1f} s, {rate:,.1f} images a second"
        if self.has_sheet:
            yield "Look at", self._sheet()

    def _passed_over(self, summary: Summary) -> Iterator[tuple[str, str]]:
        if summary.other:
            yield "No image", counted(summary.other, "other file")
        if summary.unmatched:
            yield "No match", f"{counted(summary.unmatched, 'file')} left out by --include or --exclude"
        if summary.linked:
            yield "Not entered", counted(summary.linked, "linked folder")

    def _planned(self, summary: Summary) -> Iterator[tuple[str, str]]:
        for action, count in sorted(self.planned.items()):
            yield action.capitalize(), counted(count, "image")
        yield from self._passed_over(summary)
        yield "Dry run", "nothing was written"

    def _sheet(self) -> Text:
        path = self.options.out / SHEET
        return Text(printable(str(path)), f"link {path.absolute().as_uri()}")
