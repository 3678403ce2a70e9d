"""The terminal that this process group shares with the group of a command that it runs: one of them has it at a time.

What a terminal's keys send (Ctrl-C, Ctrl-Z) goes to the group that has it, and another that reads from it is stopped.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

_STOP: Final = 0.1
"""Seconds in which a process that is told to stop has stopped."""


class Terminal:
    """To be entered in the main thread, once `group` is there; it is given back at the end."""

    def __init__(self, group: int) -> None:
        self._group = group
        self._ours = os.getpgrp()
        self._file: int | None = None
        self._given = False

    def __enter__(self) -> Self:
        # Without the terminal one may neither take it nor, if it says so, write to it.
        self._before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        with suppress(OSError):  # there is none
            self._file = os.open("/dev/tty", os.O_RDWR)
        if sys.stdout.isatty():  # elsewhere the terminal may be for what reads our output, such as a pager
            self.give()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._take()
        if self._file is not None:
            os.close(self._file)
        signal.signal(signal.SIGTTOU, self._before)

    def give(self) -> bool:
        """Let the other group have it, if it is ours to give, and go on."""
        with suppress(OSError):
            if self._file is not None and os.tcgetpgrp(self._file) == self._ours:
                os.tcsetpgrp(self._file, self._group)
                self._given = True
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._group, signal.SIGCONT)
        return self._given

    def stopped(self, number: int) -> None:
        """The other group was stopped by that signal: by what it wanted of the terminal, or else to let the person's
        shell have it, which waits for this group to stop too."""
        if number in (signal.SIGTTIN, signal.SIGTTOU) and not self._given and self.give():
            return
        self._take()
        os.killpg(self._ours, signal.SIGTSTP)
        time.sleep(_STOP)
        self.give()

    def _take(self) -> None:
        if self._given and self._file is not None:
            with suppress(OSError):
                os.tcsetpgrp(self._file, self._ours)
        self._given = False
