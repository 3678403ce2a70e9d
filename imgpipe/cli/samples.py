"""`imgpipe samples FOLDER`: pictures to try imgpipe on."""

import shlex
from pathlib import Path
from typing import Annotated

import typer


def samples(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to put them; made if it is not there.")],
) -> None:
    """Draw a handful of sample pictures to try imgpipe on.

    Nothing is downloaded; what is already there stays as it is. Their paths are printed as they appear.

    Example:

    \b
        imgpipe samples ./in
    """
    from imgpipe.cli import console
    from imgpipe.local import samples as drawing

    drawn = 0
    for path in drawing.draw(folder):
        typer.echo(console.printable(str(path)))
        drawn += 1
    quoted = console.printable(shlex.quote(str(folder)))
    said = f"Drew {drawn} files." if drawn else "All samples are there already."
    typer.echo(f"{said} Try them with: imgpipe process-local {quoted} ./out", err=True)
