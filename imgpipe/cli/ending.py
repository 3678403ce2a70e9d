"""How a command ends that prints a summary whatever comes between: the same for Ctrl-C and for what AWS refuses."""

from collections.abc import Callable
from typing import Final

INTERRUPTED: Final = 130
"""The exit code after Ctrl-C, as shells have it."""


def to_its_end(
    work: Callable[[], int], end_early: Callable[[str, Exception | None], None], say_interrupted: Callable[[], None]
) -> int:
    """The exit code of `work`. Where that is interrupted or fails, `end_early` gets "interrupted", or "failed" and the
    error, and `say_interrupted` speaks to a person."""
    try:
        return work()
    except KeyboardInterrupt:
        end_early("interrupted", None)
        say_interrupted()
        return INTERRUPTED
    except Exception as error:
        end_early("failed", error)
        raise
