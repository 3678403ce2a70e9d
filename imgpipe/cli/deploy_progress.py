"""How far a deployment is: on a terminal what is being worked on, elsewhere a line for each step and event."""

import time
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from imgpipe.cli import deploy_words
from imgpipe.cli.console import counted, printable
from imgpipe.remote.events import StackEvent

SHOWN: Final = 6
"""How many of the resources in the making are named at once."""


class Progress:
    """Draws on `console` what is being worked on."""

    def __init__(self, console: Console, *, animated: bool) -> None:
        self.console = console
        self.animated = animated
        self.began = 0.0
        self.title = ""
        self.wanted = 0
        self.done: set[str] = set()
        self.busy: dict[str, StackEvent] = {}
        self.spinner = Spinner("dots")
        self.live = Live(
            get_renderable=self._draw,
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            refresh_per_second=8,
        )

    def begin(self, title: str, wanted: int = 0) -> None:
        """Something new is being worked on, `wanted` resources of it."""
        self.title, self.wanted, self.began = title, wanted, time.monotonic()
        self.done.clear()
        self.busy.clear()
        if self.animated:
            self.live.start()
        else:
            self.console.print(f"{title} …")

    def add(self, event: StackEvent) -> None:
        """Show one stack event: what has ended stays on the screen, what goes on is named while it does."""
        if event.status.endswith("_IN_PROGRESS"):
            self.busy[event.resource] = event
        else:
            self.busy.pop(event.resource, None)
            if not event.of_stack:
                self.done.add(event.resource)
        if not self.animated or event.resource not in self.busy or event.of_stack:
            fold = bool(event.failed)
            self.console.print(
                deploy_words.stack_event(event), no_wrap=not fold, overflow="fold" if fold else "ellipsis"
            )

    def close(self) -> None:
        """Take away what is not to stay."""
        self.live.stop()

    def _draw(self) -> RenderableType:
        seconds = int(time.monotonic() - self.began)
        told = f"{self.title}  {seconds // 60}:{seconds % 60:02}"
        if self.wanted:
            told += f"  {len(self.done)} of {counted(self.wanted, 'resource')}"
        self.spinner.update(text=Text(told))
        resources = [event for event in self.busy.values() if not event.of_stack]
        rows = [Text(f"  {event.status}  {printable(event.resource)}", "dim") for event in resources[:SHOWN]]
        if len(resources) > SHOWN:
            rows.append(Text(f"  and {len(resources) - SHOWN} more", "dim"))
        return Group(self.spinner, *rows)
