"""What could not be done with one of many images, while the others go on."""

import random
from typing import Final

from msgspec import Struct

from imgpipe.errors import ImgpipeError

TRIES: Final = 3
"""Of one image that AWS fails at by what passes."""
OUTAGES: Final = frozenset({"throttled", "unavailable"})
"""Codes of an AwsError after which another try, or the next image, may well succeed."""


class Failed(Struct, frozen=True):
    """Why not, in words: what is wrong, and what to do."""

    key: str
    code: str
    message: str
    remedy: str


def failed(key: str, error: ImgpipeError) -> Failed:
    """The failure that `error` is for `key`."""
    return Failed(key, error.code, error.message, error.remedy)


def pause(tries: int) -> float:
    """How many seconds to wait after so many tries that failed: about 1, 2, 4, …, and never quite alike, so that what
    failed together does not come again together."""
    return float(random.uniform(0.5, 1.0) * 2 ** (tries - 1))  # noqa: S311 - no secret
