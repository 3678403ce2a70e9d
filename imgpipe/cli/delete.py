"""`imgpipe delete`: take sources away, and let the pipeline remove what was made of them."""

from typing import Annotated, Final

import typer

from imgpipe.cli.aws_options import STACK, EndpointUrl, Local, Profile, Region, StackName, session
from imgpipe.cli.source_options import Keys, Prefix, check
from imgpipe.cli.when import span
from imgpipe.errors import UsageError

TIMEOUT: Final = 600
"""Seconds, where none are given."""


def delete(
    keys: Keys,
    prefix: Prefix = None,
    everything: Annotated[bool, typer.Option("--all", help="Instead of KEYs: every image of the stack.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the renditions are gone too.")] = False,
    timeout: Annotated[
        int | None,
        typer.Option(metavar="SPAN", parser=span, show_default="10m", help="With --wait: no longer than this."),
    ] = None,
    stack: StackName = STACK,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    local: Local = False,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON document a line, and a summary last.")] = False,
) -> int:
    """Delete images: their sources now, and their renditions soon after.

    The source bucket keeps older versions for the days that the stack was deployed with.

    Example:

    \b
        imgpipe delete holiday/cat.jpg --wait
        imgpipe delete --prefix holiday/ --dry-run
    """
    from imgpipe.cli.delete_screen import Screen
    from imgpipe.remote.objects import objects
    from imgpipe.remote.pipeline import open_pipeline
    from imgpipe.remote.removal import missing, remove
    from imgpipe.remote.source_keys import source_key
    from imgpipe.remote.waiting import Awaited
    from imgpipe.remote.waiting import wait as wait_for

    if everything and (keys or prefix is not None):
        raise UsageError("--all and others are two ways to name images.", "Use one of them.")
    if prefix == "":
        raise UsageError("--prefix is empty, and every key begins so.", "To delete every image of the stack: --all.")
    if timeout is not None and not wait:
        raise UsageError("--timeout is for --wait.", "Add --wait, or leave it out.")
    if everything:
        prefix = ""
    check(keys, prefix)
    pipeline = open_pipeline(session(profile, region, endpoint_url, local), stack)
    if prefix is None:
        there = list(dict.fromkeys(source_key(pipeline, key) for key in keys))
        absent = missing(pipeline, there)
        gone = {failure.key for failure in absent}
        there = [key for key in there if key not in gone]
    else:
        there = [found.key for found in objects(pipeline.session, pipeline.source_bucket, prefix)]
        absent = []
    screen = Screen(pipeline, json=json, dry_run=dry_run, waits=wait)

    def work() -> int:
        for failure in absent:
            screen.add(failure)
        if dry_run:
            for key in there:
                screen.would(key)
            return screen.end()
        if there and not yes and not screen.agrees(there):
            return screen.end_cancelled()
        for result in remove(pipeline, there):
            screen.add(result)
        if wait:
            awaited = (Awaited(key, gone=True) for key in screen.removed)
            seconds = TIMEOUT if timeout is None else timeout
            for outcome in wait_for(pipeline, awaited, seconds, screen.say):
                screen.settled(outcome)
        return screen.end()

    return screen.show(work)
