"""What `imgpipe redrive` shows: each parked message with what is known of it, and how far the sending is."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from rich.padding import Padding
from rich.text import Text

from imgpipe.cli import console
from imgpipe.cli.console import counted, printable
from imgpipe.cli.lines import print_line
from imgpipe.cli.sending_bar import SendingBar
from imgpipe.cli.status import span
from imgpipe.errors import ImgpipeError
from imgpipe.remote.dead_letters import Letter, records
from imgpipe.remote.pacing import Pace
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.reasons import reasons
from imgpipe.worker.ports import Record, rfc3339

INTERRUPTED: Final = 130
ROWS: Final = 20
"""So many messages are shown to a person; `--json` tells all."""
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

    def show_look(self) -> None:
        """Count one message that was received."""
        self._looked += 1
        self._bar.show_look(counted(self._looked, "message"))

    def show(self, letters: Sequence[Letter]) -> None:
        """Show what is parked, the oldest first."""
        letters = sorted(letters, key=lambda letter: letter.sent)
        self._parked = len(letters)
        shown = letters if self._json else letters[:ROWS]
        known, why = records(self._pipeline, shown), self._reasons(shown)
        self._bar.close()
        for letter in shown:
            if self._json:
                self._print_document(letter, known, why.get(letter.id))
            else:
                self._print(letter, known, why.get(letter.id))
        if len(letters) > len(shown):
            console.results().print(f"and {len(letters) - ROWS:,} more: see them all with --json")

    def _reasons(self, letters: Sequence[Letter]) -> dict[str, str]:
        """What the log says, where it may be read: the messages can be sent without."""
        try:
            return reasons(self._pipeline, letters)
        except ImgpipeError as error:
            self._talk.print(printable(f"The log could not be read: {error.message}"))
            return {}

    def _print(self, letter: Letter, known: Mapping[str, Record], why: str | None) -> None:
        paper = console.results()
        console.lay_out(paper, Text(_name(letter), "red"))
        age = span(int(max(time.time() - letter.sent, 0)))
        about = (_known(known.get(key), letter) for key in (letter.keys or ())[:1])
        for line in (f"Tried {counted(letter.attempts, 'time')}, first sent {age} ago.", why, *about):
            if line:
                console.lay_out(paper, Padding(printable(line), (0, 0, 0, 4), expand=False))

    def _print_document(self, letter: Letter, known: Mapping[str, Record], why: str | None) -> None:
        keys = letter.keys or ()
        statuses = {key: known[key].status if key in known else None for key in keys}
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

    def show_pace(self, pace: Pace, total: int) -> None:
        """Show how much is sent."""
        self._sent = pace.sent
        self._bar.show_pace(pace, total)

    def end(self, status: str) -> int:
        """Say how it ended, and return the exit code."""
        self.end_early(status)
        if not self._json:
            self._say_end(status)
        return 1 if status == "cancelled" else 0

    def _say_end(self, status: str) -> None:
        if not self._parked:
            self._talk.print("No message is about that image." if self._looked else "Nothing is parked.")
        elif status == "sent":
            tail = self._pipeline.session.command("tail", self._pipeline.stack.name)
            self._talk.print(f"Sent {counted(self._sent, 'message')} back. See what becomes of them with: {tail}")
        elif status == "cancelled":
            self._talk.print("Nothing was sent.")

    def end_interrupted(self) -> int:
        """Say how far it came, and return the exit code."""
        self.end_early("interrupted")
        self._talk.print(f"Interrupted: {counted(self._sent, 'message')} sent. Run the same command again.")
        return INTERRUPTED

    def end_early(self, status: str) -> None:
        """Take the bar away and tell a program; a person is told elsewhere."""
        self._bar.close()
        if self._json:
            print_line({"type": "summary", "status": status, "parked": self._parked, "sent": self._sent})


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
