"""How far apart two renditions are, in pixels that a person sees.

Other builds of a codec or kernel may give other bytes, never another picture. A mark that is missing in one corner is
lost in the mean of a whole picture, so what counts is the part of it where the two are farthest apart.
"""

import io
import math
from itertools import zip_longest
from typing import Final

from msgspec import Struct
from PIL import Image, ImageChops, ImageMath, ImageSequence

from imgpipe.core.recipe import WRITTEN

Image.MAX_IMAGE_PIXELS = None  # nothing is decoded but what has the size of the picture that was made here

TILE: Final = 32
"""Pixels of a part's side."""
FLOOR: Final = 22.0
"""Decibels that other builds leave in every part. Between the fastest and the slowest methods of WebP and AVIF, at one
quality, six pictures had 28 and more; without their mark they had 14 and less."""
_PEAK: Final = 255


class Distance(Struct, frozen=True):
    """PSNR in decibels, of the whole picture and of the part that is worst; None where the pixels are the same."""

    psnr: float | None
    worst: float | None


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
    errors = []
    worst = 0.0
    for frames in zip_longest(ImageSequence.Iterator(first), ImageSequence.Iterator(second)):
        if None in frames:
            return None
        bands = [frame.convert("RGBA").convert("RGBa").split() for frame in frames]
        for pair in zip(*bands, strict=True):
            difference = ImageChops.difference(*pair)
            levels = difference.histogram()
            errors.append(sum(count * level * level for level, count in enumerate(levels)) / sum(levels))
            squares = ImageMath.lambda_eval(lambda of: of["d"] * of["d"], d=difference.convert("F"))
            worst = max(worst, squares.reduce(TILE).getextrema()[1])
    return Distance(_decibels(sum(errors) / len(errors)), _decibels(worst))


def _decibels(error: float) -> float | None:
    """PSNR of a mean square error."""
    return round(10 * math.log10(_PEAK**2 / error), 1) if error else None
