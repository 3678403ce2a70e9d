"""The files that a recipe names: watermark images and fonts, read whole and known by their bytes.

What is wrong with one is a ValueError of two sentences, which the reader of the recipe puts beside its path and line.
"""

import re
from functools import cache
from pathlib import Path
from stat import S_ISREG
from typing import Final

from imgpipe.core import fontfile
from imgpipe.core.recipe import Asset
from imgpipe.core.recipe_setting import quoted
from imgpipe.errors import ImageError

MAX_BYTES: Final = 20_000_000
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)
"""A scheme (RFC 3986) of two letters or more: one letter is a drive."""


def read_image(folder: Path, name: str) -> Asset:
    """The image at `name`, relative to `folder`: of a format that sources may have, at most `MAX_BYTES` bytes."""
    from imgpipe.core.mark import check_image  # here, because it brings Pillow, and few recipes have an image

    asset = Asset(name, _read(folder, name))
    try:
        check_image(asset)
    except ImageError as wrong:
        raise ValueError(f"{quoted(name)} cannot be a watermark. {wrong.message} Use a PNG, or a WebP.") from None
    return asset


def read_font(folder: Path, name: str) -> Asset:
    """The font at `name`, relative to `folder`: TrueType, OpenType or a collection, at most `MAX_BYTES` bytes."""
    data = _read(folder, name)
    try:
        fontfile.missing(data, "")
    except ValueError as wrong:
        raise ValueError(f"{quoted(name)} cannot be used as a font. {wrong} Use a .ttf, .otf or .ttc file.") from None
    return Asset(name, data)


@cache
def default_font() -> Asset:
    """Open Sans SemiBold, which is part of the package."""
    path = Path(__file__).parent / "assets" / "OpenSans-SemiBold.ttf"
    return Asset(path.name, path.read_bytes())


def _read(folder: Path, name: str) -> bytes:
    if _URL.match(name):
        raise ValueError(f"{quoted(name)} is a URL. Download the file and give its path.")
    path = folder / name
    try:
        if "\0" in name or not S_ISREG(path.stat().st_mode):
            raise ValueError(f"{quoted(name)} is not a file. Give the path of a file.")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ValueError(
            f"{quoted(name)} does not exist. Mend the path; in a recipe, a relative one starts at the recipe's folder."
        ) from None
    except OSError as wrong:
        raise ValueError(
            f"{quoted(name)} cannot be read: {wrong.strerror}. Make it readable, or mend the path."
        ) from None
    if not data:
        raise ValueError(f"{quoted(name)} is empty. Give the path of another file.")
    if len(data) > MAX_BYTES:
        raise ValueError(f"{quoted(name)} is larger than 20 MB. Make it smaller.")
    return data
