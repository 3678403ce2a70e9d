"""Rights survive, and alone; what a rendition makes untrue does not; hostile packets are left out."""

import struct
import time
import warnings
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from imgpipe.core import exif, iptc, xmp
from imgpipe.core.image import Metadata
from imgpipe.core.metadata import Tags, tags
from imgpipe.core.rights import Rights, clean

GPS = ExifTags.IFD.GPSInfo
IFD = ExifTags.IFD.Exif
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
MAKER_NOTE = b"MAKER\0" + bytes(range(200))
THUMBNAIL = b"\xff\xd8" + b"thumbnail" * 50 + b"\xff\xd9"

texts = st.text(st.characters(codec="utf-8"), max_size=60).map(clean)
words = texts.filter(bool)
rights = st.builds(Rights, st.lists(words, max_size=3).map(tuple), texts, texts, texts, texts)


def camera_exif(artist: bytes = b"", notice: bytes = b"") -> bytes:
    """What a phone writes: orientation, place, serial number, dimensions, MakerNote and a thumbnail."""
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "Camera"
    tags[ExifTags.Base.Orientation] = 6
    tags[ExifTags.Base.Software] = "Firmware"
    if artist:
        tags[ExifTags.Base.Artist] = artist
    if notice:
        tags[ExifTags.Base.Copyright] = notice
    tags[IFD] = {0xA002: 4000, 0xA003: 3000, 0xA001: 65535, 0xA431: "SERIAL-123", 0x927C: MAKER_NOTE, 0x829A: 0.01}
    tags[GPS] = {1: "N", 2: (51.0, 30.0, 0.0)}
    return with_thumbnail(tags.tobytes().removeprefix(b"Exif\0\0"))


def with_thumbnail(packet: bytes) -> bytes:
    """`packet` (big-endian) with a second directory that describes a thumbnail, orientation included."""
    second = len(packet) + len(packet) % 2
    rows = [(0x0112, 3, 1, 6 << 16), (0x0201, 4, 1, second + 42), (0x0202, 4, 1, len(THUMBNAIL))]
    table = struct.pack(">H", 3) + b"".join(struct.pack(">HHII", *row) for row in rows) + bytes(4)
    grown = bytearray(packet.ljust(second, b"\0") + table + THUMBNAIL)
    (first,) = struct.unpack_from(">I", grown, 4)
    (count,) = struct.unpack_from(">H", grown, first)
    struct.pack_into(">I", grown, first + 2 + 12 * count, second)
    return bytes(grown)


def loaded(packet: bytes | None) -> Image.Exif:
    assert packet is not None
    read = Image.Exif()
    read.load(packet)
    return read


def rdf(content: str, attributes: str = "") -> bytes:
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:rdf="{RDF}" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" xmlns:cc="http://creativecommons.org/ns#" '
        'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:GCamera="http://ns.google.com/photos/1.0/camera/">'
        f'<rdf:RDF><rdf:Description rdf:about="" {attributes}>{content}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


def dataset(record: int, number: int, value: bytes) -> bytes:
    return struct.pack(">BBBH", 0x1C, record, number, len(value)) + value


@given(rights)
def test_any_text_survives_xmp(said: Rights) -> None:
    assert xmp.rights(xmp.written(said)) == said


@given(st.lists(words.filter(lambda name: ";" not in name), max_size=3).map(tuple), texts)
def test_any_text_survives_exif(artists: tuple[str, ...], notice: str) -> None:
    said = Rights(artists, notice)
    packet = exif.written(said)
    assert exif.rights(packet) == said if packet else not said


def test_copyright_carries_the_rights_and_nothing_else() -> None:
    source = Metadata(
        exif=camera_exif("Ann Öst; Bob".encode(), "© 2026 Ann".encode()),
        xmp=rdf(
            '<cc:license rdf:resource="https://example.org/by/4.0/"/>'
            '<xmpRights:UsageTerms><rdf:Alt><rdf:li xml:lang="de">fragen</rdf:li>'
            '<rdf:li xml:lang="x-default">ask</rdf:li></rdf:Alt></xmpRights:UsageTerms>',
            'xmp:CreatorTool="Editor" exif:GPSLatitude="51,30N" xmpRights:WebStatement="https://example.org/terms"',
        ),
    )
    carried = tags(source, "copyright")
    assert dict(loaded(carried.exif)) == {
        ExifTags.Base.Artist: "Ann Öst; Bob".encode().decode("latin-1"),
        ExifTags.Base.Copyright: "© 2026 Ann".encode().decode("latin-1"),
    }
    assert carried.xmp is not None
    assert xmp.rights(carried.xmp) == Rights(
        ("Ann Öst", "Bob"), "© 2026 Ann", "ask", "https://example.org/terms", "https://example.org/by/4.0/"
    )
    names = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(carried.xmp).iter()}  # noqa: S314
    assert names == {
        *("xmpmeta", "RDF", "Description", "Seq", "Alt", "li"),
        *("creator", "rights", "UsageTerms", "WebStatement", "license"),
    }
    assert carried.iptc is None
    for packet in (carried.exif, carried.xmp):
        assert packet is not None
        assert not any(private in packet for private in (b"SERIAL", b"51,30", b"Firmware", b"Editor", MAKER_NOTE))


def test_without_rights_copyright_writes_nothing() -> None:
    assert tags(Metadata(exif=camera_exif(), xmp=rdf("", 'xmp:CreatorTool="Editor"')), "copyright") == Tags()


def test_none_writes_nothing() -> None:
    source = Metadata(camera_exif(b"Ann"), xmp.written(Rights(("Ann",))), dataset(2, 80, b"Ann"))
    assert tags(source, "none") == Tags()


def test_exif_wins_over_xmp_and_xmp_over_iptc() -> None:
    everywhere = Metadata(
        exif.written(Rights(notice="From EXIF")),
        xmp.written(Rights(notice="From XMP", artists=("From XMP",))),
        dataset(2, 116, b"From IPTC") + dataset(2, 80, b"From IPTC"),
    )
    carried = tags(everywhere, "copyright")
    assert xmp.rights(carried.xmp or b"") == Rights(("From XMP",), "From EXIF")
    without_xmp = tags(Metadata(exif=everywhere.exif, iptc=everywhere.iptc), "copyright")
    assert xmp.rights(without_xmp.xmp or b"") == Rights(("From IPTC",), "From EXIF")


def test_a_blank_exif_notice_does_not_hide_the_one_in_xmp() -> None:
    source = Metadata(camera_exif(notice=b"   \0 "), xmp.written(Rights(notice="© Ann")))
    assert xmp.rights(tags(source, "copyright").xmp or b"").notice == "© Ann"


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (dataset(2, 80, "Öst".encode()), "Öst"),
        (dataset(2, 80, "Öst".encode("latin-1")), "Öst"),
        (dataset(1, 90, b"\x1b%G") + dataset(2, 80, "Жанна".encode()), "Жанна"),
        (dataset(2, 80, b"Ann") + b"\x1c\x02\x74\xff\xff", "Ann"),
        (dataset(2, 80, b"Ann") + b"garbage", "Ann"),
    ],
)
def test_iptc_names_are_read_in_any_common_charset(packet: bytes, expected: str) -> None:
    assert iptc.rights(packet).artists == (expected,)


@given(st.binary(max_size=200))
def test_iptc_of_random_bytes_never_raises(packet: bytes) -> None:
    iptc.rights(packet)
    iptc.rights(b"\x1c\x02" + packet)


def test_all_keeps_exif_but_for_what_became_untrue() -> None:
    packet = camera_exif(b"Ann")
    kept = exif.without_stale(packet)
    read = loaded(kept)
    assert kept is not None
    assert ExifTags.Base.Orientation not in read
    assert read.get_ifd(ExifTags.IFD.IFD1) == {}
    assert b"thumbnail" not in kept
    assert len(kept) == len(packet) - len(THUMBNAIL)
    assert (read[ExifTags.Base.Artist], read[ExifTags.Base.Make]) == ("Ann", "Camera")
    assert set(read.get_ifd(IFD)) == {0xA431, 0x927C, 0x829A}
    assert read.get_ifd(GPS)[1] == "N"
    assert kept.index(MAKER_NOTE) == packet.index(MAKER_NOTE)


def test_all_keeps_xmp_but_for_what_became_untrue() -> None:
    packet = rdf(
        "<xmp:Thumbnails><rdf:Alt><rdf:li>/9j/thumb</rdf:li></rdf:Alt></xmp:Thumbnails><dc:format>image/jpeg</dc:format>"
        "<tiff:Orientation>6</tiff:Orientation><GCamera:MotionPhoto>1</GCamera:MotionPhoto>",
        'tiff:Orientation="6" exif:PixelXDimension="4000" xmp:CreatorTool="Editor" exif:GPSLatitude="51,30N"',
    )
    kept = xmp.without_stale(packet)
    assert kept is not None
    assert not any(stale in kept for stale in (b"Orientation", b"thumb", b"PixelX", b"MotionPhoto"))
    assert all(true in kept for true in (b'xmp:CreatorTool="Editor"', b"51,30N", b">image/jpeg</dc:format>"))


HOSTILE_XML = {
    "entity": b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
    "external entity": b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
    "entity in UTF-16": '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'.encode(
        "utf-16"
    ),
    "bare document type": b"<!DOCTYPE a><a/>",
    "depth": b"<a>" * 5_000 + b"</a>" * 5_000,
    "unknown encoding": b'<?xml version="1.0" encoding="nonsense"?><a/>',
    "multi-byte encoding": b'<?xml version="1.0" encoding="utf-7"?><a/>',
    "size": b"<a>" + b" " * 1_000_000 + b"</a>",
    "a long namespace": b'<a xmlns="' + b"u" * 5_000 + b'"/>',
    "many namespaces": b"<a " + b" ".join(b'xmlns:n%d="u%d"' % (n, n) for n in range(500)) + b"/>",
    "truncation": xmp.written(Rights(("Ann",)))[:-40],
    "no XML": b"\xff\xd8\xff\xe0 not XML",
    "nothing": b"",
}


@pytest.mark.parametrize("packet", HOSTILE_XML.values(), ids=HOSTILE_XML)
@pytest.mark.parametrize("policy", ["copyright", "all"])
def test_a_hostile_xmp_packet_is_left_out(packet: bytes, policy: str) -> None:
    assert tags(Metadata(xmp=packet), "copyright" if policy == "copyright" else "all") == Tags()


def test_a_packet_made_of_namespaces_cannot_grow() -> None:
    declared = "".join(f' xmlns:n{n}="{"u" * 190}{n}"' for n in range(150))
    packet = f"<a{declared}>{''.join(f'<n{n % 150}:b/>' for n in range(60_000))}</a>".encode()
    started = time.perf_counter()
    assert xmp.without_stale(packet) is None
    assert time.perf_counter() - started < 10


@given(st.data())
def test_damaged_exif_never_raises_warns_nor_keeps_an_orientation(data: st.DataObject) -> None:
    packet = bytearray(camera_exif(b"Ann"))
    for place in data.draw(st.lists(st.integers(0, len(packet) - 1), max_size=6)):
        packet[place] = data.draw(st.integers(0, 255))
    damaged = bytes(packet[: data.draw(st.integers(0, len(packet)))])
    exif.rights(damaged)
    kept = exif.without_stale(damaged)
    if kept is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert ExifTags.Base.Orientation not in loaded(kept)


def test_directories_that_point_at_each_other_end() -> None:
    rows = [(0x8769, 4, 1, 8)] * 900 + [(0x0201, 4, 1, 8), (0x0202, 4, 1, 2**31)]
    packet = b"MM\0*" + struct.pack(">IH", 8, len(rows)) + b"".join(struct.pack(">HHII", *row) for row in rows)
    started = time.perf_counter()
    exif.without_stale(packet + struct.pack(">I", 8))
    assert time.perf_counter() - started < 2


def test_a_notice_of_many_pages_is_no_notice() -> None:
    assert clean("x" * 10_001) == ""
