"""What a function prints, kept in moto's CloudWatch Logs under the log group that the template gives it."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import logs_backends

from imgpipe.local.emulator.function import ACCOUNT

Hear = Callable[[Sequence[str]], None]
"""Takes the lines that one invocation printed."""
_STREAM: Final = "emulator"


class Log:
    """The log group `group` of `region`, which is there; `hear` gets every line too."""

    def __init__(self, region: str, group: str, hear: Hear) -> None:
        self._backend = logs_backends[ACCOUNT][region]
        self._backend.create_log_stream(group, _STREAM)
        self._group = group
        self._hear = hear
        self._lock = threading.Lock()

    def write(self, lines: Sequence[str]) -> None:
        """Keep the lines, also where somebody has deleted the group: then only `hear` gets them."""
        with self._lock:
            now = time.time_ns() // 1_000_000
            with suppress(ResourceNotFoundException):
                self._backend.put_log_events(
                    self._group, _STREAM, [{"timestamp": now, "message": line} for line in lines]
                )
        self._hear(lines)
