"""Colours come out as their profile says, and as browsers show them where it says nothing."""

import math
from pathlib import Path

import pytest
from PIL import Image, ImageCms

import imgpipe.core
from imgpipe.core.colour import to_srgb

ASSETS = Path(imgpipe.core.__file__).parent / "assets"
PATCHES = [(200, 50, 60), (30, 180, 90), (90, 110, 220), (128, 128, 128), (250, 240, 200), (12, 20, 30)]


def encoded(linear: float) -> int:
    """IEC 61966-2-1's transfer curve, clipped to 8 bits."""
    linear = min(1.0, max(0.0, linear))
    value = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return round(255 * value)


def decoded(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def p3_to_srgb(pixel: tuple[int, int, int]) -> tuple[int, ...]:
    """Display P3 has sRGB's curve and white; the matrix is that of the two sets of primaries (SMPTE EG 432-1)."""
    matrix = (
        (1.2249401763, -0.2249401763, 0.0),
        (-0.0420569547, 1.0420569547, 0.0),
        (-0.0196375546, -0.0786360456, 1.0982736001),
    )
    linear = [decoded(value) for value in pixel]
    return tuple(encoded(sum(weight * value for weight, value in zip(row, linear, strict=True))) for row in matrix)


@pytest.fixture(scope="session")
def p3() -> bytes:
    return (ASSETS / "display-p3.icc").read_bytes()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_display_p3_becomes_srgb_by_the_book(mode: str, p3: bytes) -> None:
    for patch in PATCHES:
        image = Image.new("RGB", (2, 2), patch).convert(mode)
        if mode == "RGBA":
            image.putalpha(77)
        pixel = to_srgb(image, p3).getpixel((0, 0))
        assert isinstance(pixel, tuple)
        assert all(abs(got - want) <= 2 for got, want in zip(pixel, p3_to_srgb(patch), strict=False)), (patch, pixel)
        assert mode == "RGB" or pixel[3] == 77


def test_srgb_itself_is_left_alone_to_the_byte() -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.merge("RGB", (Image.linear_gradient("L"), Image.radial_gradient("L"), Image.linear_gradient("L")))
    assert to_srgb(image, icc) is image


@pytest.mark.parametrize("junk", [b"", b"not a profile", bytes(200)])
def test_a_profile_that_does_not_parse_is_passed_over(junk: bytes) -> None:
    image = Image.new("RGB", (2, 2), (200, 50, 60))
    assert to_srgb(image, junk).getpixel((0, 0)) == (200, 50, 60)


def test_a_profile_for_other_colours_is_passed_over(p3: bytes) -> None:
    cmyk = (ASSETS / "cmyk.icc").read_bytes()
    assert to_srgb(Image.new("RGB", (2, 2), (200, 50, 60)), cmyk).getpixel((0, 0)) == (200, 50, 60)
    red, green, blue = to_srgb(Image.new("CMYK", (1, 1), (0, 0, 0, 0)), p3).getpixel((0, 0))  # type: ignore[misc]
    assert min(red, green, blue) >= 250


def test_grey_stays_grey_under_a_profile_of_its_neighbours(p3: bytes) -> None:
    image = to_srgb(Image.new("L", (2, 2), 100), p3)
    assert image.mode == "L"
    assert image.getpixel((0, 0)) == pytest.approx(100, abs=1)


def test_cmyk_without_a_profile_looks_like_print() -> None:
    def shown(*ink: int) -> tuple[int, int, int]:
        pixel = to_srgb(Image.new("CMYK", (1, 1), ink), None).getpixel((0, 0))
        assert isinstance(pixel, tuple)
        return pixel[0], pixel[1], pixel[2]

    # SWOP's process colours, as CGATS TR 001 characterises them.
    for ink, expected in {
        (0, 0, 0, 0): (255, 255, 255),
        (255, 0, 0, 0): (0, 174, 239),
        (0, 255, 0, 0): (236, 0, 140),
        (0, 0, 255, 0): (255, 242, 0),
        (0, 0, 0, 255): (35, 31, 32),
    }.items():
        assert math.dist(shown(*ink), expected) < 12, (ink, shown(*ink))


def test_lab_becomes_srgb() -> None:
    assert to_srgb(Image.new("LAB", (1, 1), (255, 128, 128)), None).getpixel((0, 0)) == pytest.approx(
        (255, 255, 255), abs=2
    )
    assert to_srgb(Image.new("LAB", (1, 1), (0, 128, 128)), None).getpixel((0, 0)) == pytest.approx((0, 0, 0), abs=2)


def test_a_grey_profile_holds_for_grey_with_transparency_too() -> None:
    grey = grey_profile(gamma=1.0)
    image = Image.new("L", (2, 2), 64)
    shown = to_srgb(image, grey).getpixel((0, 0))
    clear = image.convert("RGBA")
    clear.putpixel((1, 1), (64, 64, 64, 0))
    assert shown == pytest.approx(137, abs=1)
    assert to_srgb(clear, grey).getpixel((0, 0)) == (shown, shown, shown, 255)


def grey_profile(gamma: float) -> bytes:
    """A monitor profile of ICC.1, version 2, for grey with a power curve and D50's white: the least that parses."""

    def number(value: float) -> bytes:
        return round(value * 65536).to_bytes(4, "big", signed=True)

    white = b"XYZ \0\0\0\0" + number(0.9642) + number(1) + number(0.8249)
    curve = b"curv\0\0\0\0" + (1).to_bytes(4, "big") + round(gamma * 256).to_bytes(2, "big") + b"\0\0"
    text = b"desc\0\0\0\0" + (5).to_bytes(4, "big") + b"grey\0" + bytes(78 + 1)
    tags = [(b"desc", text), (b"wtpt", white), (b"kTRC", curve)]
    table, body, at = b"", b"", 132 + 12 * len(tags)
    for name, content in tags:
        table += name + (at + len(body)).to_bytes(4, "big") + len(content).to_bytes(4, "big")
        body += content + bytes(-len(content) % 4)
    head = bytearray(128)
    head[0:4] = (at + len(body)).to_bytes(4, "big")
    head[8:12] = b"\2\x10\0\0"
    head[12:24] = b"mntrGRAYXYZ "
    head[36:40] = b"acsp"
    head[68:80] = number(0.9642) + number(1) + number(0.8249)
    return bytes(head) + len(tags).to_bytes(4, "big") + table + body
