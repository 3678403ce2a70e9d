"""Animations come out frame by frame as a browser shows them, and as long; checked against a composition by hand."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_images import GIF_COLOURS, Part, Pixel, apng, gif, picture, saved
from PIL import Image

from imgpipe.core.codec import open_source
from imgpipe.core.decode import reader
from imgpipe.core.image import Size, Timing
from imgpipe.core.recipe import Limits
from imgpipe.errors import ImageError

CLEAR: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)


def frames(data: bytes) -> list[Image.Image]:
    return list(open_source(data, Limits()).frames())


def timing(data: bytes) -> Timing | None:
    return open_source(data, Limits()).header.timing


def by_hand(size: Size, parts: Sequence[Part]) -> list[list[list[tuple[float, ...]]]]:
    """Rows of premultiplied pixels (0 to 1) of each frame, by the words of GIF89a and of PNG's APNG chapter."""
    canvas = [[CLEAR] * size[0] for _ in range(size[1])]
    shown = []
    for part in parts:
        before = [row[:] for row in canvas]
        for y, row in enumerate(part.rows, part.top):
            for x, pixel in enumerate(row, part.left):
                if x < size[0] and y < size[1]:
                    canvas[y][x] = blended(canvas[y][x], pixel, part.over)
        shown.append([row[:] for row in canvas])
        if part.leave == 2:
            canvas = before
        elif part.leave == 1:
            for y in range(part.top, min(part.top + len(part.rows), size[1])):
                for x in range(part.left, min(part.left + len(part.rows[0]), size[0])):
                    canvas[y][x] = CLEAR
    return shown


def blended(below: tuple[float, ...], pixel: Pixel, over: bool) -> tuple[float, ...]:
    alpha = pixel[3] / 255
    above = (*(value / 255 * alpha for value in pixel[:3]), alpha)
    return tuple(new + (old * (1 - alpha) if over else 0) for old, new in zip(below, above, strict=True))


def assert_alike(frame: Image.Image, rows: list[list[tuple[float, ...]]], tolerance: float) -> None:
    straight = frame.convert("RGBA")
    for y, row in enumerate(rows):
        for x, expected in enumerate(row):
            pixel: Any = straight.getpixel((x, y))
            seen = blended(CLEAR, pixel, over=False)
            assert all(abs(one - other) <= tolerance for one, other in zip(seen, expected, strict=True)), (x, y)


SIZE = (7, 5)


def parts(pixels: st.SearchStrategy[Any], sticks_out: bool) -> st.SearchStrategy[list[Part]]:
    @st.composite
    def one(draw: st.DrawFn) -> Part:
        left, top = draw(st.integers(0, 6)), draw(st.integers(0, 4))
        widest, highest = (9, 9) if sticks_out else (SIZE[0] - left, SIZE[1] - top)
        width, height = draw(st.integers(1, widest)), draw(st.integers(1, highest))
        row = st.lists(pixels, min_size=width, max_size=width)
        rows = draw(st.lists(row, min_size=height, max_size=height))
        return Part(left, top, rows, 50, draw(st.integers(0, 2)), draw(st.booleans()))

    return st.lists(one(), min_size=2, max_size=4)


@settings(max_examples=60, deadline=None)
@given(parts(st.none() | st.integers(0, 5), sticks_out=True))
def test_gif_frames_are_placed_kept_cleared_and_restored_as_in_browsers(found: list[Part]) -> None:
    data = gif(SIZE, found, repeats=0)
    first = found[0]
    width, height = max(SIZE[0], first.left + len(first.rows[0])), max(SIZE[1], first.top + len(first.rows))
    colours: dict[int | None, Pixel] = {
        None: (0, 0, 0, 0),
        **{index: (*colour, 255) for index, colour in enumerate(GIF_COLOURS)},
    }
    coloured = [part._replace(rows=[[colours[it] for it in row] for row in part.rows], over=True) for part in found]
    seen = frames(data)
    assert seen[0].size == (width, height)
    for frame, rows in zip(seen, by_hand((width, height), coloured), strict=True):
        assert_alike(frame, [[CLEAR if pixel[3] == 0 else pixel for pixel in row] for row in rows], 0.001)


@settings(max_examples=60, deadline=None)
@given(parts(st.tuples(*[st.integers(0, 255)] * 3, st.sampled_from([0, 60, 128, 255])), sticks_out=False))
def test_apng_patches_are_blended_and_disposed_of_by_the_specification(found: list[Part]) -> None:
    for frame, rows in zip(frames(apng(SIZE, found)), by_hand(SIZE, found), strict=True):
        assert_alike(frame, rows, 4 / 255)


@pytest.mark.parametrize("format_", ["WEBP", "AVIF", "PNG", "GIF"])
def test_written_animations_come_back_frame_by_frame_with_their_clock(format_: str) -> None:
    images = [picture().rotate(angle) for angle in (0, 90, 180)]
    every: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}, "AVIF": {"quality": 95, "speed": 10}}
    options = every.get(format_, {})
    data = saved(images[0], format_, save_all=True, append_images=images[1:], duration=[40, 250, 120], **options)
    source = open_source(data, Limits())
    assert source.header.timing is not None
    assert source.header.timing.durations == (40, 250, 120)
    seen = list(source.frames())
    assert len(seen) == 3
    for frame, image in zip(seen, images, strict=True):
        small, expected = (
            each.convert("RGB").resize((8, 6), Image.Resampling.BOX).tobytes() for each in (frame, image)
        )
        assert max(abs(one - other) for one, other in zip(small, expected, strict=True)) < 12
    assert source.still(None).tobytes() == seen[0].tobytes()


@pytest.mark.parametrize(("repeats", "plays"), [(None, 1), (0, 0), (2, 3)])
def test_gif_counts_repeats(repeats: int | None, plays: int) -> None:
    found = timing(gif((4, 4), [Part(0, 0, [[1]]), Part(0, 0, [[2]])], repeats))
    assert found is not None
    assert found.plays == plays


def test_apng_and_webp_count_plays_and_avif_plays_for_ever() -> None:
    pair = [picture(), picture().rotate(180)]
    for format_, plays in (("PNG", 3), ("WEBP", 3), ("AVIF", 0)):
        found = timing(saved(pair[0], format_, save_all=True, append_images=pair[1:], loop=3))
        assert found is not None
        assert found.plays == plays


def test_delays_too_short_to_be_meant_last_a_tenth_of_a_second() -> None:
    found = timing(gif((4, 4), [Part(0, 0, [[index]], shown) for index, shown in enumerate((0, 10, 20, 500))]))
    assert found is not None
    assert found.durations == (100, 100, 20, 500)


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG"])
def test_one_frame_is_a_still(format_: str) -> None:
    data = saved(picture(), format_, save_all=True, append_images=[])
    assert timing(data) is None
    assert len(frames(data)) == 1
    assert timing(apng((4, 4), [Part(0, 0, [[(1, 2, 3, 255)] * 4] * 4)])) is None


def test_an_apngs_separate_default_image_is_never_shown() -> None:
    found = [Part(0, 0, [[colour] * 4] * 4) for colour in ((9, 8, 7, 255), (1, 2, 3, 255))]
    source = open_source(apng((4, 4), found, default=(200, 0, 0, 255)), Limits())
    assert source.still(None).getpixel((0, 0)) == (9, 8, 7)
    assert [frame.getpixel((3, 3)) for frame in source.frames()] == [(9, 8, 7), (1, 2, 3)]


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG", "AVIF"])
def test_frames_beyond_counting_are_refused_while_the_file_is_walked(
    format_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [picture().rotate(angle) for angle in (0, 90, 180)]
    data = saved(images[0], format_, save_all=True, append_images=images[1:])
    monkeypatch.setattr(reader, "MOST_FRAMES", 3)
    assert timing(data) is not None
    monkeypatch.setattr(reader, "MOST_FRAMES", 2)
    with pytest.raises(ImageError, match="more than 2 frames") as caught:
        timing(data)
    assert caught.value.code == "too_many_frames"


def test_frames_are_independent_images() -> None:
    images = frames(saved(picture(), "WEBP", save_all=True, append_images=[picture().rotate(180)], lossless=True))
    assert images[0].tobytes() != images[1].tobytes()
    assert not any(getattr(image, "is_animated", False) for image in images)
