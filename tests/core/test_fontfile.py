import struct
import unicodedata
from contextlib import suppress
from functools import partial
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFont

from imgpipe.core.fontfile import missing, needs_shaping
from imgpipe.core.recipe_assets import default_font

OPEN_SANS = default_font().data
PRINTABLE = [chr(code) for code in range(0x21, 0x3000) if chr(code).isprintable()]


def font_of(*subtables: tuple[int, int, bytes], outlines: bytes = b"glyf", start: int = 0) -> bytes:
    """The smallest font with these character maps, each (platform, encoding, bytes); `start` is where it will lie."""
    cmap = struct.pack(">HH", 0, len(subtables))
    offset = 4 + 8 * len(subtables)
    for platform, encoding, subtable in subtables:
        cmap += struct.pack(">HHI", platform, encoding, offset)
        offset += len(subtable)
    cmap += b"".join(subtable for _, _, subtable in subtables)
    at = start + 12 + 2 * 16
    header = b"\0\1\0\0" + struct.pack(">HHHH", 2, 0, 0, 0)
    directory = struct.pack(">4sIII", b"cmap", 0, at, len(cmap)) + struct.pack(">4sIII", outlines, 0, at, 0)
    return header + directory + cmap


def format_0(glyphs: dict[str, int]) -> bytes:
    return struct.pack(">HHH", 0, 262, 0) + bytes(glyphs.get(chr(code), 0) for code in range(256))


def format_4(*segments: tuple[int, int, int]) -> bytes:
    """Segments of (first, last, delta)."""
    firsts, lasts, deltas = zip(*segments, (0xFFFF, 0xFFFF, 1), strict=True)
    words = partial(struct.pack, f">{len(firsts)}H")
    body = words(*lasts) + b"\0\0" + words(*firsts) + words(*deltas) + words(*[0] * len(firsts))
    return struct.pack(">HHHHHHH", 4, 14 + len(body), 0, 2 * len(firsts), 0, 0, 0) + body


def format_4_with_own_glyphs(first: str, glyphs: list[int]) -> bytes:
    last = ord(first) + len(glyphs) - 1
    head = struct.pack(">HHHHHHH", 4, 0, 0, 4, 0, 0, 0)
    ranges = struct.pack(">HH", 4, 0)
    body = struct.pack(">HHHHHHH", last, 0xFFFF, 0, ord(first), 0xFFFF, 0, 1) + ranges
    return head + body + struct.pack(f">{len(glyphs)}H", *glyphs)


def format_6(first: str, glyphs: list[int]) -> bytes:
    return struct.pack(f">HHHHH{len(glyphs)}H", 6, 0, 0, ord(first), len(glyphs), *glyphs)


def format_12(*groups: tuple[int, int, int]) -> bytes:
    """Groups of (first, last, first's glyph)."""
    return struct.pack(">HHIII", 12, 0, 0, 0, len(groups)) + b"".join(struct.pack(">III", *group) for group in groups)


def test_open_sans_draws_latin_greek_and_cyrillic() -> None:
    assert missing(OPEN_SANS, "Straße, naïveté, Łódź, Ωμέγα, Жёлтый № 1 © 2026 €\n“new line”") == ""


def test_what_the_font_lacks_is_named_once_and_in_order() -> None:
    assert missing(OPEN_SANS, "a漢b字c漢🎉") == "漢字🎉"


@given(st.lists(st.sampled_from(PRINTABLE), min_size=1, max_size=40))
def test_a_missing_character_is_what_freetype_draws_as_no_glyph(characters: list[str]) -> None:
    font = ImageFont.truetype(BytesIO(OPEN_SANS), 20, layout_engine=ImageFont.Layout.BASIC)
    nothing = bytes(font.getmask("\U0010fffd"))
    assert set(missing(OPEN_SANS, "".join(characters))) == {c for c in characters if bytes(font.getmask(c)) == nothing}


@pytest.mark.parametrize(
    "subtable",
    [
        format_0({"a": 1, "b": 2}),
        format_4((ord("a"), ord("b"), 0)),
        format_4((ord("A"), ord("B"), 0), (ord("a"), ord("b"), 65000)),
        format_4_with_own_glyphs("`", [0, 7, 8, 0]),
        format_6("a", [5, 6, 0]),
        format_12((ord("a"), ord("b"), 3)),
        format_12((ord("1"), ord("9"), 3), (ord("a"), ord("b"), 12), (0x1F600, 0x1F602, 14)),
    ],
    ids=["0", "4", "4-delta", "4-own-glyphs", "6", "12", "12-groups"],
)
def test_each_format_of_character_map_is_read(subtable: bytes) -> None:
    assert missing(font_of((0, 3, subtable)), "`abc") == "`c"


def test_a_map_of_all_characters_goes_before_one_of_the_first_65536() -> None:
    whole, basic = format_12((0x1F600, 0x1F600, 1)), format_4((ord("a"), ord("z"), 0))
    assert missing(font_of((3, 1, basic), (3, 10, whole)), "a😀") == "a"
    assert missing(font_of((3, 1, basic)), "a😀") == "😀"


def test_a_glyph_of_number_0_is_missing() -> None:
    assert missing(font_of((0, 3, format_12((ord("a"), ord("b"), 0)))), "ab") == "a"


def test_of_a_collection_the_first_face_counts() -> None:
    start = 24
    faces = b"ttcf" + struct.pack(">IIIII", 0x10000, 2, start, 0, 0)
    assert missing(faces + font_of((3, 1, format_6("a", [1])), start=start), "ab") == "b"


def test_opentype_outlines_count_as_well() -> None:
    font = b"OTTO" + font_of((3, 1, format_6("a", [1])), outlines=b"CFF ")[4:]
    assert missing(font, "ab") == "b"


@pytest.mark.parametrize(
    ("font", "sentence"),
    [
        (b"", "no TrueType or OpenType font"),
        (b"wOFF" + bytes(100), "no TrueType or OpenType font"),
        (b"ttcf", "damaged"),
        (OPEN_SANS[:100_000], "cut off"),
        (OPEN_SANS[:20], "damaged"),
        (font_of((3, 1, format_6("a", [1])), outlines=b"CBDT"), "no outlines"),
        (font_of((1, 0, format_0({"a": 1}))), "no Unicode character map"),
        (font_of((3, 1, struct.pack(">H", 2))), "no Unicode character map"),
    ],
)
def test_what_is_no_font_is_refused_with_a_sentence(font: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        missing(font, "abc")


WHOLE_FONTS = [
    font_of((0, 3, subtable))
    for subtable in (
        format_0({"a": 1}),
        format_4((ord("a"), ord("b"), 0)),
        format_4_with_own_glyphs("a", [1, 2]),
        format_6("a", [1, 2]),
        format_12((ord("a"), ord("b"), 3)),
    )
]


@given(st.sampled_from(WHOLE_FONTS), st.dictionaries(st.integers(0, 120), st.integers(0, 255), max_size=8))
def test_no_bytes_crash_the_reader_or_hold_it_up(whole: bytes, damage: dict[int, int]) -> None:
    font = bytearray(whole)
    for at, byte in damage.items():
        font[at % len(font)] = byte
    with suppress(ValueError):
        assert set(missing(bytes(font), "aé漢😀")) <= set("aé漢😀")


def test_a_map_that_claims_four_billion_groups_takes_no_time() -> None:
    endless = struct.pack(">HHIII", 12, 0, 0, 0, 0xFFFFFFFF)
    with pytest.raises(ValueError, match="damaged"):
        missing(font_of((3, 10, endless)), "a" * 200)


@pytest.mark.parametrize(
    "text",
    ["مرحبا", "שלום", "नमस्ते", "สวัสดี", "မြန်မာ", "ខ្មែរ", "ᠮᠣᠩᠭᠣᠯ", "தமிழ்", "සිංහල", "བོད", "ລາວ", "𞤀", "ߒߞߏ", "𑀅", "ᄒ"],
)
def test_every_letter_of_a_script_that_joins_stacks_or_turns_is_named(text: str) -> None:
    assert needs_shaping(text) == "".join(dict.fromkeys(unicodedata.normalize("NFC", text)))


def test_marks_and_joiners_need_shaping_unless_a_letter_holds_them() -> None:
    assert needs_shaping("e\u0301 o\u0308 \u1112\u1161\u11ab") == ""
    assert needs_shaping("x\u0302 a\u200db \u2066c") == "\u0302\u200d\u2066"


def test_latin_greek_cyrillic_and_chinese_need_no_shaping() -> None:
    assert needs_shaping("Straße, Ωμέγα, Жёлтый, © 2026 — €5, 漢字, かな, 한글, Հայերեն, ქართული") == ""
