"""Make the README's picture, `docs/before-after.jpg`, from a sample and the pipeline itself.

Run it in a checkout where imgpipe is installed: `python docs/make_pictures.py`.
"""

import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from imgpipe.core.pipeline import render
from imgpipe.core.recipe_assets import default_font
from imgpipe.core.recipe_file import load
from imgpipe.local.samples import SAMPLES
from imgpipe.worker.keys import rendition_key

KEY = "travel/dunes.jpg"
SIZE = WIDTH, HEIGHT = (1640, 836)
PAPER, INK, QUIET = "#1b1d20", "#f2efe9", "#a0a3a8"
TOP = 48
"""Where the pictures begin; their captions lie below them."""


def main() -> None:
    source = SAMPLES[KEY]()
    recipe = load(None, watermark_text="© Ann Example")
    font = default_font().data
    title, small = (ImageFont.truetype(io.BytesIO(font), size) for size in (25, 20))
    picture = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(picture)

    def place(data: bytes, left: int, box: tuple[int, int], name: str, facts: str) -> None:
        with Image.open(io.BytesIO(data)) as image:
            shown = ImageOps.contain(image.convert("RGB"), box, Image.Resampling.LANCZOS)
            size = f"{image.width:,} × {image.height:,}, {len(data) / 1000:,.0f} kB"
        picture.paste(shown, (left, TOP))
        draw.text((left, TOP + shown.height + 14), name, INK, title)
        draw.multiline_text((left, TOP + shown.height + 50), f"{size}\n{facts}", QUIET, small, spacing=8)

    place(source, 48, (640, 640), KEY, "lies on its side, tells where it was taken")
    draw.line((714, 288, 766, 288), QUIET, 5)
    draw.polygon((762, 274, 788, 288, 762, 302), QUIET)
    boxes = {"web": (814, (480, 640), "upright, marked, no GPS"), "thumb": (1328, (200, 200), "cropped to fill")}
    for output in render(source, recipe).outputs:
        left, box, facts = boxes[output.preset]
        place(output.data, left, box, rendition_key(output.preset, KEY, output.format), facts)
    picture.save(Path(__file__).with_name("before-after.jpg"), quality=86, optimize=True, progressive=True)


if __name__ == "__main__":
    main()
