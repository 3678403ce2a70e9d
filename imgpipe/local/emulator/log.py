"""What a function prints, kept in moto's CloudWatch Logs under the log group that the template gives it."""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import logs_backends

from imgpipe.local.emulator.function import ACCOUNT
from imgpipe.local.emulator.heard import Hear


class Log:
    """The log group `group` of `region`; `hear` gets every line too."""

    def __init__(self, region: str, group: str, hear: Hear) -> None:
        self._backend: Final = logs_backends[ACCOUNT][region]
        self._group = group
        self._hear = hear
        self._lock = threading.Lock()

    def write(self, stream: str, lines: Sequence[str]) -> None:
        """Keep the lines in that log stream, which is made where there is none. Where somebody has deleted the group
        only `hear` gets them: a function may make streams, and no groups."""
        now = time.time_ns() // 1_000_000
        events = [{"timestamp": now, "message": line} for line in lines]
        with self._lock, suppress(ResourceNotFoundException):
            try:
                self._backend.put_log_events(self._group, stream, events)
            except ResourceNotFoundException:
                self._backend.create_log_stream(self._group, stream)
                self._backend.put_log_events(self._group, stream, events)
        self._hear(lines)
