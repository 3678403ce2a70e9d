"""Read TIFF 6.0 and BigTIFF: the first page. Camera raw files, which are TIFFs as well, are refused by name.

Pillow turns a TIFF upright while it decodes, alone among its formats: so the header's size is the upright one, and its
orientation 1.
"""

from io import BytesIO
from typing import Final

from PIL import ExifTags, Image, TiffImagePlugin

from imgpipe.core.containers import RAW, unsupported
from imgpipe.core.decode.modes import plain
from imgpipe.core.decode.reader import Reader, cut_off
from imgpipe.core.decode.tiff_tags import first_directory
from imgpipe.core.image import Header, Metadata
from imgpipe.core.recipe import Format

_SUBFILE, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 258, 259, 262
_SUB_DIRECTORIES, _DNG_VERSION, _XMP, _IPTC = 330, 50706, 700, 33723
_RAW_PHOTOMETRIC: Final = frozenset({32803, 34892})
"""A colour filter array, and linear raw (DNG 1.7)."""
_RAW_COMPRESSION: Final = frozenset({32767, 32769, 34713, 65000, 65535})
"""Sony's, Epson's, Nikon's, Kodak's and Pentax's own."""
_DESCRIPTIVE: Final = frozenset({270, 271, 272, 305, 306, 315, 33432, 34665, 34853})
"""The tags that speak of the photo and not of how its pixels lie, EXIF's and GPS's directories among them."""
_NEEDED: Final = (_BITS, 273, 279, 320, 324, 325)
"""The tags without whose values, which may lie anywhere in the file, no pixel is found or coloured."""
_PLACES: Final = ((273, 279), (324, 325))
"""Tags with the offsets and byte counts of strips, and of tiles."""


class TiffReader(Reader):
    def __init__(self, data: bytes) -> None:
        self._data = data
        tags = first_directory(data)
        if not tags or any(tags[number].end > len(data) for number in _NEEDED if number in tags):
            raise cut_off("TIFF", data, "all of its directory")
        self._tags = {number: tag.value for number, tag in tags.items()}
        if _is_raw(self._tags):
            raise unsupported(RAW)
        image = self._open()
        icc, xmp, iptc = image.info.get("icc_profile"), image.info.get("xmp"), image.tag_v2.get(_IPTC)
        self._tile: int = image.tag_v2.get(322, 0) * image.tag_v2.get(323, 0)
        metadata = Metadata(
            _exif(image), xmp if isinstance(xmp, bytes) else None, iptc if isinstance(iptc, bytes) else None
        )
        self.header = Header(Format.TIFF, image.size, icc=icc if isinstance(icc, bytes) else None, metadata=metadata)

    def memory(self) -> int:
        """The image at 4 bytes a pixel, and libtiff's buffer for a strip (up to all of it) or a tile, at up to 8; once
        that is gone, the turned or converted image."""
        width, height = self.header.size
        return 4 * width * height + 8 * max(width * height, self._tile)

    def still(self) -> Image.Image:
        page = self._open()
        page.info.pop("xmp", None)  # Pillow would turn the image by its orientation too
        try:
            page.load()
        except OSError as error:
            end = _end(page)
            if end > len(self._data):
                raise cut_off("TIFF", self._data, f"its pixels, which lie up to byte {end}") from error
            raise
        image: Image.Image = page
        if self._tags.get(_BITS) == 12:
            image = image.point(lambda value: value * 16)
        if image.mode == "I;16" and self._tags.get(_PHOTOMETRIC) == 0:
            image = image.point(lambda value: value * -1 + 65535)
        return plain(image)

    def _open(self) -> TiffImagePlugin.TiffImageFile:
        return TiffImagePlugin.TiffImageFile(BytesIO(self._data))


def _end(page: TiffImagePlugin.TiffImageFile) -> int:
    """The byte behind the last strip or tile, as the tags have it."""
    places = [zip(page.tag_v2.get(starts, ()), page.tag_v2.get(counts, ()), strict=False) for starts, counts in _PLACES]
    return max((start + count for place in places for start, count in place), default=0)


def _is_raw(tags: dict[int, int]) -> bool:
    """DNG says so; others keep a small preview in front of what the sensor saw, or code it in a way of their own."""
    return (
        _DNG_VERSION in tags
        or bool(tags.get(_SUBFILE, 0) & 1 and _SUB_DIRECTORIES in tags)
        or tags.get(_PHOTOMETRIC) in _RAW_PHOTOMETRIC
        or tags.get(_COMPRESSION) in _RAW_COMPRESSION
    )


def _exif(image: TiffImagePlugin.TiffImageFile) -> bytes | None:
    """The descriptive tags as EXIF of their own; None where there are none, or they cannot be read."""
    try:
        exif = image.getexif()
        for tag in set(exif) - _DESCRIPTIVE:
            del exif[tag]
        for directory in (exif, exif.get_ifd(ExifTags.IFD.Exif)):
            for tag, value in directory.items():
                if isinstance(value, str):
                    # Pillow reads text as Latin-1, whatever it is, and would write it as ASCII with question marks.
                    directory[tag] = value.encode("latin-1")
        return exif.tobytes().removeprefix(b"Exif\0\0") if exif else None
    except Exception:  # whatever a broken tag makes Pillow raise, the image is not to pay for it
        return None
