"""The same work for many items at once, a few at a time.

Results come as they are ready, in no order; items are taken as they are needed, so there may be any number of them.
The threads are daemons: Ctrl-C does not wait for a network that is gone.
"""

from collections.abc import Callable, Generator, Iterable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS: Final = 16


def unordered(work: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result]:
    """What `work` returns for each of `items`, by `THREADS` threads. What it, or the taking of an item, raises ends
    everything: nothing more is begun, what is under way is told, and then it is raised."""
    waiting: SimpleQueue[tuple[Item] | None] = SimpleQueue()
    done: SimpleQueue[tuple[Result] | Exception] = SimpleQueue()
    threads = under_way = 0
    failure: Exception | None = None

    def serve() -> None:
        while item := waiting.get():
            try:
                done.put((work(*item),))
            except Exception as error:
                done.put(error)

    def withdraw() -> int:
        """Take back what no thread has begun, and return how much it was."""
        count = 0
        try:
            while True:
                waiting.get_nowait()
                count += 1
        except Empty:
            return count

    source = iter(items)
    at_end = False
    try:
        while True:
            while not at_end and under_way < 2 * THREADS:
                try:
                    item = next(source)
                except StopIteration:
                    at_end = True
                except Exception as error:
                    failure, at_end = failure or error, True
                else:
                    if threads < THREADS:
                        threads += 1
                        Thread(target=serve, daemon=True).start()
                    waiting.put((item,))
                    under_way += 1
            if not under_way:
                break
            match done.get():
                case Exception() as raised:
                    failure, at_end = failure or raised, True
                    under_way -= withdraw()
                case (result,):
                    yield result
            under_way -= 1
        if failure:
            raise failure
    finally:
        withdraw()
        for _ in range(threads):
            waiting.put(None)
