"""Brushes for the sample pictures: noise, gradients, light and terrain, with Pillow alone.

Everything is drawn from a seed, so the same release of Pillow draws the same picture. Masks and heights are single-band
images (`L` from 0 to 255, `F` where steps of one level would show); sizes are `(width, height)` in pixels.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, cast

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageMath

Size = tuple[int, int]
Colour = tuple[int, int, int]
Stops = Sequence[tuple[float, Colour]]
"""Colours along a line from 0 to 1, in rising order."""

NEAREST, BILINEAR, BICUBIC = Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC


def chance(seed: int) -> Random:
    """Chance that repeats itself."""
    return Random(seed)  # noqa: S311 (a picture keeps no secret)


def values(field: Image.Image) -> list[float]:
    """The values of a single-band image, row by row."""
    return cast("list[float]", list(field.get_flattened_data()))


def mix(stops: Stops, at: float) -> tuple[float, float, float]:
    """The colour at `at`, eased between its neighbours in `stops`."""
    before = stops[0]
    for after in stops:
        if at <= after[0]:
            share = (at - before[0]) / ((after[0] - before[0]) or 1)
            share *= share * (3 - 2 * share)
            red, green, blue = (a + (b - a) * share for a, b in zip(before[1], after[1], strict=True))
            return red, green, blue
        before = after
    red, green, blue = stops[-1][1]
    return red, green, blue


def whole(colour: tuple[float, float, float]) -> Colour:
    return round(colour[0]), round(colour[1]), round(colour[2])


def sky(size: Size, stops: Stops) -> Image.Image:
    """A gradient from top to bottom."""
    column = Image.new("RGB", (1, size[1]))
    column.putdata([whole(mix(stops, y / size[1])) for y in range(size[1])])
    return column.resize(size, NEAREST)


def tone(mask: Image.Image, stops: Stops) -> Image.Image:
    """`mask` with its levels replaced by the colours of `stops`."""
    table = [whole(mix(stops, level / 255)) for level in range(256)]
    return Image.merge("RGB", [mask.point([colour[band] for colour in table]) for band in range(3)])


def add(bands: dict[str, Any]) -> Any:
    return bands["a"] + bands["b"]


def noise(size: Size, seed: int, cells: Size, octaves: int = 6, gain: float = 0.5) -> Image.Image:
    """Fractal noise in `F` about 0, mostly within -1 and 1; `cells` are the bumps of its coarsest octave."""
    random = chance(seed)
    field = Image.new("F", cells)
    strength = 1.0
    for octave in range(octaves):
        across, down = (min(count << octave, side) for count, side in zip(cells, size, strict=True))
        bumps = Image.frombytes("L", (across, down), random.randbytes(across * down)).convert("F")
        scale = strength / 128
        bumps = bumps.point(lambda value, scale=scale: (value * scale) - 127.5 * scale)
        field = ImageMath.lambda_eval(add, a=field.resize((across, down), BICUBIC), b=bumps)
        strength *= gain
    return field.resize(size, BICUBIC)


def levels(field: Image.Image, low: float, high: float) -> Image.Image:
    """`F` as `L`: `low` becomes 0, `high` 255, what is beyond is clipped."""
    scale = 255 / (high - low)
    return field.point(lambda value: value * scale - low * scale).convert("L")


def glow(size: Size, centre: tuple[float, float], radius: float, power: float = 2) -> Image.Image:
    """A round light in `L` that fades to 0 at `radius` pixels."""
    spot = Image.radial_gradient("L").point([round(255 * max(0, 1 - level / 180) ** power) for level in range(256)])
    side = round(radius * 2 * 128 / 90)
    light = Image.new("L", size)
    light.paste(spot.resize((side, side), BILINEAR), (round(centre[0] - side / 2), round(centre[1] - side / 2)))
    return light


def lit(picture: Image.Image, light: Image.Image, colour: Colour) -> Image.Image:
    """`picture` with `light` of `colour` added the way light adds: without ever passing white."""
    return ImageChops.screen(picture, tone(light, [(0, (0, 0, 0)), (1, colour)]))


def scaled(mask: Image.Image, share: float) -> Image.Image:
    return mask.point([round(level * share) for level in range(256)])


def profile(width: int, seed: int, cells: int, octaves: int = 7, gain: float = 0.5) -> list[float]:
    """A skyline: fractal noise along a line, one value about 0 for each pixel."""
    return values(noise((width, 1), seed, (cells, 1), octaves, gain))


def below(size: Size, line: Sequence[float]) -> Image.Image:
    """The mask of what lies below `line`, which gives a height from the top for each pixel."""
    mask = Image.new("L", size)
    foot = size[1] + 2
    step = max(1, len(line) // 2000)
    points = [(x, line[x]) for x in range(0, len(line), step)]
    ImageDraw.Draw(mask).polygon(
        [(-2, foot), (-2, line[0]), *points, (size[0] + 2, line[-1]), (size[0] + 2, foot)], 255
    )
    return mask.filter(ImageFilter.BoxBlur(1))


def grain(picture: Image.Image, seed: int, strength: float = 0.04) -> Image.Image:
    """Film grain: what hides the steps of an 8-bit gradient and gives the eye something to hold."""
    width, height = picture.size
    small = (width * 3 // 4, height * 3 // 4)
    film = Image.frombytes("L", small, chance(seed).randbytes(small[0] * small[1]))
    film = film.point([round(127.5 + (level - 127.5) * strength * 2) for level in range(256)]).resize(
        picture.size, BICUBIC
    )
    return ImageChops.overlay(picture, Image.merge("RGB", [film] * 3))


def vignette(picture: Image.Image, strength: float = 0.35) -> Image.Image:
    """`picture` with its corners darkened as a lens darkens them."""
    edge = Image.radial_gradient("L").point([round(255 * (1 - strength * (level / 255) ** 3)) for level in range(256)])
    return ImageChops.multiply(picture, Image.merge("RGB", [edge.resize(picture.size, BILINEAR)] * 3))


def terrain(
    picture: Image.Image, heights: Image.Image, colours: Image.Image, top: float, bottom: float, lift: float
) -> None:
    """Draw ground onto `picture` from `heights` (`F`) and their `colours` (RGB, of the same size); far rows come first.

    In shares of the picture's height: flat ground reaches from `top` to `bottom`, and 1 stands `lift` tall in the near
    row, a fifth of it in the far one. Slices are painted far to near, each hiding what lies behind it.
    """
    width, height = picture.size
    across, depth = heights.size
    step = width / (across - 1)
    for row in range(depth):
        share = row / depth
        level = height * (top + (bottom - top) * share**1.4)
        tall = height * lift * (0.2 + 0.8 * share)
        line = [level - value * tall for value in values(heights.crop((0, row, across, row + 1)))]
        start, end = max(0, int(min(line)) - 1), min(height, int(max(line)) + height // 25)
        if end <= start:
            continue
        mask = Image.new("L", (width, end - start))
        points = ((x * step, y - start) for x, y in enumerate(line))
        ImageDraw.Draw(mask).polygon([(0, height), *points, (width, height)], 255)
        strip = colours.crop((0, row, across, row + 1)).resize((width, 1), BICUBIC).resize(mask.size, NEAREST)
        picture.paste(strip, (0, start), mask)
