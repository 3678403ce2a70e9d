"""The sample pictures of a studio: a still life and soap bubbles.

Spheres are shaded by arithmetic on whole images: `F` images hold a coordinate of every point of the surface.
"""

from typing import NamedTuple

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageMath

from imgpipe.local.samples.paint import Colour, Stops, glow, grain, levels, lit, noise, scaled, sky, tone, vignette

BICUBIC = Image.Resampling.BICUBIC


class Ball(NamedTuple):
    """A sphere of the still life: centre in shares of the picture, diameter in pixels, colours from shadow to light."""

    x: float
    y: float
    side: int
    rough: float
    gloss: float
    colours: tuple[Colour, Colour, Colour, Colour]


BALLS = (
    Ball(0.66, 0.620, 620, 0.02, 0.90, ((20, 32, 52), (36, 74, 116), (92, 142, 184), (190, 216, 230))),
    Ball(0.36, 0.600, 500, 0.06, 0.45, ((62, 24, 18), (168, 62, 34), (232, 118, 62), (255, 190, 130))),
    Ball(0.52, 0.755, 330, 0.03, 0.70, ((70, 56, 46), (176, 158, 134), (236, 224, 202), (255, 252, 244))),
    Ball(0.22, 0.780, 280, 0.08, 0.50, ((24, 40, 30), (62, 98, 66), (126, 164, 104), (206, 226, 170))),
    Ball(0.80, 0.840, 210, 0.04, 1.00, ((74, 48, 12), (198, 138, 32), (246, 200, 84), (255, 240, 190))),
)

FILM: Stops = [
    *((0.0, (226, 60, 150)), (0.2, (110, 80, 235)), (0.4, (20, 160, 235))),
    *((0.6, (30, 205, 150)), (0.8, (245, 190, 50)), (1.0, (235, 70, 130))),
]
"""The colours of a soap film, from thin to thick."""


def coordinates(side: int) -> tuple[Image.Image, Image.Image]:
    """`F` images of x and y, each from -1 to 1 over a square of `side` pixels."""
    ramp = Image.linear_gradient("L").convert("F").resize((side, side), BICUBIC)
    down = ramp.point(lambda value: value * (2 / 255) - 1)
    return down.transpose(Image.Transpose.TRANSPOSE), down


def disc(side: int) -> Image.Image:
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).circle((side / 2, side / 2), side / 2 - 2, 255)
    return mask.filter(ImageFilter.BoxBlur(1))


def sphere(ball: Ball, seed: int) -> Image.Image:
    """`ball` on transparency, in a window's light from the upper left."""
    x, y = coordinates(ball.side)
    z = ImageMath.lambda_eval(lambda a: a["max"](1 - a["x"] * a["x"] - a["y"] * a["y"], 0) ** 0.5, x=x, y=y)
    facing = ImageMath.lambda_eval(
        lambda a: a["x"] * -0.52 + a["y"] * -0.62 + a["z"] * 0.59 + a["bumps"] * ball.rough,
        x=x,
        y=y,
        z=z,
        bumps=noise(x.size, seed, (9, 9), 5, 0.7),
    )
    rim = ImageMath.lambda_eval(lambda a: (1 - a["z"]) ** 3 * a["max"](a["x"], 0), x=x, z=z)
    spot = ImageMath.lambda_eval(lambda a: a["max"](a["facing"], 0) ** 40, facing=facing)
    picture = tone(levels(facing, -0.75, 1.05), list(zip((0, 0.45, 0.8, 1), ball.colours, strict=True)))
    picture = lit(picture, levels(rim, 0, 1.6), (150, 170, 210))
    picture = lit(picture, scaled(levels(spot, 0.05, 1), ball.gloss), (255, 250, 240))
    picture.putalpha(disc(ball.side))
    return picture


def shadow(picture: Image.Image, box: tuple[float, float, float, float], colour: Colour, blur: int) -> None:
    """Darken `box` of `picture` softly, as an ellipse."""
    left, top, right, bottom = box
    size = (round(right - left) + 4 * blur, round(bottom - top) + 4 * blur)
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).ellipse((2 * blur, 2 * blur, size[0] - 2 * blur, size[1] - 2 * blur), 190)
    picture.paste(colour, (round(left) - 2 * blur, round(top) - 2 * blur), mask.filter(ImageFilter.GaussianBlur(blur)))


def still_life() -> Image.Image:
    """Abstract: five spheres in a window's light."""
    width, height = size = (2100, 1400)
    picture = sky(size, [(0, (96, 112, 116)), (0.56, (146, 156, 150)), (0.6, (206, 190, 166)), (1, (160, 136, 112))])
    wall = levels(noise((600, 400), 3, (3, 3), 6, 0.6), -2.4, 2.4).resize(size, BICUBIC)
    picture = ImageChops.overlay(picture, Image.merge("RGB", [wall] * 3))
    picture = lit(picture, glow(size, (width * 0.16, height * 0.18), width * 0.75, 1.4), (150, 128, 92))
    places = [(ball.x * width - ball.side / 2, ball.y * height + ball.side / 2, ball.side) for ball in BALLS]
    for left, foot, side in places:
        shadow(
            picture, (left + side * 0.25, foot - side * 0.18, left + side * 1.7, foot + side * 0.08), (58, 42, 42), 40
        )
    for seed, (ball, (left, foot, side)) in enumerate(zip(BALLS, places, strict=True)):
        shadow(
            picture, (left + side * 0.2, foot - side * 0.07, left + side * 0.9, foot + side * 0.03), (36, 22, 22), 16
        )
        art = sphere(ball, seed + 60)
        picture.paste(art, (round(left), round(foot - side)), art)
    return vignette(grain(picture, 7, 0.05), 0.3)


def bubbles() -> Image.Image:
    """Soap bubbles on nothing: hardly a pixel is opaque."""
    width, height = size = (1800, 1500)
    picture = Image.new("RGBA", size)
    places: list[tuple[float, float, int]] = [
        *((0.36, 0.44, 900), (0.77, 0.29, 520), (0.72, 0.72, 400), (0.14, 0.82, 260)),
        *((0.12, 0.13, 200), (0.50, 0.87, 150), (0.92, 0.62, 120), (0.55, 0.08, 90)),
    ]
    for seed, (x, y, side) in enumerate(places):
        picture.alpha_composite(bubble(side, seed), (round(x * width - side / 2), round(y * height - side / 2)))
    return picture


def bubble(side: int, seed: int) -> Image.Image:
    """A soap film: nearly clear where one looks straight through, dense at the rim, with two windows mirrored in it."""
    x, y = coordinates(side)
    flow = noise((side, side), seed, (3, 3), 4, 0.45)
    away = ImageMath.lambda_eval(lambda a: a["min"]((a["x"] * a["x"] + a["y"] * a["y"]) ** 0.5, 1), x=x, y=y)
    thick = ImageMath.lambda_eval(lambda a: a["flow"] * 0.5 + a["away"] * 0.75 + 0.1, flow=flow, away=away)
    dense = ImageMath.lambda_eval(
        lambda a: a["away"] ** 3 * 0.62 + 0.12 + a["max"](a["flow"], 0) * 0.1, flow=flow, away=away
    )
    picture, alpha = tone(levels(thick, 0, 1), FILM), levels(dense, 0, 1)
    for share, reach, power, strength in ((0.28, 0.2, 1.2, 0.95), (0.755, 0.1, 1.5, 0.6)):
        window = glow((side, side), (side * share, side * share), side * reach, power)
        picture.paste((255, 255, 255), (0, 0), window)
        alpha = ImageChops.lighter(alpha, scaled(window, strength))
    picture.putalpha(ImageChops.multiply(alpha, disc(side)))
    return picture
