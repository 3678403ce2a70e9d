"""The images that a command is for: some by their keys, or all below a prefix, and never both."""

from typing import Annotated

import typer

from imgpipe.errors import UsageError

Keys = Annotated[
    list[str],
    typer.Argument(
        metavar="KEY", default_factory=list, show_default=False, help="Images, by key or as s3://BUCKET/KEY."
    ),
]
Prefix = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT", show_default=False, help="Instead of KEYs: every image whose key begins so; '' is all."
    ),
]


def check(keys: list[str], prefix: str | None) -> None:
    """Raise UsageError where no image is named, or in two ways."""
    if keys and prefix is not None:
        raise UsageError(f"--prefix {prefix!r} and the key {keys[0]} are two ways to name images.", "Use one of them.")
    if not keys and prefix is None:
        raise UsageError("No image is named.", "Name images by their keys, or many at once with --prefix.")
