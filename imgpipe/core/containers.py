"""Tell what a file is by its first bytes, and refuse by name what is not opened.

Names decide nothing here: HEIC files are often called `.jpg`. Extensions serve a folder run's question alone, whether
a file was meant as an image (`EXTENSIONS`), asked beside `known`, which asks its content.
"""

from typing import Final, NamedTuple

from imgpipe.core import bmff
from imgpipe.core.recipe import Format
from imgpipe.errors import ImageError

RAW: Final = "a camera raw file"


class _Refused(NamedTuple):
    """A signature that is recognised and not opened. `image` is False for documents, which no folder run misses."""

    offset: int
    magic: bytes
    what: str
    image: bool = True


_REFUSED: Final = (
    _Refused(8, b"CR\x02\x00", RAW),
    _Refused(0, b"IIRO", RAW),
    _Refused(0, b"IIRS", RAW),
    _Refused(0, b"MMOR", RAW),
    _Refused(0, b"IIU\x00", RAW),
    _Refused(6, b"HEAPCCDR", RAW),
    _Refused(0, b"FUJIFILMCCD-RAW", RAW),
    _Refused(0, b"FOVb", RAW),
    _Refused(0, b"\x00MRM", RAW),
    _Refused(0, b"8BPS", "a Photoshop document"),
    _Refused(0, b"\x00\x00\x01\x00", "an icon file (ICO)"),
    _Refused(0, b"\x00\x00\x02\x00", "a cursor file (CUR)"),
    _Refused(0, b"icns", "an icon file (ICNS)"),
    _Refused(0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "a JPEG 2000 image"),
    _Refused(0, b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    _Refused(0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", "a JPEG XL image"),
    _Refused(0, b"\xff\x0a", "a JPEG XL image"),
    _Refused(0, b"\x8aMNG\r\n\x1a\n", "an MNG animation"),
    _Refused(0, b"v/1\x01", "an OpenEXR image"),
    _Refused(0, b"#?RADIANCE", "a Radiance HDR image"),
    _Refused(0, b"DDS ", "a DDS texture"),
    _Refused(0, b"qoif", "a QOI image"),
    _Refused(0, b"gimp xcf", "a GIMP document"),
    _Refused(0, b"II\xbc\x01", "a JPEG XR image"),
    _Refused(0, b"\xc5\xd0\xd3\xc6", "an EPS document", image=False),
    _Refused(0, b"%!", "a PostScript or EPS document", image=False),
    _Refused(0, b"%PDF", "a PDF document", image=False),
    *(
        _Refused(0, b"P%d" % kind + space, "a PNM image", image=False)
        for kind in range(1, 8)
        for space in (b"\n", b" ")
    ),
    *(
        _Refused(0, start, "SVG, XML or HTML", image=False)
        for start in (b"<svg", b"<?xml", b"<!DOCTYPE", b"<html", b"<!--")
    ),
)

_EXTENSIONS: Final = """
    jpg jpeg jpe jfif png apng webp gif avif avifs heic heif heics heifs hif tif tiff bmp dib
    3fr arw cr2 cr3 crw dcr dng erf fff iiq kdc mef mos mrw nef nrw orf pef raf rw2 rwl sr2 srf srw x3f
    psd psb jp2 j2k jpx jxl jxr exr dds qoi xcf ico pbm pgm pnm ppm tga
"""
EXTENSIONS: Final = frozenset(f".{name}" for name in _EXTENSIONS.split())
"""The extensions of raster images, opened or not: lower case, with the dot."""

_OPENED: Final = (
    (b"\xff\xd8\xff", Format.JPEG),
    (b"\x89PNG\r\n\x1a\n", Format.PNG),
    (b"GIF87a", Format.GIF),
    (b"GIF89a", Format.GIF),
    *((magic, Format.TIFF) for magic in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")),
)
_HEVC: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_HEIF: Final = _HEVC | {b"mif1", b"mif2", b"msf1", b"miaf", b"avif", b"avis", b"avci", b"j2ki", b"jpgs", b"vvic"}
_BMP_HEADERS: Final = frozenset({12, 40, 52, 56, 64, 108, 124})
"""Lengths of the DIB headers that follow a BMP's file header: two letters alone are too weak a signature."""


def known(head: bytes) -> bool:
    """Whether these first bytes of a file (64 are enough) are those of an image, one that is opened or not."""
    found = _look(head)
    return found.image if isinstance(found, _Refused) else found is not None or _is_damaged_png(head)


def sniff(data: bytes) -> Format:
    """The format of `data`, by its first bytes.

    Raises ImageError: `empty`, `corrupt` for a PNG whose signature a transfer as text damaged, or `unsupported_format`
    with the name of what it is, where that can be told.
    """
    if not data:
        raise ImageError("empty", "The file is empty: it has 0 bytes.")
    found = _look(data)
    if isinstance(found, Format):
        return found
    begins = f"it begins with {data[:8].hex(' ')}"
    if found:
        raise unsupported(found.what)
    if _is_damaged_png(data):
        raise ImageError("corrupt", f"The PNG's signature is damaged: {begins}.")
    raise ImageError("unsupported_format", f"The file is not an image that imgpipe knows: {begins}.")


def unsupported(what: str) -> ImageError:
    """The refusal of `what`, a noun with its article."""
    return ImageError("unsupported_format", f"The file is {what}, which imgpipe does not read.")


def _look(data: bytes) -> Format | _Refused | None:
    for refused in _REFUSED:
        if data.startswith(refused.magic, refused.offset):
            return refused
    for magic, format_ in _OPENED:
        if data.startswith(magic):
            return format_
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return Format.WEBP
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BMP_HEADERS:
        return Format.BMP
    brands = bmff.brands(data)
    return _brand(brands) if brands else None


def _brand(brands: tuple[bytes, ...]) -> Format | _Refused:
    """What a file of the ISO family is. `mif1`, which is any HEIF, leaves it to the compatible brands."""
    for brand in brands if brands[0] in _HEIF else ():
        if brand in (b"avif", b"avis"):
            return Format.AVIF
        if brand in _HEVC:
            return Format.HEIC
    if brands[0] == b"crx ":
        return _Refused(4, b"ftyp", RAW)
    name = brands[0].decode("ascii", "replace").strip()
    if brands[0] in _HEIF:
        return _Refused(4, b"ftyp", f"a HEIF image that is coded neither as HEVC nor as AV1 (brand {name})")
    return _Refused(4, b"ftyp", f"a video (brand {name})", image=False)


def _is_damaged_png(data: bytes) -> bool:
    return b"IHDR" in data[11:17]  # a byte may have come or gone with the line ends before it
