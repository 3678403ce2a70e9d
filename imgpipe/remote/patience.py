"""Going on through what passes: throttling, a way to AWS that is cut for a while, credentials that ran out.

botocore has tried a call several times before an error comes here; this is the slower patience behind it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from imgpipe.errors import AwsError
from imgpipe.remote.events import PASSING
from imgpipe.remote.session import aws_errors

Found = TypeVar("Found")

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


def repeat(
    look: Callable[[], Iterable[Found]],
    renew: Callable[[], None],
    patience: Patience,
    pause: Callable[[bool], float],
    sleep: Callable[[float], None],
) -> Iterator[Found]:
    """What one `look` after another finds, for ever; `pause` tells how long to wait after one that found something, or
    nothing. Where credentials ran out, `renew` is called before the next. Raises AwsError for what does not pass."""
    signed_out = False
    while True:
        found = False
        try:
            with aws_errors():
                if signed_out:
                    renew()
                for each in look():
                    patience.over()
                    found = True
                    yield each
        except AwsError as error:
            signed_out = signed_out or error.code in SIGNED_OUT
            sleep(patience.after(error))
            continue
        signed_out = False
        patience.over()
        sleep(pause(found))
