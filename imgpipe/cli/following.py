"""How the commands that follow a stack show what comes, and say that they cannot for a while, and that they go on."""

from collections.abc import Callable
from typing import Final

from rich.console import Console
from rich.text import Text

from imgpipe.cli.console import printable
from imgpipe.errors import AwsError
from imgpipe.remote.patience import SIGNED_OUT

_THEN: Final = {"throttled": "Going on more slowly.", "unavailable": "Going on more slowly."}


def put(console: Console, text: Text) -> None:
    """Print `text`, to be read at once, and once: rich begins anew with what Ctrl-C interrupted it in."""
    with console.capture() as capture:
        console.print(text, soft_wrap=True)
    console.file.write(capture.get())
    console.file.flush()


def teller(console: Console, *, local: bool) -> Callable[[AwsError | None], None]:
    """What Patience tells, on `console`: once when it begins, and once when it is over; `local` is the emulator."""

    def say(error: AwsError | None) -> None:
        if error is None:
            console.print(f"{'The emulator' if local else 'AWS'} answers again.", style="dim")
            return
        told = error.code in SIGNED_OUT
        then = f"{error.remedy} It goes on then." if told else _THEN.get(error.code, "Trying again until it answers.")
        console.print(printable(f"{error.message} {then}"), style="yellow")

    return say
