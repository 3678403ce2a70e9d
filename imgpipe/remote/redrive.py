"""Send what is parked in the dead-letter queue back to the queue: sent first and removed then, so nothing is lost.

Where it is interrupted between the two, a message is there twice, and the second finds its image up to date.
"""

from collections.abc import Iterable, Iterator

from imgpipe.remote import queue
from imgpipe.remote.dead_letters import DeadLetters, Letter
from imgpipe.remote.pacing import Pace, paced
from imgpipe.remote.patience import Patience
from imgpipe.remote.pipeline import Pipeline


def redrive(pipeline: Pipeline, parked: DeadLetters, letters: Iterable[Letter], patience: Patience) -> Iterator[Pace]:
    """Move `letters`, which `parked` holds, no faster than the queue is worked off. Raises AwsError and StackError."""

    def move(portion: list[Letter]) -> None:
        for start in range(0, len(portion), queue.BATCH):
            batch = portion[start : start + queue.BATCH]
            queue.send(pipeline.session, pipeline.queue_url, [letter.body for letter in batch])
            parked.remove(batch)

    return paced(pipeline, letters, move, patience)
