"""Read the boxes of AVIF and HEIC files (ISO/IEC 14496-12 and 23008-12), as far as their decoders do not tell.

That is: whether the file is whole, whether the primary image is HDR, and how long an AVIF sequence shows each frame.
The *primary* item counts: phones add items for other displays (`tmap`), whose colours are not the photo's.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from imgpipe.core.decode import cicp
from imgpipe.errors import ImageError

Box = tuple[bytes, int, int]
"""(type, first byte of the content, first byte after it)."""

_TOP: Final = frozenset(
    {b"ftyp", b"meta", b"mdat", b"moov", b"moof", b"free", b"skip", b"idat", b"uuid", b"mfra", b"sidx"}
)


def boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes that lie between two offsets, cut to `end`."""
    while start + 8 <= end:
        size, kind, head = _number(data, start, 4), data[start + 4 : start + 8], 8
        if size == 1:
            size, head = _number(data, start + 8, 8), 16
        stop = start + size if size else end
        if stop < start + head:
            return
        yield kind, start + head, min(stop, end)
        start = stop


def brands(data: bytes) -> tuple[bytes, ...]:
    """The major brand and the compatible ones; none where `data` does not begin with an `ftyp` box."""
    if data[4:8] != b"ftyp" or len(data) < 12:
        return ()
    end = min(_number(data, 0, 4), len(data), 1024)
    return (data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4)))


def check_end(data: bytes) -> None:
    """Raise ImageError (`truncated`) where a box at the top ends behind the file. What is no such box ends the look."""
    start = 0
    while start + 8 <= len(data) and data[start + 4 : start + 8] in _TOP:
        size = _number(data, start, 4)
        if size == 1:
            size = _number(data, start + 8, 8)
        stop = start + size if size else len(data)
        if stop > len(data):
            kind = data[start + 4 : start + 8].decode()
            raise ImageError(
                "truncated", f"The file ends at byte {len(data)}, but its {kind} box would end at byte {stop}."
            )
        if stop <= start:
            return
        start = stop


def profile(format_name: str, data: bytes) -> bytes | None:
    """The profile that the numbers of the primary image, or of a track of pictures, stand for (`cicp.profile`)."""
    found = None
    for kind, start, _ in _colours(data):
        if kind == b"colr" and data[start : start + 4] == b"nclx":
            said = cicp.profile(format_name, _number(data, start + 4, 2), _number(data, start + 6, 2))
            found = found or said
    return found


def durations(data: bytes, count: int) -> tuple[int, ...]:
    """Milliseconds for each of the `count` frames of the first picture track."""
    for media in _pictures(data):
        header, times = _child(data, media, b"mdhd"), _child(data, media, b"minf", b"stbl", b"stts")
        if header and times:
            scale_at = header[1] + (20 if data[header[1]] else 12)
            scale = _number(data, scale_at, 4) or 1
            found: list[int] = []
            for at in range(times[1] + 8, times[2] - 7, 8):
                shown = round(1000 * _number(data, at + 4, 4) / scale)
                found += [shown] * min(_number(data, at, 4), count - len(found))
            return tuple(found + [0] * (count - len(found)))
    return (0,) * count


def _colours(data: bytes) -> Iterator[Box]:
    """The properties of the primary item, then the boxes that describe the first picture track's samples."""
    top: Box = (b"", 0, len(data))
    meta = _child(data, top, b"meta")
    if meta:
        body: Box = (b"meta", meta[1] + 4, meta[2])
        primary, pool, links = (
            _child(data, body, *path) for path in ((b"pitm",), (b"iprp", b"ipco"), (b"iprp", b"ipma"))
        )
        if primary and pool and links:
            properties = list(islice(boxes(data, pool[1], pool[2]), 0x7FFF))  # more have no number
            item = _number(data, primary[1] + 4, 4 if data[primary[1]] else 2)
            yield from (properties[index - 1] for index in _linked(data, links, item) if 0 < index <= len(properties))
    for media in _pictures(data):
        description = _child(data, media, b"minf", b"stbl", b"stsd")
        for _, start, end in boxes(data, description[1] + 8, description[2]) if description else ():
            yield from boxes(data, start + 78, end)


def _linked(data: bytes, links: Box, item: int) -> Iterator[int]:
    """Numbers (from 1) of the properties that an `ipma` box gives to `item`."""
    _, at, end = links
    id_bytes, wide = (4 if data[at] else 2), data[at + 3] & 1
    at += 8
    while at + id_bytes < end:
        owner, count = _number(data, at, id_bytes), data[at + id_bytes]
        at += id_bytes + 1
        for _ in range(count):
            if owner == item:
                yield _number(data, at, 2) & 0x7FFF if wide else _number(data, at, 1) & 0x7F
            at += 2 if wide else 1


def _pictures(data: bytes) -> Iterator[Box]:
    """The media box of each track of pictures: alpha's is a track of its own, with another handler."""
    movie = _child(data, (b"", 0, len(data)), b"moov")
    for kind, start, end in boxes(data, movie[1], movie[2]) if movie else ():
        media = _child(data, (kind, start, end), b"mdia") if kind == b"trak" else None
        handler = _child(data, media, b"hdlr") if media else None
        if media and handler and data[handler[1] + 8 : handler[1] + 12] == b"pict":
            yield media


def _child(data: bytes, box: Box, *path: bytes) -> Box | None:
    """The first box at the end of a path of types below `box`."""
    for wanted in path:
        inner = next((found for found in boxes(data, box[1], box[2]) if found[0] == wanted), None)
        if inner is None:
            return None
        box = inner
    return box


def _number(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "big")
