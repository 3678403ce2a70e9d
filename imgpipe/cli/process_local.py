"""`imgpipe process-local IN OUT`: the handler on two folders.

The run itself is `imgpipe.local.run`, which tells what happens as events; here they are shown and counted.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from imgpipe.cli.recipe_option import RecipeFile
from imgpipe.errors import UsageError


def whole_number(text: str) -> int:
    """The number that `--workers` names."""
    if not text.isdecimal() or int(text) < 1:
        raise typer.BadParameter(f"{text!r} is not a whole number, 1 or more.")
    return int(text)


def given_path(text: str) -> Path:
    """IN or OUT. No name at all would be the working directory."""
    if not text:
        raise typer.BadParameter("It is empty; the working directory is '.'.")
    return Path(text)


def process_local(
    ctx: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN", parser=given_path, show_default=False, help="A folder of images, or one image. Only read."
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", parser=given_path, show_default=False, help="Where everything goes; made if it is not there."
        ),
    ],
    recipe: RecipeFile = None,
    watermark_text: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Mark with this text, whatever the recipe says.")
    ] = None,
    watermark_image: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Mark with this image, whatever the recipe says.")
    ] = None,
    no_watermark: Annotated[bool, typer.Option("--no-watermark", help="Leave every mark out.")] = False,
    include: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="Only what matches: '*.jpg' a name, 'a' a folder, 'a/*.jpg' a path in IN. May be repeated.",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Not what matches. May be repeated.")
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Do again what is up to date, too; and go on where OUT holds other files, or IN no image."
        ),
    ] = False,
    checksum: Annotated[
        bool,
        typer.Option(
            "--checksum",
            envvar="IMGPIPE_CHECKSUM",
            help="Tell changed images by their content, not by size and modification time.",
        ),
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove the renditions of images that are gone from IN.")
    ] = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first image that fails.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and process what arrives, until Ctrl-C.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            envvar="IMGPIPE_WORKERS",
            parser=whole_number,
            show_default=False,
            help="How many images are worked on at once; by default as many as there are cores.",
        ),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show one line for every image.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON record a line on stdout, then a summary line.")
    ] = False,
) -> int:
    """Turn a folder of images into the renditions of your recipe.

    A second run does only what is new or has changed, and an interrupted one goes on where it was. Look at what came
    out in OUT/index.html.

    Example:

    \b
        imgpipe process-local ./in ./out
        imgpipe process-local ./in ./out --watermark-text "© Ada Lovelace" --watch
    """
    if (watermark_text is not None) + (watermark_image is not None) + no_watermark > 1:
        raise UsageError(
            "--watermark-text, --watermark-image and --no-watermark exclude one another.", "Give one of them."
        )
    if watch and dry_run:
        raise UsageError("--watch and --dry-run exclude one another.", "Give one of them.")
    for option, patterns in (("--include", include), ("--exclude", exclude)):
        if any(not pattern.strip("/") for pattern in patterns or ()):
            raise UsageError(f"{option} is empty.", "Give a name or a pattern, such as '*.jpg'.")

    try:
        from imgpipe.cli import run_screen
        from imgpipe.core import recipe_file
        from imgpipe.local.options import Options
        from imgpipe.local.run import run

        found = recipe or recipe_file.find(Path())
        options = Options(
            source=source,
            out=out,
            recipe=recipe_file.load(
                found, watermark_text=watermark_text, watermark_image=watermark_image, no_watermark=no_watermark
            ),
            workers=workers,
            checksum=checksum,
            force=force,
            prune=prune,
            dry_run=dry_run,
            watch=watch,
            include=tuple(include or ()),
            exclude=tuple(exclude or ()),
            fail_fast=fail_fast,
            debug=bool(ctx.obj),
        )
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted: nothing was done yet.\n")
        return 130
    own_mark = found is not None or watermark_text is not None or watermark_image is not None or no_watermark
    return run_screen.show(run(options), options, verbose=verbose, json=json, sample_mark=not own_mark)
