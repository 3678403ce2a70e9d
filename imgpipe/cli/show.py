"""`imgpipe show`: everything about one image."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from imgpipe.cli.aws_options import STACK, EndpointUrl, Local, Profile, Region, StackName, session
from imgpipe.cli.when import span

if TYPE_CHECKING:
    from rich.text import Text

    from imgpipe.remote.pipeline import Pipeline
    from imgpipe.remote.showing import Shown
    from imgpipe.worker.ports import Record

HOUR = 3600
LONGEST = 7 * 86_400
"""Seconds that a presigned link can work ("Signature Version 4")."""
COLOURS = {"done": "green", "failed": "red", "queued": "yellow", "processing": "yellow", "deleted": "dim"}


def expiry(text: str) -> int:
    """How long links work, in seconds."""
    seconds = span(text)
    if not 0 < seconds <= LONGEST:
        raise typer.BadParameter(f"{text!r} is not between 1s and 7d, as long as links can work.")
    return seconds


def show(
    key: Annotated[str, typer.Argument(metavar="KEY", help="An image, by its key or as s3://BUCKET/KEY.")],
    expires: Annotated[
        int | None,
        typer.Option(
            metavar="SPAN",
            parser=expiry,
            show_default="1h",
            help="How long the links work, at most 7d, and never longer than the credentials that sign them.",
        ),
    ] = None,
    stack: StackName = STACK,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    local: Local = False,
    json: Annotated[bool, typer.Option("--json", help="Print it as one JSON document.")] = False,
) -> None:
    """Show what became of one image, with links to its renditions.

    Example:

    \b
        imgpipe show holiday/cat.jpg
        imgpipe show holiday/cat.jpg --expires 1d --json
    """
    from imgpipe.remote.pipeline import open_pipeline
    from imgpipe.remote.showing import look
    from imgpipe.remote.source_keys import source_key

    pipeline = open_pipeline(session(profile, region, endpoint_url, local), stack)
    shown = look(pipeline, source_key(pipeline, key), expires or HOUR)
    if json:
        import msgspec

        typer.echo(msgspec.json.format(msgspec.json.encode(shown.document()), indent=2))
    else:
        draw(shown, pipeline)


def draw(shown: "Shown", pipeline: "Pipeline") -> None:
    """Print it on stdout, the links last, since they are long."""
    from rich.table import Column, Table
    from rich.text import Text

    from imgpipe.cli import console
    from imgpipe.cli.status import moment

    facts = Table.grid("label", Column("words", overflow="fold"), padding=(0, 2))
    for label, words in _facts(shown, pipeline):
        facts.add_row(Text(label, "bold"), words if isinstance(words, Text) else console.printable(words))
    paper = console.results()
    console.lay_out(paper, facts)
    made = shown.record.renditions if shown.record else ()
    if made:
        table = Table.grid(*["preset", "size", "bytes"], Column("key", overflow="fold"), padding=(0, 2))
        for it in made:
            size = f"{it.width}×{it.height}"
            table.add_row(f"  {it.preset}", size, console.size(it.bytes), console.printable(it.key))
        console.lay_out(paper, "", Text("Renditions", "bold"), table)
    links = [(it.preset, url) for it, url in zip(made, shown.links, strict=True)]
    if shown.url:
        links.append(("source", shown.url))
    if links:
        console.lay_out(paper, "", Text(f"Links, until {moment(shown.expires)}", "bold"))
    width = max((len(label) for label, _ in links), default=0)
    for label, url in links:
        paper.print(f"  {label:<{width}}  {url}", soft_wrap=True)


def _facts(shown: "Shown", pipeline: "Pipeline") -> Iterator[tuple[str, "str | Text"]]:
    from rich.text import Text

    from imgpipe.cli.console import size
    from imgpipe.cli.status import moment
    from imgpipe.errors import image_remedy

    record, source = shown.record, shown.source
    yield "Image", shown.key
    updated = f"  {moment(record.updated)}" if record else ""
    yield "Status", Text.assemble((shown.status, COLOURS[shown.status]), updated)
    if record and record.error:
        yield "", record.error.message
        yield "", image_remedy(record.error.code)
    for sentence in _notes(shown, pipeline):
        yield "", sentence
    if source:
        yield "Source", ", ".join((*_looks(record), size(source.bytes)))
        yield "", f"version {source.version}, from {moment(source.modified)}"
    if record and record.recipe:
        same = "the stack's" if record.recipe == pipeline.recipe_hash else f"the stack's is now {pipeline.recipe_hash}"
        yield "Recipe", f"{record.recipe}, {same}"
    if record and record.milliseconds:
        took = record.milliseconds
        yield "Took", f"{took.total:,} ms: read {took.read:,}, render {took.render:,}, store {took.store:,}"


def _looks(record: "Record | None") -> Iterator[str]:
    """What a worker saw of the source."""
    if record and record.format:
        yield record.format.upper()
    if record and record.width:
        yield f"{record.width}×{record.height}"


def _notes(shown: "Shown", pipeline: "Pipeline") -> Iterator[str]:
    """What a person should know who sees only the record."""
    stack = pipeline.stack.name
    if shown.status == "queued":
        reprocess = pipeline.session.command("reprocess", stack, shown.key)
        yield f"No worker has looked at it yet. If it is older than the stack: {reprocess}"
    elif shown.status == "processing":
        yield "It is being made, or waits to be tried again."
    elif not shown.is_current and shown.source:
        yield "The source has changed since; its renditions are made anew when its turn comes."
    elif not shown.is_current:
        yield "The source is gone; its renditions go when its turn comes."
    record = shown.record
    if record and record.status == "done" and shown.is_current and record.recipe != pipeline.recipe_hash:
        yield f"To make it by the stack's recipe: {pipeline.session.command('reprocess', stack, shown.key)}"
