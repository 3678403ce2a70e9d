"""Room for the files that a process holds open: each worker has pipes, and connections to the emulator's own server.

Systems start a program with few (256 on macOS, 1,024 on Linux) and let it have more when it asks.
"""

import resource
from typing import Final

from imgpipe.errors import UsageError

_OWN: Final = 200
"""What the emulator has open itself, and what as many clients as an upload opens have."""
_EACH: Final = 8
"""Of one worker: three pipes, and what it asks for at once."""


def make_room(workers: int) -> None:
    """Let this process have enough open for so many at once. Raises UsageError where it may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = _OWN + workers * _EACH
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (OSError, ValueError) as error:
        most = max((hard - _OWN) // _EACH, 2)
        raise UsageError(
            f"{workers:,} images at once need {needed:,} open files, and this process may have {hard:,}.",
            f"Give --max-concurrency {most} or less, or raise the limit: ulimit -n {needed}",
        ) from error
