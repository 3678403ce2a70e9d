"""Read JPEG (ITU-T T.81). The decoder gets the tables and scans; EXIF, profiles and comments stay outside.

MPO and gain-map files are JPEGs with more behind the end: the still in front is what is read. libjpeg says nothing of
damage inside a scan, nor of an end marker that comes early: such files decode, with grey or smeared blocks. A file
without any end marker behind its first scan is cut off.
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import Image, JpegImagePlugin

from imgpipe.core.decode.modes import plain
from imgpipe.core.decode.reader import Reader, corrupt, cut_off
from imgpipe.core.decode.tiff_tags import orientation
from imgpipe.core.image import Header, Metadata, Size
from imgpipe.core.recipe import Format
from imgpipe.errors import ImageError

_SOS, _EOI = 0xDA, 0xD9
_ALONE: Final = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
"""Markers without a segment, and the zero of a stuffed byte."""
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_MOST_SEGMENTS: Final = 20_000
"""Enough for a gigabyte of metadata."""
_FACTORS: Final = {8: 12.0, 4: 5.2, 2: 2.2}
"""libjpeg's factor -> how much smaller than the source the target has to be. It shrinks by four and by eight with
little more than a box, and what that folds back shows unless some resize follows: with these figures, renditions of
photographs stay above 40 dB against those of a full decode."""
_EXIF, _XMP, _ICC, _IPTC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0", b"Photoshop 3.0\0"


@dataclass(frozen=True)
class _Segment:
    """A marker's segment: where it starts (at its FF), and what it holds."""

    marker: int
    start: int
    body: bytes

    @property
    def for_decoder(self) -> bool:
        """What is not a passenger. JFIF and Adobe segments tell the colours, where libjpeg takes them for valid."""
        if self.marker == 0xE0:
            return self.body.startswith(b"JFIF\0") and len(self.body) >= 14
        if self.marker == 0xEE:
            return self.body.startswith(b"Adobe") and len(self.body) >= 12
        return not 0xE0 <= self.marker <= 0xEF and self.marker != 0xFE


class JpegReader(Reader):
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._segments = tuple(_segments(data))
        frame = next((segment for segment in self._segments if segment.marker in _FRAMES), None)
        if frame is None or len(frame.body) < 6 + 3 * frame.body[5]:
            raise corrupt("JPEG", "no frame header stands before its first scan")
        if frame.body[0] != 8:
            raise ImageError(
                "unsupported_format", f"The JPEG has {frame.body[0]} bits a sample; imgpipe reads those with 8."
            )
        self._frame = frame
        size = (int.from_bytes(frame.body[3:5], "big"), int.from_bytes(frame.body[1:3], "big"))
        self._at_least = size
        exif = self._application(0xE1, _EXIF)
        self.header = Header(
            Format.JPEG,
            size,
            orientation(exif),
            icc=self._icc(),
            metadata=Metadata(exif, self._application(0xE1, _XMP), _iptc(self._application(0xED, _IPTC))),
        )

    def shrunk(self, at_least: Size) -> Reader:
        smaller = copy(self)
        smaller._at_least = at_least
        return smaller

    def memory(self) -> int:
        """Pillow keeps 4 bytes a pixel (grey 1). Several scans also keep every coefficient, 2 bytes each, unshrunk."""
        width, height = self.header.size
        components = [
            (factors >> 4) * (factors & 15) for factors in self._frame.body[7 : 6 + 3 * self._frame.body[5] : 3]
        ]
        pixels = width * height
        several = self._frame.marker in _PROGRESSIVE or self._segments[-1].body[0] < len(components)
        coefficients = 2 * pixels * sum(components) // max(*components, 1) if several else 0
        return coefficients + pixels * (1 if len(components) == 1 else 4) // self._factor() ** 2

    def still(self) -> Image.Image:
        kept = [self._data[:2]]
        for segment, following in zip(self._segments, self._segments[1:], strict=False):
            if segment.for_decoder:
                kept.append(self._data[segment.start : following.start])
        kept.append(self._data[self._segments[-1].start :])
        image: Image.Image = JpegImagePlugin.JpegImageFile(BytesIO(b"".join(kept)))
        width, height = self.header.size
        factor = self._factor()
        image.draft(None, (width // factor, height // factor))
        image.load()
        return plain(image)

    def _factor(self) -> int:
        room = min(side / least for side, least in zip(self.header.size, self._at_least, strict=True))
        return next((factor for factor, least in _FACTORS.items() if room >= least), 1)

    def _application(self, marker: int, name: bytes) -> bytes | None:
        """What the segments of one application hold, joined, behind its name."""
        found = [
            each.body[len(name) :] for each in self._segments if each.marker == marker and each.body.startswith(name)
        ]
        return b"".join(found) or None

    def _icc(self) -> bytes | None:
        """The profile (ICC.1, annex B.4: number, count, part); None where parts are missing."""
        parts = sorted(each.body[12:] for each in self._segments if each.marker == 0xE2 and each.body.startswith(_ICC))
        whole = [part[0] for part in parts if len(part) > 2] == list(range(1, len(parts) + 1))
        return b"".join(part[2:] for part in parts) or None if whole else None


def _segments(data: bytes) -> Iterator[_Segment]:
    """The segments up to and with the first scan's header. Raises ImageError where there is none, or no end marker."""
    at, count = 2, 0
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 4:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _ALONE:
            at += 2
            continue
        if marker == _EOI:
            raise corrupt("JPEG", "it ends before its first scan")
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data) or end < at + 4:
            break
        count += 1
        if count > _MOST_SEGMENTS:
            raise corrupt("JPEG", f"more than {_MOST_SEGMENTS} segments stand before its first scan")
        yield _Segment(marker, at, data[at + 4 : end])
        if marker == _SOS:
            if data.rfind(b"\xff\xd9", end) < 0:
                raise cut_off("JPEG", data, "an end marker")
            return
        at = end
    raise cut_off("JPEG", data, "any image data")


def _iptc(resources: bytes | None) -> bytes | None:
    """The IPTC-IIM datasets among Photoshop's image resources: `8BIM`, 0x0404, a padded name, a length, the data."""
    at = 0
    while resources and resources[at : at + 4] == b"8BIM":
        name = resources[at + 6] if at + 6 < len(resources) else 0
        start = at + 8 + name + name % 2 + 4
        size = int.from_bytes(resources[start - 4 : start], "big")
        if resources[at + 4 : at + 6] == b"\x04\x04":
            return resources[start : start + size] or None
        at = start + size + size % 2
    return None
