"""The end of a worker's time: rendering that had its share of it has failed, and whatever else goes on comes again.

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
from imgpipe.errors import ImageError, Retry
from imgpipe.worker.process import Render

_AGAIN: Final = 0.5
"""Seconds after which rendering is ended once more, where a library swallowed the first try."""
_FAIR: Final = 0.5
"""The share of its seconds that rendering has had when it is the image's fault, and not a slow store's."""


class Late(BaseException):
    """The time is over while the worker waits for a store or the catalog. No Exception, since SDKs retry those."""


class Deadline:
    """From now on `render` may render for `render_seconds`, and whatever else is done ends after `seconds`, by Late.

    `seconds` should leave time for a claim to be released, and be so much longer than `render_seconds` that what was
    rendered in time is stored in time. To be entered once; all images in it share its time.
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
        """As `pipeline.render`. Raises ImageError (`deadline`) too, here or while the outputs are iterated, or Retry
        where something else took the time."""
        self._spent = 0.0
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
        began = monotonic()
        try:
            _set(self._render_ends, _AGAIN)
            try:
                yield
            finally:
                _set(self._ends)
                self._spent += monotonic() - began
        except Late:
            if self._spent < _FAIR * self._seconds or self._seconds <= 0:
                raise Retry(f"only {self._spent:.1f} seconds were left to render it") from None
            raise ImageError("deadline", f"Rendering it was not done after {self._spent:.0f} seconds.") from None


def _set(ends: float, again: float = 0) -> None:
    # A time of 0 would take the alarm away.
    signal.setitimer(signal.ITIMER_REAL, max(ends - monotonic(), 0.001), again)


def _ring(*_: object) -> None:
    raise Late
