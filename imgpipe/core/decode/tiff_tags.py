"""Read the first directory of a TIFF, or of EXIF, which is one: whole numbers only, and never an error.

Orientation comes from here, so that broken EXIF costs its orientation and not the image.
"""

from typing import Final, NamedTuple

_SIZES: Final = {1: 1, 3: 2, 4: 4, 13: 4, 16: 8}
"""Bytes of TIFF 6.0's whole numbers (and BigTIFF's LONG8): BYTE, SHORT, LONG, IFD."""
_ORIENTATION: Final = 0x0112


class Tag(NamedTuple):
    """`value` is a lone number, and 0 where there are several, or something else; `end` the byte behind the values."""

    value: int
    end: int


def first_directory(data: bytes) -> dict[int, Tag]:
    """The tags by number; none where the directory is not all there. Values may yet lie behind the end."""
    if data[:2] not in (b"II", b"MM"):
        return {}

    def number(at: int, length: int) -> int:
        return int.from_bytes(data[at : at + length], "little" if data[:1] == b"I" else "big")

    big = number(2, 2) == 43
    start = number(8, 8) if big else number(4, 4)
    entry, word = (20, 8) if big else (12, 4)
    first = start + (8 if big else 2)
    end = first + entry * number(start, first - start)
    found: dict[int, Tag] = {}
    for at in range(first, end, entry) if end <= len(data) else ():
        place, size = at + 4 + word, _SIZES.get(number(at + 2, 2), 0)
        length = size * number(at + 4, word)
        value = number(place, size) if length == size else 0
        found.setdefault(number(at, 2), Tag(value, length + (place if length <= word else number(place, word))))
    return found


def orientation(exif: bytes | None) -> int:
    """EXIF's orientation, 1 to 8; 1 where there is none, or none that can be read."""
    value = first_directory(exif or b"").get(_ORIENTATION, Tag(1, 0)).value
    return value if 1 <= value <= 8 else 1
