"""Which characters a font can draw, read from its `cmap` table alone.

Text is laid out without host libraries, one glyph after the other. So what the font lacks, and what needs more than
that (marks, joining letters, right-to-left), is found here, before anything is drawn. Nothing of the file is trusted:
every read is bounded, and every search takes logarithmic time whatever the tables claim.
"""

import struct
import unicodedata
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Final

Lookup = Callable[[int], int]
"""Code point -> glyph, 0 for none."""

_SHAPED: Final = (
    (0x0900, 0x109F),  # Devanagari and the other scripts of India, Thai, Lao, Tibetan, Myanmar
    (0x1100, 0x11FF),  # Hangul letters that no syllable composes
    (0x1700, 0x18AF),  # the Philippines, Khmer, Mongolian
    (0x1900, 0x1CFF),  # Limbu to Vedic: South-East Asia, Indonesia
    (0xA800, 0xA82F),  # Syloti Nagri
    (0xA840, 0xA97F),  # Phags-pa to Hangul letters, extended
    (0xA980, 0xAADF),  # Javanese, Cham, Tai Viet
    (0xAAE0, 0xAAFF),  # Meetei Mayek, extended
    (0xABC0, 0xABFF),  # Meetei Mayek
    (0xD7B0, 0xD7FF),  # Hangul letters, extended
    (0x11000, 0x11FFF),  # Brahmi and its descendants
)
"""First and last code points of the blocks whose letters join, stack or change places, by Unicode's block list."""

_WHOLE: Final = ((3, 10), (0, 6), (0, 4))
_BASIC: Final = ((3, 1), (0, 3), (0, 2), (0, 1), (0, 0))
"""(platform, encoding) of the character maps that speak Unicode: all of it, or its first 65,536 code points."""


def missing(font: bytes, text: str) -> str:
    """The characters of `text` that `font` has no glyph for, each once; newlines need none.

    `font` is a TrueType or OpenType file or a collection, of which the first face counts
    (ISO/IEC 14496-22, `cmap` formats 0, 4, 6 and 12). Raises ValueError, with a sentence, for anything else.
    """
    glyph = _character_map(font)
    return "".join(c for c in dict.fromkeys(text) if c != "\n" and not glyph(ord(c)))


def needs_shaping(text: str) -> str:
    """The characters of `text`, NFC-normalised, that cannot be drawn one after the other, each once."""
    return "".join(filter(_is_shaped, dict.fromkeys(unicodedata.normalize("NFC", text))))


def _is_shaped(character: str) -> bool:
    return (
        unicodedata.bidirectional(character) in {"R", "AL", "AN"}
        or unicodedata.category(character) in {"Mn", "Mc", "Me", "Cf"}
        or any(first <= ord(character) <= last for first, last in _SHAPED)
    )


def _character_map(font: bytes) -> Lookup:
    tables = _tables(font)
    if "cmap" not in tables or not tables.keys() & {"glyf", "CFF ", "CFF2"}:
        raise ValueError("It has no outlines for Unicode characters.")
    cmap = tables["cmap"]
    offsets = {}
    (count,) = _unpack(font, "H", cmap + 2)
    for index in range(count):
        platform, encoding, offset = _unpack(font, "HHI", cmap + 4 + 8 * index)
        offsets[platform, encoding] = cmap + offset
    for identity in _WHOLE + _BASIC:
        if identity in offsets:
            at = offsets[identity]
            (kind,) = _unpack(font, "H", at)
            if kind in _READERS:
                return _READERS[kind](font, at)
    raise ValueError("It has no Unicode character map that can be read.")


def _tables(font: bytes) -> dict[str, int]:
    """Tag -> offset of each table, all of which lie within the file."""
    start = 0
    if font[:4] == b"ttcf":
        (start,) = _unpack(font, "I", 12)
    if font[start : start + 4] not in {b"\0\1\0\0", b"OTTO", b"true"}:
        raise ValueError("It is no TrueType or OpenType font.")
    tables = {}
    (count,) = _unpack(font, "H", start + 4)
    for index in range(count):
        tag, _checksum, offset, length = _unpack(font, "4sIII", start + 12 + 16 * index)
        if offset + length > len(font):
            raise ValueError("It is cut off: a table ends beyond the end of the file.")
        tables[tag.decode("latin-1")] = offset
    return tables


def _unpack(font: bytes, layout: str, at: int) -> tuple[Any, ...]:
    try:
        return struct.unpack_from(">" + layout, font, at)
    except struct.error:
        raise ValueError("It is damaged: a table points beyond the end of the file.") from None


def _byte_table(font: bytes, at: int) -> Lookup:
    """Format 0: a glyph for each of 256 codes."""
    return lambda code: int(_unpack(font, "B", at + 6 + code)[0]) if code < 256 else 0


def _trimmed_table(font: bytes, at: int) -> Lookup:
    """Format 6: a glyph for each code of one range."""
    first, count = _unpack(font, "HH", at + 6)

    def glyph(code: int) -> int:
        return int(_unpack(font, "H", at + 10 + 2 * (code - first))[0]) if first <= code < first + count else 0

    return glyph


def _segments(font: bytes, at: int) -> Lookup:
    """Format 4: segments sorted by their last code, each with a delta or its own glyphs."""
    (twice,) = _unpack(font, "H", at + 6)
    ends = at + 14
    starts = ends + twice + 2
    deltas = starts + twice
    ranges = deltas + twice

    def word(place: int) -> int:
        return int(_unpack(font, "H", place)[0])

    def glyph(code: int) -> int:
        segment = bisect_left(range(twice // 2), code, key=lambda index: word(ends + 2 * index)) * 2
        if segment >= twice or code > 0xFFFF or word(starts + segment) > code:
            return 0
        own = word(ranges + segment)
        # The offset to a segment's own glyphs counts from where the offset itself is stored.
        found = word(ranges + segment + own + 2 * (code - word(starts + segment))) if own else code
        return (found + word(deltas + segment)) & 0xFFFF if found or not own else 0

    return glyph


def _groups(font: bytes, at: int) -> Lookup:
    """Format 12: groups sorted by their last code, each with consecutive glyphs."""
    (count,) = _unpack(font, "I", at + 12)

    def group(index: int) -> tuple[Any, ...]:
        return _unpack(font, "III", at + 16 + 12 * index)

    def glyph(code: int) -> int:
        index = bisect_left(range(count), code, key=lambda index: int(group(index)[1]))
        if index >= count:
            return 0
        first, _last, start = group(index)
        return int(start + code - first) if first <= code else 0

    return glyph


_READERS: Final = {0: _byte_table, 4: _segments, 6: _trimmed_table, 12: _groups}
