"""`imgpipe debug`: make one image here as the pipeline would."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgpipe.cli.aws_options import STACK, EndpointUrl, Local, Profile, Region, StackName, session

if TYPE_CHECKING:
    from imgpipe.local.debug import Debugged


def debug(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The image, by its key or as s3://BUCKET/KEY.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", file_okay=False, show_default=False, help="Write the renditions below it."),
    ] = None,
    stack: StackName = STACK,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    local: Local = False,
    json: Annotated[bool, typer.Option("--json", help="Print it as one JSON document.")] = False,
) -> int:
    """Make one image here as the pipeline would, and see where the two differ.

    The source and the deployed recipe are fetched, and the function's own handler runs in this process, with as much
    memory as the function has. Nothing of the stack is written. Records are compared, not bytes: that does imgpipe
    verify. With --debug an outage shows its traceback; an image that crashes the library that reads it ends the
    command, with a trace of where it was.

    Example:

    \b
        imgpipe debug holiday/cat.jpg
        imgpipe debug holiday/cat.jpg --out ./debugged
    """
    import faulthandler
    import sys

    from imgpipe.local.debug import debug
    from imgpipe.remote.deployed import deployed_recipe
    from imgpipe.remote.pipeline import open_pipeline
    from imgpipe.remote.source_keys import source_key

    pipeline = open_pipeline(session(profile, region, endpoint_url, local), stack)
    if sys.__stderr__:
        faulthandler.enable(sys.__stderr__)
    told = debug(pipeline, deployed_recipe(pipeline), source_key(pipeline, key), out)
    if json:
        import msgspec

        typer.echo(msgspec.json.format(msgspec.json.encode(told), indent=2))
    else:
        draw(told)
    return 1 if told.here.error else 0


def draw(told: "Debugged") -> None:
    """Print on stdout what was made here, and where the stack's record says something else."""
    from rich.table import Column, Table
    from rich.text import Text

    from imgpipe.cli import console
    from imgpipe.cli.console import counted, printable
    from imgpipe.cli.record_lines import line

    paper = console.results()
    paper.print(line(told.here, paper.width), soft_wrap=True)
    facts = Table.grid("label", Column("words", overflow="fold"), padding=(0, 2))
    if spent := told.here.milliseconds:
        words = f"read {spent.read}, render {spent.render}, store {spent.store}, total {spent.total}"
        facts.add_row(Text("Milliseconds", "bold"), words)
    for preset, file in told.files.items():
        facts.add_row(Text(printable(preset), "bold"), printable(file))
    if told.stack is None:
        facts.add_row(Text("Stack", "bold"), "It has no record of this image.")
    elif not told.differences:
        facts.add_row(Text("Stack", "bold"), "Its record says the same.")
    else:
        facts.add_row(Text("Stack", "bold"), f"{counted(len(told.differences), 'field')} of its record differ:")
    console.lay_out(paper, facts)
    if told.differences:
        table = Table("", "here", "stack", box=None, padding=(0, 2, 0, 0), header_style="bold")
        for difference in told.differences:
            table.add_row(
                *(printable(_shown(value)) for value in (difference.field, difference.here, difference.stack))
            )
        console.lay_out(paper, "", table)


def _shown(value: object) -> str:
    match value:
        case None:
            return "-"
        case {"code": code, "message": message}:
            return f"{code}: {message}"
        case _:
            return str(value)
