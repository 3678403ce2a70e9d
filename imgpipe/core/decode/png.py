"""Read PNG and APNG (PNG, third edition). The decoder gets IHDR, PLTE, tRNS and image data, and no other chunk.

Of an APNG whose default image is not part of the animation, the still is the animation's first frame all the same: the
default image is there for programs that show no animations, and may be a notice. A wrong checksum on a chunk that is
needed means damage; libpng sees it so, Pillow does not look.
"""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Final, NamedTuple

from PIL import Image, PngImagePlugin

from imgpipe.core.decode import cicp
from imgpipe.core.decode.compose import Leave, Patch, compose
from imgpipe.core.decode.modes import plain
from imgpipe.core.decode.reader import Reader, check_frames, corrupt, cut_off, timing
from imgpipe.core.decode.tiff_tags import orientation
from imgpipe.core.image import Header, Metadata, Size
from imgpipe.core.recipe import Format

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_CHECKED: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"fdAT"})
_KEPT: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"acTL", b"cICP", b"iCCP", b"eXIf"})
_DEPTHS: Final = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""Colour type -> bits a sample."""
_PIXEL: Final = {0: 6, 2: 4, 3: 5, 4: 8, 6: 8}
"""Colour type -> measured bytes a pixel, with the conversion of 16 bits, palettes and alpha. A colour key takes 5 more,
an animation's canvas and its copies 16."""
_LEAVE: Final = {1: Leave.NOTHING, 2: Leave.WHAT_WAS}
_XMP: Final = b"XML:com.adobe.xmp\0\0\0"
"""Begins an iTXt chunk with XMP that is not packed (XMP specification, part 3); two names and the packet follow."""
_LARGEST_PROFILE: Final = 16_000_000
"""Bytes, unpacked; the largest printing profiles take 4 million."""


class _Run(NamedTuple):
    """Chunks of image data that follow each other: where the first starts and the last ends."""

    start: int
    end: int


class PngReader(Reader):
    def __init__(self, data: bytes) -> None:
        self._data = data
        walk = _Walk(data)
        first = walk.first
        self._ihdr = first.get(b"IHDR", b"")
        if len(self._ihdr) != 13:
            raise corrupt("PNG", "its IHDR chunk is not whole")
        width, height, self._bits, self._colour = struct.unpack_from(">IIBB", self._ihdr)
        if self._bits not in _DEPTHS.get(self._colour, ()):
            raise corrupt("PNG", f"it has colour type {self._colour} with {self._bits} bits")
        self._palette, self._alpha = first.get(b"PLTE", b""), first.get(b"tRNS", b"")
        if self._colour == 3 and not self._palette:
            raise corrupt("PNG", "its palette is missing")
        if walk.pixels is None:
            raise corrupt("PNG", "it holds no image data")
        self._pixels = walk.pixels
        # Where both are there, the numbers rule (PNG, third edition, 11.3.2.6).
        by_number = cicp.profile("PNG", *first[b"cICP"][:2]) if len(first.get(b"cICP", b"")) == 4 else None
        control = first.get(b"acTL", b"")
        self._patches = [self._patch(*frame) for frame in walk.frames] if len(control) == 8 else []
        plays = int.from_bytes(control[4:], "big")
        exif = first.get(b"eXIf", b"").removeprefix(b"Exif\0\0") or None
        self.header = Header(
            Format.PNG,
            (width, height),
            orientation(exif),
            timing([patch.milliseconds for patch in self._patches], plays),
            by_number or _profile(first.get(b"iCCP")),
            Metadata(exif, walk.xmp),
        )

    def memory(self) -> int:
        width, height = self.header.size
        pixel = _PIXEL[self._colour] + (5 if self._alpha else 0)
        return width * height * (pixel + 16 if self._patches else pixel)

    def still(self) -> Image.Image:
        return next(self.frames())

    def frames(self) -> Iterator[Image.Image]:
        if self._patches:
            return compose(self.header.size, self._patches)
        return iter((self._decode(self.header.size, self._data[self._pixels.start : self._pixels.end]),))

    def _decode(self, size: Size, pixels: bytes) -> Image.Image:
        """Decode IDAT chunks as a PNG of their own."""
        parts = [_SIGNATURE, _chunk(b"IHDR", struct.pack(">II", *size) + self._ihdr[8:])]
        if self._palette:
            parts.append(_chunk(b"PLTE", self._palette))
        if self._colour == 3 and self._alpha:
            parts.append(_chunk(b"tRNS", self._alpha))
        image = PngImagePlugin.PngImageFile(BytesIO(b"".join((*parts, pixels, _chunk(b"IEND", b"")))))
        image.load()
        if self._colour in (0, 2) and self._alpha:
            image.info["transparency"] = self._key()
        return plain(image)

    def _key(self) -> int | tuple[int, ...]:
        """The transparent colour in the decoded image's samples. Of 16-bit colour Pillow keeps the high byte, so
        colours that differ from the key in their low bytes alone turn transparent with it."""
        red, green, blue = (int.from_bytes(self._alpha[at : at + 2], "big") for at in (0, 2, 4))
        if self._colour == 2:
            return red >> self._bits - 8, green >> self._bits - 8, blue >> self._bits - 8
        return red * 255 // (2**self._bits - 1) if self._bits < 8 else red

    def _patch(self, control: bytes, run: _Run | None) -> Patch:
        _, width, height, left, top, delay, parts, dispose, blend = struct.unpack(">IIIIIHHBB", control)
        canvas = struct.unpack_from(">II", self._ihdr)
        if not (run and width and height and left + width <= canvas[0] and top + height <= canvas[1]):
            raise corrupt("PNG", f"a frame of {width}×{height} pixels at {left}, {top} lies outside it or is empty")

        def decode() -> Image.Image:
            packed = bytearray()
            for kind, start, end in _chunks(self._data, run.start, run.end):
                packed += self._data[start + (4 if kind == b"fdAT" else 0) : end]
            return self._decode((width, height), _chunk(b"IDAT", packed))

        leave = _LEAVE.get(dispose, Leave.IT)
        return Patch((left, top), (width, height), 1000 * delay / (parts or 100), leave, blend == 1, decode)


class _Walk:
    """One walk over the chunks, which keeps what is needed: there may be many millions of others.

    `first` has the first chunk of each kind in `_KEPT`, `pixels` the IDAT chunks, `frames` each fcTL with the image
    data behind it: a default image without fcTL is none of them.
    """

    def __init__(self, data: bytes) -> None:
        self.first: dict[bytes, bytes] = {}
        self.pixels: _Run | None = None
        self.frames: list[tuple[bytes, _Run | None]] = []
        self.xmp: bytes | None = None
        for kind, start, end in _chunks(data, len(_SIGNATURE), len(data)):
            whole = _Run(start - 8, end + 4)
            if kind in _CHECKED and zlib.crc32(memoryview(data)[start - 4 : end]) != int.from_bytes(
                data[end : end + 4], "big"
            ):
                raise corrupt("PNG", f"the checksum of its {kind.decode()} chunk at byte {whole.start} is wrong")
            if kind == b"IDAT":
                self.pixels = _longer(self.pixels, whole)
            if kind in (b"IDAT", b"fdAT") and self.frames:
                control, run = self.frames[-1]
                self.frames[-1] = control, _longer(run, whole)
            elif kind == b"fcTL":
                self.frames.append((data[start:end], None))
                check_frames("PNG", len(self.frames))
            elif kind == b"iTXt" and self.xmp is None and data.startswith(_XMP, start):
                self.xmp = data[start:end].split(b"\0", 5)[-1] or None
            elif kind in _KEPT:
                self.first.setdefault(kind, data[start:end])
            elif kind == b"IEND":
                return
        raise cut_off("PNG", data, "its IEND chunk")


def _longer(run: _Run | None, chunk: _Run) -> _Run:
    """`run` with the chunk that follows it; one elsewhere is no part of it."""
    if run is None:
        return chunk
    return _Run(run.start, chunk.end) if run.end == chunk.start else run


def _chunks(data: bytes, at: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk's kind, and where its content starts and ends."""
    while at + 12 <= stop:
        kind, end = data[at + 4 : at + 8], at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > stop:
            return
        if not kind.isalpha():
            raise corrupt("PNG", f"a chunk at byte {at} is called {kind!r}")
        yield kind, at + 8, end
        at = end + 4


def _chunk(kind: bytes, body: bytes | bytearray) -> bytes:
    return b"".join((len(body).to_bytes(4, "big"), kind, body, zlib.crc32(body, zlib.crc32(kind)).to_bytes(4, "big")))


def _profile(iccp: bytes | None) -> bytes | None:
    """The ICC profile behind its name and method; None where it cannot be unpacked."""
    if not iccp:
        return None
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(iccp.partition(b"\0")[2][1:], _LARGEST_PROFILE)
    except zlib.error:
        return None
    return profile if unpacker.eof else None
