"""Watermarks: a stamp drawn once for each size, and laid only where it lies.

Text is laid out by FreeType alone (`Layout.BASIC`), so that no library of the host has a say in where a letter goes.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont, ImageStat

from imgpipe.core import geometry
from imgpipe.core.codec import open_source
from imgpipe.core.colour import is_grey, to_srgb
from imgpipe.core.containers import sniff
from imgpipe.core.image import Size
from imgpipe.core.orient import upright
from imgpipe.core.recipe import Asset, Format, Gravity, Limits, Watermark
from imgpipe.core.resize import resize
from imgpipe.errors import ImageError

_FORMATS: Final = frozenset({Format.PNG, Format.WEBP, Format.JPEG, Format.GIF, Format.AVIF})
"""What a mark may be: formats whose libraries keep what they say to themselves."""
_MEGAPIXELS: Final = 32
_LIGHT, _DARK = "#ffffff", "#000000"
_MIDDLE_GREY: Final = 128
_OUTLINE: Final = 1 / 28
"""Width of the outline around text, as a share of its line height: thin, and never less than a pixel."""
_OUTLINE_STRENGTH: Final = 0.55


class Mark:
    """The watermark of one rendition. All frames of an animation share it, and the ink that the first one chose."""

    def __init__(self, watermark: Watermark, canvas: Size) -> None:
        self._watermark = watermark
        self._ink: str | None = None if watermark.contrast == "auto" and watermark.text else watermark.color
        self._stamp: Stamp | None = _stamp(watermark, canvas, self._ink or _LIGHT)
        self._places = _places(watermark, canvas, self._stamp) if self._stamp else ()

    @property
    def too_small(self) -> bool:
        """Whether the mark would come out below its `min_size`, and so is left out."""
        return self._stamp is None

    def on(self, image: Image.Image) -> Image.Image:
        """`image` (L, RGB, RGBA with straight alpha) with the mark on it; grey stays grey under a grey mark."""
        if self._ink is None and self._stamp:
            self._ink = _DARK if self._luma_under(image, self._stamp) >= _MIDDLE_GREY else _LIGHT
            self._stamp = _stamp(self._watermark, image.size, self._ink)
        if self._stamp is None:
            return image
        image = image.convert("RGB") if image.mode == "L" and not self._stamp.grey else image.copy()
        for place in self._places:
            _lay(image, self._stamp.image, place)
        return image

    def _luma_under(self, image: Image.Image, stamp: "Stamp") -> float:
        """Mean luma of what the mark covers, 0 to 255."""
        if len(self._places) > 1:
            return ImageStat.Stat(image.convert("L")).mean[0]
        left, top = self._places[0]
        width, height = stamp.image.size
        under = image.crop((left, top, left + width, top + height)).convert("L")
        return ImageStat.Stat(under, stamp.image.getchannel("A")).mean[0]


@dataclass(frozen=True)
class Stamp:
    """The drawn mark: RGBA, opacity and rotation applied; its size before it was turned; `grey` if without colour."""

    image: Image.Image
    straight: Size
    grey: bool


def check_image(asset: Asset) -> None:
    """Raises ImageError where a watermark's image cannot be opened, or shows nothing."""
    if sniff(asset.data) not in _FORMATS:
        raise ImageError("unsupported_format", "A watermark's image is a PNG, a WebP, a JPEG, a GIF or an AVIF.")
    if _opened(asset).getbbox() is None:
        raise ImageError("corrupt", "Every pixel of it is transparent.")


@lru_cache(maxsize=32)
def _stamp(watermark: Watermark, canvas: Size, ink: str) -> Stamp | None:
    """The mark for a rendition of size `canvas`, scaled down until it fits its margins; None below `min_size`."""
    margin = geometry.share(canvas, watermark.margin)
    free = canvas[0] - 2 * margin, canvas[1] - 2 * margin
    pixels = min(geometry.share(canvas, watermark.size), _fitting(watermark, free))
    while pixels >= max(1, watermark.min_size):
        drawn = _text(watermark, pixels, ink) if watermark.text else _image(watermark, pixels)
        drawn = drawn.crop(drawn.getbbox())
        straight = drawn.size
        if watermark.rotation:
            drawn = drawn.rotate(watermark.rotation, Image.Resampling.BICUBIC, expand=True)
            drawn = drawn.crop(drawn.getbbox())
        if drawn.width <= free[0] and drawn.height <= free[1]:
            drawn.putalpha(drawn.getchannel("A").point([round(level * watermark.opacity) for level in range(256)]))
            return Stamp(drawn, straight, is_grey(drawn))
        pixels -= 1
    return None


def _fitting(watermark: Watermark, free: Size) -> int:
    """About how large the mark may be to fit, known before anything is drawn: a long text at its full size would take
    more pixels than the rendition."""
    reference = 100
    if watermark.text:
        left, top, right, bottom = _text_box(watermark, reference)
        width, height = float(right - left), float(bottom - top)
    else:
        mark = _opened(_needed(watermark))
        width, height = (reference * side / max(mark.size) for side in mark.size)
    turn = math.radians(watermark.rotation)
    across = width * abs(math.cos(turn)) + height * abs(math.sin(turn))
    down = width * abs(math.sin(turn)) + height * abs(math.cos(turn))
    return math.ceil(reference * min(free[0] / max(1, across), free[1] / max(1, down))) + 1


def _text(watermark: Watermark, pixels: int, ink: str) -> Image.Image:
    """The text in `ink` with its outline, `pixels` from one line to the next."""
    left, top, right, bottom = _text_box(watermark, pixels)
    size = max(1, right - left), max(1, bottom - top)

    def layer(colour: str, stroke: int, strength: float) -> Image.Image:
        mask = Image.new("L", size)
        style = _style(watermark, pixels) | {"stroke_width": stroke}
        ImageDraw.Draw(mask).multiline_text((-left, -top), watermark.text or "", round(255 * strength), **style)
        drawn = Image.new("RGBA", size, colour)
        drawn.putalpha(mask)
        return drawn

    outline = _DARK if Image.new("L", (1, 1), ink).getpixel((0, 0)) >= _MIDDLE_GREY else _LIGHT  # type: ignore[operator]
    stroke = _style(watermark, pixels)["stroke_width"]
    return Image.alpha_composite(layer(outline, stroke, _OUTLINE_STRENGTH), layer(ink, 0, 1))


def _text_box(watermark: Watermark, pixels: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what drawing the text would touch, outline included."""
    canvas = ImageDraw.Draw(Image.new("L", (1, 1)))
    box = canvas.multiline_textbbox((0, 0), watermark.text or "", **_style(watermark, pixels))
    return math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3])


def _style(watermark: Watermark, pixels: int) -> dict[str, Any]:
    """How text of that line height is set; the rest of what Pillow asks for, by its names."""
    return {
        "font": _font(watermark.font, pixels),
        "spacing": round(pixels * 0.25),
        "align": "center",
        "stroke_width": max(1, round(pixels * _OUTLINE)),
    }


@lru_cache(maxsize=32)
def _font(asset: Asset, pixels: int) -> ImageFont.FreeTypeFont:
    """The font at the size whose line is `pixels` high, from the highest ascender to the lowest descender."""
    reference = ImageFont.truetype(BytesIO(asset.data), 1000, layout_engine=ImageFont.Layout.BASIC)
    return reference.font_variant(font=BytesIO(asset.data), size=1000 * pixels / max(1, sum(reference.getmetrics())))


def _image(watermark: Watermark, pixels: int) -> Image.Image:
    """The watermark's image with its longer side at `pixels`."""
    mark = _opened(_needed(watermark))
    scale = pixels / max(mark.size)
    size = max(1, round(mark.width * scale)), max(1, round(mark.height * scale))
    return resize(mark, size).convert("RGBA")


def _needed(watermark: Watermark) -> Asset:
    if watermark.image is None:
        raise ValueError("a watermark has a text or an image")
    return watermark.image


@lru_cache(maxsize=4)
def _opened(asset: Asset) -> Image.Image:
    """The image in sRGB, upright and premultiplied."""
    source = open_source(asset.data, Limits(max_megapixels=_MEGAPIXELS))
    mark = upright(to_srgb(source.still(None), source.header.icc), source.header.orientation)
    return mark.convert("RGBA").convert("RGBa")


def _places(watermark: Watermark, canvas: Size, stamp: Stamp) -> tuple[tuple[int, int], ...]:
    """The top left corner of each copy of the stamp; it may lie outside of the canvas."""
    margin = geometry.share(canvas, watermark.margin)
    if watermark.gravity is not Gravity.TILE:
        return (geometry.place(canvas, stamp.image.size, geometry.FOCUS[watermark.gravity], margin),)
    width, height = stamp.image.size
    centres = geometry.tiles(canvas, stamp.straight, max(margin, min(stamp.straight)), watermark.rotation)
    return tuple((x - width // 2, y - height // 2) for x, y in centres)


def _lay(image: Image.Image, stamp: Image.Image, place: tuple[int, int]) -> None:
    """Composite `stamp` onto `image` in place, cut off where it leaves the image."""
    left, top = max(0, place[0]), max(0, place[1])
    right, bottom = min(image.width, place[0] + stamp.width), min(image.height, place[1] + stamp.height)
    if right <= left or bottom <= top:
        return
    part = stamp.crop((left - place[0], top - place[1], right - place[0], bottom - place[1]))
    if image.mode == "RGBA":
        image.alpha_composite(part, (left, top))
    else:
        image.paste(part.convert(image.mode), (left, top), part.getchannel("A"))
