"""`imgpipe verify`: hold what the stack made against what this machine makes."""

from typing import TYPE_CHECKING, Annotated

import typer

from imgpipe.cli.aws_options import STACK, EndpointUrl, Local, Profile, Region, StackName, session
from imgpipe.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgpipe.remote.patience import Patience
    from imgpipe.remote.pipeline import Pipeline

SAMPLE = 20


def images(text: str) -> int:
    """The number that `--sample` names. Raises typer.BadParameter where it is none."""
    if not text.isdecimal() or not int(text):
        raise typer.BadParameter(f"{text!r} is not a whole number from 1 on.")
    return int(text)


def verify(
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="KEY", show_default=False, help="Images; without any, a sample.")
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(metavar="N", parser=images, show_default=f"{SAMPLE}", help="So many images, picked at random."),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option(metavar="TEXT", show_default=False, help="Images whose keys begin so: all, unless --sample says."),
    ] = None,
    stack: StackName = STACK,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    local: Local = False,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON document a line, and a summary last.")] = False,
) -> int:
    """Check that the stack made of its images what this machine makes of them.

    Each is rendered here by the deployed recipe. The same builds of the libraries make the same bytes; where builds
    differ, it tells which, and how far apart the pictures are: in decibels (PSNR), on the whole and where it is worst.
    It exits with 1 where a rendition differs by more than builds explain, is missing, or lies where the deployed recipe
    could put one of that image and is known to no record. What the stack failed at for want of memory or time, which
    this machine may have more of, is told as "limits" and is no difference.

    Example:

    \b
        imgpipe verify
        imgpipe verify holiday/cat.jpg
        imgpipe verify --prefix holiday/ --sample 100 --json
    """
    from imgpipe.cli import console
    from imgpipe.cli.ending import to_its_end
    from imgpipe.cli.verify_screen import Screen
    from imgpipe.local.verify import Verifier
    from imgpipe.remote.deployed import deployed_recipe
    from imgpipe.remote.patience import Patience
    from imgpipe.remote.pipeline import open_pipeline

    if keys and (prefix is not None or sample is not None):
        other = "--sample" if prefix is None else "--prefix"
        raise UsageError(f"{other} and the key {keys[0]} are two ways to name images.", "Use one of them.")
    pipeline = open_pipeline(session(profile, region, endpoint_url, local), stack)
    recipe = deployed_recipe(pipeline)
    screen = Screen(console.talk(), json=json)
    wanted = chosen(pipeline, recipe.hash, keys or [], prefix, sample, Patience(screen.say))

    def work() -> int:
        with Verifier(pipeline, recipe) as verifier, screen:
            for verdict in verifier.verify(wanted):
                screen.show(verdict)
        return screen.end()

    return to_its_end(work, screen.end_early, screen.say_interrupted)


def chosen(
    pipeline: "Pipeline",
    recipe: str,
    keys: list[str],
    prefix: str | None,
    sample: int | None,
    patience: "Patience",
) -> "Iterable[str]":
    """The keys that are meant. Raises NoImageError where nothing lies at one of `keys`."""
    from imgpipe.local import verify
    from imgpipe.remote import reprocess
    from imgpipe.remote.source_keys import no_image, source_key

    if keys:
        there, missing = reprocess.named(pipeline, (source_key(pipeline, key) for key in keys), patience)
        if missing:
            raise no_image(pipeline, missing[0])
        return [source.key for source in there]
    listed = reprocess.sources(pipeline, prefix or "", patience)
    picked = verify.sample(listed, sample or SAMPLE) if prefix is None or sample else listed
    found = reprocess.look(pipeline, picked, (), recipe, patience)
    return (it.key for it in found if it.state not in ("other", "archived"))
