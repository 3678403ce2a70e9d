"""EXIF packets: read the rights, take out what a rendition makes untrue, write the rights afresh.

A packet is a small TIFF file whose values lie where offsets say. `without_stale` therefore edits in place: nothing
moves, so offsets that cameras keep inside a MakerNote stay right, and what is taken out is overwritten with zeros.
Specifications: TIFF 6.0; CIPA DC-008 (Exif 2.32).
"""

import struct
from collections.abc import Container
from typing import Final, NamedTuple

from PIL import Image

from imgpipe.core.rights import Rights, clean, decoded

_ARTIST: Final = 0x013B
_COPYRIGHT: Final = 0x8298
_EXIF_IFD: Final = 0x8769
_TEXT: Final = (1, 2, 7)
_UNITS: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_INTEGERS: Final = {3: "H", 4: "I", 13: "I"}
_THUMBNAILS: Final = ((0x0201, 0x0202), (0x0111, 0x0117))
"""Tags of the offsets and lengths of a thumbnail's data: JPEG, or strips."""

_MAX_BYTES: Final = 1_000_000
_MAX_ROWS: Final = 1000
_MAX_STRIPS: Final = 100
"""More than any packet needs, and few enough that a hostile one costs no time."""

_STALE: Final = frozenset(
    {
        0x0112,  # orientation: applied
        *(0x00FE, 0x00FF, 0x0100, 0x0101, 0x0102, 0x0103, 0x0106, 0x010A, 0x0111, 0x0115, 0x0116, 0x0117, 0x011C),
        *(0x013D, 0x0140, 0x0142, 0x0143, 0x0144, 0x0145, 0x014A, 0x0152, 0x0153, 0x015B),  # a TIFF's own layout
        *(0x0201, 0x0202, 0x0211, 0x0212, 0x0213, 0x0214, 0xA002, 0xA003),
        *(0x012D, 0x013E, 0x013F, 0x8773, 0xA001, 0xA005, 0xA500),  # the colour space: it is sRGB now
        *(0x02BC, 0x83BB, 0x8649),  # XMP, IPTC and Photoshop resources in a TIFF: carried apart, or not at all
    }
)


class _Entry(NamedTuple):
    """A row of a directory: `place` and `size` tell where its value's bytes lie."""

    tag: int
    type: int
    items: int
    place: int
    size: int
    raw: bytes


class _Tiff:
    """A packet that can be edited. Every method raises struct.error where the packet is damaged."""

    def __init__(self, packet: bytes) -> None:
        self.data = bytearray(packet)
        self.order = {b"II*\0": "<", b"MM\0*": ">"}.get(packet[:4], "")
        if not self.order or len(packet) > _MAX_BYTES:
            raise struct.error("not an EXIF packet")
        (self.first,) = self._unpack("I", 4)

    def _unpack(self, layout: str, place: int) -> tuple[int, ...]:
        return struct.unpack_from(self.order + layout, self.data, place)

    def directory(self, place: int) -> list[_Entry]:
        (rows,) = self._unpack("H", place)
        if rows > _MAX_ROWS:
            raise struct.error("not a directory")
        entries = []
        for start in range(place + 2, place + 2 + 12 * rows, 12):
            tag, kind, items, offset = self._unpack("HHII", start)
            size = _UNITS.get(kind, 1) * items
            raw = bytes(self.data[start : start + 12])
            entries.append(_Entry(tag, kind, items, start + 8 if size <= 4 else offset, size, raw))
        return entries

    def following(self, place: int) -> int:
        """Where the directory after the one at `place` lies; 0 where there is none."""
        (rows,) = self._unpack("H", place)
        return self._unpack("I", place + 2 + 12 * rows)[0]

    def value(self, entry: _Entry) -> bytes:
        return bytes(self.data[entry.place : entry.place + entry.size])

    def integers(self, entry: _Entry) -> tuple[int, ...]:
        layout = _INTEGERS.get(entry.type)
        return self._unpack(f"{entry.items}{layout}", entry.place) if layout else ()

    def blank(self, place: int, size: int) -> None:
        end = min(place + size, len(self.data))
        if place < end:
            self.data[place:end] = bytes(end - place)

    def prune(self, place: int, tags: Container[int]) -> None:
        """Take `tags`, their values, what lies outside of the packet, and the link to a following directory out of the
        directory at `place`."""
        entries = self.directory(place)
        end = len(self.data)
        kept = [entry for entry in entries if entry.tag not in tags and entry.place + entry.size <= end]
        for entry in entries:
            if entry.tag in tags:
                self.blank(entry.place, entry.size)
        table = struct.pack(f"{self.order}H", len(kept)) + b"".join(entry.raw for entry in kept)
        room = 2 + 12 * len(entries) + 4
        self.data[place : place + room] = table.ljust(room, b"\0")

    def drop_thumbnail(self, place: int) -> None:
        """Take out the directory at `place` with the picture that it describes; what ends the packet is cut off."""
        wanted = {tag for pair in _THUMBNAILS for tag in pair}
        found = {
            entry.tag: self.integers(entry)[:_MAX_STRIPS] for entry in self.directory(place) if entry.tag in wanted
        }
        self.prune(place, range(0x10000))
        for offsets, sizes in _THUMBNAILS:
            for start, size in zip(found.get(offsets, ()), found.get(sizes, ()), strict=False):
                if place < start < len(self.data) <= start + size:
                    del self.data[start:]
                self.blank(start, size)


def rights(packet: bytes) -> Rights:
    """Artist and copyright of the first directory; nothing of a packet that is damaged. Never raises.

    Artists are separated by semicolons, a photographer's copyright from an editor's by NUL; text is read as UTF-8
    where it is that, as MWG's guidelines ask, although Exif says ASCII.
    """
    try:
        tiff = _Tiff(packet)
        values = {entry.tag: tiff.value(entry) for entry in tiff.directory(tiff.first) if entry.type in _TEXT}
    except struct.error:
        return Rights()
    artists = [clean(name) for part in values.get(_ARTIST, b"").split(b"\0") for name in decoded(part).split(";")]
    notices = [clean(decoded(part)) for part in values.get(_COPYRIGHT, b"").split(b"\0")]
    return Rights(artists=tuple(filter(None, artists)), notice="; ".join(filter(None, notices)))


def without_stale(packet: bytes) -> bytes | None:
    """The packet without what a rendition makes untrue: orientation, thumbnail, pixel dimensions and colour space.

    None where the packet is damaged. A MakerNote stays, whole and where it was.
    """
    try:
        tiff = _Tiff(packet)
        thumbnail = tiff.following(tiff.first)
        nested = {entry.tag: entry for entry in tiff.directory(tiff.first)}.get(_EXIF_IFD)
        if thumbnail:
            tiff.drop_thumbnail(thumbnail)
        for place in tiff.integers(nested)[:1] if nested else ():
            tiff.prune(place, _STALE)
        # Last, so that no overlapping directory can write an orientation back.
        tiff.prune(tiff.first, _STALE)
    except struct.error:
        return None
    return bytes(tiff.data)


def written(rights: Rights) -> bytes | None:
    """A fresh packet with artist and copyright, in UTF-8; None where there is neither."""
    exif = Image.Exif()
    # As bytes: Pillow writes "?" for what is not ASCII in a string.
    if rights.artists:
        exif[_ARTIST] = "; ".join(rights.artists).encode()
    if rights.notice:
        exif[_COPYRIGHT] = rights.notice.encode()
    return exif.tobytes().removeprefix(b"Exif\0\0") if exif else None
