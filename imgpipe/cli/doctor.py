"""`imgpipe doctor`: what is missing on this machine, and how to mend it."""

from typing import Annotated

import typer

from imgpipe.cli.aws_options import EndpointUrl, Profile, Region

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    json: Annotated[bool, typer.Option("--json", help="Print it as one JSON document.")] = False,
) -> int:
    """Look whether this machine has what imgpipe needs, and what to do where not.

    Without AWS credentials it only warns: folders need none.

    Example:

    \b
        imgpipe doctor
    """
    import msgspec

    from imgpipe.cli import console
    from imgpipe.local.doctor import doctor as examine
    from imgpipe.remote.session import Session

    checks = []
    for check in examine(Session(profile, region, endpoint_url, attempts=1)):
        checks.append(check)
        if not json:
            from rich.table import Table
            from rich.text import Text

            line = Table.grid(padding=(0, 2))
            line.add_column(width=4)
            line.add_column(width=8)
            line.add_column(overflow="fold")
            line.add_row(Text(check.state, COLOURS[check.state]), check.name, console.printable(check.found))
            if check.remedy:
                line.add_row("", "", Text(console.printable(check.remedy), "bold"))
            console.lay_out(console.results(), line)
    failed = any(check.state == "fail" for check in checks)
    if json:
        document = {"ok": not failed, "checks": checks}
        typer.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))
    return int(failed)
