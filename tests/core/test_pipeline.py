"""The whole image path: real files in, renditions out, compared by measure with analytic and independent references."""

import hashlib
import math
import random
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageStat

import imgpipe.core
from imgpipe.core.pipeline import Output, render
from imgpipe.core.recipe import Asset, Fit, Format, Gravity, Limits, Preset, Recipe, Watermark
from imgpipe.errors import ImageError

FONT = Asset("OpenSans", (Path(imgpipe.core.__file__).parent / "assets" / "OpenSans-SemiBold.ttf").read_bytes())


def recipe(*presets: Preset, **settings: Any) -> Recipe:
    return Recipe(presets=presets, **settings)


def preset(name: str = "web", **settings: Any) -> Preset:
    return Preset(name=name, **({"width": 320, "height": 320} | settings))


def photo(size: tuple[int, int] = (1200, 900)) -> Image.Image:
    """Soft gradients with fine detail and hard edges: what a photograph asks of a resize."""
    width, height = size
    coarse = max(1, width // 3), max(1, height // 3)
    noise = Image.frombytes("L", coarse, random.Random(1).randbytes(coarse[0] * coarse[1]))  # noqa: S311
    noise = noise.resize(size, Image.Resampling.BICUBIC)
    image = Image.merge(
        "RGB", (Image.linear_gradient("L").resize(size), noise, Image.radial_gradient("L").resize(size))
    ).filter(ImageFilter.GaussianBlur(1))
    draw = ImageDraw.Draw(image)
    draw.ellipse((width * 0.6, height * 0.1, width * 0.9, height * 0.5), fill=(250, 220, 80))
    draw.polygon([(0, height), (width * 0.4, height * 0.4), (width * 0.7, height)], fill=(20, 60, 90))
    return image


def saved(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def opened(output: Output) -> Image.Image:
    image = Image.open(BytesIO(output.data))
    image.load()
    return image


def one(data: bytes, **settings: Any) -> Image.Image:
    (output,) = render(data, recipe(preset(**settings))).outputs
    image = opened(output)
    assert (output.width, output.height) == image.size
    return image


def psnr(first: Image.Image, second: Image.Image) -> float:
    stat = ImageStat.Stat(ImageChops.difference(first.convert("RGB"), second.convert("RGB")))
    mean = sum(stat.sum2) / sum(stat.count)
    return math.inf if mean == 0 else 10 * math.log10(255**2 / mean)


def test_one_source_becomes_every_preset_in_the_recipes_order() -> None:
    small = preset("thumb", fit=Fit.COVER, width=80, height=80)
    rendering = render(saved(photo(), "JPEG", quality=92), recipe(small, preset("web"), preset("big", width=900)))
    assert (rendering.format, rendering.width, rendering.height) == (Format.JPEG, 1200, 900)
    outputs = list(rendering.outputs)
    assert [(output.preset, output.width, output.height) for output in outputs] == [
        ("thumb", 80, 80),
        ("web", 320, 240),
        ("big", 427, 320),
    ]
    assert all(output.format == "jpeg" and opened(output).size == (output.width, output.height) for output in outputs)


def test_outputs_are_rendered_when_they_are_asked_for() -> None:
    rendering = render(saved(photo()), recipe(preset("a"), preset("b")))
    assert next(rendering.outputs).preset == "a"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "TIFF", "PNG", "WEBP"])
def test_every_orientation_comes_out_upright_and_alike(orientation: int, format: str) -> None:
    upright = photo((400, 300))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(stored, format, exif=exif, **({"quality": 95} if format in ("JPEG", "WEBP") else {}))
    rendering = render(data, recipe(preset(width=200, height=200, format="png")))
    assert (rendering.width, rendering.height) == (400, 300)
    image = opened(next(rendering.outputs))
    assert image.size == (200, 150)
    assert image.getexif().get(0x0112, 1) == 1
    assert psnr(image, upright.resize((200, 150), Image.Resampling.LANCZOS)) > 33


@pytest.mark.parametrize("size", [(3000, 2000), (1601, 1067), (1500, 2250), (1600, 1200), (803, 601), (6000, 3000)])
def test_shrinking_while_decoding_costs_no_quality_that_shows(size: tuple[int, int]) -> None:
    image = photo(size)
    data = saved(image, "JPEG", quality=95)
    target = one(data, width=400, height=400, format="png")
    full = Image.open(BytesIO(data)).resize(target.size, Image.Resampling.LANCZOS)
    assert psnr(target, full) > 40


def test_a_rendition_fed_by_a_larger_one_cannot_be_told_from_one_made_of_the_source() -> None:
    data = saved(photo((2400, 1800)))
    web, thumb = preset("web", width=1600, height=1600), preset("thumb", fit=Fit.COVER, width=400, height=400)
    fed = opened(list(render(data, recipe(web, thumb)).outputs)[1])
    direct = one(data, fit=Fit.COVER, width=400, height=400)
    assert fed.tobytes() != direct.tobytes(), "the larger rendition was not used"
    assert psnr(fed, direct) > 45


def test_a_rendition_that_is_only_a_little_larger_feeds_nothing() -> None:
    data = saved(photo((2400, 1800)))
    outputs = list(render(data, recipe(preset("web", width=600, height=600), preset("thumb"))).outputs)
    assert outputs[1].data == saved_like(data, preset("thumb"))


def saved_like(data: bytes, preset: Preset) -> bytes:
    (output,) = render(data, recipe(preset)).outputs
    return output.data


@pytest.mark.parametrize("scale", [0.78, 0.4, 0.2])
def test_sizes_and_pixels_agree_with_libvips(scale: float) -> None:
    image = photo((1000, 750))
    width = round(1000 * scale)
    ours = one(saved(image), width=width, height=width)
    theirs = pyvips.Image.new_from_buffer(saved(image), "").resize(scale, kernel="lanczos3")
    reference = Image.frombytes("RGB", (theirs.width, theirs.height), theirs.write_to_memory())
    assert abs(ours.width - reference.width) <= 1
    assert psnr(ours.resize(reference.size), reference) > 36


def test_what_is_transparent_leaves_no_halo() -> None:
    # A white disc on transparent black: straight resizing would drag the black into its edge.
    image = Image.new("RGBA", (600, 600))
    ImageDraw.Draw(image).ellipse((50, 50, 550, 550), fill=(255, 255, 255, 255))
    small = one(saved(image), width=60, height=60)
    assert small.mode == "RGBA"
    for pixel in small.get_flattened_data():
        assert isinstance(pixel, tuple)
        assert pixel[3] < 8 or min(pixel[:3]) >= 250, pixel


@pytest.mark.parametrize(("background", "shown"), [("#ff0000", (255, 0, 0)), ("transparent", (255, 255, 255))])
def test_a_format_without_alpha_shows_the_background(background: str, shown: tuple[int, int, int]) -> None:
    image = Image.new("RGBA", (100, 100))
    image.paste((0, 0, 255, 128), (0, 0, 50, 100))
    flat = one(saved(image), format="jpeg", background=background, quality=95)
    assert flat.getpixel((90, 50)) == pytest.approx(shown, abs=3)
    assert flat.getpixel((10, 50)) == pytest.approx(
        [(a + b) / 2 for a, b in zip(shown, (0, 0, 255), strict=True)], abs=4
    )


def test_contain_pads_with_the_background_and_keeps_the_box() -> None:
    image = one(
        saved(Image.new("RGB", (400, 200), "navy")), fit=Fit.CONTAIN, width=300, height=300, background="#00ff00"
    )
    assert image.size == (300, 300)
    assert image.getpixel((150, 150)) == (0, 0, 128)
    assert image.getpixel((150, 20)) == image.getpixel((150, 280)) == (0, 255, 0)
    clear = one(saved(Image.new("RGB", (400, 200))), fit=Fit.CONTAIN, width=300, height=300, background="transparent")
    assert clear.getpixel((150, 20)) == (0, 0, 0, 0)


def test_the_mark_is_on_the_picture_not_on_its_pad() -> None:
    mark = Watermark(text="PROOF", font=FONT, size=0.3, opacity=1.0)
    data = saved(Image.new("RGB", (200, 400), "navy"))
    marked = one(data, fit=Fit.CONTAIN, width=300, height=300, background="#00ff00", watermark=mark)
    plain = one(data, fit=Fit.CONTAIN, width=300, height=300, background="#00ff00")
    box = ImageChops.difference(marked, plain).getbbox()
    assert box
    assert box[0] >= 75
    assert box[2] <= 225


def test_display_p3_by_number_is_display_p3() -> None:
    data = saved(Image.new("RGB", (8, 8), (200, 50, 60)))
    at = data.index(b"IDAT") - 4
    chunk = b"cICP" + bytes((12, 13, 0, 1))
    numbered = data[:at] + (4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + data[at:]
    assert one(numbered).getpixel((0, 0)) == pytest.approx((218, 24, 53), abs=2)
    wide = numbered.replace(chunk, b"cICP" + bytes((9, 13, 0, 1)))
    with pytest.raises(ImageError, match=r"BT\.2020"):
        render(wide, recipe(preset()))


def test_contain_keeps_grey_grey_unless_its_background_has_colour() -> None:
    data = saved(Image.new("L", (400, 200), 90))
    assert one(data, fit=Fit.CONTAIN, background="#888888").mode == "L"
    assert one(data, fit=Fit.CONTAIN, background="#ff8888").getpixel((160, 5)) == (255, 136, 136)


@pytest.mark.parametrize(
    ("gravity", "colour"), [(Gravity.WEST, (255, 0, 0)), (Gravity.CENTER, (0, 255, 0)), (Gravity.EAST, (0, 0, 255))]
)
def test_cover_keeps_what_its_gravity_names(gravity: Gravity, colour: tuple[int, int, int]) -> None:
    image = Image.new("RGB", (900, 300))
    for index, part in enumerate(((255, 0, 0), (0, 255, 0), (0, 0, 255))):
        image.paste(part, (300 * index, 0, 300 * index + 300, 300))
    cropped = one(saved(image), fit=Fit.COVER, gravity=gravity, width=100, height=100)
    # A filter reaches a little beyond its crop, as it should: the picture goes on there.
    assert cropped.crop((3, 3, 97, 97)).getcolors() == [(94 * 94, colour)]


def test_gravity_means_the_upright_image_not_the_stored_one() -> None:
    image = Image.new("RGB", (300, 900), "red")
    image.paste("blue", (0, 600, 300, 900))
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = saved(image.transpose(Image.Transpose.ROTATE_90), exif=exif)
    cropped = one(stored, fit=Fit.COVER, gravity=Gravity.SOUTH, width=100, height=100)
    assert cropped.crop((3, 3, 97, 97)).getcolors() == [(94 * 94, (0, 0, 255))]


def test_a_smart_crop_finds_the_detail_through_an_orientation() -> None:
    image = Image.new("RGB", (300, 900), "#446688")
    image.paste(photo((240, 200)), (30, 660))
    exif = Image.Exif()
    exif[0x0112] = 8
    data = saved(image.transpose(Image.Transpose.ROTATE_270), exif=exif)
    smart = one(data, fit=Fit.COVER, gravity=Gravity.SMART, width=100, height=100)
    centre = one(data, fit=Fit.COVER, width=100, height=100)
    assert smart.convert("L").entropy() > centre.convert("L").entropy() + 1


@pytest.mark.parametrize(
    ("source", "alpha", "kept"),
    [
        ("BMP", False, Format.JPEG),
        ("TIFF", False, Format.JPEG),
        ("TIFF", True, Format.PNG),
        ("WEBP", True, Format.WEBP),
    ],
)
def test_keep_writes_what_it_cannot_write_as_jpeg_or_where_there_is_alpha_as_png(
    source: str, alpha: bool, kept: Format
) -> None:
    image = photo((120, 90))
    if alpha:
        image.putalpha(Image.linear_gradient("L").resize((120, 90)))
    (output,) = render(saved(image, source), recipe(preset())).outputs
    assert output.format == kept


def test_sharpening_sharpens_and_spares_alpha() -> None:
    image = photo((640, 480))
    plain, sharp = one(saved(image)), one(saved(image), sharpen=1)
    edges = [ImageStat.Stat(each.convert("L").filter(ImageFilter.FIND_EDGES)).mean[0] for each in (plain, sharp)]
    assert edges[1] > edges[0] * 1.1
    image.putalpha(Image.radial_gradient("L").resize((640, 480)))
    assert one(saved(image), sharpen=1).getchannel("A").tobytes() == one(saved(image)).getchannel("A").tobytes()


@pytest.mark.parametrize("amount", [0.5, 1, 3])
def test_sharpening_draws_no_rim_around_what_is_cut_out(amount: float) -> None:
    image = Image.new("RGBA", (60, 60))
    image.paste((180, 180, 180, 255), (15, 15, 45, 45))
    sharp = one(saved(image), width=60, height=60, sharpen=amount)
    colours = {pixel[:3] for pixel in sharp.get_flattened_data() if isinstance(pixel, tuple) and pixel[3] == 255}
    # Dividing by alpha rounds by up to two levels, which sharpening multiplies; a rim of black would make 253.
    assert all(abs(level - 180) <= 2 * amount + 1 for colour in colours for level in colour)


def test_sharpening_an_opaque_image_is_an_unsharp_mask() -> None:
    image = photo((320, 240))
    sharp = one(saved(image), width=320, height=240, sharpen=1)
    assert psnr(sharp, image.filter(ImageFilter.UnsharpMask(0.8, 100, 0))) > 50


def animation(format: str, count: int = 6) -> bytes:
    frames = [photo((200, 150)) for _ in range(count)]
    for index, frame in enumerate(frames):
        ImageDraw.Draw(frame).rectangle((20 * index, 20, 20 * index + 40, 60), fill=(255, 40 * index, 0))
    return saved(frames[0], format, save_all=True, append_images=frames[1:], duration=[80] * count, loop=0)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_an_animation_keeps_moving_or_shows_its_first_frame(format: str) -> None:
    moving, still = preset("moving", width=100, height=100), preset("still", animation="first")
    outputs = list(render(animation(format), recipe(still, moving, preset("flat", format="jpeg"))).outputs)
    assert [getattr(opened(output), "n_frames", 1) for output in outputs] == [1, 6, 1]
    last = opened(outputs[1])
    last.seek(5)
    red, _, blue = last.convert("RGB").getpixel((55, 20))  # type: ignore[misc]
    assert red > 180
    assert blue < 90


def test_a_mark_is_on_every_frame() -> None:
    mark = Watermark(text="PROOF", font=FONT, size=0.3, gravity=Gravity.CENTER, opacity=1.0)
    (marked,) = render(animation("GIF"), recipe(preset(watermark=mark))).outputs
    (plain,) = render(animation("GIF"), recipe(preset())).outputs
    one, other = opened(marked), opened(plain)
    for index in range(6):
        one.seek(index)
        other.seek(index)
        assert psnr(one.convert("RGB"), other.convert("RGB")) < 25
    assert marked.watermark
    assert not plain.watermark


def test_a_mark_on_a_larger_rendition_does_not_show_through_on_a_smaller_one() -> None:
    data = saved(photo((2400, 1800)))
    mark = Watermark(text="PROOF", font=FONT, size=0.3, gravity=Gravity.CENTER, opacity=1.0)
    web, thumb = preset("web", width=1600, height=1600, watermark=mark), preset("thumb")
    assert psnr(opened(list(render(data, recipe(web, thumb)).outputs)[1]), one(data)) > 45


def test_a_mark_left_out_is_said() -> None:
    mark = Watermark(text="PROOF", font=FONT)
    (output,) = render(saved(photo((60, 45))), recipe(preset(watermark=mark))).outputs
    assert not output.watermark
    assert output.notes == ("watermark_too_small",)


def test_a_preset_cannot_make_more_pixels_than_the_recipe_allows() -> None:
    huge = preset("huge", fit=Fit.CONTAIN, width=65500, height=65500)
    with pytest.raises(ImageError, match=r"huge would have 65500×65500") as caught:
        render(saved(photo((60, 45))), recipe(huge))
    assert caught.value.code == "too_many_pixels"
    wide = preset("wide", width=2000, height=2000, enlarge=True)
    with pytest.raises(ImageError, match="in 6 frames") as caught:
        render(animation("GIF"), recipe(wide, limits=Limits(max_animation_megapixels=5)))
    assert caught.value.code == "too_many_frames"


def test_an_animation_whose_frames_do_not_fit_into_memory_is_refused_before_one_is_decoded() -> None:
    with pytest.raises(
        ImageError, match="Its 6 frames would take about 1 MB of memory at the sizes of moving"
    ) as caught:
        render(animation("GIF"), recipe(preset("moving", width=150), limits=Limits(max_memory_megabytes=0.9)))
    assert caught.value.code == "out_of_memory"


def test_a_still_has_no_frames_to_count() -> None:
    still = preset(animation="first")
    for data in (saved(photo((200, 150)), "JPEG"), animation("GIF")[:]):
        made = recipe(still, limits=Limits(max_animation_megapixels=0.2, max_megapixels=1))
        assert next(render(data, made).outputs).width == 200


def test_a_still_of_an_animation_is_not_fed_by_its_moving_neighbour() -> None:
    still, moving = preset("still", width=50, height=50, animation="first"), preset("moving", width=160)
    outputs = list(render(animation("GIF"), recipe(moving, still)).outputs)
    assert [output.width for output in outputs] == [160, 50]


def test_another_process_makes_the_same_bytes() -> None:
    mark = Watermark(text="Grüße", font=FONT, size=0.2)
    presets = tuple(preset(format, format=format, watermark=mark) for format in ("jpeg", "png", "webp", "avif", "gif"))
    data, made = saved(photo((500, 400)), "JPEG"), recipe(*presets)
    code = (
        "import sys, hashlib, msgspec\n"
        "from imgpipe.core.pipeline import render\n"
        "from imgpipe.core.recipe import Recipe\n"
        "recipe, data = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=tuple[Recipe, bytes])\n"
        "print(hashlib.sha256(b''.join(o.data for o in render(data, recipe).outputs)).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", code], input=msgspec.msgpack.encode((made, data)), capture_output=True, check=True
    )
    here = hashlib.sha256(b"".join(output.data for output in render(data, made).outputs)).hexdigest()
    assert there.stdout.decode().strip() == here


sides = st.integers(1, 90)


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(sides, sides),
    mode=st.sampled_from(["L", "RGB", "RGBA", "CMYK", "1", "P", "I;16", "LA"]),
    box=st.tuples(sides, sides),
    fit=st.sampled_from(Fit),
    format=st.sampled_from(["keep", "jpeg", "png", "webp", "avif", "gif"]),
    orientation=st.integers(1, 8),
    enlarge=st.booleans(),
)
def test_any_small_image_through_any_preset_is_a_rendition_of_the_promised_size(
    size: tuple[int, int],
    mode: str,
    box: tuple[int, int],
    fit: Fit,
    format: Any,
    orientation: int,
    enlarge: bool,
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.new(mode, size), "TIFF", exif=exif)
    mark = Watermark(text="é", font=FONT, min_size=0, size=0.5)
    width, height = box
    asked = preset(fit=fit, width=width, height=height, format=format, enlarge=enlarge, watermark=mark, sharpen=0.5)
    (output,) = render(data, recipe(asked)).outputs
    assert opened(output).size == (output.width, output.height)
    assert output.width <= width
    assert output.height <= height
