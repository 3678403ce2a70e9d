"""What this machine renders with: the part of a record that, with source and recipe, fixes the bytes of a rendition."""

import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

import PIL
from PIL import features

from imgpipe import __version__
from imgpipe.core.resize import KERNEL

_CODECS = {"jpeg": "libjpeg_turbo", "webp": "webp", "avif": "avif", "tiff": "libtiff", "freetype": "freetype2"}


@lru_cache(maxsize=1)
def builds() -> dict[str, str]:
    """Name of each part -> its version: machine, kernel, Pillow, zlib and the codecs."""
    found = {
        "imgpipe": __version__,
        "machine": platform.machine(),
        "kernel": f"{KERNEL} {_version(KERNEL)}",
        "pillow": PIL.__version__,
        # The library that is loaded, not the one that Pillow was compiled for: it is the one that packs PNG.
        "zlib": features.version_codec("zlib"),
        "lcms": features.version_module("littlecms2"),
        "heif": f"pi-heif {_version('pi-heif')}",
    }
    found |= {name: features.version(feature) for name, feature in _CODECS.items()}
    return {name: value for name, value in found.items() if value}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        # A bundle may leave the packages' metadata out.
        return "unknown"
