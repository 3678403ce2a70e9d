"""The option that every command takes which makes something by a recipe."""

from pathlib import Path
from typing import Annotated

import typer

RecipeFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        envvar="IMGPIPE_RECIPE",
        help="The recipe; without it imgpipe.toml of the working directory, or else the built-in one.",
    ),
]
