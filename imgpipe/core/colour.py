"""Colours to sRGB: what a profile says, and what to believe where there is none.

Profiles are applied after the resize, when there are fewer pixels. A profile that does not parse, or that is for
another kind of colour than the image holds, is passed over: the numbers are then taken as sRGB, as browsers do.
"""

from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, ImageChops, ImageCms

_CMYK: Final = Path(__file__).parent / "assets" / "cmyk.icc"
_MODE_OF: Final = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab ": "LAB"}
"""ICC.1 colour space signature -> Pillow's mode."""


def to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """`image` (L, RGB, RGBA with straight alpha, CMYK or LAB) in sRGB, as L, RGB or RGBA; `icc` is its own profile."""
    if image.mode == "CMYK":
        transform = (_transform(icc, "CMYK", "RGB") if icc else None) or _transform(_CMYK.read_bytes(), "CMYK", "RGB")
    elif image.mode == "LAB":
        transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), _srgb(), "LAB", "RGB")
    elif icc:
        return _apply_profile(image, icc)
    else:
        return image
    return transform.apply(image) if transform else image.convert("RGB")


def _apply_profile(image: Image.Image, icc: bytes) -> Image.Image:
    if image.mode == "RGBA" and (transform := _transform(icc, "L", "RGB")) and is_grey(image):
        shown = transform.apply(image.getchannel("G"))
        shown.putalpha(image.getchannel("A"))
        return shown
    if image.mode != "L":
        transform = _transform(icc, image.mode, image.mode)
        return transform.apply(image) if transform else image
    # A grey image may carry a grey profile or, by many programs' habit, the RGB profile of its neighbours.
    if transform := _transform(icc, "L", "RGB"):
        return transform.apply(image).getchannel("G")
    if transform := _transform(icc, "RGB", "RGB"):
        return transform.apply(image.convert("RGB")).getchannel("G")
    return image


def is_grey(image: Image.Image) -> bool:
    """Whether the colours of an RGB or RGBA image are all grey."""
    red, green, blue = image.split()[:3]
    return not any(ImageChops.difference(band, green).getbbox() for band in (red, blue))


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@lru_cache(maxsize=8)
def _transform(icc: bytes, mode: str, out: str) -> ImageCms.ImageCmsTransform | None:
    """None where the profile is of no use for `mode`, or changes nothing."""
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(icc))
        if _MODE_OF.get(profile.profile.xcolor_space) != mode.removesuffix("A"):
            return None
        transform = ImageCms.buildTransform(
            profile,
            _srgb(),
            mode,
            out,
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return None if mode.startswith("RGB") and _changes_nothing(transform, mode) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a transform is the identity to within rounding, as it is for the many files that carry sRGB itself."""
    steps = range(0, 256, 51)
    patches = bytes(value for red in steps for green in steps for blue in steps for value in (red, green, blue))
    before = Image.frombytes("RGB", (len(steps) ** 2, len(steps)), patches)
    after = transform.apply(before.convert(mode)).convert("RGB")
    return max(high for _, high in ImageChops.difference(before, after).getextrema()) <= 1  # type: ignore[misc]
