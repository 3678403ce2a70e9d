"""What `imgpipe redrive` shows: each parked message with what is known of it, and how far the sending is."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from rich.padding import Padding
from rich.text import Text

from imgpipe.cli import console
from imgpipe.cli.console import counted, printable
from imgpipe.cli.lines import describe, print_line
from imgpipe.cli.sending_bar import SendingBar
from imgpipe.cli.status import span
from imgpipe.errors import ImgpipeError
from imgpipe.remote.dead_letters import Letter, records
from imgpipe.remote.pacing import Pace
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.reasons import reasons
from imgpipe.worker.ports import Record, rfc3339

ROWS: Final = 20
"""So many messages are shown to a person; `--json` tells all."""
MANY: Final = 1000
"""Messages that it takes seconds to show again."""
BODY: Final = 60
"""Characters that are shown of what is no S3 event."""


class Screen:
    """Messages on stdout, with `json` a line for each and a summary; the rest on stderr."""

    def __init__(self, pipeline: Pipeline, bar: SendingBar, *, json: bool) -> None:
        self._pipeline = pipeline
        self._bar = bar
        self._json = json
        self._talk = console.talk()
        self._looked = self._parked = self._sent = 0

    def show_look(self, about: int) -> None:
        """Count one message that was received, of `about` so many."""
        self._looked += 1
        self._bar.show_look(f"{self._looked:,} of about {max(about, self._looked):,} messages")

    def say_looked(self, about: int, missing: Collection[str]) -> None:
        """Tell where not all came of `about` so many messages, and which images none is about."""
        for key in sorted(missing):
            self._bar.close()
            self._talk.print(printable(f"No message is about {key}."), style="yellow")
        if self._looked < about:
            self._bar.close()
            few = f"{self._looked:,} of about {counted(about, 'message')}"
            self._talk.print(f"{few} could be received: somebody else may be looking at the others.", style="yellow")

    def say_release(self, count: int) -> None:
        """Tell what is being waited for."""
        if count >= MANY:
            self._talk.print(f"Showing {counted(count, 'message')} again to whoever looks.")

    def show(self, letters: Sequence[Letter]) -> None:
        """Show what is parked, the oldest first."""
        letters = sorted(letters, key=lambda letter: letter.sent)
        self._parked = len(letters)
        shown = letters if self._json else letters[:ROWS]
        known, why = self._records(shown), self._reasons(shown)
        self._bar.close()
        for letter in shown:
            if self._json:
                self._print_document(letter, known, why.get(letter.id))
            else:
                self._print(letter, known, why.get(letter.id))
        if len(letters) > len(shown):
            console.results().print(f"and {len(letters) - ROWS:,} more: see them all with --json")

    def _records(self, letters: Sequence[Letter]) -> dict[str, Record] | None:
        """What the catalog says, None where it may not be read: the messages can be sent without."""
        try:
            return records(self._pipeline, letters)
        except ImgpipeError as error:
            self._talk.print(printable(f"The catalog could not be read: {error.message}"))
            return None

    def _reasons(self, letters: Sequence[Letter]) -> dict[str, str]:
        """What the log says, likewise."""
        try:
            found, is_whole = reasons(self._pipeline, letters)
        except ImgpipeError as error:
            self._talk.print(printable(f"The log could not be read: {error.message}"))
            return {}
        if not is_whole:
            self._talk.print("The log is too long to be read for every reason.")
        return found

    def _print(self, letter: Letter, known: Mapping[str, Record] | None, why: str | None) -> None:
        paper = console.results()
        console.lay_out(paper, Text(_name(letter), "red"))
        age = span(int(max(time.time() - letter.sent, 0)))
        about = () if known is None else (_known(known.get(key), letter) for key in (letter.keys or ())[:1])
        for line in (f"Tried {counted(letter.attempts, 'time')}, first sent {age} ago.", why, *about):
            if line:
                console.lay_out(paper, Padding(printable(line), (0, 0, 0, 4), expand=False))

    def _print_document(self, letter: Letter, known: Mapping[str, Record] | None, why: str | None) -> None:
        keys = letter.keys or ()
        statuses = {} if known is None else {key: known[key].status if key in known else None for key in keys}
        print_line(
            {
                "messageId": letter.id,
                "keys": keys,
                "isEvent": letter.keys is not None,
                "error": why,
                "statuses": statuses,
                "attempts": letter.attempts,
                "sent": rfc3339(letter.sent),
            }
            | ({} if letter.keys is not None else {"body": letter.body})
        )

    def count(self, sent: Sequence[Letter]) -> None:
        """Count what was just sent."""
        self._sent += len(sent)

    def show_pace(self, pace: Pace, total: int) -> None:
        """Show how much is sent."""
        self._bar.show_pace(pace, total)

    def end(self, status: str) -> int:
        """Say how it ended, and return the exit code."""
        self.end_early(status)
        if not self._json:
            self._say_end(status)
        return 1 if status == "cancelled" else 0

    def _say_end(self, status: str) -> None:
        if not self._parked:
            if not self._looked:
                self._talk.print("Nothing is parked.")
        elif status == "sent":
            tail = self._pipeline.session.command("tail", self._pipeline.stack.name)
            self._talk.print(f"Sent {counted(self._sent, 'message')} back. See what becomes of them with: {tail}")
        elif status == "cancelled":
            self._talk.print("Nothing was sent.")

    def say_interrupted(self) -> None:
        """Say how far it came."""
        self._talk.print(f"Interrupted: {counted(self._sent, 'message')} sent. Run the same command again.")

    def end_early(self, status: str, error: Exception | None = None) -> None:
        """Take the bar away and tell a program; a person is told elsewhere."""
        self._bar.close()
        if self._json:
            told = describe(error) if error else None
            print_line({"type": "summary", "status": status, "parked": self._parked, "sent": self._sent, "error": told})


def _name(letter: Letter) -> str:
    """What a message is about, for a person."""
    if letter.keys is None:
        return printable(f"No S3 event, stays: {letter.body[:BODY]}")
    if not letter.keys:
        return "S3's test event"
    more = f" and {len(letter.keys) - 1:,} more" if len(letter.keys) > 1 else ""
    return printable(letter.keys[0]) + more


def _known(record: Record | None, letter: Letter) -> str:
    """What the catalog says of an image whose message is parked."""
    if record is None:
        return "The image was never made."
    when = "since" if record.updated > rfc3339(letter.sent) else "before"
    match record:
        case Record(error=error) if error:
            return f"The image failed {when}, at {record.updated}: {error.message}"
        case Record(status="processing"):
            return f"A worker began it at {record.updated}."
        case _:
            return f"The image was {record.status} {when}, at {record.updated}."
