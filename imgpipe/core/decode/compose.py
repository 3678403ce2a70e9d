"""Compose the patches of a GIF or an APNG into whole frames, the way browsers do.

Pillow composes them too, but not as browsers do: it fills what a GIF's frame leaves behind with the background colour
instead of transparency, and mixes half-transparent APNG patches with black. So a decoder is asked for single patches
here, each as a file of its own.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from PIL import Image

from imgpipe.core.decode.modes import plain
from imgpipe.core.image import Size


class Leave(Enum):
    """What becomes of a patch once it was shown: it stays, is cleared to transparency, or what was there comes back."""

    IT = auto()
    NOTHING = auto()
    WHAT_WAS = auto()


@dataclass(frozen=True)
class Patch:
    """A part of a frame, `size` pixels at `offset`, for some milliseconds. `over` blends it, else it replaces."""

    offset: Size
    size: Size
    milliseconds: float
    leave: Leave
    over: bool
    decode: Callable[[], Image.Image]


def compose(size: Size, patches: Iterable[Patch]) -> Iterator[Image.Image]:
    """Whole frames of `size`, one at a time. What lies outside is cut off."""
    canvas = Image.new("RGBA", size)
    for patch in patches:
        before = canvas.copy() if patch.leave is Leave.WHAT_WAS else canvas
        image = patch.decode()
        (left, top), (width, height) = patch.offset, patch.size
        if patch.over and image.mode == "RGBA":
            canvas.alpha_composite(image, patch.offset)
        else:
            canvas.paste(image, patch.offset)
        yield plain(canvas.copy())
        canvas = before
        if patch.leave is Leave.NOTHING:
            canvas.paste((0, 0, 0, 0), (left, top, left + width, top + height))
