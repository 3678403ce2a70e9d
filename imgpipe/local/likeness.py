"""How far apart two renditions are, in pixels that a person sees.

Other builds of a codec or kernel may give other bytes, never another picture; where two are far apart, something else
is wrong.
"""

import io
import math
from itertools import zip_longest
from typing import Final

from msgspec import Struct
from PIL import Image, ImageChops, ImageSequence

from imgpipe.core.recipe import WRITTEN

FLOOR: Final = 32.0
"""Decibels. Kernels differ by 57, encoders of one quality by 36 and more; a missing watermark leaves less than 30."""
_PEAK: Final = 255


class Distance(Struct, frozen=True):
    """The PSNR in decibels, None where both are the same, and the largest difference of a band, in levels of 255."""

    psnr: float | None
    largest: int


def distance(one: bytes, other: bytes) -> Distance | None:
    """How far the two are apart, over all frames; None where they differ in size or in the number of their frames, or
    where one is no image that could be a rendition. Colours count as much as they are opaque."""
    try:
        with _opened(one) as first, _opened(other) as second:
            if first.size != second.size:
                return None
            return _apart(first, second)
    except (OSError, ValueError, SyntaxError, RuntimeError):
        return None


def _opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=[str(format).upper() for format in WRITTEN])


def _apart(first: Image.Image, second: Image.Image) -> Distance | None:
    squares = values = largest = 0
    for frames in zip_longest(ImageSequence.Iterator(first), ImageSequence.Iterator(second)):
        if None in frames:
            return None
        bands = [frame.convert("RGBA").convert("RGBa").split() for frame in frames]
        for pair in zip(*bands, strict=True):
            counts = ImageChops.difference(*pair).histogram()
            squares += sum(count * level * level for level, count in enumerate(counts))
            values += sum(counts)
            largest = max(largest, max(level for level, count in enumerate(counts) if count))
    if not squares:
        return Distance(None, 0)
    return Distance(round(10 * math.log10(_PEAK**2 * values / squares), 1), largest)
