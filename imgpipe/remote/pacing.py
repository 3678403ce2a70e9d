"""Give the queue much work without keeping what arrives meanwhile waiting.

A message waits behind all that the queue holds, so it is never given more than workers do in a few seconds. SQS's own
count may be a minute old ("GetQueueAttributes"): by it alone the queue would fill unseen, so no more is sent in any
time either than workers do in it, as far as is known.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from imgpipe.errors import AwsError, StackError
from imgpipe.remote.patience import Patience
from imgpipe.remote.patiently import patiently, portions
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.queue import BATCH, messages

Item = TypeVar("Item")

AHEAD: Final = 10
"""Messages in the queue for each worker that there may be: at 0.3 s an image, 3 seconds of work."""
SHARE: Final = 0.8
"""Of what workers can do; the rest is for uploads."""
SECONDS: Final = 1.0
"""Between two looks at the queue."""
STILL: Final = 600.0
"""Seconds in which a full queue must once have become shorter; at least twice the longest time for one image."""


class Pace(NamedTuple):
    """How far it is: items sent, and messages in the queue, others' too, when they were last counted."""

    sent: int
    queued: int


def bound(pipeline: Pipeline) -> int:
    """How many messages the queue may hold, waiting and in work, when one more is sent to it."""
    return AHEAD * workers(pipeline)


def workers(pipeline: Pipeline) -> int:
    """How many images are processed at the same time."""
    return int(pipeline.stack.parameters["MaxConcurrency"])


def rate(pipeline: Pipeline, milliseconds: float) -> float:
    """How many images are sent in a second at most, where each takes so many milliseconds."""
    return SHARE * workers(pipeline) * 1000 / max(milliseconds, 1)


def paced(
    pipeline: Pipeline,
    items: Iterable[Item],
    send: Callable[[list[Item]], list[Item]],
    patience: Patience,
    *,
    milliseconds: float,
    on_sent: Callable[[list[Item]], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Pace]:
    """Have `send` put every one of `items` on the queue, `BATCH` at a time and by threads, whenever it holds less than
    `bound`; yields after each look. An image takes so many `milliseconds`; `send` returns, and `on_sent` gets, what was
    sent.

    What workers cannot do at present stays in the queue, and so keeps more from being sent. What fails by what passes
    is repeated by `patience`. Raises AwsError for what does not pass, StackError where no worker takes anything, and
    whatever `send` raises.
    """
    left = iter(items)
    limit = bound(pipeline)
    still = max(STILL, 2 * float(pipeline.stack.parameters["ProcessorTimeout"]))
    sent = last = 0
    allowed = float(limit)
    looked = moved = clock()
    ahead = list(islice(left, 1))
    while ahead:
        queued = _counted(pipeline, patience, sleep)
        now = clock()
        allowed = min(allowed + (now - looked) * rate(pipeline, milliseconds), limit)
        looked = now
        room = min(limit - queued, int(allowed))
        if queued < last or queued < limit:
            moved = now
        elif now - moved > still:
            raise _stands_still(pipeline, queued, now - moved)
        if room > 0:
            portion = [*ahead, *islice(left, room - 1)]
            for batch in patiently(send, portions(portion, BATCH), patience, sleep):
                sent += len(batch)
                on_sent(batch)
            allowed -= len(portion)
            queued += len(portion)
            ahead = list(islice(left, 1))
        last = queued
        yield Pace(sent, queued)
        if ahead:
            sleep(SECONDS)


def _counted(pipeline: Pipeline, patience: Patience, sleep: Callable[[float], None]) -> int:
    while True:
        try:
            queued = messages(pipeline.session, pipeline.queue_url).all
        except AwsError as error:
            sleep(patience.after(error))
        else:
            patience.over()
            return queued


def _stands_still(pipeline: Pipeline, queued: int, seconds: float) -> StackError:
    status = pipeline.session.command("status", pipeline.stack.name)
    return StackError(
        f"No worker takes what is in the queue: {queued:,} messages have been there for {seconds / 60:.0f} minutes.",
        f"See why with: {status}. Then run the same command again.",
    )
