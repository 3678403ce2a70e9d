"""IPTC-IIM datasets, of which only the rights are read.

Specification: IPTC-NAA Information Interchange Model 4.2. A dataset is 0x1C, record, number, a length of two bytes and
the value.
"""

import struct
from collections.abc import Iterator
from typing import Final

from imgpipe.core.rights import Rights, clean, decoded

_CHARSET: Final = (1, 90)
_BYLINE: Final = (2, 80)
_NOTICE: Final = (2, 116)
_UTF8: Final = b"\x1b%G"


def rights(packet: bytes) -> Rights:
    """By-lines (2:80) and copyright notice (2:116); what follows damage is not read. Never raises."""
    values: dict[tuple[int, int], list[bytes]] = {}
    for name, value in _datasets(packet):
        values.setdefault(name, []).append(value)
    declared = _UTF8 in values.get(_CHARSET, [])

    def texts(name: tuple[int, int]) -> list[str]:
        found = values.get(name, [])
        return [clean(value.decode("utf-8", "replace") if declared else decoded(value)) for value in found]

    return Rights(artists=tuple(filter(None, texts(_BYLINE))), notice=next(filter(None, texts(_NOTICE)), ""))


def _datasets(packet: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    place = 0
    while packet[place : place + 1] == b"\x1c" and place + 5 <= len(packet):
        record, number, length = struct.unpack_from(">BBH", packet, place + 1)
        place += 5
        # The high bit announces a length of more bytes: pictures have those, names do not.
        if length & 0x8000 or place + length > len(packet):
            return
        yield (record, number), packet[place : place + length]
        place += length
