"""`imgpipe init`: a recipe of one's own, to start from."""

from pathlib import Path
from typing import Annotated

import typer

from imgpipe.errors import UsageError


def init(
    force: Annotated[bool, typer.Option("--force", help="Replace an imgpipe.toml that is already there.")] = False,
) -> None:
    """Write a commented imgpipe.toml here, to start from.

    It shows every setting with its default, and makes what imgpipe makes without a recipe.

    Example:

    \b
        imgpipe init
    """
    from imgpipe.core import recipe_file

    path = Path("imgpipe.toml")
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(recipe_file.starter())
    except FileExistsError:
        raise UsageError(
            "There is an imgpipe.toml here already.", "Edit it, or replace it with imgpipe init --force."
        ) from None
    typer.echo("Wrote imgpipe.toml. Edit it, then see what it means with: imgpipe recipe show", err=True)
