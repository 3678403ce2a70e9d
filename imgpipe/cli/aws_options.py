"""The options that every command of a stack takes, and what they come to.

Nothing here is read from the environment but --stack: `AWS_*` variables are botocore's to read.
"""

import os
import re
from typing import TYPE_CHECKING, Annotated, Final

import typer

from imgpipe.errors import UsageError

if TYPE_CHECKING:
    from imgpipe.remote.session import Session

STACK: Final = "imgpipe"
"""The stack's name where none is given."""
_NAME: Final = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?")
MAX_NAME: Final = 25
"""Characters of a stack's name: with it, the account and the longest region a bucket's name has the 63 of S3."""


def stack_name(text: str) -> str:
    """The stack that `--stack` names: it is part of its buckets' names, so it keeps to their letters."""
    if not _NAME.fullmatch(text) or len(text) > MAX_NAME or "--" in text:
        raise typer.BadParameter(
            f"{text!r} is not 1 to {MAX_NAME} small letters, digits and single dashes, beginning with a letter."
        )
    return text


StackName = Annotated[
    str, typer.Option("--stack", metavar="NAME", envvar="IMGPIPE_STACK", parser=stack_name, help="The stack's name.")
]
Profile = Annotated[
    str | None, typer.Option(metavar="NAME", show_default=False, help="The AWS profile; else AWS_PROFILE, or default.")
]
Region = Annotated[
    str | None,
    typer.Option(metavar="NAME", show_default=False, help="The AWS region; else AWS_REGION, or the profile's."),
]
EndpointUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", show_default=False, help="What to speak to instead of AWS; else AWS_ENDPOINT_URL."),
]
Local = Annotated[
    bool,
    typer.Option("--local", help="Speak to the emulator of this machine (at IMGPIPE_PORT, or 4566), never to AWS."),
]


def session(profile: str | None, region: str | None, endpoint_url: str | None, local: bool = False) -> "Session":
    """The session that the options name. Raises UsageError where --local and another place are both named."""
    from imgpipe.remote.session import Session

    if not local:
        return Session(profile, region, endpoint_url)
    from imgpipe.remote.emulated import EmulatedSession

    for option, value in (("--profile", profile), ("--region", region), ("--endpoint-url", endpoint_url)):
        if value:
            raise UsageError(f"--local and {option} {value} name two places.", "Leave one of them out.")
    return EmulatedSession(port())


def port() -> int:
    """The emulator's port. Raises UsageError where IMGPIPE_PORT names none."""
    from imgpipe.remote.emulated import PORT

    text = os.environ.get("IMGPIPE_PORT") or str(PORT)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise UsageError(f"IMGPIPE_PORT is {text!r}, which is no port.", "Set it to a number from 1 to 65535.")
    return int(text)
