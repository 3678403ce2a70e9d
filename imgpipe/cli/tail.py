"""`imgpipe tail`: what becomes of images, as it happens."""

from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from imgpipe.cli.aws_options import STACK, EndpointUrl, Local, Profile, Region, StackName, session
from imgpipe.cli.when import Past

if TYPE_CHECKING:
    from imgpipe.worker.ports import Record

HOUR: Final = 3600
"""Seconds that --no-follow looks back, where nothing else is said."""


def tail(
    since: Annotated[
        Past | None,
        typer.Option(
            metavar="TIME",
            parser=Past,
            show_default=False,
            help="Begin with what was settled since: 10m, 2h, 1d ago, or a time as 2026-11-22T10:00Z; else now, or 1h "
            "ago with --no-follow.",
        ),
    ] = None,
    no_follow: Annotated[bool, typer.Option("--no-follow", help="Stop after what is there; do not wait.")] = False,
    status: Annotated[
        Literal["done", "failed", "deleted"] | None,
        typer.Option(metavar="done|failed|deleted", show_default=False, help="Only images of which this became."),
    ] = None,
    prefix: Annotated[
        str | None, typer.Option(metavar="TEXT", show_default=False, help="Only images whose key begins so.")
    ] = None,
    stack: StackName = STACK,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    local: Local = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the records, a JSON document a line, and a summary last.")
    ] = False,
) -> int:
    """Follow what becomes of each image, as it happens, until Ctrl-C.

    Any number of people may do so at once. It goes on through throttling, a network that is gone for a while, and a
    sign-in that ran out and is renewed. A result that reaches the index more than a minute late is not shown.

    Example:

    \b
        imgpipe tail
        imgpipe tail --status failed --since 2h --no-follow
        imgpipe tail --prefix holiday/ --json
    """
    from imgpipe.cli import console
    from imgpipe.cli.following import teller
    from imgpipe.remote.feed import Feed, follow, to_the_end
    from imgpipe.remote.pipeline import Pipeline, open_pipeline

    def connect() -> Pipeline:
        return open_pipeline(session(profile, region, endpoint_url, local), stack)

    pipeline = connect()
    clock = pipeline.session.now
    now = clock()
    begin = since.moment(now) if since else now - HOUR if no_follow else now
    feed = Feed(pipeline.catalog, since=begin, prefix=prefix, status=status, clock=clock)
    talk = console.talk()
    screen = _Screen(json=json)
    ended = "failed"
    try:
        if no_follow:
            looks = to_the_end(feed)
        else:
            looks = follow(feed, connect, teller(talk, local=local), renewing=pipeline.session.is_renewable)
            talk.print(f"Following the stack {stack} in {pipeline.session.region} until Ctrl-C.", style="dim")
        for records in looks:
            screen.show(records)
        ended = "ended"
    except KeyboardInterrupt:
        ended = "interrupted"
    finally:
        screen.end(ended)
    talk.print(f"{'Interrupted: ' if ended == 'interrupted' else ''}{screen.told}.")
    return 130 if ended == "interrupted" else 0


class _Screen:
    """Prints records on stdout, and counts them."""

    def __init__(self, *, json: bool) -> None:
        from imgpipe.cli import console

        self._json = json
        self._paper = console.results()
        self._day = ""
        self._counts = {"done": 0, "failed": 0, "deleted": 0}

    def show(self, records: "list[Record]") -> None:
        import msgspec

        from imgpipe.cli import lines, record_lines
        from imgpipe.cli.following import put

        for record in records:
            self._counts[record.status] += 1
            if self._json:
                lines.print_line(msgspec.to_builtins(record.public()))
            else:
                self._show_day(record)
                put(self._paper, record_lines.line(record, self._paper.width))

    def _show_day(self, record: "Record") -> None:
        """Lines on a terminal tell the time alone."""
        from datetime import datetime

        from imgpipe.cli.record_lines import local

        day = f"{local(record.updated):%A, %d %B %Y}"
        if self._paper.is_terminal and day != (self._day or f"{datetime.now().astimezone():%A, %d %B %Y}"):
            self._paper.print(day, style="bold dim")
        self._day = day

    def end(self, status: str) -> None:
        """Tell a program what came, and how it ended."""
        from imgpipe.cli import lines

        if self._json:
            lines.print_line({"type": "summary", "status": status, **self._counts})

    @property
    def told(self) -> str:
        """What came, in words."""
        from imgpipe.cli.console import counted

        counts = ", ".join(f"{count:,} {status}" for status, count in self._counts.items() if count)
        return f"{counted(sum(self._counts.values()), 'result')}{': ' if counts else ''}{counts}"
