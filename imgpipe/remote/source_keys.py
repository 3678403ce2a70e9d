"""The key that a person means: as it is, or as the URL of the source bucket has it.

A key that is not there is nearly always one that is written a little differently, which is worth a few calls to find
out.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

from imgpipe.errors import NoImageError, UsageError
from imgpipe.remote.objects import objects
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.session import aws_errors
from imgpipe.worker.keys import LONGEST

LOOKED_FOR: Final = 5
"""Of many keys that are not there, what so many may have meant is looked for: each takes several calls."""


def source_key(pipeline: Pipeline, text: str) -> str:
    """The key of a source that `text` names: the key itself, or s3://BUCKET/KEY. Raises UsageError where it can be
    none, or is in another bucket than that of the pipeline's sources."""
    key = text
    if text.startswith("s3://"):
        bucket, _, key = text.removeprefix("s3://").partition("/")
        if bucket != pipeline.source_bucket:
            holds = "the renditions" if bucket == pipeline.destination_bucket else "no sources"
            raise UsageError(
                f"{text} lies in a bucket that holds {holds} of the stack {pipeline.stack.name}.",
                f"Name the source by its key, or as s3://{pipeline.source_bucket}/KEY.",
            )
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        raise UsageError(f"{key!a} is not valid UTF-8, as every key is.", "Type it again.") from None
    if not 0 < length <= LONGEST:
        raise UsageError(
            f"{text!r} is no key: it has {length:,} bytes.", f"Name an image by its key, of 1 to {LONGEST:,} bytes."
        )
    return key


def no_image(pipeline: Pipeline, key: str) -> NoImageError:
    """The error that nothing lies at `key`, with what may have been meant. Raises AwsError."""
    with aws_errors():
        for near in dict.fromkeys(_near(key)):
            if near not in ("", key) and pipeline.sources.stat(near):
                return NoImageError(key, f"There is {near}: name that, if it is meant.")
    folder = f"{key.strip('/')}/"
    if next(objects(pipeline.session, pipeline.source_bucket, folder), None):
        return NoImageError(key, f"It is a folder; see what lies in it with: {_list(pipeline, folder)}")
    return _unknown(pipeline, key)


def no_images(pipeline: Pipeline, keys: Sequence[str]) -> Iterator[NoImageError]:
    """As `no_image`, for each of `keys`; what may have been meant is looked for the first `LOOKED_FOR` alone."""
    for number, key in enumerate(keys):
        yield no_image(pipeline, key) if number < LOOKED_FOR else _unknown(pipeline, key)


def _unknown(pipeline: Pipeline, key: str) -> NoImageError:
    return NoImageError(key, f"See what there is with: {_list(pipeline)}")


def _near(key: str) -> Iterator[str]:
    """What differs from `key` in how it is written alone, or what it may be a rendition of."""
    plain = key.removeprefix("./").lstrip("/")
    yield plain
    # macOS writes names in the one form of Unicode, and other systems in the other.
    yield unicodedata.normalize("NFC", plain)
    yield unicodedata.normalize("NFD", plain)
    rest = plain.partition("/")[2]
    for _ in range(3):
        yield rest
        rest = rest.removesuffix(PurePosixPath(rest).suffix)


def _list(pipeline: Pipeline, *prefix: str) -> str:
    return pipeline.session.command("list", pipeline.stack.name, *(word for it in prefix for word in ("--prefix", it)))
