"""Renditions hold the frames, their timing and the given tags, and nothing else, within the bytes allowed."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageDraw, ImageFilter

from imgpipe.core import encoders, exif, xmp
from imgpipe.core.encode import LOWEST_QUALITY, encode, next_quality
from imgpipe.core.image import Timing
from imgpipe.core.metadata import Tags
from imgpipe.core.recipe import LONGEST_SIDE, WITH_ALPHA, WRITTEN, Format, Preset
from imgpipe.core.rights import Rights
from imgpipe.errors import ImageError

ANIMATED = [Format.PNG, Format.WEBP, Format.AVIF, Format.GIF]
SAID = Rights(("Ann Öst",), "© 2026 Ann", license="https://example.org/by/4.0/")
RIGHTS = Tags(exif.written(SAID), xmp.written(SAID))
PLAIN = Preset(name="web")


def photo(width: int = 240, height: int = 160) -> Image.Image:
    """Soft shapes with a little grain, as photos have."""
    rng = np.random.default_rng(7)
    image = Image.linear_gradient("L").resize((width, height))
    image = Image.merge(
        "RGB", (image, image.transpose(Image.Transpose.ROTATE_180), image.point(lambda level: level // 2))
    )
    draw = ImageDraw.Draw(image)
    for x, y, radius, level in rng.integers(0, 200, (40, 4)).tolist():
        draw.ellipse((x, y, x + radius // 4, y + radius // 4), fill=(level, 255 - level, radius))
    grain = rng.normal(0, 4, (height, width, 3))
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(1))) + grain
    return Image.fromarray(soft.clip(0, 255).astype(np.uint8))


def film(count: int = 6) -> list[Image.Image]:
    """A disc that moves over nothing, and is gone in the last frame but one: every pixel of it must clear."""
    frames = []
    for index in range(count):
        frame = Image.new("RGBA", (64, 48))
        if index != count - 2:
            ImageDraw.Draw(frame).ellipse((index * 6, 8, index * 6 + 30, 38), fill=(200, 40, 30, 255))
        frames.append(frame)
    return frames


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


def composed(data: bytes) -> list[Image.Image]:
    image = opened(data)
    frames = []
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        frames.append(image.convert("RGBA"))
    return frames


def durations(data: bytes) -> list[float]:
    image = opened(data)
    found = []
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        image.load()
        found.append(image.info["duration"])
    return found


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean of all levels, of what can be seen."""
    backed = [Image.alpha_composite(Image.new("RGBA", i.size, "#7f7f7f"), i.convert("RGBA")) for i in (one, other)]
    first, second = (np.asarray(image, dtype=float) for image in backed)
    return float(np.abs(first - second).mean())


@pytest.mark.parametrize("format", WRITTEN)
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_still_comes_back_as_it_was(format: Format, mode: str) -> None:
    frame = photo().convert(mode)
    if mode == "RGBA":
        if format not in WITH_ALPHA:
            frame = frame.convert("RGB")
        else:
            frame.paste((0, 0, 0, 0), (0, 0, 60, 160))
    again = opened(encode([frame], None, format, PLAIN, Tags(), None).data)
    assert again.format == format.upper()
    assert again.size == frame.size
    assert difference(again, frame) < (0.01 if format is Format.PNG else 4)


def test_lossless_webp_is_exact() -> None:
    preset = Preset(name="web", lossless=True)
    again = opened(encode([photo()], None, Format.WEBP, preset, Tags(), None).data)
    assert again.convert("RGB").tobytes() == photo().tobytes()


@pytest.mark.parametrize(("quality", "expected"), [(None, 2), (89, 2), (90, 0)])
def test_jpeg_keeps_colour_at_full_resolution_from_quality_90_on(quality: int | None, expected: int) -> None:
    from PIL.JpegImagePlugin import get_sampling

    data = encode([photo()], None, Format.JPEG, Preset(name="web", quality=quality), Tags(), None).data
    assert get_sampling(opened(data)) == expected


@pytest.mark.parametrize("quality", [82, 94, 100])
def test_jpeg_writes_noise_of_any_quality(quality: int) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8))
    opened(encode([noise], None, Format.JPEG, Preset(name="web", quality=quality), Tags(), None).data).load()


@pytest.mark.parametrize("format", WRITTEN)
@pytest.mark.parametrize("moving", [False, True])
def test_nothing_of_what_a_frame_remembers_is_written(format: Format, moving: bool) -> None:
    frames = [photo(), photo().transpose(Image.Transpose.ROTATE_180)] if moving else [photo()]
    timing = Timing((100, 100), 0) if moving else None
    clean = encode(frames, timing, format, PLAIN, Tags(), None)
    info: dict[str | tuple[int, int], Any] = {
        "comment": b"secret",
        "icc_profile": b"secret" * 30,
        "exif": b"Exif\0\0secret",
        "xmp": b"secret",
        "dpi": (300, 300),
        "transparency": (0, 0, 0),
        "background": (1, 2, 3, 4),
        "loop": 9,
        "duration": 70,
        "default_image": True,
        "disposal": 2,
    }
    for frame in frames:
        frame.info = info
    assert encode(frames, timing, format, PLAIN, Tags(), None) == clean
    assert all(frame.info is info for frame in frames)


@pytest.mark.parametrize("format", [Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF])
@pytest.mark.parametrize("moving", [False, True])
def test_rights_are_carried_by_every_format_that_can(format: Format, moving: bool) -> None:
    frames = [photo(), photo().transpose(Image.Transpose.ROTATE_180)] if moving else [photo()]
    again = opened(encode(frames, Timing((100, 100), 0) if moving else None, format, PLAIN, RIGHTS, None).data)
    assert again.getexif()[ExifTags.Base.Copyright].encode("latin-1").decode() == SAID.notice
    assert xmp.rights(again.info["xmp"]) == SAID


def test_iptc_is_carried_by_jpeg() -> None:
    iptc = b"\x1c\x02\x50\x00\x03Ann"
    image = opened(encode([photo()], None, Format.JPEG, PLAIN, Tags(iptc=iptc), None).data)
    from PIL import IptcImagePlugin

    assert IptcImagePlugin.getiptcinfo(image) == {(2, 80): b"Ann"}  # type: ignore[arg-type]


@pytest.mark.parametrize("packet", ["exif", "xmp", "iptc"])
def test_a_packet_too_long_for_a_jpeg_is_left_out_alone(packet: str) -> None:
    long = {"exif": b"MM\0*" + bytes(70_000), "xmp": b"<a>" + b"x" * 70_000 + b"</a>", "iptc": b"\x1c" + bytes(70_000)}
    fitting = {"exif": RIGHTS.exif, "xmp": RIGHTS.xmp, "iptc": b"\x1c\x02\x50\x00\x03Ann"}
    alone = encode([photo()], None, Format.JPEG, PLAIN, Tags(**(fitting | {packet: None})), None)
    assert encode([photo()], None, Format.JPEG, PLAIN, Tags(**(fitting | {packet: long[packet]})), None) == alone


@pytest.mark.parametrize("format", ANIMATED)
def test_each_frame_of_a_transparent_animation_is_as_it_went_in(format: Format) -> None:
    frames = film()
    data = encode(frames, Timing((100,) * len(frames), 0), format, PLAIN, Tags(), None).data
    again = composed(data)
    assert len(again) == len(frames)
    assert all(difference(*pair) < 1.5 for pair in zip(again, frames, strict=True))


@pytest.mark.parametrize("format", ANIMATED)
def test_each_frame_of_an_opaque_animation_is_as_it_went_in(format: Format) -> None:
    frames = []
    for index in range(5):
        frame = photo(120, 80)
        ImageDraw.Draw(frame).rectangle((index * 20, 20, index * 20 + 30, 50), fill=(250, 250, index * 40))
        frames.append(frame)
    again = composed(encode(frames, Timing((40,) * 5, 0), format, PLAIN, Tags(), None).data)
    assert all(difference(*pair) < 4 for pair in zip(again, frames, strict=True))


@pytest.mark.parametrize("format", ANIMATED)
def test_durations_are_kept_and_equal_frames_lose_no_time(format: Format) -> None:
    first, second = film()[:2]
    frames = [first, first, second, second, first]
    found = durations(encode(frames, Timing((50, 60, 70, 80, 90), 0), format, PLAIN, Tags(), None).data)
    assert sum(found) == 350
    assert found in ([110, 150, 90], [50, 60, 70, 80, 90])


@pytest.mark.parametrize("format", [Format.PNG, Format.WEBP, Format.GIF])
@pytest.mark.parametrize("plays", [0, 1, 2, 7])
def test_an_animation_plays_as_often_as_its_source(format: Format, plays: int) -> None:
    image = opened(encode(film(), Timing((100,) * 6, plays), format, PLAIN, Tags(), None).data)
    if format is Format.GIF:
        # What GIF counts are the repeats.
        assert image.info.get("loop") == {0: 0, 1: None}.get(plays, plays - 1)
    else:
        assert image.info["loop"] == plays


@pytest.mark.parametrize("format", ANIMATED)
@pytest.mark.parametrize("duration", [0, 1, 70_123, 65_535_000, 2**40])
def test_no_timing_is_too_odd_to_write(format: Format, duration: int) -> None:
    frames = film(4)
    data = encode([*frames, frames[-1]], Timing((duration,) * 5, 2**32 - 1), format, PLAIN, Tags(), None).data
    assert len(composed(data)) >= 4


@pytest.mark.parametrize("format", ANIMATED)
def test_one_frame_is_a_still(format: Format) -> None:
    animation = encode([photo()], Timing((100,), 0), format, PLAIN, Tags(), None)
    assert animation == encode([photo()], None, format, PLAIN, Tags(), None)


@pytest.mark.parametrize("format", [Format.JPEG, Format.WEBP, Format.AVIF])
@pytest.mark.parametrize("share", [0.9, 0.7, 0.55])
def test_max_bytes_is_kept_with_the_best_quality_found(
    format: Format, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = spied(monkeypatch)
    limit = int(share * len(encode([photo()], None, format, PLAIN, Tags(), None).data))
    tried.clear()
    encoded = encode([photo()], None, format, PLAIN, Tags(), limit)
    assert len(encoded.data) <= limit
    assert encoded.notes == ()
    assert 2 <= len(tried) <= 4
    assert encoded.data == tried[max(quality for quality, data in tried.items() if len(data) <= limit)]


def test_what_cannot_fit_is_as_small_as_may_be_and_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = spied(monkeypatch)
    encoded = encode([photo()], None, Format.JPEG, PLAIN, Tags(), 10)
    assert encoded.notes == ("over_max_bytes",)
    assert min(tried) == LOWEST_QUALITY
    assert encoded.data == tried[LOWEST_QUALITY]


@pytest.mark.parametrize(
    ("format", "preset"),
    [
        (Format.PNG, PLAIN),
        (Format.GIF, PLAIN),
        (Format.WEBP, Preset(name="web", lossless=True)),
        (Format.JPEG, Preset(name="web", quality=30)),
    ],
)
def test_what_cannot_get_smaller_is_written_once_and_noted(
    format: Format, preset: Preset, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = spied(monkeypatch)
    assert encode([photo()], None, format, preset, Tags(), 10).notes == ("over_max_bytes",)
    assert len(tried) == 1


def spied(monkeypatch: pytest.MonkeyPatch) -> dict[int, bytes]:
    """Every encode from here on: quality -> bytes."""
    tried: dict[int, bytes] = {}
    write = encoders.write

    def spy(*arguments: Any) -> bytes:
        tried[arguments[-1]] = write(*arguments)
        return tried[arguments[-1]]

    monkeypatch.setattr(encoders, "write", spy)
    return tried


@given(
    st.dictionaries(st.integers(LOWEST_QUALITY, 100), st.integers(1, 10**9), min_size=1, max_size=3),
    st.integers(1, 10**9),
    st.booleans(),
)
def test_the_next_quality_is_new_lower_than_what_was_over_and_never_under_the_floor(
    sizes: dict[int, int], limit: int, last: bool
) -> None:
    guess = next_quality(sizes, limit, last=last)
    if guess is not None:
        assert guess not in sizes
        assert LOWEST_QUALITY <= guess < min(quality for quality, size in sizes.items() if size > limit)


@pytest.mark.parametrize("format", WRITTEN)
def test_a_side_too_long_for_the_format_is_refused(format: Format) -> None:
    with pytest.raises(ImageError) as refused:
        encode([Image.new("L", (LONGEST_SIDE[format] + 1, 1))], None, format, PLAIN, Tags(), None)
    assert refused.value.code == "side_too_long"
    assert str(LONGEST_SIDE[format]) in refused.value.message


@pytest.mark.parametrize("format", WRITTEN)
def test_the_longest_side_can_be_written(format: Format) -> None:
    frame = Image.new("L", (LONGEST_SIDE[format], 2))
    assert opened(encode([frame], None, format, PLAIN, Tags(), None).data).size == frame.size


def raising(error: Exception) -> Callable[..., bytes]:
    def write(*arguments: object) -> bytes:
        raise error

    return write


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ValueError("encoding error 1"),
        ValueError("encoding error 8"),
        RuntimeError("could not create encoder object"),
        RuntimeError("ERROR adding frame. WebPEncodingError: 1."),
        RuntimeError("Conversion to YUV failed: Out of memory"),
        OSError("out of memory error when writing image file"),
    ],
    ids=str,
)
def test_an_encoder_out_of_memory_is_the_images_failure(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "write", raising(error))
    with pytest.raises(ImageError) as failed:
        encode([photo()], None, Format.WEBP, PLAIN, Tags(), None)
    assert failed.value.code == "out_of_memory"


@pytest.mark.parametrize(
    "error", [ValueError("encoding error 4"), RuntimeError("odd"), TypeError("odd"), OSError("odd")]
)
def test_any_other_failure_is_a_bug_and_raises(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "write", raising(error))
    with pytest.raises(type(error)):
        encode([photo()], None, Format.WEBP, PLAIN, Tags(), None)


def test_avif_does_not_hold_the_time_of_day() -> None:
    before = encode(film(), Timing((70,) * 6, 0), Format.AVIF, PLAIN, Tags(), None)
    time.sleep(1.1)
    assert encode(film(), Timing((70,) * 6, 0), Format.AVIF, PLAIN, Tags(), None) == before


def digests() -> str:
    """Of one still and one animation in every format."""
    hashed = hashlib.sha256()
    # Large enough for an AVIF encoder to share it out among threads.
    still = photo(900, 700)
    for format in WRITTEN:
        hashed.update(encode([still], None, format, PLAIN, RIGHTS, None).data)
        if format in ANIMATED:
            hashed.update(encode(film(), Timing((70,) * 6, 0), format, PLAIN, RIGHTS, None).data)
    return hashed.hexdigest()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux can take cores away from a process")
def test_cores_and_processes_do_not_change_the_bytes() -> None:
    program = (
        "import os, sys; os.sched_setaffinity(0, {%d}); import test_encode; sys.stdout.write(test_encode.digests())"
    )
    core = min(os.sched_getaffinity(0))
    folder = os.path.dirname(__file__)  # noqa: PTH120
    on_one_core = subprocess.run(
        [sys.executable, "-c", program % core], capture_output=True, text=True, check=True, cwd=folder
    ).stdout
    assert on_one_core == digests()
