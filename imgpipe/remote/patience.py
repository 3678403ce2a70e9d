"""Going on through what passes: throttling, a way to AWS that is cut for a while, credentials that ran out.

botocore has tried a call several times before an error comes here; this is the slower patience behind it.
"""

from collections.abc import Callable
from typing import Final

from imgpipe.errors import AwsError
from imgpipe.remote.events import PASSING

LONGEST: Final = 30.0
"""Seconds between two looks, at most."""
SIGNED_OUT: Final = frozenset({"bad_credentials", "expired", "no_credentials"})
"""Met by what worked before: a new sign-in ends it."""


class Patience:
    """Of one work that is repeated. `say` gets the error with which a run of failures begins, and None at its end;
    with `renewing` a new sign-in is waited for, too."""

    def __init__(self, say: Callable[[AwsError | None], None], *, renewing: bool = False) -> None:
        self._say = say
        self._passing = PASSING | SIGNED_OUT if renewing else PASSING
        self._failures = 0
        self._told = ""

    def after(self, error: AwsError) -> float:
        """How long to wait after `error`, in seconds. Raises it where it does not pass."""
        if error.code not in self._passing:
            raise error
        if error.code != self._told:
            self._say(error)
            self._told = error.code
        self._failures += 1
        return float(min(2.0 ** (self._failures - 1), LONGEST))

    def over(self) -> None:
        """The work succeeded."""
        if self._told:
            self._say(None)
        self._failures = 0
        self._told = ""
