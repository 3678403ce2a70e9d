"""`imgpipe emulate`: the whole stack on this machine, for a person or beside one command.

The emulator itself is `imgpipe.local.emulator`; here it is started, followed and ended.
"""

import gc
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Annotated, Final

import typer

from imgpipe.cli.aws_options import STACK, StackName
from imgpipe.cli.recipe_option import RecipeFile
from imgpipe.errors import ImgpipeError, UsageError

if TYPE_CHECKING:
    from imgpipe.cli.emulate_screen import Screen
    from imgpipe.local.emulator.emulator import Emulator
    from imgpipe.local.emulator.heard import Told
    from imgpipe.local.emulator.recipe_watch import RecipeWatch

News = SimpleQueue[Sequence["Told"]]
"""Lines of the functions' logs, and troubles, in the order in which they came."""

INTERRUPTED: Final = 130
NOT_FOUND: Final = 127
NOT_RUN: Final = 126
"""The exit codes of a shell for Ctrl-C, and for a command that is not there or cannot be run."""
LOOK: Final = 1.0
"""Seconds between two looks at the recipe."""
LAST_PORT: Final = 65535 - 2


def port_number(text: str) -> int:
    """The port that `--port` names, beside which two others must have room."""
    text = str(text)
    if not (text.isascii() and text.isdigit() and int(text) <= LAST_PORT):
        raise typer.BadParameter(f"{text!r} is not a number from 1 to {LAST_PORT}, or 0 for any port that is free.")
    return int(text)


def seconds(text: str) -> int:
    """The time that `--timeout` names."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 900):
        raise typer.BadParameter(f"{text!r} is not a whole number of seconds from 1 to 900.")
    return int(text)


def emulate(
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="-- COMMAND",
            show_default=False,
            help="Run this beside it, with its address in the environment, and end with it.",
        ),
    ] = None,
    port: Annotated[
        int,
        typer.Option(
            metavar="N",
            envvar="IMGPIPE_PORT",
            parser=port_number,
            help="Where it answers as AWS; the API is at the next port, the page at the one after. 0 takes free ones.",
        ),
    ] = 4566,
    recipe: RecipeFile = None,
    stack: StackName = STACK,
    max_concurrency: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            show_default=False,
            help="How many images at once, 2 at least; by default 5, or as many as there are cores if fewer.",
        ),
    ] = None,
    timeout: Annotated[
        int | None,
        typer.Option(
            metavar="SECONDS",
            parser=seconds,
            show_default=False,
            help="How long an image may take, 1 to 900, and so how soon what failed comes again; by default as in AWS.",
        ),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", show_default=False, help="Any parameter of the template. May be repeated."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON record a line on stdout, first its addresses, last a summary.")
    ] = False,
) -> int:
    """Run the whole stack on this machine, without an AWS account.

    It answers any AWS client, and every imgpipe command that is given --local. All is kept in memory and gone at the
    end. A changed recipe is deployed at once.

    Example:

    \b
        imgpipe emulate
        imgpipe emulate --port 0 -- pytest
    """
    if not command and sys.argv[-1:] == ["--"]:
        raise UsageError("There is no command after --.", "Write one, or leave the two dashes out.")
    if command and json:
        raise UsageError("--json and a COMMAND both want stdout.", "Leave one of them out.")
    if command and not shutil.which(command[0]):
        if "/" in command[0] and Path(command[0]).exists():
            return _not_run(f"{command[0]!r} is not a program that may be run.", NOT_RUN)
        return _not_run(f"There is no command {command[0]!r}.", NOT_FOUND)
    # What moto brings stays to the end: to look for garbage in it takes 0.3 s of the start, and as long at the end.
    gc.disable()
    # moto asks for a profile while it is imported, and nothing of this process is to find the way to AWS.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    try:
        from imgpipe.cli.emulate_screen import Screen
        from imgpipe.core import recipe_file
        from imgpipe.deploy import parameters, template
        from imgpipe.local.emulator.emulator import Emulator, Options, fitting_concurrency
        from imgpipe.local.emulator.recipe_watch import RecipeWatch
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("imgpipe"):
            raise
        missing = (error.name or "").partition(".")[0]
        raise UsageError(
            f"The emulator needs {missing}, which is not installed.", "Install it: pip install 'imgpipe[emulator]'"
        ) from error

    declared = template.load()
    given = parameters.given(declared, {"--max-concurrency": ("MaxConcurrency", max_concurrency)}, param or ())
    if timeout and "ProcessorTimeout" in given:
        raise UsageError("--timeout and ProcessorTimeout are the same thing.", "Leave one of them out.")
    values = parameters.resolve(declared, given, {"MaxConcurrency": str(fitting_concurrency())})
    file = recipe or recipe_file.find(Path())
    read = recipe_file.load(file)
    options = Options(read, stack, port, values, timeout)
    screen = Screen(options, file, json=json, beside=bool(command))
    news = News()
    try:
        with Emulator(options, news.put) as emulator:
            gc.freeze()
            gc.enable()
            watch = RecipeWatch(recipe, read, emulator.deploy)
            screen.begin(emulator)
            if command:
                with _followed(news, watch, screen):
                    code = _run_beside(command, emulator)
            else:
                _follow(news, watch, screen, threading.Event())
    except KeyboardInterrupt:
        code = INTERRUPTED
    while not news.empty():
        screen.hear(news.get())
    screen.end()
    return code


def _follow(news: News, watch: "RecipeWatch", screen: "Screen", ended: threading.Event) -> None:
    """Show what happens, and redeploy, until `ended` or Ctrl-C."""
    next_look = time.monotonic() + LOOK
    while not ended.is_set():
        with suppress(Empty):
            screen.hear(news.get(timeout=max(next_look - time.monotonic(), 0.001)))
        if time.monotonic() < next_look:
            continue
        next_look = time.monotonic() + LOOK
        try:
            if recipe := watch.look():
                screen.deployed(recipe, watch.file)
        except ImgpipeError as error:
            screen.refused(error)


@contextmanager
def _followed(news: News, watch: "RecipeWatch", screen: "Screen") -> Iterator[None]:
    """Follow in another thread meanwhile."""
    ended = threading.Event()
    thread = threading.Thread(target=_follow, args=(news, watch, screen, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        news.put(())
        thread.join()


def _run_beside(command: Sequence[str], emulator: "Emulator") -> int:
    from imgpipe.local.emulator import beside

    try:
        return beside.run(command, emulator.environment)
    except OSError as error:
        return _not_run(f"{command[0]!r} cannot be run: {error.strerror}.", NOT_RUN)


def _not_run(message: str, code: int) -> int:
    from imgpipe.cli import console

    console.show_error(UsageError(message, "Write it after -- as you would in a shell."))
    return code
