"""One command that is run beside the emulator, as the last line of a CI file does: with its address in the environment.

Nothing else of the environment leads to AWS, so that a command which means AWS cannot reach it from here.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Final

from imgpipe.local.emulator.server import HOST
from imgpipe.local.emulator.terminal import Terminal

_GRACE: Final = 2.0
"""Seconds in which what is told to end may end by itself."""
_GUARD: Final = f"read group; read _; kill -s TERM -- -$group; sleep {_GRACE:g}; kill -s KILL -- -$group"
_LOOK: Final = 0.02
"""Seconds between two looks at whether it has."""


def run(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run `command` to its end; returns its exit code, 128 and the number where a signal ended it. For the main thread.

    Raises OSError where it cannot be started. Whatever ends this ends the command too, and what the command has left
    running ends with it.
    """
    with _guard() as guard:
        # A group of its own can be ended with all its members.
        process = subprocess.Popen(  # noqa: S603 - what the person asks for
            command, env=environment(os.environ, variables), process_group=0
        )
        try:
            guard.write(b"%d\n" % process.pid)
            with Terminal(process.pid) as terminal:
                code = _wait(process, terminal)
        finally:
            _end(process)
    return code if code >= 0 else 128 - code


@contextmanager
def _guard() -> Iterator[IO[bytes]]:
    """Takes the number of a group, which ends even where this process is killed: its standard input ends then."""
    guard = subprocess.Popen(  # noqa: S603 - our own words
        ["/bin/sh", "-c", _GUARD],
        bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0,
    )  # fmt: skip
    try:
        yield guard.stdin  # type: ignore[misc] # a pipe, as started
    finally:
        guard.kill()
        guard.communicate()


def environment(ours: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """`ours` with the emulator's variables in the place of all that leads to AWS, or through a proxy."""
    kept = {name: value for name, value in ours.items() if not name.startswith("AWS_")}
    direct = ",".join(filter(None, (ours.get("NO_PROXY") or ours.get("no_proxy"), HOST, "localhost")))
    return {
        **kept,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": direct,
        "no_proxy": direct,
        **variables,
    }


def _wait(process: "subprocess.Popen[bytes]", terminal: Terminal) -> int:
    while True:
        status = os.waitpid(process.pid, os.WUNTRACED)[1]
        if not os.WIFSTOPPED(status):
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode
        terminal.stopped(os.WSTOPSIG(status))


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the group, at first with an occasion to tidy up. Nothing happens where it is gone."""
    for number, grace in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, 0.0)):
        ends = time.monotonic() + grace
        # macOS says PermissionError of a group that is dead.
        with suppress(ProcessLookupError, PermissionError, KeyboardInterrupt):
            os.killpg(process.pid, number)
            while time.monotonic() < ends:
                process.poll()
                os.killpg(process.pid, 0)
                time.sleep(_LOOK)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
