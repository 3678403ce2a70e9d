"""The question before a command does what it was told: who is not there to answer it says --yes."""

import sys

from imgpipe.cli import console
from imgpipe.errors import UsageError


def agreed(question: str, *, yes: bool) -> bool:
    """Whether to go on: by `yes`, or by a yes on the terminal. Raises UsageError where nobody can answer."""
    if yes:
        return True
    check_answer()
    console.talk().print(f"{question} [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def check_answer() -> None:
    """Raise UsageError where a question has nobody to answer it."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("Nobody is there to be asked.", "If you mean it, add --yes; to look only, --dry-run.")
