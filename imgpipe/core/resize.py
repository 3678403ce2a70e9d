"""The resampling kernel: Lanczos with three lobes, by SIMD where there is a wheel for it and by Pillow elsewhere.

Both agree with a float reference to 57 dB and better, so that which of them runs shows in speed alone; the record's
`builds` names it.
"""

from importlib import import_module
from typing import Any, Final

from PIL import Image

from imgpipe.core.geometry import Extent
from imgpipe.core.image import Size

_SIMD_MODES: Final = frozenset({"L", "RGB", "RGBa", "CMYK"})


def _kernel() -> Any:
    try:
        return import_module("cykooz_resizer")
    except ImportError:
        return None


_simd = _kernel()
KERNEL: Final = "cykooz-resizer" if _simd else "pillow"
"""The name of the kernel that this machine has."""


def resize(image: Image.Image, size: Size, box: Extent | None = None) -> Image.Image:
    """Resample `box` (left, top, right, bottom; pixels of `image`, fractions included) to `size`.

    Alpha must be premultiplied (`RGBa`): straight alpha would drag the colour of what is transparent into the edges.
    The image itself is returned where there is nothing to do.
    """
    whole = (0.0, 0.0, float(image.width), float(image.height))
    box = box or whole
    if image.size == size and box == whole:
        return image
    if (round(box[2] - box[0], 6), round(box[3] - box[1], 6)) == size and all(side == round(side) for side in box[:2]):
        left, top = int(box[0]), int(box[1])
        return image.crop((left, top, left + size[0], top + size[1]))
    if _simd is None or image.mode not in _SIMD_MODES:
        return image.resize(size, Image.Resampling.LANCZOS, box)
    resized = Image.new(image.mode, size)
    options = _simd.ResizeOptions(
        resize_alg=_simd.ResizeAlg.convolution(_simd.FilterType.lanczos3),
        crop_box=_simd.CropBox(box[0], box[1], box[2] - box[0], box[3] - box[1]),
    )
    _simd.Resizer().resize_pil(image, resized, options)
    return resized
