"""`imgpipe download`: renditions into a folder."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgpipe.cli.aws_options import STACK, EndpointUrl, Local, Profile, Region, StackName, session
from imgpipe.cli.source_options import Keys, Prefix, check
from imgpipe.errors import UsageError

if TYPE_CHECKING:
    from imgpipe.remote.download import Result
    from imgpipe.remote.pipeline import Pipeline
    from imgpipe.remote.wanted import Plan


def download(
    keys: Keys,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder, last; it is made where it is missing.")],
    prefix: Prefix = None,
    preset: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", show_default=False, help="Only renditions of this preset; may be given again."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be downloaded, and write nothing.")
    ] = False,
    stack: StackName = STACK,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    local: Local = False,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON document a line, and a summary last.")] = False,
) -> int:
    """Download the renditions of images into a folder, as PRESET/KEY.

    What lies there already with the same content is skipped; files appear whole or not at all. Of an image that is
    being made anew, what there is of it is fetched.

    Example:

    \b
        imgpipe download holiday/cat.jpg ./renditions
        imgpipe download --prefix holiday/ --preset web ./renditions
    """
    from imgpipe.cli.download_screen import Screen
    from imgpipe.remote.pipeline import open_pipeline
    from imgpipe.remote.source_keys import source_key
    from imgpipe.remote.wanted import of_images, of_prefix

    if not keys and prefix is None:
        raise UsageError(
            f"No image is named, and {directory} is the folder.", "Name images before it, or many with --prefix."
        )
    check(keys, prefix)
    check_folder(directory)
    pipeline = open_pipeline(session(profile, region, endpoint_url, local), stack)
    presets = frozenset(preset or ())
    if prefix is None:
        plan = of_images(pipeline, [source_key(pipeline, key) for key in keys], presets)
    else:
        plan = of_prefix(pipeline, prefix, presets)
    screen = Screen(plan, directory, presets=presets, dry_run=dry_run, json=json)
    return screen.show(results(pipeline, plan, directory, dry_run))


def check_folder(directory: Path) -> None:
    """Raise UsageError where something else than a folder is in the way of it."""
    for place in (directory, *directory.parents):
        if os.path.lexists(place):
            if not place.is_dir():
                raise UsageError(f"{place} is no folder.", "Give a folder, last, which is made where it is missing.")
            return


def results(pipeline: "Pipeline", plan: "Plan", directory: Path, dry_run: bool) -> Generator["Result"]:
    """Carry out `plan` and tell what became of each rendition."""
    import tempfile

    from imgpipe.adapters.folder import FolderStore, folds_case
    from imgpipe.local import folders
    from imgpipe.remote.download import Download
    from imgpipe.remote.wanted import refuse_collisions

    yield from plan.failed
    if dry_run or not plan.wanted:
        refuse_collisions(plan.wanted, folding=folders.folds_case(directory))
        yield from Download(pipeline, FolderStore(directory), dry_run=True).fetch(plan.wanted)
        return
    folders.prepare(directory)
    with tempfile.TemporaryDirectory(prefix=".imgpipe-", dir=directory) as staging:
        refuse_collisions(plan.wanted, folding=folds_case(Path(staging)))
        yield from Download(pipeline, FolderStore(directory, Path(staging))).fetch(plan.wanted)
