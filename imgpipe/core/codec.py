"""Bytes to checked header to pixels: the one door through which a source is opened.

Every limit is held against what the container says before a pixel is decoded, and whatever a foreign decoder raises
becomes an `ImageError`: a bad image is an answer. What a decoder does not report cannot fail: `decode.jpeg` says what
that is.
"""

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from PIL import Image

from imgpipe.core.containers import sniff
from imgpipe.core.decode.reader import Reader
from imgpipe.core.image import Header, Size
from imgpipe.core.recipe import Format, Limits
from imgpipe.errors import ImageError

Image.MAX_IMAGE_PIXELS = None  # max_megapixels is the recipe's to say, and is checked earlier

_NAMES: Final = {Format.WEBP: "WebP"}
_TRUNCATED: Final = re.compile(r"truncated|not enough image data|unexpected end|end.of.file|premature", re.IGNORECASE)
_UNSUPPORTED: Final = re.compile(r"unsupported|not (yet )?supported|unknown pixel mode|unimplemented", re.IGNORECASE)


class Source:
    """An opened source: its header, and its pixels when asked for.

    Images are of the modes L, RGB, RGBA (straight; only where something is not opaque), CMYK (0 is no ink) or LAB, with
    an empty `info`. The frames of one animation may differ in mode. Every method raises ImageError.
    """

    def __init__(self, reader: Reader, limits: Limits) -> None:
        self._reader = reader
        self._limits = limits
        self.header: Header = reader.header

    def still(self, at_least: Size | None) -> Image.Image:
        """The first frame, in the orientation that it is stored in.

        A decoder that can shrinks it while loading, by a whole factor, as far as no side falls below `at_least` (as
        stored; the aspect of the source, or it shrinks by less); None is the full size.
        """
        reader = self._reader.shrunk(at_least) if at_least else self._reader
        self._check_memory(reader)
        with _decoding(self.header.format):
            image = reader.still()
        if reader is self._reader:
            self._check_size(image)
        return image

    def frames(self) -> Iterator[Image.Image]:
        """Every frame, whole, one at a time; a source without `header.timing` has one."""
        self._check_memory(self._reader)
        frames = self._reader.frames()
        while True:
            with _decoding(self.header.format):
                frame = next(frames, None)
            if frame is None:
                return
            self._check_size(frame)
            yield frame

    def _check_size(self, image: Image.Image) -> None:
        if image.size != self.header.size:
            sizes = f"{_by(self.header.size)} pixels, and decodes to {_by(image.size)}"
            raise ImageError("corrupt", f"The image says that it is {sizes}.")

    def _check_memory(self, reader: Reader) -> None:
        with _decoding(self.header.format):
            needed = reader.memory() / 1e6
        if needed > self._limits.max_memory_megabytes:
            raise ImageError(
                "out_of_memory",
                f"Decoding the image's {_by(self.header.size)} pixels would take about {needed:.0f} MB of memory; "
                f"the limit is {self._limits.max_memory_megabytes:g}.",
            )


def open_source(data: bytes, limits: Limits) -> Source:
    """Parse the header of `data` and hold it against `limits`. Raises ImageError."""
    _check("too_many_bytes", "The file has {} MB", len(data) / 1e6, limits.max_megabytes)
    format_ = sniff(data)
    reader_of = _reader(format_)  # not below: a library that cannot be loaded is no fault of the image
    with _decoding(format_):
        reader = reader_of(data)
    width, height = reader.header.size
    if width < 1 or height < 1:
        raise ImageError("corrupt", f"The image says that it is {_by(reader.header.size)} pixels.")
    size = f"The image's {_by(reader.header.size)} pixels"
    _check("side_too_long", f"{size} have a side of {{}}", max(width, height), limits.max_side)
    megapixels = width * height / 1e6
    _check("too_many_pixels", f"{size} are {{}} megapixels", megapixels, limits.max_megapixels)
    if reader.header.timing:
        count = len(reader.header.timing.durations)
        total = reader.pixels / 1e6
        _check(
            "too_many_frames", f"{size} in {count} frames are {{}} megapixels", total, limits.max_animation_megapixels
        )
    return Source(reader, limits)


def _check(code: str, sentence: str, value: float, limit: float) -> None:
    if value > limit:
        raise ImageError(code, f"{sentence.format(f'{value:.10g}')}; the limit is {limit:g}.")


def _reader(format_: Format) -> Callable[[bytes], Reader]:
    """Import the one reader that is needed: pi-heif alone takes longer to load than a JPEG to decode."""
    match format_:
        case Format.JPEG:
            from imgpipe.core.decode.jpeg import JpegReader

            return JpegReader
        case Format.PNG:
            from imgpipe.core.decode.png import PngReader

            return PngReader
        case Format.WEBP:
            from imgpipe.core.decode.webp import WebpReader

            return WebpReader
        case Format.AVIF:
            from imgpipe.core.decode.avif import AvifReader

            return AvifReader
        case Format.GIF:
            from imgpipe.core.decode.gif import GifReader

            return GifReader
        case Format.HEIC:
            from imgpipe.core.decode.heic import HeicReader

            return HeicReader
        case Format.TIFF:
            from imgpipe.core.decode.tiff import TiffReader

            return TiffReader
        case Format.BMP:
            from imgpipe.core.decode.bmp import BmpReader

            return BmpReader


@contextmanager
def _decoding(format_: Format) -> Iterator[None]:
    """Foreign code: whatever it raises is the image's fault, and what it warns of is nobody's news."""
    name = _NAMES.get(format_, format_.upper())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError("out_of_memory", f"Decoding the {name} took more memory than there is.") from error
    except Exception as error:
        said = str(error).strip().rstrip(".") or type(error).__name__
        if _TRUNCATED.search(said):
            raise ImageError("truncated", f"The {name} is cut off: {said}.") from error
        if _UNSUPPORTED.search(said):
            raise ImageError(
                "unsupported_format", f"The {name} is of a kind that imgpipe does not read: {said}."
            ) from error
        raise ImageError("corrupt", f"The {name} cannot be decoded: {said}.") from error


def _by(size: Size) -> str:
    return f"{size[0]}×{size[1]}"
