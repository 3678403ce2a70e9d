"""What the readers of all formats share: their face, their words for what is cut off or broken, small numbers.

A reader parses a container without decoding a pixel, and hands a decoder only what makes pixels: broken EXIF, endless
comments and other passengers never meet the library, so they cannot fail an image.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Final

from PIL import Image

from imgpipe.core.image import Header, Size, Timing
from imgpipe.errors import ImageError


class Reader(ABC):
    """One source: its header, what decoding it will take, and its pixels as `decode.modes.plain` images."""

    header: Header

    @abstractmethod
    def memory(self) -> int:
        """The bytes, at most, that a frame takes while it is decoded, beyond the file and a copy of it."""

    @property
    def pixels(self) -> int:
        """How many pixels decoding all frames makes."""
        width, height = self.header.size
        return width * height * (len(self.header.timing.durations) if self.header.timing else 1)

    @abstractmethod
    def still(self) -> Image.Image:
        """The first frame, as stored."""

    def frames(self) -> Iterator[Image.Image]:
        """Every frame, composed."""
        yield self.still()

    def shrunk(self, at_least: Size) -> "Reader":  # noqa: ARG002 - JPEG's decoder alone can shrink
        """A reader of the same source whose still is smaller, with no side below `at_least`, if the decoder can."""
        return self


MOST_FRAMES: Final = 100_000
"""A longer list of frames costs memory before any limit can be asked, however small the frames are."""


def check_frames(format_name: str, count: int) -> None:
    """Raise ImageError (`too_many_frames`) while a container is walked."""
    if count > MOST_FRAMES:
        raise ImageError(
            "too_many_frames", f"The {format_name} has more than {MOST_FRAMES} frames, the most that are read."
        )


def timing(milliseconds: Sequence[float], plays: int) -> Timing | None:
    """An animation's clock; None for a single frame.

    10 ms and less are shown for 100 ms, as every browser does (Blink's and WebKit's image decoders, for all formats):
    such files were made for programs that could not be faster.
    """
    if len(milliseconds) < 2:
        return None
    return Timing(tuple(100 if shown <= 10 else round(shown) for shown in milliseconds), plays)


def cut_off(format_name: str, data: bytes, missing: str) -> ImageError:
    return ImageError("truncated", f"The {format_name} is cut off: it ends at byte {len(data)} without {missing}.")


def corrupt(format_name: str, why: str) -> ImageError:
    return ImageError("corrupt", f"The {format_name} is damaged: {why}.")
