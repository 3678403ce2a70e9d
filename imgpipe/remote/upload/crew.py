"""Threads that work off tasks, a bounded number of them at a time, and hand what comes of each to one reader.

They are daemons: a person who interrupts is not kept waiting for an answer of AWS's that may never come.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Final

from imgpipe.remote.upload.events import Event

Task = Callable[[], Sequence["Event | Task"]]
"""What is to be done: returns what came of it, and perhaps more tasks, which go first."""

GRACE: Final = 5.0
"""Seconds in which the threads may end what they are at, once it is stopped."""


class Stopped(BaseException):
    """Raised by a task that was told to stop; not an Exception, or botocore would try the request again."""


class Crew:
    """`size` threads. `stopped` is set when they are to end, for tasks that take long to look at."""

    def __init__(self, size: int) -> None:
        self.stopped = threading.Event()
        self._size = size
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._done: SimpleQueue[Sequence[Event | Task] | BaseException] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def work(self, tasks: Iterator[Task]) -> Iterator[Event]:
        """Carry out `tasks`, asked for as they are needed, and yield what comes of them as it comes. Raises what a task
        raises; the others go on until `close`."""
        first: deque[Task] = deque()
        under_way = 0
        while True:
            # Twice as many as there are threads, so that none waits for the reader.
            while under_way < 2 * self._size and (task := first.popleft() if first else next(tasks, None)):
                self._give(task)
                under_way += 1
            if not under_way:
                return
            outcomes = self._done.get()
            under_way -= 1
            if isinstance(outcomes, BaseException):
                raise outcomes
            for outcome in outcomes:
                if callable(outcome):
                    first.append(outcome)
                else:
                    yield outcome

    def close(self) -> None:
        """Let the threads end, and wait for them, but not for long."""
        self.stopped.set()
        for _ in self._threads:
            self._tasks.put(None)
        end = time.monotonic() + GRACE
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def rest(self) -> Iterator[Event]:
        """What came of tasks that `work` did not yield any more, once it is closed."""
        while not self._done.empty():
            outcomes = self._done.get()
            if not isinstance(outcomes, BaseException):
                yield from (outcome for outcome in outcomes if not callable(outcome))

    def _give(self, task: Task) -> None:
        self._tasks.put(task)
        if len(self._threads) < self._size:
            thread = threading.Thread(target=self._serve, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self) -> None:
        while (task := self._tasks.get()) and not self.stopped.is_set():
            try:
                self._done.put(task())
            except BaseException as error:
                self._done.put(error)
