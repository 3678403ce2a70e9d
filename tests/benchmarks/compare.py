"""imgpipe beside its peers, in one run: `python tests/benchmarks/compare.py [--images 40] [--rounds 7]`.

The peers do what a careful person writes with them: the EXIF orientation applied, Lanczos, a mark, JPEG at quality 82.
Rounds alternate between all of them, so that a machine that slows down slows all; medians and ratios are what counts.
"""

import argparse
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path

os.environ["VIPS_CONCURRENCY"] = "1"  # every row of the first table is one thread's work

import msgspec
import pyvips
from PIL import Image, ImageDraw, ImageFont, ImageOps

from imgpipe.core import recipe_file
from imgpipe.core.pipeline import render
from imgpipe.core.recipe import Recipe
from imgpipe.local.samples import SAMPLES

BOX = 1600
QUALITY = 82


def with_imgpipe(data: bytes) -> int:
    recipe = _web()
    return sum(len(output.data) for output in render(data, recipe).outputs)


def with_pillow(data: bytes) -> int:
    """Image.draft with the aspect-true size, then `thumbnail`: what Pillow's own documentation advises."""
    image = Image.open(BytesIO(data))
    image.draft("RGB", (BOX, BOX * image.height // image.width))
    upright = ImageOps.exif_transpose(image)
    upright.thumbnail((BOX, BOX), Image.Resampling.LANCZOS)
    return _saved(_marked(upright))


def with_plain_pillow(data: bytes) -> int:
    """What is written most often: open, `resize`, save."""
    image = ImageOps.exif_transpose(Image.open(BytesIO(data)))
    scale = BOX / max(image.size)
    size = round(image.width * scale), round(image.height * scale)
    return _saved(_marked(image.resize(size, Image.Resampling.LANCZOS)))


def with_vips(data: bytes) -> int:
    image = pyvips.Image.thumbnail_buffer(data, BOX, height=BOX, size="down")
    mark = pyvips.Image.text("PROOF", font="sans 40", dpi=72)
    white = mark.new_from_image([255, 255, 255]).copy(interpretation="srgb")
    stamp = white.bandjoin(mark * 0.6)
    marked = image.composite2(stamp, "over", x=image.width - mark.width - 28, y=image.height - mark.height - 28)
    return len(marked.flatten().jpegsave_buffer(Q=QUALITY))


PEERS: dict[str, Callable[[bytes], int]] = {
    "imgpipe": with_imgpipe,
    "libvips thumbnail": with_vips,
    "Pillow with draft": with_pillow,
    "Pillow, plain": with_plain_pillow,
}


def one_photo(rounds: int) -> None:
    for name in ("mountains/evening.jpg", "travel/dunes.jpg"):
        data = SAMPLES[name]()
        width, height = Image.open(BytesIO(data)).size
        times = _alternate({peer: partial(make, data) for peer, make in PEERS.items()}, rounds)
        _table(f"{name}, {width}×{height}, inside {BOX}, marked, one thread, milliseconds", times, 1000)


def many_photos(count: int, rounds: int) -> None:
    """The whole command over a folder of 12-megapixel photos, both presets, beside a pool that does it with Pillow."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "in"), Path(folder, "out")
        source.mkdir()
        data = SAMPLES["mountains/evening.jpg"]()
        for index in range(count):
            Path(source, f"{index:04}.jpg").write_bytes(data)

        def command() -> None:
            shutil.rmtree(out, ignore_errors=True)
            subprocess.run(
                [sys.executable, "-m", "imgpipe", "process-local", source, out], check=True, capture_output=True
            )

        def pool() -> None:
            with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as workers:
                list(workers.map(_pillow_file, sorted(source.iterdir())))

        _table(
            f"{count} such photos, web and thumb, all cores, seconds",
            _alternate({"imgpipe process-local": command, "a pool with Pillow": pool}, rounds),
            1,
        )


def _pillow_file(path: Path) -> None:
    data = path.read_bytes()
    with_pillow(data)
    image = ImageOps.exif_transpose(Image.open(BytesIO(data)))
    ImageOps.fit(image, (400, 400), Image.Resampling.LANCZOS).save(BytesIO(), "JPEG", quality=QUALITY)


def _web() -> Recipe:
    recipe = recipe_file.load(None)
    return msgspec.structs.replace(recipe, presets=recipe.presets[:1])


def _marked(image: Image.Image) -> Image.Image:
    layer = Image.new("RGBA", image.size)
    draw = ImageDraw.Draw(layer)
    draw.text((image.width - 30, image.height - 30), "PROOF", (255, 255, 255, 153), ImageFont.load_default(60), "rs")
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def _saved(image: Image.Image) -> int:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.tell()


def _alternate(jobs: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each job in each round, after a round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for counted in range(-1, rounds):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            if counted >= 0:
                times[name].append(time.perf_counter() - start)
    return times


def _table(title: str, times: dict[str, list[float]], unit: float) -> None:
    ours = statistics.median(next(iter(times.values())))
    sys.stdout.write(f"\n{title}\n{'':24}{'median':>9}{'least':>9}{'ratio':>8}\n")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        sys.stdout.write(f"{name:24}{median * unit:9.1f}{min(seconds) * unit:9.1f}{median / ours:8.2f}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    one_photo(options.rounds)
    many_photos(options.images, max(1, options.rounds // 2))
