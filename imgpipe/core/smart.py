"""Where the interest of an image lies: the crop that keeps the most entropy."""

from itertools import accumulate
from typing import Final

from PIL import Image

from imgpipe.core.geometry import Focus
from imgpipe.core.resize import resize

_LONGER_SIDE: Final = 192
"""Pixels that are looked at along the longer side: enough to tell a face from a sky, and a matter of milliseconds."""
_STRIP: Final = 3
"""Pixels across a strip. A strip of one is too few pixels for a histogram to say anything."""


def focus(image: Image.Image, width: float, height: float) -> Focus:
    """Where in the free space a crop of `width` by `height` shares (0 to 1) of `image` holds the most entropy.

    Only the axis along which the crop is shorter than the image is free; the other one's focus is its middle.
    """
    scale = _LONGER_SIDE / max(image.size)
    size = max(_STRIP, round(image.width * scale)), max(_STRIP, round(image.height * scale))
    small = resize(image, size).convert("RGB").convert("L")
    if width < height:
        return _best(small, width), 0.5
    return 0.5, _best(small.transpose(Image.Transpose.TRANSPOSE), height)


def _best(image: Image.Image, share: float) -> float:
    """The focus along x: strips are weighed by the entropy of their luma, windows by the sum of their strips."""
    strips = [
        image.crop((left, 0, left + _STRIP, image.height)).entropy()
        for left in range(0, image.width - _STRIP + 1, _STRIP)
    ]
    window = max(1, round(len(strips) * share))
    free = len(strips) - window
    if free <= 0:
        return 0.5
    sums = [0.0, *accumulate(strips)]
    # Of equals the one nearest to the middle wins.
    best = max(
        range(free + 1), key=lambda start: (round(sums[start + window] - sums[start], 6), -abs(start - free / 2))
    )
    return best / free
