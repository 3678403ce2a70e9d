"""Bring every mode that a decoder answers to the five that the image path knows: L, RGB, RGBA, CMYK, LAB.

RGBA is straight, and only where something is really not opaque; CMYK counts ink, 0 is none. 16 bits become 8 by their
high byte, the way Pillow reads 16-bit colour: FFFF is white, and nothing is clipped.
"""

from typing import Final

from PIL import Image

from imgpipe.errors import ImageError

_SIMPLE: Final = {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA", "P": "RGB", "RGBX": "RGB", "YCbCr": "RGB"}
_KNOWN: Final = ("L", "LA", "RGB", "RGBA", "CMYK", "LAB")


def plain(image: Image.Image) -> Image.Image:
    """A loaded `image` in one of the five modes, with nothing in `info`; it may be `image` itself.

    `info["transparency"]` names the colour (1, L, I;16, RGB) or the palette's entries (P) that are not opaque.
    Raises ImageError (`unsupported_format`) for 32-bit and signed samples: nothing says which of them is white.
    """
    if image.mode.startswith("I;16"):
        image = _eight_bits(image)
    elif "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode in _SIMPLE:
        image = image.convert(_SIMPLE[image.mode])
    elif image.mode not in _KNOWN:
        raise ImageError(
            "unsupported_format", "The image's samples are signed or of 32 bits, which imgpipe does not read."
        )
    if image.mode in ("LA", "RGBA"):
        if image.getchannel("A").getextrema() == (255, 255):
            image = image.convert(image.mode[:-1])
        elif image.mode == "LA":
            image = image.convert("RGBA")
    if getattr(image, "is_animated", False):
        image = image.copy()  # an encoder would ask such an image for its further frames
    image.info = {}
    return image


def _eight_bits(image: Image.Image) -> Image.Image:
    order = "B" if image.mode == "I;16B" else ""
    grey = Image.frombytes("L", image.size, image.tobytes(), "raw", f"L;16{order}")
    key = image.info.get("transparency")
    if key is None:
        return grey
    opacity = [255] * 65536
    opacity[key] = 0
    return Image.merge("LA", (grey, image.convert("I").point(opacity, "L")))
