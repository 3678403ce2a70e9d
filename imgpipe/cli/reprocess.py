"""`imgpipe reprocess`: bring the images of the source bucket up to date."""

from typing import TYPE_CHECKING, Annotated

import typer

from imgpipe.cli.aws_options import STACK, EndpointUrl, Local, Profile, Region, StackName, session
from imgpipe.cli.when import span
from imgpipe.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgpipe.remote.patience import Patience
    from imgpipe.remote.pipeline import Pipeline
    from imgpipe.remote.staleness import Source, Wish

TIMEOUT = 600
"""Seconds, where none are given."""


def reprocess(
    keys: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY", show_default=False, help="Images to make again, whatever became of them; else the bucket's."
        ),
    ] = None,
    prefix: Annotated[
        str | None, typer.Option(metavar="TEXT", show_default=False, help="Only images whose keys begin so.")
    ] = None,
    stale: Annotated[
        bool,
        typer.Option(
            "--stale", help="What was never made, or by another recipe, or has changed since: this without the others."
        ),
    ] = False,
    failed: Annotated[bool, typer.Option("--failed", help="What failed.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Every image, also what is up to date.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for each image, and print what became of it.")] = False,
    timeout: Annotated[
        int | None,
        typer.Option(metavar="SPAN", parser=span, show_default="10m", help="With --wait: how long, for the last ones."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be made and its cost, no more.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Go on without a question.")] = False,
    stack: StackName = STACK,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    local: Local = False,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON document a line, and a summary last.")] = False,
) -> int:
    """Bring the images of the source bucket up to date with the recipe.

    They are counted first, with about what it costs. Uploads that arrive meanwhile do not wait for them, and a run that
    was interrupted goes on where the same command is run again. What is no image, by its name or else by its first
    bytes, is left alone, as is what a worker is busy with. Sources that are gone are not looked for.

    Example:

    \b
        imgpipe reprocess --dry-run
        imgpipe reprocess --prefix holiday/ --wait
        imgpipe reprocess holiday/cat.jpg
    """
    from imgpipe.cli import console
    from imgpipe.cli.console import counted
    from imgpipe.cli.ending import to_its_end
    from imgpipe.cli.question import agreed, check_answer
    from imgpipe.cli.reprocess_screen import Screen
    from imgpipe.cli.sending_bar import SendingBar
    from imgpipe.remote import prices
    from imgpipe.remote.deployed import deployed_hash
    from imgpipe.remote.patience import Patience
    from imgpipe.remote.pipeline import open_pipeline
    from imgpipe.remote.reprocess import Plan, look, send, send_and_wait

    if keys and prefix is not None:
        raise UsageError(f"--prefix {prefix!r} and the key {keys[0]} are two ways to name images.", "Use one of them.")
    if timeout is not None and not wait:
        raise UsageError("--timeout is for --wait.", "Add --wait, or leave it out.")
    if everything and (stale or failed):
        raise UsageError("--all takes what --stale and --failed take, too.", "Leave the others out.")
    flags: dict[Wish, bool] = {"stale": stale, "failed": failed, "all": everything}
    wishes = [wish for wish, given in flags.items() if given] or ["all" if keys else "stale"]
    pipeline = open_pipeline(session(profile, region, endpoint_url, local), stack)
    bar = SendingBar(console.talk(), "Looking", json=json)
    screen = Screen(pipeline, bar, json=json, dry_run=dry_run)
    patience = Patience(bar.say)
    with Plan() as plan, bar:

        def work() -> int:
            recipe = deployed_hash(pipeline)
            working = []
            for found in look(
                pipeline, sources(pipeline, keys, prefix, patience), wishes, recipe, patience, by_name=bool(keys)
            ):
                if found.wanted and not (dry_run or yes):
                    check_answer()
                plan.add(found)
                screen.show_look(plan, found)
                if keys and not found.wanted:
                    waits = wait and found.state == "working"
                    screen.show_left(found, waits=waits)
                    if waits:
                        working.append(found)
            rate = prices.measured(pipeline) if plan.wanted else prices.Rate()
            screen.show_plan(plan, rate)
            if dry_run or not (plan.wanted or working):
                return screen.end(plan, "looked")
            if plan.wanted and not agreed(f"Make {counted(plan.wanted, 'image')}?", yes=yes):
                return screen.end(plan, "cancelled")
            if wait:
                seconds = TIMEOUT if timeout is None else timeout
                told = send_and_wait(
                    pipeline, plan.found(), working, rate.milliseconds, seconds, patience, screen.count
                )
                for event in told:
                    screen.show(event, plan.wanted)
                return screen.end(plan, "made")
            for pace in send(pipeline, plan.found(), rate.milliseconds, patience, screen.count):
                screen.show(pace, plan.wanted)
            return screen.end(plan, "sent")

        return to_its_end(
            work,
            lambda status, error: screen.end_early(plan, status, error),
            lambda: screen.say_interrupted(plan, forced="all" in wishes),
        )


def sources(
    pipeline: "Pipeline", keys: list[str] | None, prefix: str | None, patience: "Patience"
) -> "Iterable[Source]":
    """What is asked for. Raises NoImageError where nothing lies at one of `keys`, before anything is done."""
    from imgpipe.remote import reprocess
    from imgpipe.remote.source_keys import no_image, source_key

    if not keys:
        return reprocess.sources(pipeline, prefix or "", patience)
    there, missing = reprocess.named(pipeline, (source_key(pipeline, key) for key in keys), patience)
    if missing:
        raise no_image(pipeline, missing[0])
    return there
