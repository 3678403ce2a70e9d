"""Sizes, crops and positions, without a pixel in sight.

Sizes are (width, height) in pixels; a crop may start and end between pixels, in the coordinates of the upright source.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from imgpipe.core.image import Header, Size
from imgpipe.core.recipe import Fit, Gravity, Preset

Focus = tuple[float, float]
"""Where in the free space something lies: (0, 0) is its top left, (1, 1) its bottom right."""

Extent = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels, fractions included."""

FOCUS: Final[dict[Gravity, Focus]] = {
    Gravity.NORTHWEST: (0, 0),
    Gravity.NORTH: (0.5, 0),
    Gravity.NORTHEAST: (1, 0),
    Gravity.WEST: (0, 0.5),
    Gravity.CENTER: (0.5, 0.5),
    Gravity.EAST: (1, 0.5),
    Gravity.SOUTHWEST: (0, 1),
    Gravity.SOUTH: (0.5, 1),
    Gravity.SOUTHEAST: (1, 1),
}


@dataclass(frozen=True)
class Crop:
    """A part of the source: left, top, width and height in its pixels, fractions included."""

    left: float
    top: float
    width: float
    height: float

    def within(self, extent: "Extent", source: Size) -> "Extent":
        """The same part of an image in which the whole source has that extent."""
        left, top, right, bottom = extent
        across, down = (right - left) / source[0], (bottom - top) / source[1]
        left, top = left + self.left * across, top + self.top * down
        return left, top, min(left + self.width * across, right), min(top + self.height * down, bottom)


@dataclass(frozen=True)
class Layout:
    """What a preset makes of a source: `crop` becomes `size`, which lies at `offset` on `canvas`."""

    crop: Crop
    size: Size
    canvas: Size
    offset: tuple[int, int]


def layout(source: Size, preset: Preset, focus: Focus) -> Layout:
    """Lay `preset` out for a source of that upright size; `focus` says what a crop keeps and where a pad goes."""
    match preset.fit:
        case Fit.INSIDE:
            size = _inside(source, preset)
            return Layout(_whole(source), size, size, (0, 0))
        case Fit.CONTAIN:
            size, canvas = _inside(source, preset), _box(preset)
            return Layout(_whole(source), size, canvas, place(canvas, size, focus))
        case Fit.FILL:
            size = _fitting_box(source, preset)
            return Layout(_whole(source), size, size, (0, 0))
        case Fit.COVER:
            size = _fitting_box(source, preset)
            return Layout(_cover(source, size, focus), size, size, (0, 0))


def extent(header: Header, decoded: Size) -> Extent:
    """Where the source lies in its upright image when a decoder shrank it to `decoded`.

    libjpeg rounds up: of 1365 pixels an eighth is 171, which stand for 1368, and the last one is empty in part. To
    take all 171 for the whole shifts an image by up to a pixel, which costs more likeness than the shrinking itself.
    """
    width, height = header.upright
    factor = next(
        (factor for factor in (1, 2, 4, 8) if (math.ceil(width / factor), math.ceil(height / factor)) == decoded), None
    )
    if factor is None:
        return 0, 0, *decoded
    left = decoded[0] - width / factor if header.orientation in (2, 3, 6, 7) else 0
    top = decoded[1] - height / factor if header.orientation in (3, 4, 7, 8) else 0
    return left, top, left + width / factor, top + height / factor


def decode_size(source: Size, layouts: list[Layout]) -> Size:
    """The size that a decoder may shrink the upright source to without any crop having to be enlarged for it."""
    width = max(math.ceil(source[0] * plan.size[0] / plan.crop.width - 1e-9) for plan in layouts)
    height = max(math.ceil(source[1] * plan.size[1] / plan.crop.height - 1e-9) for plan in layouts)
    return min(width, source[0]), min(height, source[1])


def place(canvas: Size, size: Size, focus: Focus, margin: int = 0) -> tuple[int, int]:
    """The top left corner of something of `size` on `canvas`, `margin` pixels from the edges where that fits."""
    return _place(canvas[0], size[0], focus[0], margin), _place(canvas[1], size[1], focus[1], margin)


def tiles(canvas: Size, size: Size, gap: int, rotation: float) -> Iterator[tuple[int, int]]:
    """The centres of tiles of `size` that cover `canvas` from its centre outwards, every second row shifted by half.

    The whole pattern is turned by `rotation` (degrees, counter-clockwise): turned tiles lie as close as straight ones.
    """
    across, down = size[0] + gap, size[1] + gap
    cosine, sine = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    reach = math.hypot(*canvas) / 2 + math.hypot(*size)
    bounds = size[0] * abs(cosine) + size[1] * abs(sine), size[0] * abs(sine) + size[1] * abs(cosine)
    rows, columns = math.ceil(reach / down), math.ceil(reach / across)
    for row in range(-rows, rows + 1):
        for column in range(-columns, columns + 1):
            x, y = (column + row % 2 / 2) * across, row * down
            centre = canvas[0] / 2 + x * cosine + y * sine, canvas[1] / 2 - x * sine + y * cosine
            if all(-bound / 2 < at < side + bound / 2 for at, bound, side in zip(centre, bounds, canvas, strict=True)):
                yield _round(centre[0]), _round(centre[1])


def share(canvas: Size, part: float) -> int:
    """A share of the square root of width times height, in whole pixels: alike on portrait and landscape."""
    return _round(part * math.sqrt(canvas[0] * canvas[1]))


def _round(value: float) -> int:
    return math.floor(value + 0.5)


def _place(canvas: int, size: int, focus: float, margin: int) -> int:
    margin = min(margin, max(0, (canvas - size) // 2))
    return margin + _round((canvas - size - 2 * margin) * focus)


def _whole(source: Size) -> Crop:
    return Crop(0, 0, *source)


def _box(preset: Preset) -> Size:
    if preset.width is None or preset.height is None:
        raise ValueError(f"preset {preset.name}: {preset.fit} needs a width and a height")
    return preset.width, preset.height


def _inside(source: Size, preset: Preset) -> Size:
    width, height = source
    scale = min(
        preset.width / width if preset.width else math.inf,
        preset.height / height if preset.height else math.inf,
        math.inf if preset.enlarge else 1,
    )
    return max(1, _round(width * scale)), max(1, _round(height * scale))


def _fitting_box(source: Size, preset: Preset) -> Size:
    """The preset's box, shrunk with its aspect kept until the source fills it without being enlarged."""
    width, height = _box(preset)
    scale = 1 if preset.enlarge else min(1, source[0] / width, source[1] / height)
    return max(1, _round(width * scale)), max(1, _round(height * scale))


def _cover(source: Size, size: Size, focus: Focus) -> Crop:
    scale = max(size[0] / source[0], size[1] / source[1])
    width, height = min(size[0] / scale, source[0]), min(size[1] / scale, source[1])
    # A crop starts on a whole pixel, so that one which needs no resizing stays sharp.
    left = min(_round((source[0] - width) * focus[0]), math.floor(source[0] - width))
    top = min(_round((source[1] - height) * focus[1]), math.floor(source[1] - height))
    return Crop(left, top, width, height)
