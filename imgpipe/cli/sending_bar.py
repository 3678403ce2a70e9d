"""How far a command is that looks through much and then sends part of it: a bar on a terminal, nothing elsewhere."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from imgpipe.cli.console import printable
from imgpipe.cli.status import span
from imgpipe.errors import AwsError
from imgpipe.remote.pacing import Pace


class SendingBar:
    """For `with`; `title` names the look. With `json` results would run through it where both are on one terminal."""

    def __init__(self, talk: Console, title: str, *, json: bool) -> None:
        self._talk = talk
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[words]}"),
            console=talk,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not sys.stderr.isatty() or (json and sys.stdout.isatty()),
        )
        self._task = self._bar.add_task(title, total=None, words="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar away, until there is more to show."""
        self._bar.stop()

    def show_look(self, words: str) -> None:
        """Show how much was looked at."""
        self._bar.update(self._task, words=words)

    def show_pace(self, pace: Pace, total: int) -> None:
        """Show how much is sent."""
        task = self._bar.tasks[0]
        if task.description != "Sending":
            self._bar.reset(self._task, description="Sending", total=total)
        left = f", {span(int(task.time_remaining))} left" if task.time_remaining else ""
        words = f"{pace.sent:,} of {total:,}, {pace.queued:,} in the queue{left}"
        self._bar.update(self._task, completed=pace.sent, words=words)
        self._bar.start()

    def say(self, error: AwsError | None) -> None:
        """Tell of trouble that is waited for, and of its end."""
        self._talk.print(printable(f"{error.message} Going on as soon as it passes.") if error else "Going on.")
