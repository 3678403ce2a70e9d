"""Functions for the emulator's tests: a handler from source, in processes as the emulator runs them."""

import queue
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from imgpipe.local.emulator.function import Function

SECONDS: Final = 30
"""In which what is waited for must have come."""
ENVIRONMENT: Final = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}


class Logged:
    """A function whose lines can be waited for."""

    def __init__(self, code: Path, source: str, *, timeout: float = SECONDS, concurrency: int = 1) -> None:
        (code / "written.py").write_text(textwrap.dedent(source))
        self.lines: queue.Queue[str] = queue.Queue()
        self.function = Function(
            "imgpipe-test", "written.handler", ENVIRONMENT, code, timeout, 512, self._log, concurrency=concurrency
        )

    def __call__(self, event: object = None) -> Any:
        return self.function.invoke(event)

    def line(self) -> str:
        """The next line that it said."""
        return self.lines.get(timeout=SECONDS)

    def said(self) -> list[str]:
        """Every line that it said and nobody has read."""
        return [self.lines.get_nowait() for _ in range(self.lines.qsize())]

    def _log(self, _: str, lines: Sequence[str]) -> None:
        for line in lines:
            self.lines.put(line)
