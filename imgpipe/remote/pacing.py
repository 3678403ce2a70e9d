"""Give the queue much work without keeping what arrives meanwhile waiting.

A message waits behind all that the queue holds, so it is never given more than workers do in a few seconds.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from imgpipe.errors import AwsError
from imgpipe.remote.events import PASSING
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.queue import messages

Item = TypeVar("Item")

AHEAD: Final = 10
"""Messages in the queue for each worker that there may be: at 0.3 s an image, 3 seconds of work."""
SECONDS: Final = 1.0
"""Between two looks at the queue. SQS's count is approximate, and may be some seconds old."""
PATIENCE: Final = 20
"""How many looks in a row may be throttled or find no way to AWS."""


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


def paced(
    pipeline: Pipeline,
    items: Iterable[Item],
    send: Callable[[list[Item]], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Pace]:
    """Have `send` put every one of `items` on the queue, whenever it holds less than `bound`; yields at each look.

    What workers cannot do at present stays in the queue and so keeps more from being sent. Raises AwsError, once
    looking in vain for `PATIENCE` times, and whatever `send` raises.
    """
    left = iter(items)
    limit = bound(pipeline)
    sent = failures = 0
    while True:
        try:
            queued = messages(pipeline.session, pipeline.queue_url).all
        except AwsError as error:
            failures += 1
            if error.code not in PASSING or failures > PATIENCE:
                raise
            sleep(SECONDS * failures)
            continue
        failures = 0
        room = max(limit - queued, 0)
        portion = list(islice(left, room))
        if portion:
            send(portion)
            sent += len(portion)
        yield Pace(sent, queued + len(portion))
        if len(portion) < room:
            return
        sleep(SECONDS)
