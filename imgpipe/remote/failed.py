"""What could not be done with one of many images, while the others go on."""

from msgspec import Struct

from imgpipe.errors import ImgpipeError


class Failed(Struct, frozen=True):
    """Why not, in words: what is wrong, and what to do."""

    key: str
    code: str
    message: str
    remedy: str


def failed(key: str, error: ImgpipeError) -> Failed:
    """The failure that `error` is for `key`."""
    return Failed(key, error.code, error.message, error.remedy)
