"""The recipe: everything that is made of a source, resolved and frozen.

`recipe_file` reads it from `imgpipe.toml`. Nothing here knows Pillow, files or paths: a watermark image or a font is
its bytes. The hash is over what is made, so two recipes with the same hash make the same renditions.
"""

import hashlib
from collections.abc import Callable
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct


class Fit(StrEnum):
    """How a source meets the box of `width` and `height`."""

    INSIDE = "inside"
    COVER = "cover"
    CONTAIN = "contain"
    FILL = "fill"


class Gravity(StrEnum):
    """Where a crop or a watermark clings. `smart` is for crops alone, `tile` for watermarks alone."""

    NORTHWEST = "northwest"
    NORTH = "north"
    NORTHEAST = "northeast"
    WEST = "west"
    CENTER = "center"
    EAST = "east"
    SOUTHWEST = "southwest"
    SOUTH = "south"
    SOUTHEAST = "southeast"
    SMART = "smart"
    TILE = "tile"


class Format(StrEnum):
    """The raster formats that are opened. The first five are written as well."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    AVIF = "avif"
    GIF = "gif"
    HEIC = "heic"
    TIFF = "tiff"
    BMP = "bmp"


WRITTEN: Final = (Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, Format.GIF)
"""The formats of renditions."""
WITH_ALPHA: Final = frozenset({Format.PNG, Format.WEBP, Format.AVIF, Format.GIF})
ANIMATED: Final = frozenset({Format.PNG, Format.WEBP, Format.AVIF, Format.GIF})
LOSSY: Final = frozenset({Format.JPEG, Format.WEBP, Format.AVIF})
LONGEST_SIDE: Final = {Format.JPEG: 65500, Format.PNG: 65535, Format.WEBP: 16383, Format.AVIF: 32768, Format.GIF: 65535}
"""The longest side that each format (and its library) can write, in pixels."""

Pixels = Annotated[int, Meta(ge=1, le=65500, description="a whole number of pixels from 1 to 65500")]
Colour = Annotated[str, Meta(pattern=r"^#[0-9a-f]{6}\Z", description='a colour as "#rrggbb" or "#rgb"')]
Background = Annotated[
    str, Meta(pattern=r"^(#[0-9a-f]{6}|transparent)\Z", description='a colour as "#rrggbb" or "#rgb", or "transparent"')
]
CropGravity = Annotated[Gravity, Meta(description='"center", a side, a corner ("north", "northeast", …) or "smart"')]
MarkGravity = Annotated[Gravity, Meta(description='"center", a side, a corner ("north", "northeast", …) or "tile"')]
Mega = Annotated[float, Meta(gt=0, le=1_000_000, description="a number above 0 and up to 1000000")]
Share = Annotated[float, Meta(gt=0, le=1, description="a share above 0 and up to 1")]


class Asset(Struct, frozen=True):
    """The bytes of a watermark image or a font. `name` is for messages only: neither hashed nor compared with."""

    name: str
    data: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


class Watermark(Struct, frozen=True, kw_only=True, dict=True):
    """A mark of text or of an image: exactly one of the two is set.

    `size` is the text's line height, or the image's longer side, and `margin` the space that stays free around the
    mark, both as a share of the square root of width times height of the rendition. `rotation` is in degrees,
    counter-clockwise. Below `min_size` pixels (line height or longer side, as drawn) the mark is left out.
    """

    text: str | None = None
    image: Asset | None = None
    gravity: MarkGravity = Gravity.SOUTHEAST
    size: Share = 0.05
    margin: Annotated[float, Meta(ge=0, lt=0.5, description="a share from 0 up to, not with, 0.5")] = 0.02
    opacity: Share = 0.6
    rotation: Annotated[float, Meta(ge=-360, le=360, description="a number of degrees from -360 to 360")] = 0.0
    color: Colour = "#ffffff"
    contrast: Literal["off", "auto"] = "off"
    font: Asset
    min_size: Annotated[int, Meta(ge=0, le=65500, description="a whole number of pixels from 0 to 65500")] = 10


class Preset(Struct, frozen=True, kw_only=True):
    """Named settings for one output. Sizes in pixels; `quality` None is the format's own default.

    `background` fills what has to be filled: the pad of `contain`, and transparency where the format has none
    (`transparent` is white there). `max_bytes` is bytes, or "source" for the size of the source.
    """

    name: str
    fit: Fit = Fit.INSIDE
    width: Pixels | None = None
    height: Pixels | None = None
    gravity: CropGravity = Gravity.CENTER
    enlarge: bool = False
    background: Background = "#ffffff"
    format: Literal["keep", "jpeg", "png", "webp", "avif", "gif"] = "keep"
    quality: Annotated[int, Meta(ge=1, le=100, description="a whole number from 1 to 100")] | None = None
    lossless: bool = False
    sharpen: Annotated[float, Meta(ge=0, le=5, description="an amount from 0 (off) to 5")] = 0.0
    animation: Literal["keep", "first"] = "keep"
    max_bytes: (
        Annotated[int, Meta(ge=1, le=2**40, description="a whole number of bytes above 0")] | Literal["source"] | None
    ) = None
    watermark: Watermark | None = None


class Limits(Struct, frozen=True, kw_only=True):
    """What is refused before it is decoded. Mega means a million; `max_side` is in pixels."""

    max_megabytes: Mega = 512.0
    max_megapixels: Mega = 256.0
    max_side: Annotated[int, Meta(ge=1, le=1_000_000, description="a whole number of pixels from 1 to 1000000")] = 65500
    max_animation_megapixels: Mega = 400.0
    max_memory_megabytes: Mega = 2048.0


class Recipe(Struct, frozen=True, kw_only=True, dict=True):
    """All presets, in the order of the file, with the limits and the metadata policy."""

    presets: tuple[Preset, ...]
    metadata: Literal["none", "copyright", "all"] = "copyright"
    limits: Limits = Limits()

    @cached_property
    def hash(self) -> str:
        """16 hexadecimal digits over every resolved setting and every asset's bytes; the order of presets and the
        names of files do not count."""
        tables = self.tables(lambda asset: asset.digest)
        return hashlib.sha256(msgspec.json.encode(tables, order="sorted")).hexdigest()[:16]

    def tables(self, asset: Callable[[Asset], object]) -> dict[str, Any]:
        """The recipe as its file would say it with nothing left to defaults: presets by name, each with its own
        watermark or False; `asset` says what stands for an image or a font."""
        presets = {}
        for preset in self.presets:
            table = msgspec.structs.asdict(preset)
            presets[table.pop("name")] = table
            table["watermark"] = preset.watermark is not None and {
                key: asset(value) if isinstance(value, Asset) else value
                for key, value in msgspec.structs.asdict(preset.watermark).items()
            }
        return {"metadata": self.metadata, "limits": msgspec.structs.asdict(self.limits), "presets": presets}
