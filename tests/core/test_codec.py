"""A source is opened by its content, held against the limits before it is decoded, and answers pixels or ImageError."""

import subprocess
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_images import Part, apng, exif, gif, heic, picture, png, png_chunk, saved, with_chunk
from PIL import Image, ImageChops, ImageStat

from imgpipe.core.codec import open_source
from imgpipe.core.image import Size
from imgpipe.core.recipe import Format, Limits
from imgpipe.errors import ImageError

GIF_PARTS = [Part(0, 0, [[index % 6] * 20] * 10) for index in range(3)]
SAMPLES: dict[str, bytes] = {
    "jpeg": saved(picture(), "JPEG"),
    "progressive": saved(picture(), "JPEG", progressive=True),
    "png": saved(picture(), "PNG"),
    "apng": apng((20, 10), [Part(0, 0, [[(index, 0, 0, 255)] * 20] * 10) for index in range(3)]),
    "gif": gif((20, 10), GIF_PARTS, repeats=0),
    "webp": saved(picture(), "WEBP"),
    "avif": saved(picture(), "AVIF", speed=10),
    "heic": heic(picture()),
    "tiff": saved(picture(), "TIFF", compression="tiff_lzw"),
    "tiff_raw": saved(picture(), "TIFF"),
    "bmp": saved(picture(), "BMP"),
}
FORMATS = {
    "progressive": Format.JPEG,
    "apng": Format.PNG,
    "tiff_raw": Format.TIFF,
}


def still(data: bytes, at_least: Size | None = None) -> Image.Image:
    return open_source(data, Limits()).still(at_least)


def refusal(data: bytes, **limits: Any) -> ImageError:
    with pytest.raises(ImageError) as caught:
        list(open_source(data, Limits(**limits)).frames())
    return caught.value


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two images of a kind, in levels of 255."""
    assert (one.mode, one.size) == (other.mode, other.size)
    return max(ImageStat.Stat(ImageChops.difference(one, other)).mean)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_format_decodes_to_its_picture(name: str) -> None:
    source = open_source(SAMPLES[name], Limits())
    image = source.still(None)
    assert source.header.format is FORMATS.get(name, Format(name) if name in list(Format) else None)
    assert image.size == source.header.size
    assert not image.info
    if source.header.timing is None:
        assert difference(image, picture()) < 4


@pytest.mark.parametrize("name", SAMPLES)
def test_a_missing_end_always_fails_wherever_the_cut_is(name: str) -> None:
    data = SAMPLES[name]
    for length in {*range(1, 64, 7), *range(64, len(data), max(1, len(data) // 60)), len(data) - 1}:
        error = refusal(data[:length])
        late = length > len(data) // 2
        assert error.code == "truncated" or (not late and error.code in ("corrupt", "unsupported_format")), (
            length,
            error,
        )


@pytest.mark.parametrize("name", SAMPLES)
def test_what_follows_the_end_does_no_harm(name: str) -> None:
    assert still(SAMPLES[name] + b"\n-- \nsent from my phone\n").size == still(SAMPLES[name]).size


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([name for name in SAMPLES if "tiff" not in name]), st.data())
def test_damage_ends_in_pixels_or_an_image_error(name: str, draw: st.DataObject) -> None:
    data = bytearray(SAMPLES[name])
    for at in draw.draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=6)):
        data[at] = draw.draw(st.integers(0, 255))
    with suppress(ImageError):
        source = open_source(bytes(data), Limits(max_megapixels=4, max_memory_megabytes=100))
        for frame in source.frames():
            assert frame.size == source.header.size


def test_a_scan_header_of_nothing_is_damage() -> None:
    data = SAMPLES["jpeg"]
    at = data.index(b"\xff\xda") + 2
    assert refusal(data[:at] + b"\0\2" + data[at + 2 :]).code == "corrupt"


def test_damage_that_libjpeg_does_not_report_decodes() -> None:
    """An early end marker and damage in mid-scan are swallowed by the decoder: what is pinned here is that."""
    data = SAMPLES["jpeg"]
    early = data[: -len(data) // 4] + b"\xff\xd9"
    middle = len(data) - 200
    assert still(early).size == still(data[:middle] + b"\x12\x34\x56" + data[middle + 3 :]).size == (64, 48)


@pytest.mark.parametrize(
    ("data", "limits", "code", "says"),
    [
        (SAMPLES["png"], {"max_megabytes": 0.000_01}, "too_many_bytes", "MB; the limit is 1e-05."),
        (SAMPLES["bmp"], {"max_megapixels": 0.003}, "too_many_pixels", "64×48 pixels are 0.003072 megapixels"),
        (SAMPLES["webp"], {"max_side": 63}, "side_too_long", "have a side of 64; the limit is 63."),
        (SAMPLES["gif"], {"max_animation_megapixels": 0.0005}, "too_many_frames", "in 3 frames are 0.0006 megapixels"),
        (SAMPLES["apng"], {"max_animation_megapixels": 0.0005}, "too_many_frames", "in 3 frames"),
        (SAMPLES["tiff"], {"max_memory_megabytes": 0.01}, "out_of_memory", "the limit is 0.01."),
        (b"", {}, "empty", "0 bytes"),
    ],
)
def test_each_limit_has_its_code_and_says_the_values(data: bytes, limits: dict[str, Any], code: str, says: str) -> None:
    error = refusal(data, **limits)
    assert error.code == code
    assert says in error.message


def huge_gif() -> bytes:
    return gif((65000, 65000), [Part(0, 0, [[1]])])


def huge_webp() -> bytes:
    body = b"WEBPVP8X" + (10).to_bytes(4, "little") + bytes(4) + b"\xff\x3f\0\xff\x3f\0"
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def huge_png() -> bytes:
    return png(60000, 60000, 8, 2, b"\0")


def huge_jpeg() -> bytes:
    data = saved(picture(), "JPEG")
    frame = data.index(b"\xff\xc0") + 5
    return data[:frame] + b"\xea\x60\xea\x60" + data[frame + 4 :]


def huge_bmp() -> bytes:
    data = saved(picture(), "BMP")
    return data[:18] + (60000).to_bytes(4, "little") * 2 + data[26:]


def huge_tiff() -> bytes:
    return saved(picture(), "TIFF").replace(b"\x40\0\0\0", b"\x60\xea\0\0").replace(b"\x30\0\0\0", b"\x60\xea\0\0")


@pytest.mark.parametrize("bomb", [huge_gif, huge_webp, huge_png, huge_jpeg, huge_bmp, huge_tiff])
def test_a_bomb_is_refused_before_memory_is_taken(bomb: Callable[[], bytes]) -> None:
    """In a process that may take 400 MB more than it starts with: each bomb's pixels would take a gigabyte and more."""
    program = (
        "import resource, sys\n"
        "from imgpipe.core.codec import open_source\n"
        "from imgpipe.core.decode import jpeg, png, gif, webp, tiff, bmp\n"
        "from imgpipe.core.recipe import Limits\n"
        "from imgpipe.errors import ImageError\n"
        "held = 4096 * int(open('/proc/self/statm').read().split()[0]) if sys.platform == 'linux' else 2**40\n"
        "resource.setrlimit(resource.RLIMIT_AS, (held + 400_000_000,) * 2)\n"
        "try:\n"
        "    open_source(sys.stdin.buffer.read(), Limits())\n"
        "except ImageError as error:\n"
        "    print(error.code)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], input=bomb(), capture_output=True, check=True)
    assert ended.stdout.split() == [b"too_many_pixels"], ended.stderr


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@settings(max_examples=25, deadline=None)
@given(st.tuples(st.integers(1, 300), st.integers(1, 300)), st.tuples(st.integers(1, 300), st.integers(1, 300)))
def test_shrinking_on_load_never_goes_below_what_is_needed(mode: str, size: Size, at_least: Size) -> None:
    image = still(saved(Image.new(mode, size), "JPEG"), at_least)
    assert image.size in [(-(-size[0] // by), -(-size[1] // by)) for by in (1, 2, 4, 8)]
    assert all(side >= min(whole, least) for side, whole, least in zip(image.size, size, at_least, strict=True))


def test_shrinking_on_load_shrinks() -> None:
    data = saved(picture((800, 600)), "JPEG")
    assert [still(data, (800 // by, 600 // by)).width for by in (1, 3, 6, 20)] == [800, 400, 200, 100]


def test_a_shrunk_jpeg_needs_less_memory_unless_it_is_progressive() -> None:
    baseline, progressive = (saved(picture((800, 800)), "JPEG", progressive=flag) for flag in (False, True))
    limits = Limits(max_memory_megabytes=1)
    with pytest.raises(ImageError, match="about 3 MB"):
        open_source(baseline, limits).still(None)
    assert open_source(baseline, limits).still((100, 100)).width < 400
    with pytest.raises(ImageError, match="about 2 MB"):
        open_source(progressive, limits).still((100, 100))


def test_sixteen_bits_become_eight_without_being_clipped() -> None:
    levels = b"".join(bytes((level, level)) for level in range(256))
    deep = Image.frombytes("I;16", (256, 1), levels)
    ramp = bytes(range(256))
    for format_ in ("PNG", "TIFF"):
        assert still(saved(deep, format_)).tobytes() == ramp
    assert still(saved(Image.frombytes("I;16B", (256, 1), levels), "TIFF")).tobytes() == ramp
    assert still(saved(deep, "TIFF", tiffinfo={262: 0})).tobytes() == ramp[::-1]
    assert still(saved(deep, "TIFF", tiffinfo={262: 0}, compression="tiff_lzw")).tobytes() == ramp[::-1]
    colour = png(256, 1, 16, 2, b"\0" + b"".join(bytes((level, level)) * 3 for level in range(256)))
    assert still(colour).tobytes() == bytes(level for level in range(256) for _ in range(3))


@pytest.mark.parametrize(
    ("data", "pixels"),
    [
        (png(2, 1, 1, 0, b"\0\x40"), [0, 255]),
        (png(2, 1, 2, 0, b"\0\x60"), [85, 170]),
        (png(2, 1, 1, 0, b"\0\x40", png_chunk(b"tRNS", b"\0\x01")), [(0, 0, 0, 255), (255, 255, 255, 0)]),
        (png(2, 1, 4, 0, b"\0\x3a", png_chunk(b"tRNS", b"\0\x03")), [(51, 51, 51, 0), (170, 170, 170, 255)]),
        (png(2, 1, 8, 0, b"\0\x3a\x3b", png_chunk(b"tRNS", b"\0\x3a")), [(58, 58, 58, 0), (59, 59, 59, 255)]),
        (
            png(2, 1, 16, 0, b"\0\x3a\x01\x3a\x02", png_chunk(b"tRNS", b"\x3a\x01")),
            [(58, 58, 58, 0), (58, 58, 58, 255)],
        ),
        (
            png(2, 1, 8, 2, b"\0\x01\x02\x03\x01\x02\x04", png_chunk(b"tRNS", b"\0\1\0\2\0\3")),
            [(1, 2, 3, 0), (1, 2, 4, 255)],
        ),
        (
            png(2, 1, 8, 3, b"\0\x00\x01", png_chunk(b"PLTE", b"\1\2\3\4\5\6"), png_chunk(b"tRNS", b"\x80")),
            [(1, 2, 3, 128), (4, 5, 6, 255)],
        ),
        (png(2, 1, 8, 4, b"\0\x07\xff\x09\xff"), [7, 9]),
        (png(2, 1, 8, 6, b"\0\1\2\3\xff\4\5\6\xff"), [(1, 2, 3), (4, 5, 6)]),
    ],
)
def test_png_pixels_of_every_kind_come_out_as_written(data: bytes, pixels: list[Any]) -> None:
    image = still(data)
    assert [image.getpixel((x, 0)) for x in range(image.width)] == pixels


@pytest.mark.parametrize("format_", ["PNG", "WEBP", "AVIF", "TIFF"])
def test_alpha_stays_straight_and_goes_where_all_is_opaque(format_: str) -> None:
    options = {"lossless": True, "exact": True} if format_ == "WEBP" else {}
    image = picture(mode="RGBA")
    assert difference(still(saved(image, format_, **options)), image) < 3
    image.putalpha(255)
    assert still(saved(image, format_, **options)).mode == "RGB"


def test_heic_alpha_comes_out() -> None:
    assert difference(still(heic(picture(mode="RGBA"), quality=-1)), picture(mode="RGBA")) < 6


def test_cmyk_counts_ink_with_and_without_adobes_marker() -> None:
    """Every viewer takes a CMYK JPEG for inverted, as Adobe writes it, whether its marker is there or not."""
    image = Image.new("CMYK", (16, 16), (200, 20, 0, 10))
    data = saved(image, "JPEG", quality=95)
    marker = data.index(b"\xff\xee")
    for variant in (data, data[:marker] + data[marker + 16 :], saved(image, "TIFF")):
        assert difference(still(variant), image) <= 1


def test_lab_tiffs_stay_lab() -> None:
    image = Image.new("LAB", (4, 4), (120, 140, 90))
    assert still(saved(image, "TIFF")).getpixel((0, 0)) == (120, 140, 90)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_samples_that_do_not_say_what_is_white_are_refused_by_name(mode: str) -> None:
    error = refusal(saved(Image.new(mode, (4, 4)), "TIFF"))
    assert error.code == "unsupported_format"
    assert "32 bits" in error.message


def test_a_bmp_whose_alpha_nobody_filled_is_opaque() -> None:
    for alpha, pixel in ((0, (30, 20, 10)), (7, (30, 20, 10, 7)), (255, (30, 20, 10))):
        pixels = bytes((10, 20, 30, alpha)) * 4
        masks = b"".join((255 << shift).to_bytes(4, "little") for shift in (16, 8, 0, 24))
        header = b"".join(number.to_bytes(4, "little") for number in (108, 2, 2, 32 << 16 | 1, 3, 16, 0, 0, 0, 0))
        data = b"BM" + (138).to_bytes(4, "little") + bytes(4) + (122).to_bytes(4, "little")
        assert still(data + header + masks + bytes(52) + pixels).getpixel((1, 1)) == pixel


@pytest.mark.parametrize("tags", [{50706: b"\1\4\0\0"}, {254: 1, 330: 8}, {262: 32803}])
def test_camera_raw_is_refused_rather_than_its_preview_read(tags: dict[int, Any]) -> None:
    data = saved(picture(), "TIFF", tiffinfo=tags)
    if 262 in tags:  # Pillow writes its own photometric interpretation
        entry = data.index(b"\x06\x01\x03\0\x01\0\0\0")
        data = data[: entry + 8] + (32803).to_bytes(2, "little") + data[entry + 10 :]
    error = refusal(data)
    assert (error.code, "camera raw" in error.message) == ("unsupported_format", True)


def test_a_jpeg_of_12_bits_is_refused_by_name() -> None:
    data = SAMPLES["jpeg"]
    at = data.index(b"\xff\xc0") + 4
    error = refusal(data[:at] + b"\x0c" + data[at + 1 :])
    assert (error.code, "12 bits" in error.message) == ("unsupported_format", True)


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_refused_by_name(transfer: int) -> None:
    hdr_png = with_chunk(SAMPLES["png"], b"cICP", bytes((9, transfer, 0, 1)))
    nclx = {"color_primaries": 9, "transfer_characteristics": transfer, "matrix_coefficients": 9, "full_range_flag": 1}
    avif = bytearray(SAMPLES["avif"])
    at = avif.index(b"colrnclx") + 10
    avif[at : at + 2] = transfer.to_bytes(2, "big")
    for data in (hdr_png, bytes(avif), heic(picture(), **nclx)):
        error = refusal(data)
        assert error.code == "unsupported_format"
        assert {16: "HDR (PQ)", 18: "HDR (HLG)"}[transfer] in error.message


def test_hdr_of_another_item_leaves_the_photo_alone() -> None:
    import pillow_heif

    file = pillow_heif.from_pillow(picture())
    file.add_from_pillow(picture((32, 24)))
    nclx = {"color_primaries": 9, "transfer_characteristics": 16, "matrix_coefficients": 9, "full_range_flag": 1}
    info: dict[str, Any] = file[1].info
    info["nclx_profile"] = nclx
    buffer = BytesIO()
    file.save(buffer, primary_index=0)
    assert buffer.getvalue().count(b"colrnclx") == 2
    assert still(buffer.getvalue()).size == (64, 48)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "HEIF"])
def test_size_and_orientation_speak_of_the_same_pixels(format_: str, orientation: int) -> None:
    image, tags = picture(), exif(orientation)
    data = heic(image, exif=tags) if format_ == "HEIF" else saved(image, format_, exif=tags)
    source = open_source(data, Limits())
    turned = format_ in ("TIFF", "HEIF") and orientation >= 5
    assert source.still(None).size == source.header.size == ((48, 64) if turned else (64, 48))
    assert source.header.orientation == (1 if format_ in ("TIFF", "HEIF") else orientation)


@pytest.mark.parametrize(
    "junk", [b"", b"II", b"MM\0*\0\0\0\x08\xff\xff" + bytes(30), b"II*\0\xff\xff\xff\xff", b"nonsense" * 9]
)
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_broken_exif_never_fails_an_image(format_: str, junk: bytes) -> None:
    data = saved(picture(), format_, exif=exif(1, t315="x" * 200))
    end = data.index(b"x" * 200) + 200
    packet = data[data.rindex(b"MM\0*", 0, end) : end]
    broken = (junk + bytes(len(packet)))[: len(packet)]
    data = data.replace(packet, broken)
    if format_ == "PNG":
        at = data.index(b"eXIf")
        end = at + 4 + len(packet)
        data = data[:end] + zlib.crc32(data[at:end]).to_bytes(4, "big") + data[end + 4 :]
    source = open_source(data, Limits())
    assert source.header.orientation == 1
    assert difference(source.still(None), picture()) < 4


def test_metadata_comes_out_as_the_file_holds_it() -> None:
    tags, xmp, icc = exif(3, t315="somebody"), b"<x:xmpmeta/>", b"profile" * 20
    for format_ in ("JPEG", "PNG", "WEBP", "AVIF"):
        options = {"pnginfo": None} if format_ == "PNG" else {"xmp": xmp}
        data = saved(picture(), format_, exif=tags, icc_profile=icc, **options)
        if format_ == "PNG":
            data = with_chunk(data, b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
        header = open_source(data, Limits()).header
        assert header.metadata.exif is not None
        assert b"somebody" in header.metadata.exif[:200]
        assert header.metadata.exif[:2] in (b"II", b"MM")
        assert (header.metadata.xmp, header.icc, header.orientation) == (xmp, icc, 3)


def test_iptc_comes_out_of_jpeg_and_tiff() -> None:
    datasets = b"\x1c\x02\x74\x00\x04mine"
    blocks = b"8BIM\x04\x25\0\0\0\0\0\x01x\0" + b"8BIM\x04\x04\0\0" + len(datasets).to_bytes(4, "big") + datasets
    segment = b"Photoshop 3.0\0" + blocks
    jpeg = SAMPLES["jpeg"][:2] + b"\xff\xed" + (len(segment) + 2).to_bytes(2, "big") + segment + SAMPLES["jpeg"][2:]
    tiff = saved(picture(), "TIFF", tiffinfo={33723: datasets, 315: "somebody"})
    for data in (jpeg, tiff):
        assert open_source(data, Limits()).header.metadata.iptc == datasets
    packet = open_source(tiff, Limits()).header.metadata.exif
    assert packet is not None
    assert b"somebody" in packet


def test_gain_maps_and_further_pages_leave_a_still() -> None:
    mpo = saved(picture(), "MPO", save_all=True, append_images=[picture((32, 24))])
    pages = saved(picture(), "TIFF", save_all=True, append_images=[picture((32, 24))])
    for data in (mpo, pages):
        source = open_source(data, Limits())
        assert source.header.timing is None
        assert source.still(None).size == (64, 48)
        assert len(list(source.frames())) == 1
        assert not getattr(source.still(None), "is_animated", False)


def test_heic_is_the_only_reader_that_loads_libheif() -> None:
    program = (
        "import sys; from imgpipe.core.codec import open_source; from imgpipe.core.recipe import Limits; "
        "open_source(sys.stdin.buffer.read(), Limits()).still(None); print('pi_heif' in sys.modules)"
    )
    for name, loaded in (("jpeg", b"False"), ("heic", b"True")):
        ended = subprocess.run([sys.executable, "-c", program], input=SAMPLES[name], capture_output=True, check=True)
        assert ended.stdout.strip() == loaded


def test_text_beyond_ascii_survives_a_tiff() -> None:
    said = Image.Exif()
    said[315], said[33432] = "Zoë 写真".encode(), "© 2026 Zoë".encode()
    packets = open_source(saved(picture(), "TIFF", exif=said), Limits()).header.metadata
    assert "Zoë 写真".encode() in (packets.exif or b"")
    assert "© 2026 Zoë".encode() in (packets.exif or b"")


def test_a_library_that_is_missing_is_no_fault_of_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    monkeypatch.delitem(sys.modules, "imgpipe.core.decode.heic", raising=False)
    with pytest.raises(ImportError):
        open_source(heic(picture()), Limits())


def test_patches_of_a_gif_count_for_what_decoding_them_takes() -> None:
    part = Part(0, 0, [[1] * 4] * 4)
    data = gif((4, 4), [part, part])
    small, huge = b",\0\0\0\0\4\0\4\0", b",\0\0\0\0\x40\x1f\x40\x1f"
    before, _, after = data.rpartition(small)
    with pytest.raises(ImageError) as caught:
        open_source(before + huge + after, Limits(max_animation_megapixels=60))
    assert caught.value.code == "too_many_frames"
