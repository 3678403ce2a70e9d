"""`imgpipe logs`: what the functions themselves say."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from imgpipe.cli.aws_options import STACK, EndpointUrl, Local, Profile, Region, StackName, session
from imgpipe.cli.when import Past

if TYPE_CHECKING:
    from rich.text import Text

    from imgpipe.remote.logs import Line

LOOK_BACK: Final = 600
"""Seconds, where nothing else is said."""
_STYLES: Final = {"ERROR": "red", "CRITICAL": "red", "WARNING": "yellow", "WARN": "yellow"}


def logs(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay, and show what comes, until Ctrl-C.")] = False,
    since: Annotated[
        Past | None,
        typer.Option(
            metavar="TIME",
            parser=Past,
            show_default=False,
            help="Begin so long ago, as 10m, 2h or 1d, or at a time as 2026-11-22T10:00Z; else 10m ago.",
        ),
    ] = None,
    function: Annotated[
        Literal["processor", "api", "both"],
        typer.Option(metavar="processor|api|both", help="The function that makes renditions, the API's, or both."),
    ] = "both",
    filter: Annotated[  # noqa: A002 - the option's name
        str | None,
        typer.Option(
            metavar="PATTERN", show_default=False, help="Only what CloudWatch's filter pattern matches, such as ERROR."
        ),
    ] = None,
    stack: StackName = STACK,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    local: Local = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print every line as a JSON document, and a summary last.")
    ] = False,
) -> int:
    """Read what the stack's functions logged.

    What became of images is easier to read in: imgpipe tail. Lines that hold nothing but metrics are left out unless
    --json is given. A line that CloudWatch takes in more than ten seconds late is not followed.

    Example:

    \b
        imgpipe logs --follow
        imgpipe logs --since 2h --function processor --filter ERROR
    """
    from imgpipe.cli import console, lines
    from imgpipe.cli.console import counted
    from imgpipe.cli.following import put, teller
    from imgpipe.remote import logs as log
    from imgpipe.remote.pipeline import open_pipeline

    connect = partial(session, profile, region, endpoint_url, local)
    here = connect()
    pipeline = open_pipeline(here, stack)
    functions = tuple(log.GROUPS) if function == "both" else (function,)
    begin = since.moment(here.now()) if since else here.now() - LOOK_BACK
    reader = log.Logs(here, pipeline.stack, functions, begin, filter)
    talk, paper = console.talk(), console.results()
    count = 0
    ended = "failed"
    try:
        if follow:
            found = log.follow(reader, connect, teller(talk, local=local), renewing=here.is_renewable)
            talk.print(f"Following the logs of the stack {stack} in {here.region} until Ctrl-C.", style="dim")
        else:
            found = log.so_far(reader)
        for told in found:
            if json:
                count += 1
                lines.print_line(document(told))
            elif words := line(told, paper.width, name=function == "both"):
                count += 1
                put(paper, words)
        ended = "ended"
    except KeyboardInterrupt:
        ended = "interrupted"
    finally:
        if json:
            lines.print_line({"type": "summary", "status": ended, "lines": count})
    talk.print(f"{'Interrupted: ' if ended == 'interrupted' else ''}{counted(count, 'line')}.")
    return 130 if ended == "interrupted" else 0


def document(line: "Line") -> dict[str, Any]:
    """A line for a program; what is JSON in it stays JSON."""
    from imgpipe.worker.ports import rfc3339

    return {"time": rfc3339(line.time / 1000), "function": line.function, "line": _content(line)}


def line(told: "Line", width: int, *, name: bool) -> "Text | None":
    """A line for a person on a console `width` columns wide, with the function's `name`; None for what is none."""
    from datetime import datetime

    from rich.text import Text

    from imgpipe.cli.console import UNFOLDED, printable
    from imgpipe.worker.ports import rfc3339

    content = _content(told)
    if isinstance(content, dict) and "_aws" in content:
        return None
    level, message, details = _words(content)
    folds = width < UNFOLDED
    at = told.time / 1000
    time = datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S") if folds else rfc3339(at)
    head = Text.assemble((f"{time}  ", "dim"), (f"{level:<7}", _STYLES.get(level, "dim")), "  ")
    if name:
        head.append(f"{told.function:<9}  ", "dim")
    text = Text(printable(message), "red" if _STYLES.get(level) == "red" else "")
    for detail in details:
        text.append(f"\n{printable(detail)}", "dim")
    if not folds:
        return head.append_text(text)
    return head.append_text(_hanging(text, head.cell_len, width))


def _hanging(text: "Text", indent: int, width: int) -> "Text":
    """`text` folded to the columns that `indent` leaves of `width`, the lines after the first moved in by it."""
    from rich.console import Console
    from rich.text import Text

    parts = text.wrap(Console(width=width), max(width - indent, 20))
    for part in parts:
        part.rstrip()
    return Text(f"\n{'':{indent}}").join(parts)


def _content(line: "Line") -> "dict[str, Any] | str":
    import msgspec

    try:
        content = msgspec.json.decode(line.text)
    except msgspec.DecodeError:
        content = None
    return content if isinstance(content, dict) else line.text.rstrip()


def _words(content: "dict[str, Any] | str") -> tuple[str, str, list[str]]:
    """(level, message, further lines) of what was logged by the journal, Lambda's runtime or Lambda itself."""
    from imgpipe.remote.outages import ending

    if isinstance(content, str):
        first, *more = content.splitlines() or [""]
        return "", first, more
    if "record" in content and str(content.get("type", "")).startswith("platform."):
        record = content["record"]
        bad = ending(record)
        return ("ERROR", bad, []) if bad else ("", f"Lambda: {content['type'].partition('.')[2]}.", [])
    level = str(content.get("level") or content.get("log_level") or "")
    error = ": ".join(str(content[part]) for part in ("errorType", "errorMessage") if content.get(part))
    message = str(content.get("message") or error)
    details = [error] if error and error not in message else []
    trace = [part for entry in content.get("stackTrace", ()) for part in str(entry).rstrip().splitlines()]
    return level, message, [*trace, *details]
