"""`imgpipe list`: what became of the images, the newest first."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from imgpipe.cli.aws_options import STACK, EndpointUrl, Local, Profile, Region, StackName, session
from imgpipe.cli.source_options import prefix_of_keys
from imgpipe.cli.when import since as moment_of

if TYPE_CHECKING:
    from rich.text import Text

    from imgpipe.worker.ports import Record

ROWS = 20
"""As many as fit a terminal of 24 lines."""
DIGITS = 9
HEAD = f"{'Updated (UTC)':<16}  {'Status':<7}  {'Source':>9}  {'Made':>9}  Key"
COLOURS = {"done": "green", "failed": "red", "deleted": "dim"}


def rows(text: str) -> int:
    """The number that `--limit` names."""
    if not text.isascii() or not text.isdigit():
        raise typer.BadParameter(f"{text!r} is no whole number, as 100, or 0 for all.")
    if len(text) > DIGITS:
        raise typer.BadParameter(f"{text[:DIGITS]}… has more than {DIGITS} digits; 0 is all.")
    return int(text)


def list_images(
    prefix: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", parser=prefix_of_keys, show_default=False, help="Only images whose key begins so."
        ),
    ] = None,
    status: Annotated[
        Literal["done", "failed", "deleted"] | None,
        typer.Option(metavar="done|failed|deleted", show_default=False, help="Only images of which this became."),
    ] = None,
    since: Annotated[
        float | None,
        typer.Option(
            metavar="TIME",
            parser=moment_of,
            show_default=False,
            help="Only what was settled since: 10m, 2h, 1d ago, or a time as 2026-11-22T10:00Z.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", parser=rows, show_default=str(ROWS), help="At most so many; 0 is all."),
    ] = None,
    stack: StackName = STACK,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    local: Local = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the records, a JSON document a line, and a summary last.")
    ] = False,
) -> None:
    """List what became of your images, the newest first.

    Images that wait, or that are being made anew, are not listed until they are done.

    Example:

    \b
        imgpipe list --status failed --since 1d
        imgpipe list --prefix holiday/ --limit 0 --json
    """
    from rich.padding import Padding

    from imgpipe.cli import console, lines
    from imgpipe.cli.summary import summarised
    from imgpipe.errors import image_remedy
    from imgpipe.remote.listing import newest
    from imgpipe.remote.pipeline import open_pipeline

    pipeline = open_pipeline(session(profile, region, endpoint_url, local), stack)
    wanted = ROWS if limit is None else limit
    # One more than is shown tells whether there are more.
    records = newest(pipeline.catalog, wanted + 1 if wanted else None, since=since, prefix=prefix, status=status)
    count, more = 0, False
    with summarised(lambda: {"listed": count, "more": more}, json=json):
        for record in islice(records, wanted or None):
            if json:
                import msgspec

                lines.print_line(msgspec.to_builtins(record.public()))
            else:
                paper = console.results()
                if not count:
                    paper.print(HEAD, style="bold")
                paper.print(row(record), soft_wrap=True)
                if record.error:
                    for sentence in (record.error.message, image_remedy(record.error.code)):
                        console.lay_out(paper, Padding(console.printable(sentence), (0, 0, 0, 4), expand=False))
            count += 1
        more = next(records, None) is not None
    if json:
        return
    if more:
        console.talk().print(f"There are more than {count:,}: raise --limit (0 is all), or narrow it with --prefix.")
    elif not count:
        narrowed = prefix or status or since is not None
        console.talk().print(f"No image {'of these' if narrowed else 'at all'} was settled in the stack {stack} yet.")


def row(record: "Record") -> "Text":
    """A record as a line, the key last, where it may be as long as it is."""
    from rich.text import Text

    from imgpipe.cli.console import printable, size

    source = size(record.bytes) if record.bytes is not None else ""
    made = size(sum(rendition.bytes for rendition in record.renditions)) if record.renditions else ""
    return Text.assemble(
        f"{record.updated[:10]} {record.updated[11:16]}  ",
        (f"{record.status:<7}", COLOURS.get(record.status, "")),
        f"  {source:>9}  {made:>9}  {printable(record.key)}",
    )
