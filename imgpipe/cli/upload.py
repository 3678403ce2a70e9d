"""`imgpipe upload`: bring files into a pipeline, and wait for what becomes of them."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from imgpipe.cli.aws_options import STACK, EndpointUrl, Local, Profile, Region, StackName, session
from imgpipe.cli.when import span
from imgpipe.errors import UsageError

if TYPE_CHECKING:
    from imgpipe.remote.upload.choose import StandardInput

TIMEOUT: Final = 600
"""Seconds, where none are given."""
STDIN: Final = "-"


def requests(text: str) -> int:
    """The number that `--concurrency` names."""
    from imgpipe.remote.session import CONNECTIONS

    if not text.isdecimal() or not 0 < int(text) <= CONNECTIONS:
        raise typer.BadParameter(f"{text!r} is not a whole number from 1 to {CONNECTIONS}.")
    return int(text)


def upload(
    ctx: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...", show_default=False, help="Files, folders and patterns; - for one image on stdin."
        ),
    ],
    prefix: Annotated[
        str, typer.Option(metavar="FOLDER", help="What the keys begin with: holiday makes holiday/cat.jpg.")
    ] = "",
    name: Annotated[str | None, typer.Option(metavar="NAME", help="With -: the name of what comes on stdin.")] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="Only what matches: '*.jpg' a name, 'a' a folder, 'a/*.jpg' a path in PATH. May be repeated.",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Not what matches. May be repeated.")
    ] = None,
    anything: Annotated[bool, typer.Option("--any", help="Upload what is no image, too.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Upload also what is there already as it is.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be uploaded, and upload nothing.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for each image's result, and print it with links to its renditions.")
    ] = False,
    timeout: Annotated[
        int | None,
        typer.Option(metavar="SPAN", parser=span, show_default="10m", help="With --wait: no longer than this."),
    ] = None,
    via: Annotated[
        Literal["s3", "api"],
        typer.Option(
            metavar="s3|api",
            help="Straight to the bucket, or by the HTTP API's forms, which give every file a new key.",
        ),
    ] = "s3",
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            envvar="IMGPIPE_TOKEN",
            show_default=False,
            help="With --via api: a token of the stack's identity provider, where it was deployed with --auth jwt.",
        ),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=requests,
            show_default="16",
            help="Requests at once. Each takes up to 16 MiB of memory, more above 80 GB.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show failures only.")] = False,
    stack: StackName = STACK,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    local: Local = False,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON document a line, and a summary last.")] = False,
) -> int:
    """Upload images and folders of them, but for what is there already.

    Keys are paths below the folder that is named, letter for letter. What is an image, and what has changed, is told
    by content: the time of a file counts for nothing.

    Example:

    \b
        imgpipe upload ~/Pictures/2026 --prefix 2026
        imgpipe upload cat.jpg --wait
        scanimage --format=png | imgpipe upload - --name page.png
    """
    from imgpipe.cli.upload_screen import Screen
    from imgpipe.remote.pipeline import open_pipeline
    from imgpipe.remote.upload.choose import choose
    from imgpipe.remote.upload.results import with_results
    from imgpipe.remote.upload.run import CONCURRENCY, Options
    from imgpipe.remote.upload.run import upload as upload_files

    _refuse_both({"--quiet": quiet, "--json": json})
    _refuse_both({"--dry-run": dry_run, "--wait": wait})
    for option, given in (("--prefix", prefix), ("--force", force)):
        _refuse_both({"--via api": via == "api", option: bool(given)})
    if timeout is not None and not wait:
        raise UsageError("--timeout is of --wait, which is not given.", "Give both, or neither.")
    # One from the environment is there for other commands, too.
    if via != "api" and _is_typed(ctx, "token"):
        raise UsageError("--token is of --via api, which is not given.", "Give both, or neither.")
    if paths.count(STDIN) != (name is not None):
        raise UsageError("One - and --name belong together.", "Say what is to be uploaded as in: - --name page.png")
    if name is not None and (not name or name in (".", "..") or "/" in name):
        raise UsageError(f"--name {name!r} is no name of a file.", "Give it as in page.png; folders with --prefix.")
    with ExitStack() as files:
        standard_input = files.enter_context(_spooled(name)) if name is not None else None
        choice = choose(
            paths,
            prefix=prefix,
            include=include or (),
            exclude=exclude or (),
            anything=anything,
            standard_input=standard_input,
        )
        pipeline = open_pipeline(session(profile, region, endpoint_url, local), stack)
        screen = Screen(pipeline, choice, json=json, quiet=quiet, named=via == "api", waits=wait)
        options = Options(
            force=force,
            by_api=via == "api",
            token=token,
            dry_run=dry_run,
            versions=wait,
            concurrency=concurrency or CONCURRENCY,
        )
        events = upload_files(pipeline, choice, options, screen.meter, screen.show_late)
        if not wait:
            return screen.show(events)
        seconds = TIMEOUT if timeout is None else timeout
        return screen.show(with_results(pipeline, events, seconds, screen.say_outage))


def _is_typed(ctx: typer.Context, parameter: str) -> bool:
    """Whether the parameter stands in the command line."""
    source = ctx.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def _refuse_both(options: Mapping[str, bool]) -> None:
    """Raise UsageError where both of two options are given."""
    if all(options.values()):
        raise UsageError(f"{' and '.join(options)} exclude one another.", "Give one of them.")


@contextmanager
def _spooled(name: str) -> Iterator["StandardInput"]:
    """What comes on stdin, in a file that goes again: only so its size and checksum are known before it is sent."""
    from imgpipe.remote.upload.choose import StandardInput

    if sys.stdin.isatty():
        raise UsageError("stdin is a terminal, where no image comes from.", "Pipe one into it, or name files.")
    with NamedTemporaryFile() as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        if not file.tell():
            raise UsageError("Nothing came on stdin.", "Check the command before the pipe, which printed nothing.")
        file.flush()
        yield StandardInput(name, Path(file.name))
