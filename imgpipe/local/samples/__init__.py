"""Sample sources to try imgpipe on: drawn here and now, without a download.

Each is stored as some camera or program would store it, so that together they show what has to be right: orientation
tags, GPS that must not leak, alpha, a wide gamut, an animation, a format that no browser shows.
"""

import io
from collections.abc import Callable, Iterator
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Final

from PIL import Image

from imgpipe.errors import UsageError
from imgpipe.local.samples import land, lighthouse, studio, travel

ORIENTATION, MAKE, ARTIST, COPYRIGHT, TAKEN, GPS = 0x0112, 0x010F, 0x013B, 0x8298, 0x0132, 0x8825
"""Tags of EXIF 2.32."""

STORED: Final = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}
"""How a camera that writes this orientation lays an upright picture down."""

WIDE_GAMUT: Final = "display-p3.icc"
"""Display P3 in 456 bytes, CC0, from Compact-ICC-Profiles."""

NOTES = "Light meter readings, lenses, and where to go again. Not an image: imgpipe counts it and goes on.\n"


def photo(draw: Callable[[], Image.Image], orientation: int = 1, profile: str | None = None) -> bytes:
    """A JPEG as a camera writes it, with a photographer, a copyright and a place in its EXIF."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[MAKE] = "Sample Camera"
    exif[ARTIST] = "Ann Example"
    exif[COPYRIGHT] = "Copyright 2026 Ann Example"
    exif[TAKEN] = "2026:06:21 21:14:00"
    exif[GPS] = {1: "N", 2: (46.0, 33.0, 28.0), 3: "E", 4: (7.0, 59.0, 3.0)}
    picture, turn = draw(), STORED[orientation]
    if turn is not None:
        picture = picture.transpose(turn)
    icc = files("imgpipe.core").joinpath("assets", profile).read_bytes() if profile else None
    return encoded(picture, "JPEG", quality=90, exif=exif, icc_profile=icc)


def still(draw: Callable[[], Image.Image], kind: str, **options: object) -> bytes:
    return encoded(draw(), kind, **options)


def animation(draw: Callable[[], list[Image.Image]]) -> bytes:
    """A GIF that plays for ever; one palette for all frames, so that nothing flickers."""
    frames = draw()
    strip = Image.new("RGB", (frames[0].width, frames[0].height * 4))
    for place, frame in enumerate(frames[:: len(frames) // 4][:4]):
        strip.paste(frame, (0, place * frame.height))
    palette = strip.quantize(256)
    first, *others = (frame.quantize(palette=palette) for frame in frames)
    return encoded(first, "GIF", save_all=True, append_images=others, duration=100, loop=0)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


SAMPLES: Final[dict[str, Callable[[], bytes]]] = {
    "mountains/evening.jpg": partial(photo, land.evening),
    "mountains/panorama.jpg": partial(photo, land.panorama),
    "travel/dunes.jpg": partial(photo, land.dunes, orientation=6),
    "travel/harbour at night.jpg": partial(photo, travel.harbour, orientation=3),
    "travel/balloons.jpg": partial(photo, travel.balloons, profile=WIDE_GAMUT),
    "travel/lighthouse.gif": partial(animation, lighthouse.lighthouse),
    "studio/still life.tiff": partial(still, studio.still_life, "TIFF", compression="tiff_lzw"),
    "studio/bubbles.png": partial(still, studio.bubbles, "PNG", compress_level=6),
    "forest.webp": partial(still, land.forest, "WEBP", quality=85, method=2),
    "notes.txt": NOTES.encode,
}
"""Path in the folder -> the file's bytes."""


def draw(folder: Path) -> Iterator[Path]:
    """Draw the samples that `folder` does not hold yet, yielding the path of each as it appears, whole.

    What is there stays as it is. Raises UsageError, before anything is drawn, where `folder` is something else.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder.", "Name a folder; it is made where there is none.")
    return (written(folder / name, sample()) for name, sample in SAMPLES.items() if not (folder / name).exists())


def written(path: Path, data: bytes) -> Path:
    """Write `data` under a temporary name first, so that `path` is whole or absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return path
