"""The boxes that an AVIF is made of, as far as needed to take the time of day out of an animation.

libavif stamps animations with when they were written, so the same frames would have other bytes each second.
Specification: ISO/IEC 14496-12. A box is its length, its type and its content, which may be boxes.
"""

import struct
from typing import Final

_HOLDERS: Final = (b"moov", b"trak", b"mdia")
_STAMPED: Final = (b"mvhd", b"tkhd", b"mdhd")


def without_times(data: bytes) -> bytes:
    """`data` with creation and modification times of zero, which means unknown."""
    edited = bytearray(data)
    _clear(edited, 0, len(edited))
    return bytes(edited)


def _clear(data: bytearray, start: int, end: int) -> None:
    while start + 12 <= end:
        length, kind = struct.unpack_from(">I4s", data, start)
        if length < 8:
            # 0: up to the end of the file; 1: a length of 64 bits. Only picture data comes in such boxes.
            return
        if kind in _HOLDERS:
            _clear(data, start + 8, start + length)
        elif kind in _STAMPED:
            # The version, in the first byte, tells how wide the two times are that follow the flags.
            width = 16 if data[start + 8] == 1 else 8
            data[start + 12 : start + 12 + width] = bytes(width)
        start += length
