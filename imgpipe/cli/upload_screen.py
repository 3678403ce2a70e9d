"""An upload as a person or a program sees it.

stdout carries results: a line for each file where no bar can stand (no terminal), records with their links where they
are waited for, and the report; or with `json` a document for each, and the summary last, however it ends.
"""

import sys
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import Any, Final

import msgspec
from rich.padding import Padding
from rich.text import Text

from imgpipe.cli import console, lines
from imgpipe.cli.console import counted, printable, size
from imgpipe.cli.failures import ROWS, print_report
from imgpipe.cli.record_lines import line
from imgpipe.cli.upload_progress import Progress
from imgpipe.errors import AwsError, ImgpipeError, image_remedy
from imgpipe.remote.failed import Failed as Told
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.upload.choose import Choice
from imgpipe.remote.upload.events import Event, Failed, Unchanged, Uploaded, Would
from imgpipe.remote.upload.transfer import Meter
from imgpipe.remote.waiting import Outcome
from imgpipe.worker.ports import Record, Rendition

INTERRUPTED: Final = 130
LINK_SECONDS: Final = 900
"""How long the links of a record work, as the API's do."""
WRITTEN_OUT: Final = 3
"""Of so many images a terminal shows the links as they are; of more they hang on the keys, and leave the results in
sight."""
STATUS: Final[dict[type[Event], str]] = {
    Uploaded: "uploaded",
    Unchanged: "unchanged",
    Failed: "failed",
    Would: "would",
}


class Screen:
    """Shows one upload; `named` where keys are news even on a terminal, `waits` where results follow."""

    def __init__(
        self, pipeline: Pipeline, choice: Choice, *, json: bool, quiet: bool, named: bool, waits: bool
    ) -> None:
        self.meter = Meter(sum(file.bytes for file in choice.files))
        self._pipeline = pipeline
        self._choice = choice
        self._json = json
        self._quiet = quiet
        self._waits = waits
        self._counts: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._failures: list[Told] = []
        self._paper = console.results()
        self._lists = not quiet and not json and (named or not sys.stdout.isatty())
        self._records = 0
        # A bar would run through documents on the same terminal.
        animated = sys.stderr.isatty() and not quiet and not (json and sys.stdout.isatty())
        files = len(choice.files) + len(choice.unread)
        self._progress = Progress(console.talk(), self.meter, files, animated=animated, quiet=quiet)

    def show(self, events: Generator[Event | Outcome]) -> int:
        """Show it from its first event to its last, and return the exit code."""
        status, broken = "ended", None
        try:
            with closing(self._progress), closing(events):
                if self._json:
                    for left in self._choice.left_out:
                        self._print_document("skipped", path=left.path, bytes=left.bytes, message=left.reason)
                for event in events:
                    if isinstance(event, Outcome):
                        self._settled(event)
                    else:
                        self._ended(event)
                    self._progress.show()
        except KeyboardInterrupt:
            status = "interrupted"
            self._report(())
            self._say_interrupted()
            return INTERRUPTED
        except Exception as error:
            status, broken = "failed", error
            if isinstance(error, ImgpipeError):
                self._say_left_out()
                self._report(self._facts())
            raise
        finally:
            if self._json:
                lines.print_line(self._summary(status, broken))
        self._say_left_out()
        self._report(self._facts())
        return 1 if self._failed else 0

    def show_late(self, event: Event) -> None:
        """Show a file that ended when the upload was broken off."""
        self._ended(event)

    def _report(self, facts: Iterable[tuple[str, str]]) -> None:
        told = [] if self._quiet else list(facts)
        if not self._json and (self._failures or told):
            print_report(self._failures, self._failed, told)

    def say_outage(self, error: AwsError | None) -> None:
        """Say that AWS cannot be asked for results for a while, or can again."""
        words = f"{error.message} Waiting goes on." if error else "AWS answers again."
        self._progress.say(Text(printable(words), "yellow"))

    @property
    def _failed(self) -> int:
        return self._counts["failed"] + self._counts["record failed"] + self._counts["timeout"]

    def _ended(self, event: Event) -> None:
        status = STATUS[type(event)]
        self._counts[event.action if isinstance(event, Would) else status] += 1
        self._progress.ended += 1
        if isinstance(event, Failed):
            self._progress.failed = self._failed
            self._keep(Told(event.key or event.path, event.code, event.message, event.remedy))
        else:
            self._bytes[event.action if isinstance(event, Would) else status] += event.bytes
            self._progress.awaited += self._waits
        if self._json:
            told = {name: value for name, value in msgspec.to_builtins(event).items() if name != "outage"}
            self._print_document(status, **told)
        elif isinstance(event, Uploaded) and self._lists:
            self._print(f"uploaded   {event.key}  {size(event.bytes)}")
        elif isinstance(event, Would) and event.action != "unchanged" and not self._quiet:
            self._print(f"{event.action:<9}  {event.key or event.path}  {size(event.bytes)}")

    def _settled(self, outcome: Outcome) -> None:
        self._progress.awaited -= 1
        record = outcome.record
        if outcome.how != "settled" or record is None:
            self._counts[outcome.how] += 1
            why = _instead(record) if outcome.how == "superseded" else outcome.why
            if self._json:
                document = {"type": outcome.how, "key": outcome.awaited.key, "version": outcome.awaited.version}
                lines.print_line(document | {"message": why})
            elif outcome.how == "superseded" and not self._quiet:
                self._print(f"superseded {outcome.awaited.key}  {why}")
            elif outcome.how == "timeout":
                status = self._pipeline.session.command("status", self._pipeline.stack.name)
                message = f"There is no result yet. {outcome.why}".rstrip(".") + "."
                self._keep(Told(outcome.awaited.key, "timeout", message, f"See how it goes on with: {status}"))
            return
        self._counts[f"record {record.status}"] += 1
        self._progress.failed = self._failed
        if self._json:
            lines.print_line(self._document(record))
        elif record.error:
            self._keep(Told(record.key, record.error.code, record.error.message, image_remedy(record.error.code)))
        elif not self._quiet:
            self._print_record(record)

    def _print_record(self, record: Record) -> None:
        """The record and its links, above the bar where both share a terminal."""
        told = line(record, self._paper.width)
        for made, url in self._links(record):
            told.append(f"\n    {made.preset}  ")
            if sys.stdout.isatty() and len(self._choice.files) > WRITTEN_OUT:
                told.append(printable(made.key), f"link {url}")
            else:
                told.append(url, "dim")
        if sys.stdout.isatty():
            self._progress.say(told)
        else:
            self._paper.print(told, soft_wrap=True)
            self._paper.file.flush()

    def _print(self, words: str) -> None:
        told = Text(printable(words))
        if sys.stdout.isatty():
            self._progress.say(told)
        else:
            self._paper.print(told, soft_wrap=True)

    def _print_document(self, status: str, **more: object) -> None:
        lines.print_line({"type": "upload", "status": status, **more})

    def _document(self, record: Record) -> dict[str, Any]:
        """The record as everywhere, with a link to each rendition."""
        document: dict[str, Any] = msgspec.to_builtins(record.public())
        for made, (_, url) in zip(document["renditions"], self._links(record), strict=True):
            made["url"] = url
        return document

    def _links(self, record: Record) -> Iterator[tuple[Rendition, str]]:
        for made in record.renditions:
            yield made, self._pipeline.rendition_links.link(made.key, f"image/{made.format}", LINK_SECONDS)

    def _keep(self, failure: Told) -> None:
        if len(self._failures) < ROWS:
            self._failures.append(failure)

    def _say_left_out(self) -> None:
        """Name what is no image, on stderr: it may be what the person meant."""
        left_out = [left for left in self._choice.left_out if left.named or not self._quiet]
        if self._json or not left_out:
            return
        talk = console.talk()
        talk.print(f"Left out: {counted(len(left_out), 'file')} that imgpipe does not read (--any uploads them, too)")
        for left in left_out[:ROWS]:
            console.lay_out(talk, Padding(printable(left.path), (0, 0, 0, 2), expand=False))
            console.lay_out(talk, Padding(Text(printable(left.reason), "dim"), (0, 0, 0, 4), expand=False))
        if len(left_out) > ROWS:
            talk.print(f"  and {len(left_out) - ROWS:,} more: see them all with --json")

    def _say_interrupted(self) -> None:
        uploaded = counted(self._counts["uploaded"], "file")
        if self._progress.awaited and self._progress.is_sent:
            words = f"Interrupted: {uploaded} uploaded, which the pipeline works on all the same."
        else:
            words = f"Interrupted: {uploaded} uploaded. The same command goes on from there."
        console.talk().print(words)

    def _summary(self, status: str, error: Exception | None) -> dict[str, Any]:
        counts, choice = self._counts, self._choice
        summary: dict[str, Any] = {
            "type": "summary",
            "status": status,
            **{name: counts[name] for name in ("uploaded", "unchanged", "failed", "new", "changed", "again")},
            "skipped": len(choice.left_out),
            "unmatched": choice.unmatched,
            "passed_over": choice.passed_over,
            "linked": choice.linked,
            "bytes": self._bytes["uploaded"],
        }
        if self._waits:
            results = {name: counts[f"record {name}"] for name in ("done", "failed")}
            summary["results"] = results | {name: counts[name] for name in ("superseded", "timeout")}
        return summary | {"error": lines.describe(error) if error else None}

    def _facts(self) -> Iterator[tuple[str, str]]:
        counts, sizes, choice = self._counts, self._bytes, self._choice
        for action, label in (("new", "New"), ("changed", "Changed"), ("again", "Again"), ("uploaded", "Uploaded")):
            if counts[action]:
                yield label, f"{counted(counts[action], 'file')}, {size(sizes[action])}"
        if counts["unchanged"]:
            yield "Unchanged", counted(counts["unchanged"], "file")
        if choice.unmatched:
            yield "Left out", f"{counted(choice.unmatched, 'file')} by --include and --exclude"
        if choice.passed_over:
            yield "Passed over", f"{choice.passed_over:,} that are hidden or no files"
        if choice.linked:
            yield "Not entered", counted(choice.linked, "linked folder")
        if not choice.files and not choice.unread:
            yield "Uploaded", "nothing: there is no image"
        for how, label in (("record done", "Done"), ("record failed", "Failed"), ("superseded", "Superseded")):
            if counts[how]:
                yield label, counted(counts[how], "image")
        if counts["timeout"]:
            yield "No result", f"{counted(counts['timeout'], 'image')}, listed above"
        if counts["failed"]:
            yield "Not uploaded", f"{counted(counts['failed'], 'file')}, listed above"
        if counts["new"] or counts["changed"] or counts["again"]:
            yield "Dry run", "nothing was uploaded"


def _instead(record: Record | None) -> str:
    """What lies there in place of what was uploaded, by the record as it was last seen."""
    if record is None or record.status == "deleted":
        return "It was removed since."
    return f"Something else was put there since: its version {record.version} is {record.status}."
