"""Give the queue much work without keeping what arrives meanwhile waiting.

A message waits behind all that the queue holds, so it is never given more than workers do in a few seconds.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from imgpipe.errors import AwsError
from imgpipe.remote.patience import Patience
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.queue import messages

Item = TypeVar("Item")

AHEAD: Final = 10
"""Messages in the queue for each worker that there may be: at 0.3 s an image, 3 seconds of work."""
SECONDS: Final = 1.0
"""Between two looks at the queue. SQS's count is approximate, and may be some seconds old."""


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
    patience: Patience,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Pace]:
    """Have `send` put every one of `items` on the queue, whenever it holds less than `bound`; yields at each look.

    What workers cannot do at present stays in the queue, and so keeps more from being sent. Looks that fail are
    repeated by `patience`. Raises AwsError for what does not pass, and whatever `send` raises.
    """
    left = iter(items)
    limit = bound(pipeline)
    sent = 0
    while True:
        try:
            queued = messages(pipeline.session, pipeline.queue_url).all
        except AwsError as error:
            sleep(patience.after(error))
            continue
        patience.over()
        room = max(limit - queued, 0)
        portion = list(islice(left, room))
        if portion:
            send(portion)
            sent += len(portion)
        yield Pace(sent, queued + len(portion))
        if len(portion) < room:
            return
        sleep(SECONDS)
