"""Whose turn it is to change a key: one change at a time, so that what is told of it is told in the order of storing.

Some keys share a turn, which bounds how many there are.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

_TURNS: Final = 64


class Turns:
    """Turns of keys, for many threads."""

    def __init__(self) -> None:
        self._locks = tuple(threading.Lock() for _ in range(_TURNS))

    @contextmanager
    def take(self, bucket: str, keys: Iterable[str]) -> Iterator[None]:
        """Wait until nobody else changes one of `keys`."""
        # In one order everywhere, or two could wait for each other.
        chosen = sorted({hash((bucket, key)) % _TURNS for key in keys})
        with ExitStack() as held:
            for number in chosen:
                held.enter_context(self._locks[number])
            yield
