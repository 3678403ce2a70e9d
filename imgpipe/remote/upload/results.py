"""Wait for what the pipeline makes of an upload, from the first file that is whole in the bucket."""

import time
from collections.abc import Callable, Generator
from contextlib import closing

from imgpipe.errors import AwsError
from imgpipe.remote.feed import Rhythm
from imgpipe.remote.patience import Patience
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.upload.events import Event, Unchanged, Uploaded
from imgpipe.remote.waiting import Awaited, Outcome, Waiter


def with_results(
    pipeline: Pipeline, events: Generator[Event], timeout: float, say: Callable[[AwsError | None], None]
) -> Generator[Event | Outcome]:
    """The `events` of an upload, and between and behind them the outcome of each image, uploaded or there already.

    The wait ends `timeout` seconds after the last event. It outlasts throttling and a way to AWS that is cut for a
    while, of which `say` hears as of Patience. Raises AwsError for what does not pass, but not before the last event:
    no upload is broken off for its results.
    """
    waiter, patience, rhythm = Waiter(pipeline), Patience(say), Rhythm()
    pause = 0.0

    def look() -> list[Outcome]:
        nonlocal pause
        try:
            outcomes = waiter.poll()
        except AwsError as error:
            pause = patience.after(error)
            return []
        patience.over()
        pause = rhythm.next(news=bool(outcomes))
        return outcomes

    due = time.monotonic()
    refused: AwsError | None = None
    with closing(events):
        for event in events:
            yield event
            if isinstance(event, Uploaded | Unchanged):
                waiter.add(Awaited(event.key, event.version))
                if refused is None and time.monotonic() >= due:
                    try:
                        yield from look()
                    except AwsError as error:
                        refused = error
                    due = time.monotonic() + pause
    if refused:
        raise refused
    until = time.monotonic() + timeout
    while not waiter.is_idle:
        yield from look()
        left = until - time.monotonic()
        if left <= 0:
            yield from waiter.give_up()
        elif not waiter.is_idle:
            time.sleep(min(pause, left))
