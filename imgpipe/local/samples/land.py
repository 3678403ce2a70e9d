"""The sample pictures of land and sky.

Distance is made as the eye makes it: layer before layer, each nearer one darker and sharper, with mist between.
"""

import math
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageMath, ImageOps

from imgpipe.local.samples.paint import (
    Colour,
    Size,
    below,
    chance,
    glow,
    grain,
    levels,
    lit,
    noise,
    profile,
    scaled,
    sky,
    terrain,
    tone,
    values,
    vignette,
)


def clouds(size: Size, seed: int, cells: Size, cover: tuple[float, float]) -> Image.Image:
    """A mask of clouds that flatten towards the horizon; `cover` says at which noise they begin and are whole."""
    small = (size[0] // 4, size[1] // 4)
    return levels(noise(small, seed, cells, 7, 0.56), *cover).resize(size, Image.Resampling.BILINEAR)


def ridge(
    picture: Image.Image,
    seed: int,
    top: float,
    tall: float,
    cells: int,
    crest: Colour,
    foot: Colour,
    rough: float = 0.48,
) -> list[float]:
    """Paint one chain of hills from its skyline down, `crest` fading into the mist of `foot`; returns the skyline."""
    width, height = picture.size
    line = [height * (top - tall * value) for value in profile(width, seed, cells, 9, rough)]
    start = max(0, int(min(line)))
    veil = round(height * (tall * 1.6 + 0.06))
    box = (width, height - start)
    shade = sky((width, veil), [(0, crest), (1, foot)])
    body = Image.new("RGB", box, foot)
    body.paste(shade, (0, 0))
    texture = levels(noise((width // 4, box[1] // 4), seed + 1, (cells * 3, cells * 2), 6, 0.62), -1.6, 1.6)
    texture = tone(texture.resize(box, Image.Resampling.BILINEAR), [(0, (205, 205, 205)), (1, (255, 255, 255))])
    body = ImageChops.multiply(body, texture)
    picture.paste(body, (0, start), below(box, [y - start for y in line]))
    return line


def pine(draw: ImageDraw.ImageDraw, x: float, foot: float, tall: float, random: Random, fill: int | Colour) -> None:
    """One conifer, its trunk's foot at (`x`, `foot`)."""
    tiers = min(64, max(10, round(tall / 14)))
    draw.polygon([(x - tall * 0.012, foot), (x, foot - tall), (x + tall * 0.012, foot)], fill)
    for tier in range(tiers):
        share = (tier + 0.4) / tiers
        y = foot - tall + tall * 0.93 * share
        reach = tall * 0.16 * share**0.9
        for side in (-1, 1):
            arm = side * reach * random.uniform(0.55, 1.1)
            drop = tall * random.uniform(0.015, 0.05)
            draw.polygon(
                [(x, y - tall * 0.05), (x + arm, y + drop), (x + arm * 0.5, y + drop * 0.5), (x, y + drop)], fill
            )


def still_water(picture: Image.Image, shore: int, seed: int, tint: Colour) -> None:
    """Mirror what lies above `shore` into the rows below it, with ripples that widen towards the viewer."""
    width, height = picture.size
    deep = height - shore
    mirror = ImageOps.flip(picture.crop((0, max(0, shore - deep), width, shore))).resize((width, deep))
    mirror = ImageChops.multiply(mirror, Image.new("RGB", (width, deep), tint))
    drift = profile(deep, seed, 40, 5, 0.7)
    for row in range(deep):
        near = row / deep
        shift = round(drift[row] * near * width * 0.006 + math.sin(row / (3 + near * 14)) * near * width * 0.0012)
        picture.paste(mirror.crop((shift, row, width + shift, row + 1)), (0, shore + row))
        if shift:
            edge = width - 1 if shift > 0 else 0
            fill = mirror.crop((edge, row, edge + 1, row + 1)).resize((abs(shift), 1))
            picture.paste(fill, (width - shift if shift > 0 else 0, shore + row))


def evening() -> Image.Image:
    """Twelve megapixels: the sun goes down behind seven ridges and a lake."""
    width, height = size = (4032, 3024)
    picture = sky(
        size,
        [
            (0, (34, 42, 92)),
            (0.2, (92, 78, 136)),
            (0.38, (212, 118, 118)),
            (0.5, (250, 176, 112)),
            (0.58, (255, 218, 150)),
        ],
    )
    veil = clouds(size, 11, (4, 13), (0.02, 1.15))
    picture.paste(
        sky(size, [(0, (120, 92, 140)), (0.2, (226, 126, 126)), (0.36, (255, 170, 122)), (0.5, (255, 226, 170))]),
        (0, 0),
        veil,
    )
    sun = (width * 0.66, height * 0.475)
    picture = lit(picture, glow(size, sun, height * 0.75, 2.6), (255, 150, 70))
    picture = lit(picture, glow(size, sun, height * 0.16, 2.4), (255, 220, 150))
    disc = Image.new("L", size)
    ImageDraw.Draw(disc).circle(sun, height * 0.026, 255)
    picture.paste((255, 250, 226), (0, 0), disc.filter(ImageFilter.GaussianBlur(3)))
    layers: list[tuple[int, float, float, int, Colour, Colour]] = [
        (31, 0.500, 0.075, 5, (214, 122, 116), (255, 196, 146)),
        (52, 0.525, 0.080, 4, (176, 96, 112), (244, 164, 132)),
        (37, 0.565, 0.075, 4, (134, 76, 106), (214, 130, 124)),
        (43, 0.605, 0.065, 5, (92, 58, 92), (168, 98, 112)),
        (61, 0.640, 0.050, 4, (58, 42, 72), (112, 70, 92)),
    ]
    for seed, top, tall, cells, crest, foot in layers:
        ridge(picture, seed, top, tall, cells, crest, foot)
    picture = lit(picture, glow(size, sun, height * 0.55, 2.4), (150, 74, 30))
    shore = round(height * 0.715)
    line = ridge(picture, 71, 0.69, 0.028, 3, (30, 26, 44), (40, 32, 52), 0.45)
    draw, random = ImageDraw.Draw(picture), chance(8)
    for _ in range(520):
        x = random.randrange(width)
        pine(draw, x, line[x] + random.uniform(4, 60), random.uniform(50, 130), random, (26, 22, 38))
    still_water(picture, shore, 5, (206, 196, 214))
    bank = [
        height * (0.975 - 0.035 * value + 0.03 * math.sin(x / width * 3))
        for x, value in enumerate(profile(width, 91, 4, 8))
    ]
    picture.paste((14, 13, 22), (0, 0), below(size, bank))
    draw = ImageDraw.Draw(picture)
    for x, tall in (
        (150, 1250),
        (420, 900),
        (660, 560),
        (3560, 620),
        (3790, 1010),
        (3960, 760),
        (880, 330),
        (3390, 360),
    ):
        pine(draw, x, bank[x] + 40, tall, random, (14, 13, 22))
    for _ in range(900):
        x = random.randrange(width)
        draw.line([(x, bank[x] + 12), (x + random.gauss(0, 16), bank[x] - random.uniform(6, 52))], (14, 13, 22), 3)
    return vignette(grain(picture, 1, 0.05), 0.3)


def panorama() -> Image.Image:
    """Wide: blue ridges above a sea of mist, before sunrise."""
    width, height = size = (8000, 1500)
    picture = sky(
        size,
        [
            (0, (58, 92, 150)),
            (0.25, (122, 152, 196)),
            (0.42, (206, 200, 214)),
            (0.55, (255, 216, 186)),
            (0.7, (255, 236, 214)),
        ],
    )
    picture.paste((255, 236, 226), (0, 0), scaled(clouds(size, 23, (9, 10), (0.1, 1.3)), 0.7))
    picture = lit(picture, glow(size, (width * 0.31, height * 0.5), height * 1.5, 2), (255, 170, 110))
    layers: list[tuple[int, float, float, int, Colour, Colour]] = [
        (102, 0.43, 0.17, 13, (150, 160, 196), (236, 214, 210)),
        (113, 0.53, 0.13, 12, (122, 140, 182), (226, 212, 216)),
        (127, 0.61, 0.12, 11, (90, 114, 160), (206, 206, 220)),
        (131, 0.70, 0.11, 12, (62, 88, 134), (178, 190, 214)),
        (149, 0.80, 0.09, 10, (38, 62, 102), (128, 150, 184)),
    ]
    for seed, top, tall, cells, crest, foot in layers:
        ridge(picture, seed, top, tall, cells, crest, foot, 0.5)
    line = ridge(picture, 163, 0.93, 0.06, 9, (16, 30, 52), (22, 38, 62), 0.5)
    draw, random = ImageDraw.Draw(picture), chance(4)
    for _ in range(900):
        x = int(random.random() * width)
        pine(draw, x, line[x] + random.uniform(5, 70), random.uniform(50, 170), random, (14, 26, 46))
    return grain(picture, 2, 0.035)


def dunes() -> Image.Image:
    """Upright: one long line of dunes in the last sun."""
    size = (900, 1200)
    picture = sky(size, [(0, (40, 86, 150)), (0.22, (110, 150, 190)), (0.4, (246, 214, 176))])
    picture.paste((255, 240, 220), (0, 0), scaled(clouds(size, 41, (3, 12), (0.2, 1.5)), 0.55))
    across, depth = 450, 700
    field = noise((across, depth), 17, (3, 5), 2, 0.4)
    ripples = levels(noise((across, depth), 3, (36, 340), 3, 0.6), -4.5, 4.5)
    field.putdata([max(-0.5, 1.15 - abs(value) * 1.7) for value in values(field)])
    slope = ImageMath.lambda_eval(lambda a: a["left"] - a["here"], here=field, left=ImageChops.offset(field, 1, 0))
    light = ImageChops.overlay(levels(slope, -0.016, 0.023), ripples)
    ground = tone(light, [(0, (74, 34, 30)), (0.5, (186, 108, 66)), (1, (255, 186, 112))])
    ground.paste(ground.crop((1, 0, 2, depth)), (0, 0))
    haze = sky((across, depth), [(0, (190, 190, 190)), (0.7, (0, 0, 0))]).convert("L")
    ground.paste((250, 208, 168), (0, 0), haze)
    terrain(picture, field, ground, 0.4, 1.25, 0.2)
    picture = picture.resize((1800, 2400), Image.Resampling.BICUBIC)
    return vignette(grain(picture, 6, 0.06), 0.3)


def forest() -> Image.Image:
    """Upright: firs in the morning fog."""
    width, height = size = (1600, 2400)
    picture = sky(size, [(0, (176, 196, 198)), (0.3, (232, 232, 216)), (1, (168, 186, 178))])
    picture = lit(picture, glow(size, (width * 0.68, height * 0.24), height * 0.6, 1.6), (255, 222, 160))
    random = chance(12)
    for layer in range(8):
        near = layer / 7
        tint = (round(172 - 158 * near), round(188 - 158 * near), round(178 - 154 * near))
        mask = Image.new("L", size)
        draw = ImageDraw.Draw(mask)
        ground = height * (0.5 + 0.56 * near)
        for _ in range(round(60 - 46 * near)):
            x = random.uniform(-0.04, 1.04)
            if abs(x - 0.56) < near * 0.42 - 0.1:
                continue
            tall = height * (0.13 + 0.62 * near**1.5) * random.uniform(0.6, 1.2)
            pine(draw, x * width, ground + height * 0.03, tall, random, 255)
        picture.paste(tint, (0, 0), mask.filter(ImageFilter.BoxBlur(1.8 - near)))
        fog = levels(noise((250, 375), 70 + layer, (3, 7), 5), -1.2, 1.1).resize(size, Image.Resampling.BILINEAR)
        rise = [(max(0.0, ground / height - 0.3), (0, 0, 0)), (ground / height, (255, 255, 255))]
        fog = ImageChops.multiply(fog, sky((1, height), rise).convert("L").resize(size))
        picture.paste(
            (round(232 - 30 * near), round(232 - 24 * near), round(218 - 18 * near)), (0, 0), scaled(fog, 0.9)
        )
    picture = lit(picture, glow(size, (width * 0.68, height * 0.24), height * 0.75, 2), (110, 84, 40))
    return vignette(grain(picture, 9, 0.06), 0.3)
