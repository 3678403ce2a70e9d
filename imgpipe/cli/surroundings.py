"""What a shell hands to a program: streams that may be closed or full, and signals that ask it to end.

Talk that nobody can hear stops nothing, results that cannot be written stop everything, and SIGTERM and SIGHUP are
answered as Ctrl-C is.
"""

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

STDOUT: Final = "stdout"
"""What an OSError of writing results names."""


class _Results(io.BufferedWriter):
    # Not the raw stream: a signal that came while it wrote would be raised before the buffer knew, and the same be
    # written again.

    def write(self, data: Any, /) -> int:
        with _naming_stdout():
            return super().write(data)

    def flush(self) -> None:
        with _naming_stdout():
            super().flush()


@contextmanager
def _naming_stdout() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        error.filename = STDOUT
        raise


class _Talk(io.FileIO):
    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def open_streams() -> None:
    """Let every stream be there and take any character. A closed one's number must not go to a file of the run."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123
    for name, stream in (("stdout", sys.stdout), ("stderr", sys.stderr)):
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
            continue
        number = stream.fileno()
        file = (
            _Results(io.FileIO(number, "w", closefd=False))
            if name == "stdout"
            else io.BufferedWriter(_Talk(number, "w", closefd=False))
        )
        # Read by its attributes, since an unbuffered one (PYTHONUNBUFFERED) is to stay prompt.
        at_once = bool(stream.line_buffering or getattr(stream, "write_through", False))
        setattr(sys, name, io.TextIOWrapper(file, stream.encoding, "backslashreplace", line_buffering=at_once))


def end_with_signals(work: Callable[[], int]) -> int:
    """Do `work`, which answers KeyboardInterrupt with the exit code 130; another signal's is 128 and its number."""
    came: list[int] = []

    def interrupt(number: int, _: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, interrupt)
    code = work()
    return 128 + came[0] if came and code == 130 else code
