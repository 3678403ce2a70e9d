"""`imgpipe redrive`: what is parked in the dead-letter queue, and back to work with it."""

from typing import Annotated

import typer

from imgpipe.cli.aws_options import STACK, EndpointUrl, Local, Profile, Region, StackName, session


def redrive(
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", show_default=False, help="Only messages about this image; may be given again."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what is parked, and leave it there.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Go on without a question.")] = False,
    stack: StackName = STACK,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    local: Local = False,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON document a line, and a summary last.")] = False,
) -> int:
    """Send what failed for want of a service or a permission back to work.

    Such messages are parked in the dead-letter queue for at most two weeks. Mend first what they failed of. While they
    are looked at nobody else sees them; those that are no S3 events are shown and stay.

    Example:

    \b
        imgpipe redrive --dry-run
        imgpipe redrive --key holiday/cat.jpg --yes
    """
    from imgpipe.cli import console
    from imgpipe.cli.console import counted
    from imgpipe.cli.ending import to_its_end
    from imgpipe.cli.question import agreed
    from imgpipe.cli.redrive_screen import Screen
    from imgpipe.cli.sending_bar import SendingBar
    from imgpipe.remote.dead_letters import DeadLetters
    from imgpipe.remote.patience import Patience
    from imgpipe.remote.pipeline import open_pipeline
    from imgpipe.remote.redrive import redrive
    from imgpipe.remote.source_keys import source_key

    pipeline = open_pipeline(session(profile, region, endpoint_url, local), stack)
    wanted = {source_key(pipeline, text) for text in key or ()}
    bar = SendingBar(console.talk(), "Receiving", json=json)
    screen = Screen(pipeline, bar, json=json)

    def work() -> int:
        with DeadLetters(pipeline, screen.say_release) as parked, bar:
            letters = []
            about = parked.count()
            for letter in parked.receive():
                screen.show_look(about)
                if not wanted or wanted.intersection(letter.keys or ()):
                    letters.append(letter)
            screen.say_looked(about, wanted.difference(*(letter.keys or () for letter in letters)))
            screen.show(letters)
            moved = [letter for letter in letters if letter.keys is not None]
            if dry_run or not moved:
                return screen.end("looked")
            if not agreed(f"Send {counted(len(moved), 'message')} back to the queue?", yes=yes):
                return screen.end("cancelled")
            for pace in redrive(pipeline, parked, moved, Patience(bar.say), screen.count):
                screen.show_pace(pace, len(moved))
            return screen.end("sent")

    return to_its_end(work, screen.end_early, screen.say_interrupted)
