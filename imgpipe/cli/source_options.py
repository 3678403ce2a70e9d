"""The images that a command is for: some by their keys, or all below a prefix, and never both."""

from typing import Annotated

import typer

from imgpipe.errors import UsageError


def prefix_of_keys(text: str) -> str:
    """The prefix that `text` is. Raises typer.BadParameter where no key can begin so."""
    from imgpipe.worker.keys import LONGEST

    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise typer.BadParameter(f"{text!a} is not valid UTF-8, as every key is.") from None
    if length > LONGEST:
        raise typer.BadParameter(f"it has {length:,} bytes, and no key more than {LONGEST:,}.")
    return text


Keys = Annotated[
    list[str],
    typer.Argument(
        metavar="KEY", default_factory=list, show_default=False, help="Images, by key or as s3://BUCKET/KEY."
    ),
]
Prefix = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        parser=prefix_of_keys,
        show_default=False,
        help="Instead of KEYs: every image whose key begins so.",
    ),
]


def check(keys: list[str], prefix: str | None) -> None:
    """Raise UsageError where no image is named, or in two ways."""
    if keys and prefix is not None:
        raise UsageError(f"--prefix {prefix!r} and the key {keys[0]} are two ways to name images.", "Use one of them.")
    if not keys and prefix is None:
        raise UsageError("No image is named.", "Name images by their keys, or many at once with --prefix.")
