"""The same work for many items at once, a few at a time.

Results come as they are ready, in no order; items are taken as they are needed, so there may be any number of them.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from typing import Final, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS: Final = 16


def unordered(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """What `work` returns for each of `items`, by `THREADS` threads. What it raises ends everything: nothing more is
    begun, and what is under way is waited for."""
    pool = ThreadPoolExecutor(THREADS)
    running: set[Future[Result]] = set()
    try:
        for item in items:
            running.add(pool.submit(work, item))
            if len(running) == 2 * THREADS:
                ready, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in ready)
        yield from (future.result() for future in as_completed(running))
    finally:
        pool.shutdown(cancel_futures=True)
