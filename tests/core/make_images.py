"""Make real image files for tests: with the library that writes the format, byte by byte where none writes the case."""

import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import Any, NamedTuple

from PIL import Image

Pixel = tuple[int, int, int, int]


def picture(size: tuple[int, int] = (64, 48), mode: str = "RGB") -> Image.Image:
    """Smooth, asymmetric, coloured; with alpha, a gradient from transparent to opaque."""
    bands = [Image.linear_gradient("L"), Image.radial_gradient("L"), Image.linear_gradient("L").rotate(90)]
    image = Image.merge("RGB", bands).resize(size)
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.linear_gradient("L").resize(size))
    return image.convert(mode)


def saved(image: Image.Image, format_: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def heic(image: Image.Image, **options: Any) -> bytes:
    import pillow_heif

    buffer = BytesIO()
    pillow_heif.from_pillow(image).save(buffer, **options)
    return buffer.getvalue()


def exif(orientation: int = 1, **tags: Any) -> bytes:
    """EXIF with its prefix, as Pillow's encoders take it. Tags are named by number: `t315="somebody"`."""
    packet = Image.Exif()
    packet[0x0112] = orientation
    for name, value in tags.items():
        packet[int(name[1:])] = value
    return packet.tobytes()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def png(width: int, height: int, bits: int, colour: int, rows: bytes, *before: bytes) -> bytes:
    """A PNG of unfiltered `rows` (each begins with its filter's 0), with whole chunks `before` the image data."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((bits, colour, 0, 0, 0))
    chunks = (png_chunk(b"IHDR", header), *before, png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def with_chunk(data: bytes, kind: bytes, body: bytes) -> bytes:
    """A PNG with one more chunk, behind IHDR."""
    return data[:33] + png_chunk(kind, body) + data[33:]


class Part(NamedTuple):
    """One frame of `gif` or `apng`. `leave`: 0 as it is, 1 cleared, 2 as before. A transparent GIF pixel is None."""

    left: int
    top: int
    rows: Sequence[Sequence[Any]]
    milliseconds: int = 50
    leave: int = 0
    over: bool = True


GIF_COLOURS = [(40 * index, 255 - 40 * index, 17 * index) for index in range(6)]
"""The colours that `gif`'s pixels are indices of; index 6 is used for transparency."""


def gif(screen: tuple[int, int], parts: Sequence[Part], repeats: int | None = None) -> bytes:
    """A GIF of frames with any place and disposal; `repeats` is NETSCAPE2.0's number, None leaves it out."""
    data = b"GIF89a" + _short(screen[0]) + _short(screen[1]) + bytes((0x82, 0, 0))
    data += b"".join(bytes(colour) for colour in GIF_COLOURS) + bytes(6)
    if repeats is not None:
        data += b"!\xff\x0bNETSCAPE2.0\x03\x01" + _short(repeats) + b"\0"
    for part in parts:
        pixels = [6 if pixel is None else pixel for row in part.rows for pixel in row]
        flags = (0, 2, 3)[part.leave] << 2 | (6 in pixels)
        data += b"!\xf9\x04" + bytes((flags,)) + _short(part.milliseconds // 10) + b"\x06\0"
        data += b"," + b"".join(map(_short, (part.left, part.top, len(part.rows[0]), len(part.rows)))) + b"\0"
        # With 128 literal codes and a clear code before every 100 pixels, each LZW code is one byte.
        codes = b"".join(b"\x80" + bytes(pixels[at : at + 100]) for at in range(0, len(pixels), 100)) + b"\x81"
        blocks = (codes[at : at + 255] for at in range(0, len(codes), 255))
        data += b"\x07" + b"".join(bytes((len(block),)) + block for block in blocks) + b"\0"
    return data + b";"


def apng(size: tuple[int, int], parts: Sequence[Part], plays: int = 0, default: Pixel | None = None) -> bytes:
    """An APNG of RGBA frames. With `default`, a default image of that colour stands before the animation."""
    chunks = [png_chunk(b"acTL", len(parts).to_bytes(4, "big") + plays.to_bytes(4, "big"))]
    if default:
        chunks.append(png_chunk(b"IDAT", _packed([[default] * size[0]] * size[1])))
    sequence = 0
    for part in parts:
        numbers = (sequence, len(part.rows[0]), len(part.rows), part.left, part.top)
        control = b"".join(number.to_bytes(4, "big") for number in numbers)
        control += part.milliseconds.to_bytes(2, "big") + (1000).to_bytes(2, "big") + bytes((part.leave, part.over))
        chunks.append(png_chunk(b"fcTL", control))
        sequence += 1
        if len(chunks) == 2:
            chunks.append(png_chunk(b"IDAT", _packed(part.rows)))
        else:
            chunks.append(png_chunk(b"fdAT", sequence.to_bytes(4, "big") + _packed(part.rows)))
            sequence += 1
    whole = saved(Image.new("RGBA", size), "PNG")
    return whole[:33] + b"".join(chunks) + png_chunk(b"IEND", b"")


def _packed(rows: Sequence[Sequence[Pixel]]) -> bytes:
    return zlib.compress(b"".join(b"\0" + b"".join(bytes(pixel) for pixel in row) for row in rows))


def _short(number: int) -> bytes:
    return number.to_bytes(2, "little")
