"""Read the first directory of a TIFF, or of EXIF, which is one: whole numbers only, and never an error.

Orientation comes from here, so that broken EXIF costs its orientation and not the image.
"""

from typing import Final

_SIZES: Final = {1: 1, 3: 2, 4: 4, 13: 4, 16: 8}
"""Bytes of TIFF 6.0's whole numbers (and BigTIFF's LONG8): BYTE, SHORT, LONG, IFD."""
_ORIENTATION: Final = 0x0112


def first_directory(data: bytes) -> dict[int, int]:
    """Tag -> its first value, for the tags that fit into their entry, and -> 0 for the others that are there."""
    if data[:2] not in (b"II", b"MM"):
        return {}

    def number(at: int, length: int) -> int:
        return int.from_bytes(data[at : at + length], "little" if data[:1] == b"I" else "big")

    big = number(2, 2) == 43
    start = number(8, 8) if big else number(4, 4)
    entry, word = (20, 8) if big else (12, 4)
    first = start + (8 if big else 2)
    found: dict[int, int] = {}
    for at in range(first, min(first + entry * number(start, first - start), len(data) - entry + 1), entry):
        size = _SIZES.get(number(at + 2, 2), 0)
        fits = size * number(at + 4, word) <= word
        found.setdefault(number(at, 2), number(at + 4 + word, size) if fits else 0)
    return found


def orientation(exif: bytes | None) -> int:
    """EXIF's orientation, 1 to 8; 1 where there is none, or none that can be read."""
    value = first_directory(exif or b"").get(_ORIENTATION, 1)
    return value if 1 <= value <= 8 else 1
