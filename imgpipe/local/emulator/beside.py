"""One command that is run beside the emulator, as the last line of a CI file does: with its address in the environment.

Nothing else of the environment leads to AWS, so that a command which means AWS cannot reach it from here.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from imgpipe.local.emulator.server import HOST

NOT_FOUND: Final = 127
NOT_RUN: Final = 126
"""The exit codes of a shell for a command that is not there, or may not be run."""
_GRACE: Final = 2.0
"""Seconds in which an interrupted command may end by itself."""


def run(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run `command` to its end; returns its exit code, 128 and the number where a signal ended it.

    Raises OSError where it cannot be started. Whatever ends this ends the command too.
    """
    # A terminal sends Ctrl-C to its foreground group alone; elsewhere a group can be ended with all its members.
    own_group = not sys.stdin.isatty()
    process = subprocess.Popen(  # noqa: S603 - what the person asks for
        command, env=environment(os.environ, variables), process_group=0 if own_group else None
    )
    try:
        code = process.wait()
    except BaseException:
        _end(process, own_group=own_group)
        raise
    return code if code >= 0 else 128 - code


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


def _end(process: "subprocess.Popen[bytes]", *, own_group: bool) -> None:
    # On a terminal the command has most likely heard of it already, and may be tidying up.
    for number in (signal.SIGTERM, signal.SIGKILL) if own_group else (0, signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number) if own_group else process.send_signal(number)
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(_GRACE)
            if not own_group:
                return
