"""Remove sources, and nothing else: S3 tells the pipeline, and a worker removes the renditions.

The bucket has versions, so that what is removed lies under a delete marker until the bucket's lifecycle ends it.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Final

from botocore.exceptions import ClientError
from msgspec import Struct

from imgpipe.adapters.s3 import NOT_IN_XML
from imgpipe.errors import ImgpipeError
from imgpipe.remote.failed import Failed, failed
from imgpipe.remote.parallel import unordered
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.refusals import refusal
from imgpipe.remote.session import aws_errors
from imgpipe.remote.source_keys import no_image

BATCH: Final = 1000
"""Keys of one request ("DeleteObjects")."""
TRIES: Final = 3
AGAIN: Final = frozenset({"InternalError", "ServiceUnavailable", "SlowDown"})
"""What S3 says of a single key that may well be removed when it is asked once more."""


class Removed(Struct, frozen=True):
    """A source is no longer at its key."""

    key: str


def missing(pipeline: Pipeline, keys: Iterable[str]) -> list[Failed]:
    """Those of `keys` at which no source lies, sorted. Raises AwsError."""
    looks = unordered(partial(_missing, pipeline), keys)
    return sorted((found for found in looks if found), key=lambda found: found.key)


def _missing(pipeline: Pipeline, key: str) -> Failed | None:
    with aws_errors():
        return None if pipeline.sources.stat(key) else failed(key, no_image(pipeline, key))


def remove(pipeline: Pipeline, keys: Iterable[str]) -> Iterator[Removed | Failed]:
    """Remove the sources at `keys`, in batches, and tell what became of each; what is not there is no failure. Raises
    AwsError where S3 refuses a whole batch."""
    rest = iter(keys)
    while batch := list(islice(rest, BATCH)):
        yield from _remove(pipeline, batch)


def _remove(pipeline: Pipeline, batch: Sequence[str]) -> Iterator[Removed | Failed]:
    with aws_errors():
        pipeline.sources.delete([key for key in batch if NOT_IN_XML.search(key)])
    asked = [key for key in batch if not NOT_IN_XML.search(key)]
    refused: dict[str, ImgpipeError] = {}
    for _ in range(TRIES):
        if not asked:
            break
        errors = _delete(pipeline, asked)
        refused |= {key: refusal(error) for key, error in errors.items()}
        again = [key for key, error in errors.items() if error.response["Error"]["Code"] in AGAIN]
        for key in set(asked).difference(errors):
            refused.pop(key, None)
        asked = again
    if len(refused) == len(batch):
        raise refused[batch[0]]
    for key in batch:
        yield failed(key, refused[key]) if key in refused else Removed(key)


def _delete(pipeline: Pipeline, keys: Sequence[str]) -> dict[str, ClientError]:
    """Key -> why S3 did not remove it."""
    with aws_errors():
        answer = pipeline.session.client("s3").delete_objects(
            Bucket=pipeline.source_bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
        )
    return {error["Key"]: ClientError({"Error": error}, "DeleteObject") for error in answer.get("Errors", ())}
