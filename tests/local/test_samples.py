"""The samples are whole, varied in what matters to the pipeline, and never overwrite anything."""

import io
from pathlib import Path
from typing import cast

import pytest
from PIL import Image, ImageCms, ImageOps, ImageStat

from imgpipe.errors import UsageError
from imgpipe.local import samples


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "new" / "in"
    appeared = [path.relative_to(folder).as_posix() for path in samples.draw(folder) if path.is_file()]
    assert appeared == list(samples.SAMPLES)
    return folder


def images(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".txt"]


def test_nothing_lies_there_but_the_samples(folder: Path) -> None:
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == set(samples.SAMPLES)


def test_every_picture_opens_whole_and_is_worth_looking_at(folder: Path) -> None:
    for path in images(folder):
        with Image.open(path) as image:
            image.load()
            assert max(ImageStat.Stat(image.convert("RGB")).stddev) > 30, path


def test_the_set_exercises_what_has_to_be_right(folder: Path) -> None:
    opened = [Image.open(path) for path in images(folder)]
    assert {image.format for image in opened} == {"JPEG", "PNG", "GIF", "TIFF", "WEBP"}
    assert {1, 3, 6} <= {image.getexif().get(samples.ORIENTATION, 1) for image in opened}
    assert any(image.width * image.height > 12_000_000 for image in opened)
    assert any(image.width > 5 * image.height for image in opened)
    assert any(getattr(image, "n_frames", 1) == 24 and image.info["loop"] == 0 for image in opened)
    for image in opened:
        image.close()


def test_sideways_photos_stand_upright_by_their_tag(folder: Path) -> None:
    with Image.open(folder / "travel/dunes.jpg") as image:
        assert image.width > image.height
        upright = ImageOps.exif_transpose(image).convert("RGB").resize((3, 9), Image.Resampling.BOX)
    red, _, blue = ImageStat.Stat(upright.crop((0, 0, 3, 2))).mean
    assert blue > red, "the sky is not above"
    red, _, blue = ImageStat.Stat(upright.crop((0, 6, 3, 8))).mean
    assert red > blue, "the sand is not below"


def test_bubbles_are_softly_transparent(folder: Path) -> None:
    with Image.open(folder / "studio/bubbles.png") as image:
        histogram = image.getchannel("A").histogram()
    assert histogram[0] > 0.2 * sum(histogram)
    assert sum(histogram[1:255]) > 0.2 * sum(histogram)


def test_photos_carry_a_photographer_and_a_place(folder: Path) -> None:
    with Image.open(folder / "mountains/evening.jpg") as image:
        exif = image.getexif()
        assert exif[samples.ARTIST] == "Ann Example"
        assert exif[samples.COPYRIGHT] == "Copyright 2026 Ann Example"
        assert exif.get_ifd(samples.GPS)[2] == (46.0, 33.0, 28.0)


def test_balloons_have_a_wide_gamut(folder: Path) -> None:
    with Image.open(folder / "travel/balloons.jpg") as image:
        profile = ImageCms.getOpenProfile(io.BytesIO(image.info["icc_profile"]))
    green = Image.new("RGB", (1, 1), (40, 200, 40))
    converted = ImageCms.profileToProfile(green, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert converted is not None
    assert cast("tuple[int, int, int]", converted.getpixel((0, 0)))[0] < 20, "not the primaries of Display P3"


def test_the_animation_closes_its_circle(folder: Path) -> None:
    with Image.open(folder / "travel/lighthouse.gif") as image:
        frames = []
        for number in range(24):
            image.seek(number)
            frames.append(image.convert("L").resize((32, 21), Image.Resampling.BOX))

    def apart(one: int, other: int) -> float:
        return sum(abs(a - b) for a, b in zip(frames[one].tobytes(), frames[other].tobytes(), strict=True)) / (32 * 21)

    steps = [apart(number, number + 1) for number in range(23)]
    assert apart(23, 0) <= max(steps) * 1.1
    assert max(apart(0, number) for number in range(24)) > 3, "nothing moves"


def test_the_same_bytes_are_drawn_again(folder: Path) -> None:
    for name in ("studio/bubbles.png", "travel/lighthouse.gif"):
        assert samples.SAMPLES[name]() == (folder / name).read_bytes()


def test_a_sample_that_is_there_already_is_left_alone(tmp_path: Path) -> None:
    for name in samples.SAMPLES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    (tmp_path / "notes.txt").unlink()
    assert list(samples.draw(tmp_path)) == [tmp_path / "notes.txt"]
    assert (tmp_path / "forest.webp").read_text() == "mine"


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("mine")
    with pytest.raises(UsageError, match="is not a folder"):
        samples.draw(tmp_path / "in")
