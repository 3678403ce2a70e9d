"""The end of a worker's time: rendering that goes on until then has failed, and what waits until then comes again.

A signal ends the work, so only the main thread has deadlines, and code in C is not ended before it returns: where the
process is ended first, that counts as a death at the image.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic
from types import TracebackType
from typing import Final, Self

from imgpipe.core import pipeline
from imgpipe.core.recipe import Recipe
from imgpipe.errors import ImageError
from imgpipe.worker.process import Render

_AGAIN: Final = 0.5
"""Seconds after which rendering is ended once more, where a library swallowed the first try."""


class Late(BaseException):
    """The time is over while the worker waits for a store or the catalog. No Exception, since SDKs retry those."""


class Deadline:
    """From now on `render` may render for `render_seconds`, and whatever else is done ends after `seconds`, by Late.

    `seconds` should leave time for a claim to be released, and be so much longer than `render_seconds` that what was
    rendered in time is stored in time. To be entered once.
    """

    def __init__(self, seconds: float, render_seconds: float, render: Render = pipeline.render) -> None:
        now = monotonic()
        self._ends = now + seconds
        self._seconds = render_seconds
        self._render_ends = now + render_seconds
        self._render = render

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGALRM, _ring)
        _set(self._ends)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)

    def render(self, data: bytes, recipe: Recipe) -> pipeline.Rendering:
        """As `pipeline.render`. Raises ImageError (`deadline`) too, here or while the outputs are iterated."""
        with self._rendering():
            rendering = self._render(data, recipe)
        return replace(rendering, outputs=self._outputs(rendering.outputs))

    def _outputs(self, outputs: Iterator[pipeline.Output]) -> Iterator[pipeline.Output]:
        while True:
            with self._rendering():
                output = next(outputs, None)
            if output is None:
                return
            yield output

    @contextmanager
    def _rendering(self) -> Iterator[None]:
        try:
            _set(self._render_ends, _AGAIN)
            try:
                yield
            finally:
                _set(self._ends)
        except Late:
            message = f"Reading and rendering it was not done after {self._seconds:.0f} seconds."
            raise ImageError("deadline", message) from None


def _set(ends: float, again: float = 0) -> None:
    # A time of 0 would take the alarm away.
    signal.setitimer(signal.ITIMER_REAL, max(ends - monotonic(), 0.001), again)


def _ring(*_: object) -> None:
    raise Late
