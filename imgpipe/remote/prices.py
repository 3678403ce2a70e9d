"""What it costs to make images, at list prices: an estimate to decide by, not a bill.

Prices are those of us-east-1 without any free tier; other regions' are up to a third higher. What is stored, and KMS
with a key of one's own, come on top.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.session import aws_errors
from imgpipe.worker.ports import Record

REGION: Final = "us-east-1"
DATE: Final = "November 2026"
_MILLION: Final = 1_000_000
GB_SECOND: Final = {"x86_64": 0.0000166667, "arm64": 0.0000133334}
"""Dollars for one GiB of a function's memory in one second, as all below."""
CALL: Final = 0.20 / _MILLION
GET: Final = 0.40 / _MILLION
PUT: Final = 5.00 / _MILLION
"""Also for LIST."""
WRITE_UNIT: Final = 0.625 / _MILLION
READ_UNIT: Final = 0.125 / _MILLION
MESSAGE: Final = 0.40 / _MILLION
LOG_BYTE: Final = 0.50 / 1e9

_READS: Final = 3
"""Two HEADs and a GET of the source."""
_WRITES: Final = 8
"""Write units of claim and result, of at most 2 kB each, in the table and in its index."""
_MESSAGES: Final = 2.1
"""Received, deleted, and sent by tens."""
_LOGGED: Final = 1500
"""Bytes."""
SAMPLE: Final = 100
_PAGES: Final = 5
"""Pages of the feed that are read for a sample: the newest may hold nothing but removals."""


class Rate(Struct, frozen=True):
    """What an image takes: `milliseconds` and `renditions` on the average of `sample` images; 0 of them where none was
    made lately, and the two are those of a 12-megapixel JPEG for two presets on one vCPU."""

    milliseconds: float = 300.0
    renditions: float = 2.0
    sample: int = 0


def measured(pipeline: Pipeline) -> Rate:
    """By the images that the pipeline made last. Raises AwsError."""
    made: list[Record] = []
    cursor: str | None = None
    with aws_errors():
        for _ in range(_PAGES):
            page = pipeline.catalog.page(SAMPLE, cursor=cursor, status="done")
            made += page.records
            cursor = page.cursor
            if len(made) >= SAMPLE or not cursor:
                break
    return rate(made[:SAMPLE])


def rate(records: Sequence[Record]) -> Rate:
    """By the records of images that are done."""
    timed = [(record.milliseconds.total, len(record.renditions)) for record in records if record.milliseconds]
    if not timed:
        return Rate()
    milliseconds, renditions = (sum(values) / len(timed) for values in zip(*timed, strict=True))
    return Rate(milliseconds, renditions, len(timed))


def dollars(pipeline: Pipeline, rate: Rate, images: int) -> float:
    """What making so many images costs."""
    parameters = pipeline.stack.parameters
    gigabytes = int(parameters["ProcessorMemory"]) / 1024
    each = (
        GB_SECOND[parameters["Architecture"]] * gigabytes * rate.milliseconds / 1000
        + CALL
        + GET * _READS
        + PUT * rate.renditions
        + READ_UNIT
        + WRITE_UNIT * _WRITES
        + MESSAGE * _MESSAGES
        + LOG_BYTE * _LOGGED
    )
    return each * images
