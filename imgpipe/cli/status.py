"""`imgpipe status`: how a deployed stack is doing."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgpipe.cli.aws_options import STACK, EndpointUrl, Local, Profile, Region, StackName, session

if TYPE_CHECKING:
    from rich.text import Text

    from imgpipe.remote.status import Status


def status(
    stack: StackName = STACK,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    local: Local = False,
    recipe: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="IMGPIPE_RECIPE",
            show_default=False,
            help="The recipe to compare with; else imgpipe.toml of the working directory, or the built-in one.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print it as one JSON document.")] = False,
) -> None:
    """See how a stack is doing: its queue, its last hour, and what failed.

    What may not be read is said, and the rest is shown.

    Example:

    \b
        imgpipe status
        imgpipe status --stack holiday --json
    """
    from imgpipe.core import recipe_file
    from imgpipe.remote.stack import find_ours
    from imgpipe.remote.status import status as read_status

    here = session(profile, region, endpoint_url, local)
    told = read_status(here, find_ours(here, stack), lambda: recipe_file.load(recipe or recipe_file.find(Path())).hash)
    if json:
        import msgspec

        typer.echo(msgspec.json.format(msgspec.json.encode(told), indent=2))
    else:
        draw(told, here.command("deploy", stack))


def draw(status: "Status", deploy: str) -> None:
    """Print it on stdout, what went wrong last, where the eye is; `deploy` is the command that brings it up to date."""
    from rich.padding import Padding
    from rich.table import Column, Table
    from rich.text import Text

    from imgpipe.cli import console

    facts = Table.grid("label", Column("words", overflow="fold"), padding=(0, 2))
    for label, words in _facts(status, deploy):
        facts.add_row(Text(label, "bold"), words if isinstance(words, Text) else console.printable(words))
    paper = console.results()
    console.lay_out(paper, facts)
    if status.last_errors:
        console.lay_out(paper, "", Text("Last errors", "bold"))
    for error in status.last_errors or ():
        line = Text.assemble((console.printable(error.key), "red"), ("  " + moment(error.updated), "dim"))
        console.lay_out(paper, line, Padding(console.printable(error.message), (0, 0, 0, 4), expand=False))
    if status.outages:
        console.lay_out(paper, "", Text("Outages of the last quarter of an hour", "bold"))
    for outage in status.outages or ():
        line = Text.assemble((f"{outage.count:,} times, ", "red"), (f"last {moment(outage.last)}", "dim"))
        console.lay_out(paper, line, Padding(console.printable(outage.message), (0, 0, 0, 4), expand=False))
    if status.unread:
        console.lay_out(paper, "", Text("Could not be read", "bold"))
    for part in status.unread:
        sentence = console.printable(f"{part.message} {part.remedy}")
        console.lay_out(paper, Text(part.part, "yellow"), Padding(sentence, (0, 0, 0, 4), expand=False))


def _facts(status: "Status", deploy: str) -> Iterator[tuple[str, "str | Text"]]:
    from rich.text import Text

    from imgpipe.cli.console import counted, size

    about, recipe, queue, hour = status.stack, status.recipe, status.queue, status.last_hour
    colour = "red" if "FAILED" in about.status or "ROLLBACK" in about.status else "green"
    yield "Stack", Text.assemble(about.name, "  ", (about.status, colour), f"  {moment(about.updated)}")
    if about.reason:
        yield "", about.reason
    yield "Where", f"{about.account or 'unknown account'}, {about.region}, {about.endpoint}"
    yield "Version", _version(about.version, deploy)
    yield "Recipe", f"{recipe.deployed or 'unknown'}{', the same as here' if recipe.same else ''}"
    if recipe.same is False:
        yield "", f"{recipe.local} is the one here; to take it over: {deploy}"
    if queue:
        oldest = f", the oldest for {span(queue.oldest_seconds)}" if queue.oldest_seconds is not None else ""
        yield "Queue", f"{counted(queue.waiting, 'message')} waiting{oldest}; {queue.in_flight:,} in work"
    if status.dead_letters is not None:
        words = f"{counted(status.dead_letters, 'message')} parked"
        yield "Dead letters", Text(words, "red" if status.dead_letters else "")
    if hour:
        yield "Last hour", f"{counted(hour.images, 'image')}, {hour.failures:,} failed"
        yield "", f"{size(hour.source_bytes)} in, {size(hour.rendition_bytes)} out"
    for label, output in (("Sources", "SourceBucket"), ("Renditions", "DestinationBucket"), ("API", "ApiEndpoint")):
        if output in status.outputs:
            yield label, status.outputs[output]


def _version(deployed: str | None, deploy: str) -> str:
    from imgpipe import __version__

    if deployed in (None, __version__):
        return deployed or "unknown"
    return f"{deployed}; this is {__version__}; to bring it up to date: {deploy}"


def moment(time: str) -> str:
    """A record's time to the minute, as a person reads it: 2026-11-22 10:00 UTC."""
    return f"{time[:10]} {time[11:16]} UTC"


def span(seconds: int) -> str:
    """So long, in its largest whole unit: 40 s, 12 min, 3 h, 2 d."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
