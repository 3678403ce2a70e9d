"""`imgpipe dashboard`: the page of a stack, in a browser of this machine."""

from pathlib import Path
from typing import Annotated

import typer

from imgpipe.cli.aws_options import STACK, EndpointUrl, Local, Profile, Region, StackName, session


def dashboard(
    stack: StackName = STACK,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    local: Local = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="Where on this machine; 0 is any that is free.")
    ] = 0,
    browse: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Open a page on a stack: drop photos, watch them, look at the results.

    The page works with your credentials and runs until Ctrl-C. It answers this machine alone, and only who has the link
    that is printed: keep that to yourself.

    Example:

    \b
        imgpipe dashboard --open
        imgpipe dashboard --local
    """
    import tempfile
    import threading

    from imgpipe.cli import console
    from imgpipe.local.dashboard.server import Dashboard
    from imgpipe.remote.pipeline import open_pipeline

    with Dashboard(lambda: open_pipeline(session(profile, region, endpoint_url, local), stack), port) as page:
        console.talk().print("The page runs until Ctrl-C:")
        typer.echo(page.url)
        with tempfile.TemporaryDirectory(prefix="imgpipe-") as folder:
            if browse and not _browse(page.url, Path(folder)):
                console.talk().print("No browser was found here: open the link by hand.")
            threading.Event().wait()


def _browse(url: str, folder: Path) -> bool:
    """Open `url` by a file in `folder`, which nobody else may read: what stands in the arguments of a process, others
    can."""
    import webbrowser

    way = folder / "open.html"
    way.write_text(f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={url}">\n')
    return webbrowser.open(way.as_uri())
