"""A watermark lies where it should, as large and as strong as it should, and nowhere else."""

import math
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

import imgpipe.core
from imgpipe.core.mark import Mark, check_image
from imgpipe.core.recipe import Asset, Gravity, Watermark
from imgpipe.errors import ImageError

FONT = Asset("OpenSans", (Path(imgpipe.core.__file__).parent / "assets" / "OpenSans-SemiBold.ttf").read_bytes())
CANVAS = (800, 450)
Box = tuple[int, int, int, int]


def text(**settings: Any) -> Watermark:
    said: dict[str, Any] = {"text": "PROOF", "opacity": 1.0} | settings
    return Watermark(font=FONT, **said)


def logo(
    pixels: tuple[int, int] = (200, 100), colour: tuple[int, ...] = (220, 30, 40, 255), **settings: Any
) -> Watermark:
    buffer = BytesIO()
    Image.new("RGBA", pixels, colour).save(buffer, "PNG")
    said: dict[str, Any] = {"opacity": 1.0} | settings
    return Watermark(image=Asset("logo.png", buffer.getvalue()), font=FONT, **said)


def changed(watermark: Watermark, canvas: tuple[int, int] = CANVAS, background: str = "#405060") -> Box | None:
    """The box of the pixels that the mark touched: left, top, right, bottom."""
    plain = Image.new("RGB", canvas, background)
    return ImageChops.difference(plain, Mark(watermark, canvas).on(plain)).getbbox()


@pytest.mark.parametrize("gravity", [gravity for gravity in Gravity if gravity not in (Gravity.SMART, Gravity.TILE)])
@pytest.mark.parametrize("make", [text, logo])
def test_a_mark_clings_to_its_gravity_at_its_margin(gravity: Gravity, make: Any) -> None:
    box = changed(make(gravity=gravity, margin=0.05))
    assert box
    left, top, right, bottom = box
    margin = round(0.05 * math.sqrt(CANVAS[0] * CANVAS[1]))
    name = gravity.value
    assert abs(left - margin) <= 1 if "west" in name else left > margin
    assert abs(CANVAS[0] - right - margin) <= 1 if "east" in name else CANVAS[0] - right > margin
    assert abs(top - margin) <= 1 if "north" in name else top > margin
    assert abs(CANVAS[1] - bottom - margin) <= 1 if "south" in name else CANVAS[1] - bottom > margin


def test_an_image_is_as_long_as_its_share() -> None:
    for canvas in ((800, 450), (450, 800), (600, 600)):
        box = changed(logo(size=0.2), canvas)
        assert box
        assert abs(box[2] - box[0] - 0.2 * math.sqrt(canvas[0] * canvas[1])) <= 1
        assert abs((box[2] - box[0]) / (box[3] - box[1]) - 2) < 0.05


def test_two_lines_are_a_line_height_apart() -> None:
    one, two = changed(text(text="E", size=0.1)), changed(text(text="E\nE", size=0.1))
    assert one
    assert two
    assert 0.8 < ((two[3] - two[1]) - (one[3] - one[1])) / (0.1 * math.sqrt(CANVAS[0] * CANVAS[1])) < 1.2


@pytest.mark.parametrize(
    "watermark",
    [
        text(text="A rather long line of text", size=0.5, min_size=1),
        logo(size=1.0),
        text(size=0.8, rotation=35),
        logo(size=0.9, rotation=45),
    ],
    ids=["text", "logo", "turned text", "turned logo"],
)
@pytest.mark.parametrize("canvas", [(800, 450), (120, 900), (64, 64)])
def test_a_mark_too_large_is_scaled_down_until_it_fits_its_margins(
    watermark: Watermark, canvas: tuple[int, int]
) -> None:
    box = changed(watermark, canvas)
    assert box
    margin = round(0.02 * math.sqrt(canvas[0] * canvas[1]))
    assert box[0] >= margin
    assert box[1] >= margin
    assert box[2] <= canvas[0] - margin
    assert box[3] <= canvas[1] - margin
    assert max((box[2] - box[0]) / canvas[0], (box[3] - box[1]) / canvas[1]) > 0.6


@pytest.mark.parametrize("watermark", [text(min_size=30), logo(min_size=30), text(text="far too long " * 10)])
@pytest.mark.parametrize("canvas", [(90, 60), (3, 2), (1, 1)])
def test_below_its_least_size_a_mark_is_left_out(watermark: Watermark, canvas: tuple[int, int]) -> None:
    assert Mark(watermark, canvas).too_small
    assert changed(watermark, canvas) is None


def test_opacity_weighs_the_mark_against_the_picture() -> None:
    plain = Image.new("RGB", (400, 400), (100, 100, 100))
    marked = Mark(logo(gravity=Gravity.CENTER, opacity=0.25, size=0.5), (400, 400)).on(plain)
    assert marked.getpixel((200, 200)) == pytest.approx((130, 83, 85), abs=2)


def test_a_mark_shows_on_transparent_ground_with_its_own_strength() -> None:
    clear = Image.new("RGBA", (400, 400))
    marked = Mark(logo(gravity=Gravity.CENTER, opacity=0.5, size=0.5), (400, 400)).on(clear)
    assert marked.getpixel((200, 200)) == pytest.approx((220, 30, 40, 128), abs=1)
    assert marked.getpixel((5, 5)) == (0, 0, 0, 0)


@pytest.mark.parametrize("colour", ["#ffffff", "#000000"])
def test_text_can_be_read_on_any_ground(colour: str) -> None:
    for ground in ("#ffffff", "#808080", "#000000"):
        plain = Image.new("RGB", CANVAS, ground)
        marked = Mark(text(color=colour, size=0.1), CANVAS).on(plain)
        low, high = marked.convert("L").crop(changed(text(color=colour, size=0.1), CANVAS, ground)).getextrema()
        assert isinstance(low, int)
        assert isinstance(high, int)
        assert high - low > 100


@pytest.mark.parametrize(("ground", "light"), [("#101010", True), ("#f0f0f0", False)])
def test_contrast_picks_light_or_dark_by_what_lies_under_the_mark(ground: str, light: bool) -> None:
    plain = Image.new("RGB", CANVAS, "#f0f0f0" if light else "#101010")
    plain.paste(ground, (400, 225, 800, 450))
    watermark = text(contrast="auto", size=0.2)
    marked = Mark(watermark, CANVAS).on(plain)
    low, high = marked.crop((400, 225, 800, 450)).convert("L").getextrema()
    assert (high == 255) if light else (low == 0)


def test_all_frames_of_an_animation_share_the_ink_that_the_first_one_chose() -> None:
    mark = Mark(text(contrast="auto", size=0.2), CANVAS)
    mark.on(Image.new("RGB", CANVAS, "black"))
    second = mark.on(Image.new("RGB", CANVAS, "white"))
    # White ink with a soft dark outline: a dark ink would be black.
    assert second.convert("L").getextrema()[0] > 60  # type: ignore[operator]


def test_tiles_cover_the_picture() -> None:
    plain = Image.new("RGB", CANVAS, "#405060")
    difference = ImageChops.difference(plain, Mark(text(gravity=Gravity.TILE, rotation=30), CANVAS).on(plain)).convert(
        "L"
    )
    for left in range(0, CANVAS[0], 160):
        for top in range(0, CANVAS[1], 150):
            assert ImageStat.Stat(difference.crop((left, top, left + 160, top + 150))).sum[0] > 0


def test_grey_stays_grey_under_a_grey_mark_and_takes_colour_from_a_coloured_one() -> None:
    plain = Image.new("L", CANVAS, 90)
    assert Mark(text(), CANVAS).on(plain).mode == "L"
    assert Mark(text(color="#ff8800"), CANVAS).on(plain).mode == "RGB"


def test_the_picture_that_was_given_is_not_touched() -> None:
    plain = Image.new("RGB", CANVAS, "#405060")
    before = plain.tobytes()
    Mark(text(), CANVAS).on(plain)
    assert plain.tobytes() == before


def test_a_turned_mark_is_turned_counter_clockwise() -> None:
    plain = Image.new("RGB", (400, 400), "black")
    bar = Mark(logo((200, 10), gravity=Gravity.CENTER, size=0.5, rotation=45), (400, 400)).on(plain).convert("L")
    assert bar.getpixel((250, 150)) == pytest.approx(bar.getpixel((150, 250)), abs=20)
    assert bar.getpixel((250, 150)) != 0
    assert bar.getpixel((150, 150)) == bar.getpixel((250, 250)) == 0


def test_a_text_far_too_long_is_never_drawn_larger_than_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[int, int]] = []
    new = Image.new

    def watched(mode: str, size: tuple[int, int], *colour: Any) -> Image.Image:
        drawn.append(size)
        return new(mode, size, *colour)

    monkeypatch.setattr(Image, "new", watched)
    mark = Mark(text(text="W" * 200, size=1.0, min_size=0, rotation=37), (3000, 2000))
    assert not mark.too_small
    assert max(width * height for width, height in drawn) < 3000 * 2000


def test_an_image_that_shows_nothing_is_no_mark() -> None:
    with pytest.raises(ImageError, match="transparent"):
        check_image(logo(colour=(9, 9, 9, 0)).image or FONT)


def test_an_image_whose_library_talks_to_the_terminal_is_no_mark() -> None:
    buffer = BytesIO()
    Image.new("RGB", (9, 9)).save(buffer, "TIFF")
    with pytest.raises(ImageError, match="a PNG, a WebP, a JPEG, a GIF or an AVIF"):
        check_image(Asset("logo.tif", buffer.getvalue()))
