"""The resampling kernel against Lanczos computed in floating point, whichever kernel this machine has."""

import math

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageStat

from imgpipe.core import resize as kernel
from imgpipe.core.resize import resize

MODES = ("L", "RGB", "RGBa", "CMYK", "LAB")


def scene(mode: str = "RGB", size: tuple[int, int] = (301, 203)) -> Image.Image:
    """Edges at every angle over smooth gradients."""
    image = Image.radial_gradient("L").resize(size)
    draw = ImageDraw.Draw(image)
    for step in range(12):
        draw.line((0, step * 30, size[0], size[1] - step * 25), fill=20 * step, width=1 + step % 4)
    bands = [
        image,
        ImageChops.invert(image),
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        Image.new("L", size, 255),
    ]
    if mode == "LAB":
        return Image.merge("RGB", bands[:3]).convert("RGB")._new(Image.merge("LAB", bands[:3]).im)
    return Image.merge("RGBA", bands).convert(mode) if mode != "L" else image


def psnr(first: Image.Image, second: Image.Image) -> float:
    mean = sum(square / band for square, band in _squares(first, second)) / len(first.getbands())
    return math.inf if mean == 0 else 10 * math.log10(255**2 / mean)


def _squares(first: Image.Image, second: Image.Image) -> list[tuple[float, int]]:
    pairs = zip(first.split(), second.split(), strict=True)
    stats = [ImageStat.Stat(ImageChops.difference(one, other)) for one, other in pairs]
    return [(stat.sum2[0], int(stat.count[0])) for stat in stats]


def reference(image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]) -> Image.Image:
    """Lanczos in 32-bit floats, a band at a time, rounded once at the end."""
    bands = [
        band.convert("F").resize(size, Image.Resampling.LANCZOS, box).point(lambda value: value * 1 + 0.5).convert("L")
        for band in image.split()
    ]
    return Image.merge(image.mode, bands) if len(bands) > 1 else bands[0]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("simd", [True, False], ids=["kernel", "fallback"])
@pytest.mark.parametrize("box", [(0, 0, 301, 203), (10.25, 3.5, 280.75, 190)])
def test_a_resize_agrees_with_the_float_reference(
    mode: str, simd: bool, box: tuple[float, float, float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not simd:
        monkeypatch.setattr(kernel, "_simd", None)
    image = scene(mode)
    for size in ((120, 81), (33, 97), (420, 300)):
        assert psnr(resize(image, size, box), reference(image, size, box)) > 50


def test_where_there_is_nothing_to_do_the_image_itself_comes_back() -> None:
    image = scene()
    assert resize(image, image.size) is image


def test_a_crop_on_whole_pixels_copies_them() -> None:
    image = scene()
    assert resize(image, (50, 40), (7, 9, 57, 49)).tobytes() == image.crop((7, 9, 57, 49)).tobytes()


@pytest.mark.parametrize("size", [(1, 1), (1, 203), (301, 1)])
def test_a_side_of_one_pixel_is_no_special_case(size: tuple[int, int]) -> None:
    assert resize(scene(), size).size == size
    assert resize(Image.new("RGB", (1, 1), (9, 8, 7)), (5, 4)).getpixel((3, 2)) == (9, 8, 7)
