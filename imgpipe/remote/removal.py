"""Remove sources, and nothing else: S3 tells the pipeline, and a worker removes the renditions.

The bucket has versions, so that what is removed lies under a delete marker until the bucket's lifecycle ends it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Final

from botocore.exceptions import ClientError
from msgspec import Struct

from imgpipe.adapters.s3 import NOT_IN_XML
from imgpipe.remote.failed import OUTAGES, TRIES, Failed, failed, pause
from imgpipe.remote.parallel import unordered
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.refusals import refusal
from imgpipe.remote.session import aws_errors
from imgpipe.remote.source_keys import no_images

BATCH: Final = 1000
"""Keys of one request ("DeleteObjects")."""


class Removed(Struct, frozen=True):
    """A source is no longer at its key."""

    key: str


def missing(pipeline: Pipeline, keys: Iterable[str]) -> list[Failed]:
    """Those of `keys` at which no source lies, sorted. Raises AwsError."""
    looks = unordered(partial(_look, pipeline), keys)
    absent = sorted(key for key, is_there in looks if not is_there)
    return [failed(key, error) for key, error in zip(absent, no_images(pipeline, absent), strict=True)]


def _look(pipeline: Pipeline, key: str) -> tuple[str, bool]:
    with aws_errors():
        return key, pipeline.sources.stat(key) is not None


def remove(
    pipeline: Pipeline, keys: Iterable[str], sleep: Callable[[float], None] = time.sleep
) -> Iterator[Removed | Failed]:
    """Remove the sources at `keys`, in batches, and tell what became of each as soon as that is certain; what is not
    there is no failure. Raises AwsError where S3 refuses a whole batch."""
    rest = iter(keys)
    while batch := list(islice(rest, BATCH)):
        yield from _remove(pipeline, batch, sleep)


def _remove(pipeline: Pipeline, batch: Sequence[str], sleep: Callable[[float], None]) -> Iterator[Removed | Failed]:
    asked = []
    for key in batch:
        if NOT_IN_XML.search(key):
            with aws_errors():
                pipeline.sources.delete([key])
            yield Removed(key)
        else:
            asked.append(key)
    refused: list[Failed] = []
    for tries in range(1, TRIES + 1):
        errors = _delete(pipeline, asked) if asked else {}
        yield from (Removed(key) for key in asked if key not in errors)
        told = {key: refusal(errors[key]) for key in asked if key in errors}
        asked = [key for key, error in told.items() if error.code in OUTAGES and tries < TRIES]
        refused += [failed(key, error) for key, error in told.items() if key not in asked]
        if len(refused) == len(batch):
            raise told[refused[-1].key]
        if not asked:
            break
        sleep(pause(tries))
    yield from refused


def _delete(pipeline: Pipeline, keys: Sequence[str]) -> dict[str, ClientError]:
    """Key -> why S3 did not remove it."""
    with aws_errors():
        answer = pipeline.session.client("s3").delete_objects(
            Bucket=pipeline.source_bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
        )
    return {error["Key"]: ClientError({"Error": error}, "DeleteObject") for error in answer.get("Errors", ())}
