"""How far apart two pictures are follows what is seen of them."""

import io

import pytest
from PIL import Image

from imgpipe.local.likeness import FLOOR, Distance, distance


def photo() -> Image.Image:
    gradient = Image.radial_gradient("L").resize((120, 90))
    return Image.merge("RGB", (gradient, gradient.transpose(Image.Transpose.FLIP_LEFT_RIGHT), gradient))


def encoded(image: Image.Image, format: str, **how: object) -> bytes:
    data = io.BytesIO()
    image.save(data, format, **how)
    return data.getvalue()


def test_the_same_pixels_have_no_distance_whatever_their_bytes() -> None:
    assert distance(encoded(photo(), "PNG", compress_level=1), encoded(photo(), "PNG")) == Distance(None, 0)


def test_another_quality_is_alike_and_another_picture_is_not() -> None:
    near = distance(encoded(photo(), "JPEG", quality=82), encoded(photo(), "JPEG", quality=78))
    marked = photo()
    marked.paste("white", (70, 60, 110, 80))
    far = distance(encoded(photo(), "JPEG"), encoded(marked, "JPEG"))
    assert near
    assert near.psnr
    assert far
    assert far.psnr
    assert far.psnr < FLOOR < near.psnr
    assert far.largest > near.largest


def test_levels_are_told_in_decibels() -> None:
    flat = [Image.new("RGB", (8, 8), (level, 0, 0)) for level in (100, 110)]
    apart = distance(*(encoded(image, "PNG") for image in flat))
    # Mean square error of four bands: 100 / 4.
    assert apart == Distance(34.2, 10)


def test_colours_that_nobody_sees_do_not_count() -> None:
    clear = [Image.new("RGBA", (8, 8), (*colour, 0)) for colour in ((255, 0, 0), (0, 0, 255))]
    assert distance(*(encoded(image, "PNG") for image in clear)) == Distance(None, 0)


@pytest.mark.parametrize(
    "other",
    [
        encoded(photo().resize((60, 45)), "PNG"),
        encoded(photo(), "PNG", save_all=True, append_images=[Image.new("RGB", (120, 90))]),
        encoded(photo(), "TIFF"),
        b"no image",
        encoded(photo(), "JPEG")[:200],
    ],
    ids=["size", "frames", "format", "bytes", "truncated"],
)
def test_what_cannot_be_the_same_rendition_has_no_distance(other: bytes) -> None:
    assert distance(encoded(photo(), "PNG"), other) is None
