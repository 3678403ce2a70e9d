"""How far a folder run is: a bar on a terminal, now and then a line elsewhere."""

import time

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task
from rich.progress import Progress as Bar
from rich.table import Column
from rich.text import Text

from imgpipe.cli.console import counted, printable, size
from imgpipe.local.run_events import Event, Idle, Scanned, Summary, Tally

PLAIN_EVERY = 30.0
"""Seconds between two lines where there is no terminal."""


class Progress:
    """Draws on `console` how far `tally` is."""

    def __init__(self, console: Console, tally: Tally, *, animated: bool) -> None:
        self.console = console
        self.tally = tally
        self.wanted = 0
        self.next_line = time.monotonic() + PLAIN_EVERY
        self.bar = Bar(
            # Short of the edge, where the ^C that a terminal echoes would open a new line and strand the bar.
            BarColumn(bar_width=24),
            Facts(tally),
            console=console,
            transient=True,
            # stdout carries results and is left alone.
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not animated,
        )
        self.task = self.bar.add_task("", total=None)
        self.bar.start()

    def show(self, event: Event) -> None:
        """Bring the bar to where the tally is after `event`."""
        if isinstance(event, Scanned):
            self.wanted += event.todo
            self.bar.start()
            if self.bar.disable and event.todo:
                self.say(f"{counted(event.todo, 'image')} to look at, {event.unchanged:,} unchanged.")
        self.bar.update(self.task, total=self.wanted or None, completed=self.wanted - self.tally.summary().left)
        if isinstance(event, Idle):
            self.bar.stop()
        elif self.bar.disable and time.monotonic() > self.next_line:
            self.next_line = time.monotonic() + PLAIN_EVERY
            self.say(facts(self.tally.summary(), self.wanted, self.bar.tasks[0]))

    def say(self, line: str) -> None:
        """Print one line above the bar."""
        self.console.print(printable(line))

    def close(self) -> None:
        """Take the bar away."""
        self.bar.stop()


class Facts(ProgressColumn):
    """What stands right of the bar."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(Column(no_wrap=True))
        self.tally = tally

    def render(self, task: Task) -> Text:
        return Text(facts(self.tally.summary(), int(task.total or 0), task), no_wrap=True)


def facts(summary: Summary, wanted: int, task: Task) -> str:
    """Images so far and in all, images a second, time left, failures and bytes read."""
    if not wanted:
        return "looking"
    words = [f"{wanted - summary.left:,} of {wanted:,}"]
    if task.speed:
        words.append(f"{task.speed:.1f}/s" if task.speed < 10 else f"{task.speed:,.0f}/s")
    if task.time_remaining is not None:
        minutes, seconds = divmod(int(task.time_remaining), 60)
        words.append(f"{minutes}:{seconds:02} left")
    if failed := summary.failed + summary.troubles:
        words.append(f"{failed:,} failed")
    words.append(size(summary.bytes_in))
    return "  ".join(words)
