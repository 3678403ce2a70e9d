"""What each encoder is told, and why: one encode of finished frames at one quality.

Times are for two megapixels on one core, sizes over a dozen photos. Nothing is written but pixels, timing and tags: the
frames must carry no `info`, from which Pillow writes comments, profiles and more unasked.
"""

import struct
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any, Final

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imgpipe.core import gif
from imgpipe.core.bmff import boxes
from imgpipe.core.image import Timing
from imgpipe.core.metadata import Tags
from imgpipe.core.recipe import Format, Preset

QUALITY: Final = {Format.JPEG: 82, Format.WEBP: 80, Format.AVIF: 64}
"""Quality where the preset names none. AVIF's and WebP's look alike (SSIM 0.971 and 0.969, JPEG 0.976), in 40% and 37%
fewer bytes than JPEG."""

_FULL_COLOUR_FROM: Final = 90
"""From this quality on JPEG and AVIF keep colour at full resolution (4:4:4), below at half (4:2:0)."""

_SEGMENT: Final = 65_533
"""The most bytes that one segment of a JPEG holds; packets that are longer are left out."""

_Settings = dict[str, Any]


def write(
    frames: Sequence[Image.Image], timing: Timing | None, format: Format, preset: Preset, tags: Tags, quality: int
) -> bytes:
    """The bytes of `frames`; `timing` None is a still. Raises what Pillow raises."""
    if format is Format.GIF:
        background = "#ffffff" if preset.background == "transparent" else preset.background
        return gif.write(frames, timing, background, tags.xmp)
    settings = _settings(format, frames[0].mode, preset, tags, quality)
    if timing:
        # A list: of a generator, Pillow's PNG writer would see no more than the first frame.
        settings |= {"save_all": True, "append_images": list(frames[1:])}
        settings |= {"duration": list(timing.durations), "loop": timing.plays}
    file = BytesIO()
    frames[0].save(file, format.upper(), **settings)
    data = file.getvalue()
    return _without_times(data) if format is Format.AVIF and timing else data


def _settings(format: Format, mode: str, preset: Preset, tags: Tags, quality: int) -> _Settings:
    match format:
        case Format.JPEG:
            return _jpeg(tags, quality)
        case Format.PNG:
            return _png(tags)
        case Format.WEBP:
            return _webp(tags, quality, preset.lossless)
        case Format.AVIF:
            return _avif(tags, quality, mode)
        case _:
            raise ValueError(f"{format} is not written")


def _jpeg(tags: Tags, quality: int) -> _Settings:
    # Baseline: 5 ms. Optimised (9 ms, 2% smaller) and progressive (23 ms, 5%) fail in Pillow on noise, whose bytes
    # outgrow the one buffer that they must fit in.
    exif = b"Exif\0\0" + tags.exif if tags.exif else b""
    return {
        "quality": quality,
        "subsampling": _subsampling(quality),
        "exif": exif if len(exif) <= _SEGMENT else b"",
        "extra": _xmp_segment(tags.xmp) + _iptc_segment(tags.iptc),
    }


def _xmp_segment(xmp: bytes | None) -> bytes:
    """ISO 16684-3: an APP1 segment with XMP's address."""
    return _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp) if xmp else b""


def _iptc_segment(iptc: bytes | None) -> bytes:
    """IIM is Photoshop's image resource 0x0404, of even length, in an APP13 segment."""
    if not iptc:
        return b""
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    return _segment(0xED, b"Photoshop 3.0\0" + resource)


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data if len(data) <= _SEGMENT else b""


def _png(tags: Tags) -> _Settings:
    info = PngInfo()
    if tags.xmp:
        info.add_itxt("XML:com.adobe.xmp", tags.xmp)
    # Level 4: 201 ms; 6 takes 461 ms for 2% less, 1 takes 116 ms for 10% more.
    return {"compress_level": 4, "pnginfo": info, "exif": tags.exif}


def _webp(tags: Tags, quality: int, lossless: bool) -> _Settings:
    return {
        # Method 2: 56 ms; 4 takes 129 ms for 4% less, 0 takes 33 ms for 20% more.
        "method": 2,
        # Where lossless, quality means effort. 20: 373 ms; 50 takes 573 ms for 2% less.
        "quality": 20 if lossless else quality,
        "lossless": lossless,
        # For animations: no key frames, and each frame lossy or not, whichever is smaller. Both together make flat
        # drawings a third smaller, in less time.
        "kmin": 0,
        "kmax": 0,
        "allow_mixed": not lossless,
        "exif": tags.exif or b"",
        "xmp": tags.xmp or b"",
    }


def _avif(tags: Tags, quality: int, mode: str) -> _Settings:
    return {
        "quality": quality,
        "subsampling": "4:0:0" if mode == "L" else _subsampling(quality),
        # Speed 9: 77 ms; 8 takes 255 ms for 6% less, 6 takes 882 ms for 11% less.
        "speed": 9,
        # Bytes must not depend on how many cores there are.
        "max_threads": 1,
        "exif": tags.exif,
        "xmp": tags.xmp,
    }


def _without_times(avif: bytes) -> bytes:
    """The same without the time of day, with which libavif stamps animations; 0 is unknown (ISO/IEC 14496-12)."""
    edited = bytearray(avif)
    for start, size in _stamps(avif, 0, len(avif)):
        edited[start : start + size] = bytes(size)
    return bytes(edited)


def _stamps(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where the creation and modification times of the movie, its tracks and their media lie, and their length."""
    for kind, content, stop in boxes(data, start, end):
        if kind in (b"moov", b"trak", b"mdia"):
            yield from _stamps(data, content, stop)
        elif kind in (b"mvhd", b"tkhd", b"mdhd"):
            yield content + 4, 16 if data[content] == 1 else 8


def _subsampling(quality: int) -> str:
    return "4:4:4" if quality >= _FULL_COLOUR_FROM else "4:2:0"
