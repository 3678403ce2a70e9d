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
    steps.watermark,
    steps.pad,
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
    reels = _reels(source, moving) if moving else {}
    first = _Frame(source.still(decode_size(still)), still) if still else None
    for plan in planned:
        name = plan.preset.name
        if first and not plan.moving:
            yield _encoded([first.render(name)], first.plans[name], packets, source_bytes)
        else:
            plan, images = reels.pop(name)
            yield _encoded(images, plan, packets, source_bytes)


def _reels(source: Source, moving: tuple[Plan, ...]) -> dict[str, tuple[Plan, list[Image.Image]]]:
    """Every frame of an animation through every plan; each frame is decoded and prepared once."""
    reels: dict[str, tuple[Plan, list[Image.Image]]] = {}
    for image in source.frames():
        frame = _Frame(image, moving)
        # The first frame settles the plans of all: a crop that moved with each frame would jump.
        moving = tuple(frame.plans.values()) if not reels else moving
        for plan in moving:
            reels.setdefault(plan.preset.name, (plan, []))[1].append(frame.render(plan.preset.name))
    return reels


class _Frame:
    """One frame of a source, prepared, with its plans settled."""

    def __init__(self, image: Image.Image, plans: tuple[Plan, ...]) -> None:
        for step in PREPARE:
            image = step(image, plans[0].header)
        self.plans = {plan.preset.name: plan.settled(image) for plan in plans}
        self._image = image
        self._feeders = {plan.feeder for plan in plans}
        self._fed: dict[str, Image.Image] = {}

    def render(self, name: str) -> Image.Image:
        """The frame as the preset of that name shows it."""
        image = self._resized(name)
        for step in RENDER:
            image = step(image, self.plans[name])
        return image

    def _resized(self, name: str) -> Image.Image:
        if name in self._fed:
            return self._fed[name]
        plan = self.plans[name]
        image = steps.resize(self._resized(plan.feeder) if plan.feeder else self._image, plan)
        if name in self._feeders:
            self._fed[name] = image
        return image


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
    if len(modes) > 1:
        for index, frame in enumerate(frames):
            frames[index] = frame.convert(mode)  # one by one: there may be no room for two of each
    return frames
