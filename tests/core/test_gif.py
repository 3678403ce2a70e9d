"""GIFs show what went in, for as long, in few bytes."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from imgpipe.core import gif
from imgpipe.core.codec import open_source
from imgpipe.core.image import Timing
from imgpipe.core.recipe import Limits


def frames_of(data: bytes) -> list[tuple[Image.Image, int]]:
    image = Image.open(BytesIO(data))
    found = []
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        found.append((image.convert("RGBA"), int(image.info.get("duration", 0))))
    return found


def flags(count: int) -> list[Image.Image]:
    """Frames of one colour each, all different."""
    return [Image.new("RGB", (4, 4), (index % 256, index // 256, 0)) for index in range(count)]


def test_few_colours_are_kept_exactly() -> None:
    frame = Image.fromarray(np.random.default_rng(1).integers(0, 256, (1, 200, 3), np.uint8)).resize((200, 40), 0)
    ((again, _),) = frames_of(gif.write([frame], None, "#ffffff"))
    assert again.convert("RGB").tobytes() == frame.tobytes()


def test_half_transparent_pixels_become_clear_or_lie_upon_the_background() -> None:
    frame = Image.new("RGBA", (4, 1))
    frame.putdata([(200, 0, 0, 0), (200, 0, 0, 127), (200, 0, 0, 128), (200, 0, 0, 255)])
    ((again, _),) = frames_of(gif.write([frame], None, "#0000ff"))
    pixels = [again.getpixel((x, 0)) for x in range(4)]
    assert [pixel[3] for pixel in pixels if isinstance(pixel, tuple)] == [0, 0, 255, 255]
    assert pixels[2:] == [(100, 0, 127, 255), (200, 0, 0, 255)]


@given(st.lists(st.integers(20, 3_000), min_size=2, max_size=40))
def test_the_whole_lasts_as_long_as_its_source(durations: list[int]) -> None:
    shown = [
        duration for _, duration in frames_of(gif.write(flags(len(durations)), Timing(tuple(durations), 0), "#fff"))
    ]
    assert abs(sum(shown) - sum(durations)) <= 5
    assert all(abs(one - other) <= 10 for one, other in zip(shown, durations, strict=True))


def test_no_frame_is_so_short_that_browsers_slow_it_down() -> None:
    shown = frames_of(gif.write(flags(6), Timing((4, 4, 4, 4, 4, 200), 0), "#fff"))
    assert [duration for _, duration in shown] == [20, 20, 20, 20, 20, 120]


def test_equal_frames_may_last_longer_than_one_frame_can() -> None:
    red, blue = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    shown = frames_of(gif.write([red, red, red, blue], Timing((400_000, 400_000, 400_000, 100), 0), "#fff"))
    assert sum(duration for _, duration in shown) == 1_200_100
    assert [image.getpixel((0, 0)) for image, _ in shown] == [(255, 0, 0, 255)] * 3 + [(0, 0, 255, 255)]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_what_stands_still_is_stored_once(mode: str) -> None:
    rng = np.random.default_rng(2)
    scene = Image.fromarray(rng.integers(0, 256, (120, 160, 3), np.uint8)).convert(mode)
    frames = []
    for index in range(10):
        frame = scene.copy()
        ImageDraw.Draw(frame).rectangle((index * 10, 50, index * 10 + 12, 62), fill="white")
        frames.append(frame)
    still = len(gif.write(frames[:1], None, "#fff"))
    assert len(gif.write(frames, Timing((100,) * 10, 0), "#fff")) < 1.5 * still


@given(st.lists(st.lists(st.sampled_from([0, 255]), min_size=12, max_size=12), min_size=2, max_size=6))
def test_every_pattern_of_appearing_and_clearing_pixels_is_shown(patterns: list[list[int]]) -> None:
    frames = []
    for index, pattern in enumerate(patterns):
        frame = Image.new("RGBA", (4, 3), (index * 30, 100, 200, 255))
        alpha = Image.new("L", (4, 3))
        alpha.putdata(pattern)
        frame.putalpha(alpha)
        frames.append(frame)
    shown = frames_of(gif.write(frames, Timing((100,) * len(frames), 0), "#fff"))
    expanded = [image for image, duration in shown for _ in range(duration // 100)]
    assert len(expanded) == len(frames)
    for image, frame in zip(expanded, frames, strict=True):
        seen, meant = np.asarray(image), np.asarray(frame)
        assert (seen[..., 3] == meant[..., 3]).all()
        assert (seen[meant[..., 3] > 0] == meant[meant[..., 3] > 0]).all()


def test_an_xmp_packet_comes_back_and_hides_no_frame() -> None:
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + "Zoë ".encode() * 300 + b"</x:xmpmeta>"
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    data = gif.write(frames, Timing((100, 100, 100), 0), "#ffffff", packet)
    assert Image.open(BytesIO(data)).n_frames == 3  # type: ignore[attr-defined]
    header = open_source(data, Limits()).header
    assert header.metadata.xmp == packet
    assert header.timing == Timing((100, 100, 100), 0)
