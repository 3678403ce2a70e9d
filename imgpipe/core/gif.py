"""GIF writing: a palette for each frame, and of each frame only what changed.

Pillow compresses the pixels; the blocks around them are written here, because its own writer makes half-transparent
pixels opaque, dithers what did not change anew in every frame, and fails where equal frames add up to long ones.
Specification: CompuServe GIF89a.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, NamedTuple

from PIL import GifImagePlugin, Image, ImageChops

from imgpipe.core.image import Timing

Box = tuple[int, int, int, int]

_COLOURS: Final = 255
"""Of 256, so that one is left for transparency."""
_SHORTEST: Final = 2
_LONGEST: Final = 65535
"""Hundredths of a second that a frame may last. Browsers show what is shorter than 0.02 s for 0.1 s instead."""
_XMP_END: Final = bytes((1, *range(255, -1, -1), 0))
"""Ends an XMP packet such that readers who take its characters for block lengths end with it (ISO 16684-3)."""
_OPAQUE_FROM: Final = 128
_KEEP: Final = 1
_CLEAR: Final = 2
"""Disposal methods: leave the frame in place, or clear its box to transparency before the next."""


class _Layers(NamedTuple):
    """A frame as GIF sees it: colours everywhere, and 255 where they are shown."""

    opaque: Image.Image
    mask: Image.Image


@dataclass(frozen=True)
class _Picture:
    """Palette pixels of a part of the canvas; `hidden` is the index that leaves what is below in view."""

    image: Image.Image
    box: Box
    hidden: int
    centiseconds: int


def write(frames: Sequence[Image.Image], timing: Timing | None, background: str, xmp: bytes | None = None) -> bytes:
    """The frames (L, RGB or RGBA) as a GIF, with an XMP packet where one is given; `timing` None is a still.

    GIF knows only opaque and transparent: pixels below half opacity become transparent, others are laid upon
    `background` (a colour). Durations are rounded to hundredths of a second such that their sum stays right, except
    that no frame gets less than two.
    """
    cleared = any(_clears(*masks) for masks in pairwise(map(_mask, frames)))
    pictures: list[_Picture] = []
    delays = _centiseconds(timing.durations) if timing else [0]
    before: _Layers | None = None
    for frame, delay in zip(frames, delays, strict=True):
        layers = _Layers(_opaque(frame, background), _mask(frame))
        if before is None or cleared:
            pictures.append(_picture(layers.opaque, layers.mask, delay))
        else:
            changed = _changed(before, layers)
            box = changed.getbbox()
            last = pictures[-1]
            if box is None and last.centiseconds + delay <= _LONGEST:
                pictures[-1] = replace(last, centiseconds=last.centiseconds + delay)
            else:
                pictures.append(_picture(layers.opaque, changed, delay, box or (0, 0, 1, 1)))
        before = layers
    return _blocks(pictures, timing.plays if timing else 1, _CLEAR if cleared else _KEEP, xmp)


def _opaque(frame: Image.Image, background: str) -> Image.Image:
    if frame.mode != "RGBA":
        return frame.convert("RGB")
    canvas = Image.new("RGBA", frame.size, background)
    canvas.alpha_composite(frame)
    return canvas.convert("RGB")


def _mask(frame: Image.Image) -> Image.Image:
    """255 where the frame is shown, 0 where it is transparent."""
    if frame.mode != "RGBA":
        return Image.new("L", frame.size, 255)
    return frame.getchannel("A").point([0] * _OPAQUE_FROM + [255] * (256 - _OPAQUE_FROM))


def _clears(before: Image.Image, after: Image.Image) -> bool:
    """Whether a pixel is shown in one frame and not in the next, which no frame can paint."""
    return ImageChops.subtract(before, after).getbbox() is not None


def _changed(before: _Layers, after: _Layers) -> Image.Image:
    """255 where the second frame is shown and differs from the first."""
    red, green, blue = ImageChops.difference(before.opaque, after.opaque).split()
    differs = ImageChops.lighter(ImageChops.lighter(red, green), blue).point([0] + [255] * 255)
    return ImageChops.multiply(ImageChops.lighter(differs, ImageChops.difference(before.mask, after.mask)), after.mask)


def _picture(opaque: Image.Image, shown: Image.Image, centiseconds: int, box: Box | None = None) -> _Picture:
    box = box or (0, 0, *opaque.size)
    part, mask = opaque.crop(box), shown.crop(box)
    image = part.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT)
    if part.getcolors(_COLOURS) is None:
        image = part.quantize(palette=image, dither=Image.Dither.FLOYDSTEINBERG)
    palette = image.getpalette() or []
    hidden = min(len(palette) // 3, _COLOURS)
    image.putpalette([*palette[: 3 * hidden], 0, 0, 0])
    image.paste(hidden, mask=ImageChops.invert(mask))
    return _Picture(image, box, hidden, centiseconds)


def _centiseconds(durations: Sequence[int]) -> list[int]:
    """Milliseconds to hundredths of a second: each end is rounded, not each duration, so that errors do not add up."""
    delays = []
    start = elapsed = 0
    for duration in durations:
        elapsed += duration
        delay = min(max(round(elapsed / 10) - start, _SHORTEST), _LONGEST)
        start += delay
        delays.append(delay)
    return delays


def _blocks(pictures: Sequence[_Picture], plays: int, disposal: int, xmp: bytes | None) -> bytes:
    first = pictures[0].image
    palette = bytes(first.getpalette() or ()).ljust(768, b"\0")
    # Flags: a palette of 256 colours for the first frame; the others bring their own.
    out = [b"GIF89a", struct.pack("<HHBBB", *first.size, 0b1111_0111, 0, 0), palette]
    if plays != 1:
        # Netscape's loop extension counts repeats, after the first play; 0 is for ever.
        out.append(b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", max(plays - 1, 0), 0))
    if xmp:
        out.append(b"!\xff\x0bXMP DataXMP" + xmp + _XMP_END)
    for index, picture in enumerate(pictures):
        out += GifImagePlugin.getdata(
            picture.image,
            picture.box[:2],
            duration=10 * picture.centiseconds,
            disposal=disposal if len(pictures) > 1 else 0,
            transparency=picture.hidden,
            include_color_table=index > 0,
        )
    out.append(b";")
    return b"".join(out)
