"""Read WebP (RFC 9649), animated or not.

The container is walked here, because libwebp takes memory for the whole canvas as soon as it is opened.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Final

from PIL import Image, WebPImagePlugin

from imgpipe.core.decode.modes import plain
from imgpipe.core.decode.reader import Reader, check_frames, corrupt, timing
from imgpipe.core.decode.tiff_tags import orientation
from imgpipe.core.image import Header, Metadata, Size
from imgpipe.core.recipe import Format
from imgpipe.errors import ImageError

_KINDS: Final = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ANIM", b"ICCP", b"EXIF", b"XMP "})


class WebpReader(Reader):
    def __init__(self, data: bytes) -> None:
        self._data = data
        first: dict[bytes, bytes] = {}
        frames: list[int] = []
        for kind, body in _chunks(data):
            if kind == b"ANMF":
                frames.append(_little(body, 12, 3))
                check_frames("WebP", len(frames))
            elif kind in _KINDS:
                first.setdefault(kind, body)
        exif = first.get(b"EXIF", b"").removeprefix(b"Exif\0\0") or None
        self.header = Header(
            Format.WEBP,
            _size(first),
            orientation(exif),
            timing(frames, _little(first.get(b"ANIM", b""), 4, 2)),
            first.get(b"ICCP"),
            Metadata(exif, first.get(b"XMP ")),
        )
        if 0 in self.header.size:
            raise corrupt("WebP", "it does not begin with a whole image header")

    def memory(self) -> int:
        """Measured: two canvases of libwebp's, the bytes that it answers, and the image, at 4 bytes; alpha 1, a
        further frame 4."""
        width, height = self.header.size
        return (21 if self.header.timing else 17) * width * height

    def still(self) -> Image.Image:
        return next(self.frames())

    def frames(self) -> Iterator[Image.Image]:
        image = WebPImagePlugin.WebPImageFile(BytesIO(self._data))
        for index in range(len(self.header.timing.durations) if self.header.timing else 1):
            image.seek(index)
            image.load()
            yield plain(image)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each chunk of the RIFF; image data is left out."""
    end = 8 + _little(data, 4, 4)
    if end > len(data):
        raise ImageError("truncated", f"The WebP is cut off: it has {len(data)} of {end} bytes.")
    at = 12
    while at + 8 <= end:
        kind, length = data[at : at + 4], _little(data, at + 4, 4)
        if at + 8 + length > end:
            raise corrupt("WebP", f"its chunk at byte {at} is longer than the file")
        kept = 24 if kind in (b"VP8 ", b"VP8L", b"ANMF") else length
        yield kind, data[at + 8 : at + 8 + min(kept, length)]
        at += 8 + length + length % 2


def _size(chunks: dict[bytes, bytes]) -> Size:
    """The canvas: an extended file says so, a lossy or lossless one is its only frame."""
    body = chunks.get(b"VP8X", b"")
    if len(body) >= 10:
        return _little(body, 4, 3) + 1, _little(body, 7, 3) + 1
    body = chunks.get(b"VP8 ", b"")
    if body[3:6] == b"\x9d\x01\x2a":
        return _little(body, 6, 2) & 0x3FFF, _little(body, 8, 2) & 0x3FFF
    body = chunks.get(b"VP8L", b"")
    if body[:1] == b"\x2f":
        bits = _little(body, 1, 4)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return 0, 0


def _little(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "little")
