"""The sample animation: a lighthouse whose beam goes once around.

What stands still is drawn once; each frame adds light to it, from the angle of the lamp alone.
"""

import math

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from imgpipe.local.samples.paint import chance, glow, lit, mix, sky, whole

FRAMES = 24
SIZE = WIDTH, HEIGHT = (640, 420)
LAMP = (510.0, 135.0)


def lighthouse() -> list[Image.Image]:
    """The frames; the one after the last is the first."""
    scene, tower = night(), coast()
    frames = []
    for number in range(FRAMES):
        angle = number / FRAMES * math.tau
        flash = abs(math.cos(angle)) ** 6
        frame = lit(scene, beam(angle), (255, 236, 186))
        lamp = whole(mix([(0, (120, 96, 50)), (1, (255, 240, 200))], flash))
        frame = lit(frame, glow(SIZE, LAMP, 70 + 120 * flash, 2), lamp)
        glitter(frame, number / FRAMES, 0.35 + 0.65 * flash)
        frame.paste(tower, (0, 0), tower)
        frames.append(frame)
    return frames


def night() -> Image.Image:
    """Sky, stars and sea."""
    dusk, water = (
        [(0, (10, 16, 44)), (0.45, (44, 52, 104)), (0.66, (150, 108, 126))],
        [(0.7, (20, 34, 62)), (1, (8, 14, 32))],
    )
    picture = sky(SIZE, [*dusk, *water])
    draw, random = ImageDraw.Draw(picture), chance(3)
    for _ in range(120):
        star = (random.random() * WIDTH, random.random() ** 1.4 * HEIGHT * 0.5)
        draw.point(star, whole(mix([(0, (60, 70, 120)), (1, (255, 250, 235))], random.random())))
    draw.rectangle((0, 281, WIDTH, 282), (110, 96, 120))
    return picture


def coast() -> Image.Image:
    """The cliff, the tower and the keeper's house on transparency, drawn at twice the size for smooth edges."""
    picture = Image.new("RGBA", (WIDTH * 2, HEIGHT * 2))
    draw = ImageDraw.Draw(picture)
    draw.polygon(
        [760, 840, 790, 690, 850, 640, 900, 560, 960, 545, 1080, 540, 1180, 560, 1290, 540, 1290, 840], (14, 16, 28)
    )
    for row in range(5):
        left, right, top = 998 - row * 5, 1042 + row * 5, 300 + row * 50
        colour = (226, 218, 208) if row % 2 else (196, 52, 52)
        draw.polygon([left, top, right, top, right + 5, top + 50, left - 5, top + 50], colour)
    draw.polygon([1024, 300, 1042, 300, 1067, 550, 1032, 550], (20, 18, 40, 110))
    draw.rectangle((986, 290, 1054, 302), (30, 30, 44))
    draw.rectangle((1002, 250, 1038, 290), (255, 226, 150))
    for x in (1002, 1019, 1036):
        draw.line((x, 250, x, 290), (30, 30, 44), 3)
    draw.polygon([992, 252, 1020, 218, 1048, 252], (150, 36, 40))
    draw.rectangle((1080, 490, 1150, 545), (60, 56, 74))
    draw.polygon([1070, 492, 1115, 455, 1160, 492], (110, 44, 44))
    draw.rectangle((1104, 506, 1122, 524), (255, 210, 130))
    return picture.resize(SIZE, Image.Resampling.LANCZOS)


def beam(angle: float) -> Image.Image:
    """The light of both lenses at `angle` (radians; 0 looks at the viewer), as a mask."""
    across, towards = math.sin(angle), math.cos(angle)
    mask = Image.new("L", SIZE)
    draw = ImageDraw.Draw(mask)
    x, y = LAMP
    for side in (-1, 1):
        end, fall, spread = x + side * across * 900, y - side * towards * 40, 26 + 70 * abs(towards)
        draw.polygon([x, y, end, fall - spread, end, fall + spread], round(60 + 80 * abs(across)))
    return ImageChops.multiply(mask.filter(ImageFilter.GaussianBlur(5)), glow(SIZE, LAMP, 110 + 540 * abs(across), 1.1))


def glitter(picture: Image.Image, turn: float, strength: float) -> None:
    """Draw the sea's reflections at `turn` (0 to 1), each of which comes and goes once or twice a turn."""
    draw, random = ImageDraw.Draw(picture), chance(9)
    for _ in range(150):
        x, y = random.random() * WIDTH, 286 + random.random() ** 1.6 * 130
        swell = math.sin((turn * random.choice((1, 2)) + random.random()) * math.tau)
        colour = whole(mix([(0, (20, 32, 60)), (1, (196, 176, 160))], max(0.0, swell) * strength * 0.8))
        half = (y - 270) / 9
        draw.line((x - half, y, x + half, y), colour)
