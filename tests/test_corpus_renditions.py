"""What a folder of real and hostile images comes out as: as libvips sees it, upright, and without a stray line.

Only where IMGPIPE_CORPUS names such a folder; else there is nothing to collect.
"""

import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Final

import pytest
import pyvips
from PIL import Image, ImageChops, ImageStat

from imgpipe.core.pipeline import render
from imgpipe.core.recipe import Preset, Recipe
from imgpipe.errors import ImageError

FULL_SIZE: Final = Recipe(presets=(Preset(name="full", width=65500, height=65500, format="png", animation="first"),))
NO_REFERENCE: Final = {
    "pillow/hopper.bmp": "libvips reads no BMP",
    "pillow/mmap_error.bmp": "libvips reads no BMP",
    "pillow/pil_sample_cmyk.jpg": "libvips does not know what an Adobe CMYK without a profile looks like",
}
LEVELS: Final = {"pillow/hopper.avif": 2.0}
"""Where more than one level of 255 is a matter of taste: colour at half resolution is enlarged in more than one way."""


def by_imgpipe(data: bytes) -> Image.Image:
    return Image.open(BytesIO(next(render(data, FULL_SIZE).outputs).data)).convert("RGBA")


def by_vips(data: bytes) -> Image.Image:
    image = pyvips.Image.new_from_buffer(data, "").autorot()
    if image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb", embedded=True, intent="relative", black_point_compensation=True)
    image = image.colourspace("srgb")
    image = (image if image.hasalpha() else image.addalpha()).cast("uchar")
    return Image.frombytes("RGBA", (image.width, image.height), image.write_to_memory())


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference on white, in levels of 255, of the band where it is largest."""
    white = Image.new("RGBA", one.size, "white")
    shown = [Image.alpha_composite(white, image).convert("RGB") for image in (one, other)]
    return max(ImageStat.Stat(ImageChops.difference(*shown)).mean)


if "IMGPIPE_CORPUS" in os.environ:
    CORPUS: Final = Path(os.environ["IMGPIPE_CORPUS"])
    FILES: Final = sorted(
        name
        for folder in ("orientation", "photos", "pillow", "pngsuite")
        for path in (CORPUS / folder).glob("*.*")
        if path.suffix != ".md"
        and path.stem != "LICENSE"
        and not path.name.startswith("crash-")
        and (name := path.relative_to(CORPUS).as_posix()) not in NO_REFERENCE
    )

    @pytest.mark.parametrize("name", FILES)
    def test_a_rendition_looks_as_libvips_sees_the_source(name: str) -> None:
        data = (CORPUS / name).read_bytes()
        try:
            ours = by_imgpipe(data)
        except ImageError:
            return  # test_corpus holds it against the code that fits
        theirs = by_vips(data)
        assert ours.size == theirs.size
        assert difference(ours, theirs) <= LEVELS.get(name, 1.0)

    @pytest.mark.parametrize("kind", ["Landscape", "Portrait"])
    def test_every_orientation_comes_out_alike(kind: str) -> None:
        # Each has its own number in its middle and was compressed anew, which makes up to 4.5; upside down it is 64.
        images = [by_imgpipe((CORPUS / f"orientation/{kind}_{index}.jpg").read_bytes()) for index in range(9)]
        assert all(difference(images[0], image) < 5 for image in images)

    def test_a_folder_run_over_all_of_it_leaves_a_record_each_and_no_stray_line(tmp_path: Path) -> None:
        ended = subprocess.run(
            [sys.executable, "-m", "imgpipe", "process-local", CORPUS, tmp_path / "out", "--json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        *records, summary = map(json.loads, ended.stdout.splitlines())
        assert ended.returncode == 1
        assert {record["status"] for record in records} == {"done", "failed"}
        assert not {"decoder_crashed", "out_of_memory", "deadline"} & {
            record["error"]["code"] for record in records if record["error"]
        }
        assert summary["type"] == "summary"
        assert len(records) == len({record["key"] for record in records}) == summary["done"] + summary["failed"]
        talk = [line for line in ended.stderr.splitlines() if "images to look at" not in line and "PROOF" not in line]
        assert not any(talk), talk
