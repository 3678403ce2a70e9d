"""The sample pictures of a journey: a harbour at night, balloons in the morning.

Lights are drawn apart from what they light, then blurred and added, which is what gives them their halo.
"""

import math
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from imgpipe.local.samples.land import clouds, ridge, still_water
from imgpipe.local.samples.paint import (
    Colour,
    chance,
    glow,
    grain,
    levels,
    lit,
    mix,
    noise,
    scaled,
    sky,
    tone,
    vignette,
    whole,
)

WINDOWS: list[Colour] = [(255, 214, 140), (255, 190, 104), (255, 232, 190), (210, 226, 255), (255, 164, 90)]


def harbour() -> Image.Image:
    """A city's lights on the water."""
    width, height = size = (3000, 2000)
    shore = round(height * 0.64)
    picture = sky(size, [(0, (8, 14, 38)), (0.28, (28, 38, 82)), (0.46, (112, 76, 108)), (0.62, (232, 136, 96))])
    picture.paste((70, 60, 100), (0, 0), scaled(clouds(size, 5, (4, 12), (0.0, 1.4)), 0.6))
    random = chance(21)
    draw = ImageDraw.Draw(picture)
    for _ in range(260):
        x, y = random.random() * width, random.random() ** 2 * height * 0.4
        draw.circle((x, y), random.uniform(0.6, 1.8), (200, 208, 232))
    lamps = Image.new("RGB", size)
    skyline(draw, ImageDraw.Draw(lamps), width, shore, random)
    picture = ImageChops.screen(picture, lamps)
    for blur, share in ((6, 1.2), (40, 1.4)):
        halo = lamps.filter(ImageFilter.GaussianBlur(blur))
        picture = ImageChops.screen(picture, halo.point([min(255, round(level * share)) for level in range(256)] * 3))
    still_water(picture, shore, 31, (196, 200, 226))
    water = picture.crop((0, shore, width, height))
    streak = water.resize((width, 60), Image.Resampling.BOX).resize(water.size, Image.Resampling.BICUBIC)
    ripples = levels(noise(water.size, 14, (40, 90), 4, 0.55), -1.1, 1.1)
    water = ImageChops.overlay(Image.blend(water, streak, 0.72), Image.merge("RGB", [scaled(ripples, 0.9)] * 3))
    picture.paste(water, (0, shore))
    return vignette(grain(picture, 3, 0.07), 0.35)


def skyline(walls: ImageDraw.ImageDraw, lamps: ImageDraw.ImageDraw, width: int, shore: int, random: Random) -> None:
    """Three rows of houses that stand on the line `shore`, tallest left of the middle, and a quay with lanterns."""
    rows: list[tuple[Colour, float, float]] = [
        ((66, 54, 88), 0.16, 0.47),
        ((40, 36, 66), 0.11, 0.56),
        ((20, 20, 42), 0.06, 0.37),
    ]
    for row, (tint, low, high) in enumerate(rows):
        x = -40
        while x < width:
            wide = random.randrange(60, 190)
            middle = math.exp(-(((x / width - 0.46) / 0.24) ** 2))
            top = round(shore * (1 - low - (high - low) * random.random() ** 1.5 * (0.3 + 0.7 * middle)))
            walls.rectangle((x, top, x + wide, shore), tint)
            if random.random() < 0.22 and wide > 90:
                mast = x + wide / 2
                walls.rectangle((x + wide * 0.3, top - 40, x + wide * 0.7, top), tint)
                walls.line((mast, top - 150, mast, top), tint, 4)
                lamps.circle((mast, top - 150), 4, (255, 70, 50))
            windows(lamps, (x + 10, top + 14, x + wide - 12, shore - 14), row, random)
            x += wide + random.randrange(-20, 26)
    for x in range(20, width, 74):
        lamps.circle((x, shore - 16), 5, (255, 206, 130))


def windows(lamps: ImageDraw.ImageDraw, wall: tuple[int, int, int, int], row: int, random: Random) -> None:
    """Light some windows of a house in `row`: larger and brighter the nearer it is."""
    left, top, right, bottom = wall
    wide, tall = 8 - row, 7 + row * 2
    share, colour = random.uniform(0.12, 0.55), random.choice(WINDOWS)
    for x in range(left, right, wide + 9):
        for y in range(top, bottom, tall + 13):
            if random.random() < share:
                light = random.uniform(0.3, 1) * (0.5 + 0.25 * row)
                lamps.rectangle((x, y, x + wide, y + tall), whole(mix([(0, (0, 0, 0)), (1, colour)], light)))


def balloon(picture: Image.Image, centre: tuple[float, float], size: int, colours: tuple[Colour, ...]) -> None:
    """One hot-air balloon: gores of `colours` around an envelope of radius `size` pixels, drawn at twice that size."""
    radius = size * 2
    side = radius * 4
    art, mask = Image.new("RGB", (side, side)), Image.new("L", (side, side))
    ink, stencil = ImageDraw.Draw(art), ImageDraw.Draw(mask)
    middle, gores, rows = side / 2, 20, 48

    def outline(row: int) -> tuple[float, float]:
        """(half width, y) of the envelope at `row`, from its crown to its mouth."""
        angle = row / rows * 2.45
        taper = 1 - 0.24 * max(0.0, row / rows - 0.5)
        return radius * math.sin(angle) * taper, radius * (
            1.15 - (1.05 if angle < math.pi / 2 else 1.3) * math.cos(angle)
        )

    for gore in range(gores):
        near, far = (math.sin((edge / gores - 0.5) * math.pi) for edge in (gore, gore + 1))
        seam = [(middle + wide * far, y) for wide, y in map(outline, range(rows + 1))]
        for row in range(rows):
            (wide, y), (lower, end) = outline(row), outline(row + 1)
            quad = [(middle + wide * near, y), seam[row], (seam[row + 1][0], end + 1), (middle + lower * near, end + 1)]
            ink.polygon(quad, colours[0 if 0.36 < row / rows < 0.5 else gore % len(colours)])
            stencil.polygon(quad, 255)
        ink.line(seam, whole(mix([(0, colours[0]), (1, (40, 30, 40))], 0.4)), max(1, round(radius / 160)))
    shade = glow((side, side), (middle - radius * 0.35, radius * 0.75), radius * 1.9, 0.8)
    art = ImageChops.multiply(art, tone(shade, [(0, (60, 48, 84)), (0.5, (196, 180, 190)), (1, (255, 252, 244))]))
    art = lit(art, glow((side, side), (middle - radius * 0.42, radius * 0.6), radius * 0.7, 2), (110, 90, 60))
    ink = ImageDraw.Draw(art)
    wide, mouth = outline(rows)
    basket = (middle - radius * 0.13, mouth + radius * 0.42, middle + radius * 0.13, mouth + radius * 0.62)
    for x in (-1.0, -0.35, 0.35, 1.0):
        rope = (middle + wide * x, mouth, middle + radius * 0.12 * x, basket[1])
        ink.line(rope, (84, 66, 58), max(2, round(radius / 90)))
        stencil.line(rope, 220, max(2, round(radius / 90)))
    ink.rounded_rectangle(basket, radius * 0.03, (96, 64, 40))
    stencil.rounded_rectangle(basket, radius * 0.03, 255)
    art, mask = (layer.resize((side // 2, side // 2), Image.Resampling.BOX) for layer in (art, mask))
    picture.paste(art, (round(centre[0] - middle / 2), round(centre[1] - size)), mask)


def balloons() -> Image.Image:
    """Vivid: hot-air balloons over misty hills."""
    width, height = size = (2600, 1950)
    picture = sky(size, [(0, (70, 140, 206)), (0.35, (160, 200, 224)), (0.62, (255, 226, 190)), (0.8, (255, 206, 160))])
    picture.paste((255, 246, 236), (0, 0), scaled(clouds(size, 77, (5, 11), (0.1, 1.3)), 0.75))
    picture = lit(picture, glow(size, (width * 0.2, height * 0.66), height * 0.7, 2), (255, 190, 110))
    hills: list[tuple[int, float, float, int, Colour, Colour]] = [
        (201, 0.72, 0.05, 5, (150, 160, 178), (250, 214, 186)),
        (207, 0.78, 0.06, 4, (116, 140, 140), (238, 206, 172)),
        (215, 0.85, 0.05, 4, (76, 108, 96), (190, 182, 140)),
        (223, 0.93, 0.05, 3, (34, 66, 58), (70, 96, 70)),
    ]
    for seed, top, tall, cells, crest, foot in hills:
        ridge(picture, seed, top, tall, cells, crest, foot, 0.46)
    red, gold, white, navy, teal, orange, plum = (
        (214, 34, 44),
        (252, 190, 40),
        (250, 244, 232),
        (28, 52, 112),
        (18, 150, 150),
        (244, 110, 30),
        (124, 40, 110),
    )
    flight: list[tuple[float, float, int, tuple[Colour, ...]]] = [
        (0.90, 0.60, 34, (navy, white)),
        (0.12, 0.55, 40, (plum, gold)),
        (0.47, 0.62, 48, (teal, white, teal)),
        (0.60, 0.28, 80, (red, white)),
        (0.08, 0.24, 120, (teal, gold, orange)),
        (0.81, 0.30, 210, (navy, gold, red, gold)),
        (0.33, 0.34, 330, (red, orange, gold, white, gold, orange)),
    ]
    for x, y, radius, colours in flight:
        balloon(picture, (x * width, y * height), radius, colours)
    return vignette(grain(picture, 4, 0.035), 0.2)
