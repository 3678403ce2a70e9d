"""Send what is parked in the dead-letter queue back to the queue: sent first and removed then, so nothing is lost.

Where it is interrupted between the two, a message is there twice, and the second finds its image up to date.
"""

from collections.abc import Callable, Iterable, Iterator

from imgpipe.errors import ImgpipeError
from imgpipe.remote import queue
from imgpipe.remote.dead_letters import DeadLetters, Letter
from imgpipe.remote.pacing import Pace, paced
from imgpipe.remote.patience import Patience
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.prices import Rate, measured


def redrive(
    pipeline: Pipeline,
    parked: DeadLetters,
    letters: Iterable[Letter],
    patience: Patience,
    on_sent: Callable[[list[Letter]], None] = lambda _: None,
) -> Iterator[Pace]:
    """Move `letters`, which `parked` holds, no faster than the queue is worked off; `on_sent` gets what was just moved.
    What somebody else took meanwhile is left out. Raises AwsError and StackError."""

    def move(batch: list[Letter]) -> list[Letter]:
        held = parked.held(batch)
        if held:
            queue.send(pipeline.session, pipeline.queue_url, [letter.body for letter in held])
            parked.remove(held)
        return held

    try:
        milliseconds = measured(pipeline).milliseconds
    except ImgpipeError:  # what is parked can be sent without
        milliseconds = Rate().milliseconds
    return paced(pipeline, letters, move, patience, milliseconds=milliseconds, on_sent=on_sent)
