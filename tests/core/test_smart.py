"""A smart crop keeps what there is to see."""

import random

from PIL import Image

from imgpipe.core.smart import focus


def busy_patch(size: tuple[int, int], at: tuple[int, int]) -> Image.Image:
    """A plain sky with one patch of detail, 80 pixels wide and high."""
    image = Image.linear_gradient("L").resize(size).point([90 + level // 16 for level in range(256)]).convert("RGB")
    noise = Image.frombytes("L", (80, 80), random.Random(7).randbytes(6400))  # noqa: S311
    image.paste(noise.convert("RGB"), at)
    return image


def test_a_wide_image_is_cropped_to_its_detail() -> None:
    left = focus(busy_patch((900, 300), (40, 100)), 1 / 3, 1)
    right = focus(busy_patch((900, 300), (780, 100)), 1 / 3, 1)
    assert left[0] < 0.3
    assert right[0] > 0.7
    assert left[1] == right[1] == 0.5


def test_a_tall_image_is_cropped_to_its_detail() -> None:
    assert focus(busy_patch((300, 900), (100, 20)), 1, 1 / 3)[1] < 0.3
    assert focus(busy_patch((300, 900), (100, 800)), 1, 1 / 3)[1] > 0.7


def test_an_image_without_detail_is_cropped_in_the_middle() -> None:
    assert abs(focus(Image.new("RGB", (900, 300), "navy"), 1 / 3, 1)[0] - 0.5) < 0.02


def test_an_image_a_few_pixels_wide_has_a_focus_too() -> None:
    for size in ((1, 1), (1, 500), (2, 3)):
        assert all(0 <= part <= 1 for part in focus(Image.new("RGB", size), 0.5, 1))


def test_what_is_transparent_holds_no_interest() -> None:
    image = busy_patch((900, 300), (40, 100)).convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 300, 300))
    image.paste(busy_patch((300, 300), (100, 100)), (600, 0))
    assert focus(image.convert("RGBa"), 1 / 3, 1)[0] > 0.7
