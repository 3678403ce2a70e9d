"""What `imgpipe reprocess` shows: what was found and would cost, how far the sending is, what became of each image.

Results go to stdout, with `--json` a line for each and a summary last; the rest to stderr.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec
from rich.table import Table
from rich.text import Text

from imgpipe.cli import console
from imgpipe.cli.console import counted, printable, size
from imgpipe.cli.lines import describe, print_line
from imgpipe.cli.record_lines import line
from imgpipe.cli.sending_bar import SendingBar
from imgpipe.cli.status import span
from imgpipe.remote import prices
from imgpipe.remote.pacing import Pace, workers
from imgpipe.remote.pacing import rate as images_a_second
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.prices import Rate
from imgpipe.remote.reprocess import Found, Plan
from imgpipe.remote.staleness import State
from imgpipe.remote.waiting import Outcome

EVERY: Final = 25
"""Objects between two changes of the bar: there may be millions."""
STATES: Final[dict[State, str]] = {
    "new": "Never made",
    "changed": "Overwritten",
    "recipe": "Other recipe",
    "abandoned": "Not ended",
    "failed": "Failed",
    "current": "Up to date",
    "working": "In work",
    "archived": "Archived",
    "other": "No image",
}


class Screen:
    """One run from the first look to its end."""

    def __init__(self, pipeline: Pipeline, bar: SendingBar, *, json: bool, dry_run: bool) -> None:
        self._pipeline = pipeline
        self._bar = bar
        self._json = json
        self._dry_run = dry_run
        self._talk = console.talk()
        self._paper = console.results()
        self._dollars: float | None = None
        self._sent = 0
        self._ended: Counter[str] = Counter()

    def show_look(self, plan: Plan, found: Found) -> None:
        """Show one object more."""
        looked = plan.states.total()
        if looked % EVERY == 0:
            self._bar.show_look(f"{looked:,} looked at, {plan.wanted:,} to make")
        if self._dry_run and self._json and found.wanted:
            print_line({"type": "would", "key": found.key, "action": "make", "state": found.state})

    def show_left(self, found: Found, *, waits: bool) -> None:
        """Say why an image that a person named is not made again."""
        if self._json:
            print_line({"type": "left", "key": found.key, "state": found.state})
        else:
            then = "; it is waited for" if waits else ""
            self._talk.print(
                printable(f"{found.key} is left alone: {STATES[found.state].lower()}{then}."), style="yellow"
            )

    def show_plan(self, plan: Plan, rate: Rate) -> None:
        """Show what was found, and what making it takes."""
        self._bar.close()
        # An endpoint of one's own sends no bill.
        if ".amazonaws.com" in self._pipeline.session.endpoint:
            self._dollars = prices.dollars(self._pipeline, rate, plan.wanted)
        if self._json:
            return
        table = Table.grid(padding=(0, 2))
        for label, words in self._facts(plan, rate):
            table.add_row(Text(label, "bold"), words)
        console.lay_out(self._paper if self._dry_run else self._talk, table)

    def _facts(self, plan: Plan, rate: Rate) -> Iterator[tuple[str, str]]:
        for state, label in STATES.items():
            if count := plan.states[state]:
                yield label, f"{count:,}"
        if not plan.wanted:
            yield "To make", "nothing; what failed, with --failed" if plan.states["failed"] else "nothing"
            return
        yield "To make", f"{counted(plan.wanted, 'image')}, {size(plan.bytes)}"
        at_once = workers(self._pipeline)
        seconds = max(round(plan.wanted / images_a_second(self._pipeline, rate.milliseconds)), 1)
        yield "Time", f"about {span(seconds)}, {at_once} at once"
        if self._dollars is not None:
            cents = "less than $0.01" if self._dollars < 0.01 else f"about ${self._dollars:,.2f}"
            yield "Cost", f"{cents} at {prices.REGION}'s list prices of {prices.DATE}"
        measured = f"as the last {counted(rate.sample, 'image')}" if rate.sample else "since none was made here lately"
        yield "", f"reckoned with {rate.milliseconds:,.0f} ms an image, {measured}"

    def count(self, sent: list[Found]) -> None:
        """Count what was just sent."""
        self._sent += len(sent)

    def show(self, event: Pace | Outcome, total: int) -> None:
        """Show how much is sent, or what became of an image."""
        if isinstance(event, Pace):
            self._bar.show_pace(event, total)
            return
        key, record = event.awaited.key, event.record
        if event.how == "timeout" or record is None:
            self._ended["timeout"] += 1
            if self._json:
                print_line({"type": "timeout", "key": key, "message": event.why})
            else:
                self._bar.close()
                self._talk.print(printable(f"{key} has no result yet. {event.why}"), style="yellow")
            return
        self._ended[record.status] += 1
        if self._json:
            print_line(msgspec.to_builtins(record.public()))
        else:
            self._bar.close()
            self._paper.print(line(record, self._paper.width), soft_wrap=True)

    def end(self, plan: Plan, status: str) -> int:
        """Say how it ended, and return the exit code."""
        self.end_early(plan, status)
        if not self._json:
            self._say_end(status)
        return 1 if status == "cancelled" or self._ended["failed"] or self._ended["timeout"] else 0

    def _say_end(self, status: str) -> None:
        if status == "cancelled":
            self._talk.print("Nothing was sent.")
        elif status == "sent":
            tail = self._pipeline.session.command("tail", self._pipeline.stack.name)
            self._talk.print(f"Sent {counted(self._sent, 'image')}. See what becomes of them with: {tail}")
        elif status == "made":
            ended = ", ".join(f"{count:,} {how}" for how, count in sorted(self._ended.items()))
            self._talk.print(f"{counted(self._ended.total(), 'image')}: {ended}")

    def say_interrupted(self, plan: Plan, *, forced: bool) -> None:
        """Say how far it came; `forced` where what is up to date was asked for, too."""
        sent = f"{self._sent:,} of {counted(plan.wanted, 'image')}"
        again = "begins anew" if forced else "finds what is left"
        self._talk.print(f"Interrupted: {sent} sent. The same command {again}.")

    def end_early(self, plan: Plan, status: str, error: Exception | None = None) -> None:
        """Take the bar away and tell a program; a person is told elsewhere."""
        self._bar.close()
        if not self._json:
            return
        print_line(
            {
                "type": "summary",
                "status": status,
                "found": {state: plan.states[state] for state in STATES},
                "wanted": plan.wanted,
                "bytes": plan.bytes,
                "dollars": self._dollars,
                "sent": self._sent,
                "ended": dict(self._ended),
                "error": describe(error) if error else None,
            }
        )
