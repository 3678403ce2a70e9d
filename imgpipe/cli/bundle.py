"""`imgpipe bundle`: build what Lambda runs, and look at it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from imgpipe.cli.recipe_option import RecipeFile

if TYPE_CHECKING:
    from imgpipe.deploy.bundle import Bundle


def bundle(
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", show_default=False, help="Where to write it; by default imgpipe-ARCH-pythonX.Y.zip."
        ),
    ] = None,
    arch: Annotated[
        Literal["x86_64", "arm64"], typer.Option(envvar="IMGPIPE_ARCH", help="The machine that Lambda is to run it on.")
    ] = "x86_64",
    python: Annotated[
        str, typer.Option(metavar="X.Y", envvar="IMGPIPE_PYTHON", help="The Python that Lambda is to run it with.")
    ] = "3.13",
    recipe: RecipeFile = None,
    json: Annotated[bool, typer.Option("--json", help="Print what is in it as one JSON document.")] = False,
) -> None:
    """Build the zip that Lambda runs, without deploying it.

    Needs no docker and no Lambda machine. The same recipe and version give the same contents every time.

    Example:

    \b
        imgpipe bundle
        imgpipe bundle --arch arm64 --output imgpipe.zip
    """
    from imgpipe.core import recipe_file
    from imgpipe.deploy.bundle import build
    from imgpipe.errors import UsageError

    path = Path(f"imgpipe-{arch}-python{python}.zip") if output is None else output
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"{str(path)!r} is not where a file can be.", "Give --output the path of a file in a folder.")
    built = build(recipe_file.load(recipe or recipe_file.find(Path())), arch, python)
    partial = path.with_name(f"{path.name}.part")
    try:
        partial.write_bytes(built.data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    if json:
        _print_json(built, path)
    else:
        _print_table(built, path)


def _print_json(built: "Bundle", path: Path) -> None:
    import msgspec

    zipped = built.zipped()
    document = {
        "path": str(path),
        "architecture": built.architecture,
        "python": built.python,
        "recipe": built.recipe,
        "digest": built.digest,
        "bytes": built.size,
        "unpacked": built.unpacked,
        "files": len(built.files),
        "parts": [
            {"name": part.name, "bytes": zipped[part.name], "unpacked": part.unpacked, "files": len(part.files)}
            for part in built.parts
        ],
    }
    typer.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))


def _print_table(built: "Bundle", path: Path) -> None:
    from rich.table import Table

    from imgpipe.cli import console

    zipped = built.zipped()
    sizes = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    sizes.add_column("part")
    sizes.add_column("zipped", justify="right")
    sizes.add_column("unpacked", justify="right")
    for part in sorted(built.parts, key=lambda part: part.unpacked, reverse=True):
        sizes.add_row(part.name, console.size(zipped[part.name]), console.size(part.unpacked))
    sizes.add_row("together", console.size(built.size), console.size(built.unpacked), style="bold")
    console.lay_out(
        console.results(),
        sizes,
        "",
        console.printable(f"{path} runs on {built.architecture} under Python {built.python}. SHA-256 of its contents:"),
        built.digest,
    )
