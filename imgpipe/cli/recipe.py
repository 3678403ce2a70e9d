"""`imgpipe recipe check` and `imgpipe recipe show`: what a recipe says, before a single image is touched."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from imgpipe.core.recipe import Recipe

app = typer.Typer(name="recipe", rich_markup_mode=None)

RecipePath = Annotated[
    Path | None,
    typer.Argument(
        metavar="[PATH]",
        envvar="IMGPIPE_RECIPE",
        show_default=False,
        help="The recipe; without it imgpipe.toml of the working directory, or else the built-in one.",
    ),
]


def need_command(ctx: typer.Context) -> int:
    """Where only a group was named, show its help; returns the exit code."""
    if ctx.invoked_subcommand:
        return 0
    typer.echo(ctx.get_help(), err=True)
    raise typer.Exit(2)


@app.callback(invoke_without_command=True)
def group(ctx: typer.Context) -> int:
    """Check a recipe, or show all that it comes to.

    Example:

    \b
        imgpipe recipe check
    """
    return need_command(ctx)


@app.command()
def check(path: RecipePath = None) -> None:
    """List everything that is wrong with a recipe, with its lines.

    Example:

    \b
        imgpipe recipe check imgpipe.toml
    """
    found, recipe = read(path)
    names = ", ".join(preset.name for preset in recipe.presets)
    typer.echo(f"{found or 'The built-in recipe'} is right: {names}. Hash {recipe.hash}.")


@app.command()
def show(
    path: RecipePath = None,
    json: Annotated[bool, typer.Option("--json", help="Print it as one JSON document.")] = False,
) -> None:
    """See a recipe with every default filled in, and its hash.

    Example:

    \b
        imgpipe recipe show --json
    """
    from imgpipe.core import recipe_file

    _, recipe = read(path)
    if json:
        import msgspec

        typer.echo(msgspec.json.format(msgspec.json.encode(recipe_file.document(recipe)), indent=2))
    else:
        typer.echo(recipe_file.to_toml(recipe).rstrip())


def read(path: Path | None) -> tuple[Path | None, "Recipe"]:
    """The recipe at `path`, else of the working directory, else the built-in one; with the path it was read from."""
    from imgpipe.core import recipe_file

    found = path or recipe_file.find(Path())
    return found, recipe_file.load(found)
