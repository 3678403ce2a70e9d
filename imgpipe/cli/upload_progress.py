"""How far an upload is: a bar on a terminal, now and then a line elsewhere."""

import time
from collections.abc import Iterable
from typing import Final

from rich.console import Console, RenderableType
from rich.progress import BarColumn, ProgressColumn, Task
from rich.progress import Progress as Bar
from rich.table import Column
from rich.text import Text

from imgpipe.cli.console import counted, size
from imgpipe.remote.upload.transfer import Meter

PLAIN_EVERY: Final = 30.0
"""Seconds between two lines where there is no terminal."""


class Progress:
    """Draws on `console` how far `meter` is, and how many of `files` have ended; then, of how many images the results
    are still awaited."""

    def __init__(self, console: Console, meter: Meter, files: int, *, animated: bool, quiet: bool) -> None:
        self.ended = 0
        self.awaited = 0
        self.failed = 0
        self._console = console
        self._meter = meter
        self._files = files
        self._quiet = quiet
        self._next_line = time.monotonic() + PLAIN_EVERY
        self._bar = _Live(self, console, animated=animated)
        self._task = self._bar.add_task("", total=None)
        self._bar.start()

    @property
    def is_sent(self) -> bool:
        """Whether every file has ended, so that only results are awaited."""
        return self.ended == self._files

    def show(self) -> None:
        """Say where the upload is, where no bar draws itself and it is time."""
        if self._bar.disable and not self._quiet and time.monotonic() > self._next_line:
            self._next_line = time.monotonic() + PLAIN_EVERY
            self.read_meter()
            self._console.print(self.facts(self._bar.tasks[0]))

    def say(self, line: Text) -> None:
        """Print one line above the bar."""
        self._console.print(line, soft_wrap=True)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()

    def read_meter(self) -> None:
        """Bring the bar to where the upload is."""
        if not self.is_sent:
            self._bar.update(self._task, total=self._meter.total or None, completed=self._meter.sent)
        else:
            self._bar.update(self._task, total=self._files, completed=self._files - self.awaited)

    def facts(self, task: Task) -> str:
        """Files and bytes so far and in all, bytes a second, and time left; or the results that are awaited."""
        failed = [f"{self.failed:,} failed"] if self.failed else []
        if self.is_sent:
            words = [f"waiting for {counted(self.awaited, 'result')}"] if self.awaited else []
            return "  ".join([*words, *failed])
        words = [f"{self.ended:,} of {self._files:,}", f"{size(self._meter.sent)} of {size(self._meter.total)}"]
        if task.speed:
            words.append(f"{size(int(task.speed))}/s")
        if task.time_remaining is not None:
            minutes, seconds = divmod(int(task.time_remaining), 60)
            words.append(f"{minutes}:{seconds:02} left")
        return "  ".join([*words, *failed])


class _Live(Bar):
    """Draws itself while threads send, and not only when a file has ended."""

    def __init__(self, progress: Progress, console: Console, *, animated: bool) -> None:
        self._upload = progress
        super().__init__(
            BarColumn(bar_width=16),
            _Facts(progress),
            console=console,
            transient=True,
            # stdout carries results and is left alone.
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not animated,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        if self.tasks:
            self._upload.read_meter()
        yield from super().get_renderables()


class _Facts(ProgressColumn):
    """What stands right of the bar."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(Column(no_wrap=True))
        self._progress = progress

    def render(self, task: Task) -> Text:
        return Text(self._progress.facts(task), no_wrap=True)
