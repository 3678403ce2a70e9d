"""The options that every command of a stack takes, and what they come to.

Nothing here is read from the environment but --stack: `AWS_*` variables are botocore's to read.
"""

import re
from typing import TYPE_CHECKING, Annotated, Final

import typer

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


def session(profile: str | None, region: str | None, endpoint_url: str | None) -> "Session":
    """The session that the options name."""
    from imgpipe.remote.session import Session

    return Session(profile, region, endpoint_url)
