"""What a file is, is told by its content; what is not opened is refused by its name."""

import pytest
from make_images import heic, picture, saved

from imgpipe.core.containers import EXTENSIONS, known, sniff
from imgpipe.core.recipe import Format
from imgpipe.errors import ImageError

OPENED = [
    (Format.JPEG, "JPEG"),
    (Format.PNG, "PNG"),
    (Format.WEBP, "WEBP"),
    (Format.AVIF, "AVIF"),
    (Format.GIF, "GIF"),
    (Format.TIFF, "TIFF"),
    (Format.BMP, "BMP"),
]


def ftyp(major: bytes, *brands: bytes) -> bytes:
    body = major + bytes(4) + b"".join(brands)
    return (len(body) + 8).to_bytes(4, "big") + b"ftyp" + body + bytes(64)


@pytest.mark.parametrize(("format_", "name"), OPENED)
def test_each_format_is_known_by_its_first_64_bytes(format_: Format, name: str) -> None:
    data = saved(picture(), name)
    assert sniff(data) is format_
    assert known(data[:64])


def test_heic_is_known_by_its_brands_and_mif1_by_the_compatible_ones() -> None:
    assert sniff(heic(picture())) is Format.HEIC
    assert sniff(ftyp(b"mif1", b"miaf", b"heic")) is Format.HEIC
    assert sniff(ftyp(b"mif1", b"avif", b"miaf")) is Format.AVIF


@pytest.mark.parametrize(
    ("data", "says", "image"),
    [
        (b"II*\0\x10\0\0\0CR\x02\0" + bytes(60), "camera raw", True),
        (ftyp(b"crx ", b"isom"), "camera raw", True),
        (b"FUJIFILMCCD-RAW 0201" + bytes(60), "camera raw", True),
        (b"IIU\0" + bytes(60), "camera raw", True),
        (b"8BPS\0\x01" + bytes(60), "Photoshop", True),
        (b"\0\0\x01\0\x01\0" + bytes(60), "ICO", True),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60), "JPEG 2000", True),
        (b"\xff\x0a" + bytes(60), "JPEG XL", True),
        (ftyp(b"mif1", b"j2ki"), "HEIF image", True),
        (ftyp(b"isom", b"mp41"), "video", False),
        (b'<svg xmlns="http://www.w3.org/2000/svg">', "SVG", False),
        (b"<!DOCTYPE html>", "HTML", False),
        (b"%PDF-1.7", "PDF", False),
        (b"P6\n1 1\n255\nabc", "PNM", False),
    ],
)
def test_what_is_not_opened_is_refused_by_name(data: bytes, says: str, image: bool) -> None:
    with pytest.raises(ImageError, match=says) as caught:
        sniff(data)
    assert caught.value.code == "unsupported_format"
    assert known(data[:64]) is image


def test_nothing_and_anything_else_are_told_apart() -> None:
    with pytest.raises(ImageError) as caught:
        sniff(b"")
    assert caught.value.code == "empty"
    assert not known(b"")
    with pytest.raises(ImageError, match="begins with 68 65 6c 6c 6f") as caught:
        sniff(b"hello")
    assert caught.value.code == "unsupported_format"


@pytest.mark.parametrize(
    "data", [b"BMW is no bitmap, whatever its letters say", b"RIFF\0\0\0\0WAVEfmt ", b"II", b"P", b"\xff\xd8"]
)
def test_weak_beginnings_are_not_taken_for_images(data: bytes) -> None:
    assert not known(data)


def test_a_png_that_was_sent_as_text_is_damaged_rather_than_unknown() -> None:
    data = saved(picture(), "PNG").replace(b"\r\n", b"\n")
    assert known(data[:64])
    with pytest.raises(ImageError, match="signature") as caught:
        sniff(data)
    assert caught.value.code == "corrupt"


def test_extensions_name_raster_images_alone() -> None:
    assert {".jpg", ".heic", ".nef", ".psd", ".tiff"} <= EXTENSIONS
    assert not {".svg", ".html", ".pdf", ".txt", ".mp4", ""} & EXTENSIONS
    assert all(name == name.lower() and name.startswith(".") for name in EXTENSIONS)
