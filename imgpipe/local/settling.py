"""When a file that arrives in a watched folder counts as completely written.

Nobody says so: the only signs are that it no longer changes, and that it can be read to its end. Times are compared
without regard to which lies ahead, since a network disk's clock may.
"""

import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from imgpipe.worker.ports import Record

QUIET: Final = 2.5
"""Seconds since its last change after which a file is worked on."""
DOUBT: Final = 10.0
"""Seconds since its last change after which a file that looks half-written is a failure."""
_HALF: Final = {"truncated", "empty", "corrupt", "unsupported_format"}
"""Error codes of what may only be half there; where room was set aside first, even the format shows late."""


def is_quiet(modified_ns: int, seconds: float) -> bool:
    """Whether a modification time, in nanoseconds since the epoch, is at least `seconds` away."""
    return abs(time.time_ns() - modified_ns) >= seconds * 1e9


def may_be_half_written(path: Path, record: Record) -> bool:
    """Whether the failure that `record` tells of the file at `path` may be for its writer's not being done."""
    if record.error and record.error.code in _HALF:
        with suppress(OSError):
            return not is_quiet(path.stat().st_mtime_ns, DOUBT)
    return False
