"""How far apart two pictures are follows what is seen of them."""

import io
import struct
import zlib

import pytest
from PIL import Image

from imgpipe.local.likeness import FLOOR, Distance, distance


def photo() -> Image.Image:
    gradient = Image.radial_gradient("L").resize((480, 360))
    return Image.merge("RGB", (gradient, gradient.transpose(Image.Transpose.FLIP_LEFT_RIGHT), gradient))


def encoded(image: Image.Image, format: str, **how: object) -> bytes:
    data = io.BytesIO()
    image.save(data, format, **how)
    return data.getvalue()


def test_the_same_pixels_have_no_distance_whatever_their_bytes() -> None:
    assert distance(encoded(photo(), "PNG", compress_level=1), encoded(photo(), "PNG")) == Distance(None, None)


def test_another_effort_is_alike_and_a_mark_that_is_missing_in_a_corner_is_not() -> None:
    near = distance(*(encoded(photo(), "WEBP", quality=80, method=method) for method in (0, 6)))
    marked = photo()
    marked.paste("black", (452, 340, 476, 350))
    far = distance(encoded(photo(), "JPEG"), encoded(marked, "JPEG"))
    assert near
    assert near.psnr
    assert near.worst
    assert far
    assert far.psnr
    assert far.worst
    assert far.worst < FLOOR < near.worst < near.psnr
    assert far.psnr > 30


def test_levels_are_told_in_decibels() -> None:
    flat = [Image.new("RGB", (64, 32)) for _ in range(2)]
    flat[1].paste((10, 0, 0), (32, 0, 64, 32))
    apart = distance(*(encoded(image, "PNG") for image in flat))
    # Mean square errors: 100 in the right half of one of four bands.
    assert apart == Distance(37.2, 28.1)


def test_colours_that_nobody_sees_do_not_count() -> None:
    clear = [Image.new("RGBA", (8, 8), (*colour, 0)) for colour in ((255, 0, 0), (0, 0, 255))]
    assert distance(*(encoded(image, "PNG") for image in clear)) == Distance(None, None)


def header(width: int, height: int) -> bytes:
    """A PNG of that size, as it says, with hardly any pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(30_000, 30_000), (10_000, 10_000)])
def test_what_says_to_be_huge_is_told_by_its_size_without_a_word_on_stderr(
    size: tuple[int, int], recwarn: pytest.WarningsRecorder
) -> None:
    assert distance(encoded(photo(), "PNG"), header(*size)) is None
    assert list(recwarn) == []


@pytest.mark.parametrize(
    "other",
    [
        encoded(photo().resize((240, 180)), "PNG"),
        encoded(photo(), "PNG", save_all=True, append_images=[Image.new("RGB", (480, 360))]),
        encoded(photo(), "TIFF"),
        b"no image",
        encoded(photo(), "JPEG")[:200],
    ],
    ids=["size", "frames", "format", "bytes", "truncated"],
)
def test_what_cannot_be_the_same_rendition_has_no_distance(other: bytes) -> None:
    assert distance(encoded(photo(), "PNG"), other) is None
