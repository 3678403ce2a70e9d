"""The image path: bytes and a recipe in, renditions out.

To add a step: write it in `steps.py` as a function of the image and its plan, and put it into one of the two lists.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from PIL import Image

from imgpipe.core import steps
from imgpipe.core.codec import Source, open_source
from imgpipe.core.encode import encode
from imgpipe.core.image import Header
from imgpipe.core.metadata import Tags, tags
from imgpipe.core.plan import Plan, decode_size, plans
from imgpipe.core.recipe import Format, Recipe

PREPARE: Final = (steps.orient, steps.premultiply)
"""What is done once to each frame of a source."""

RENDER: Final = (
    steps.unpremultiply,
    steps.to_srgb,
    steps.flatten,
    steps.sharpen,
    steps.pad,
    steps.watermark,
)
"""What is done for each preset, once `steps.resize` has brought the prepared frame to its size."""


@dataclass(frozen=True)
class Output:
    """One rendition's bytes. `notes` says what the preset asked for and could not have."""

    preset: str
    format: Format
    width: int
    height: int
    data: bytes
    watermark: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Rendering:
    """What a source is (`width` and `height` upright, in pixels), and its outputs, each rendered when asked for."""

    format: Format
    width: int
    height: int
    outputs: Iterator[Output]


def render(data: bytes, recipe: Recipe) -> Rendering:
    """Render every preset of `recipe`, in its order, from one decode of the source.

    Raises ImageError, here or while the outputs are iterated, where the source cannot be rendered.
    """
    source = open_source(data, recipe.limits)
    header = source.header
    planned = plans(header, recipe)
    width, height = header.upright
    packets = tags(header.metadata, recipe.metadata)
    return Rendering(header.format, width, height, _outputs(source, planned, packets, len(data)))


def _outputs(source: Source, planned: tuple[Plan, ...], packets: Tags, source_bytes: int) -> Iterator[Output]:
    moving = tuple(plan for plan in planned if plan.moving)
    still = tuple(plan for plan in planned if not plan.moving)
    rendered = _render_all(source.frames(), moving) if moving else {}
    first = _prepare(source.still(decode_size(still)), source.header) if still else None
    sizes: dict[str, Image.Image] = {}
    for plan in planned:
        if plan.moving:
            settled, frames = rendered.pop(plan.preset.name)
        elif first is not None:
            settled = plan.settled(first)
            frames = [_render(first, settled, sizes)]
        yield _encoded(frames, settled, packets, source_bytes)


def _render_all(frames: Iterator[Image.Image], moving: tuple[Plan, ...]) -> dict[str, tuple[Plan, list[Image.Image]]]:
    """Every frame of an animation through every plan, each frame decoded and prepared once."""
    rendered: dict[str, tuple[Plan, list[Image.Image]]] = {}
    for frame in frames:
        prepared = _prepare(frame, moving[0].header)
        sizes: dict[str, Image.Image] = {}
        for plan in moving:
            settled, images = rendered.setdefault(plan.preset.name, (plan.settled(prepared), []))
            images.append(_render(prepared, settled, sizes))
    return rendered


def _prepare(frame: Image.Image, header: Header) -> Image.Image:
    for step in PREPARE:
        frame = step(frame, header)
    return frame


def _render(prepared: Image.Image, plan: Plan, sizes: dict[str, Image.Image]) -> Image.Image:
    image = _resized(prepared, plan, sizes)
    for step in RENDER:
        image = step(image, plan)
    return image


def _resized(prepared: Image.Image, plan: Plan, sizes: dict[str, Image.Image]) -> Image.Image:
    """The prepared frame at the plan's size; `sizes` keeps what was resized already, as it may feed a smaller one."""
    name = plan.preset.name
    if name not in sizes:
        sizes[name] = steps.resize(_resized(prepared, plan.feeder, sizes) if plan.feeder else prepared, plan)
    return sizes[name]


def _encoded(frames: list[Image.Image], plan: Plan, packets: Tags, source_bytes: int) -> Output:
    preset, mark = plan.preset, plan.mark
    limit = source_bytes if preset.max_bytes == "source" else preset.max_bytes
    encoded = encode(_alike(frames), plan.header.timing if plan.moving else None, plan.format, preset, packets, limit)
    too_small = ("watermark_too_small",) if mark and mark.too_small else ()
    return Output(
        preset=preset.name,
        format=plan.format,
        width=plan.layout.canvas[0],
        height=plan.layout.canvas[1],
        data=encoded.data,
        watermark=mark is not None and not mark.too_small,
        notes=too_small + encoded.notes,
    )


def _alike(frames: list[Image.Image]) -> list[Image.Image]:
    """The frames in the one mode that can hold them all: an animation's may differ in whether they are opaque."""
    modes = {frame.mode for frame in frames}
    mode = max(modes, key=("L", "RGB", "RGBA").index)
    return [frame.convert(mode) for frame in frames] if len(modes) > 1 else frames
