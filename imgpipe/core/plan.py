"""What every preset makes of one source, decided before a pixel is decoded."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from PIL import Image

from imgpipe.core import geometry, smart
from imgpipe.core.geometry import FOCUS, Extent, Layout
from imgpipe.core.image import Header, Size
from imgpipe.core.mark import Mark
from imgpipe.core.recipe import ANIMATED, WITH_ALPHA, WRITTEN, Fit, Format, Gravity, Limits, Preset, Recipe
from imgpipe.errors import ImageError

_FEED_RATIO: Final = 2
"""How much larger a rendition has to be than another to be resized to it: from there on the detour cannot be told from
the direct way (`tests/core/test_pipeline.py` measures it)."""
_MEGA: Final = 1_000_000
_ENCODING: Final = {Format.PNG: 8, Format.WEBP: 3, Format.AVIF: 7, Format.GIF: 5}
"""Bytes that encoding an animation takes beyond its frames, for each of their pixels, as measured on noise."""


@dataclass(frozen=True)
class Plan:
    """One preset for one source. `feeder` names the preset whose resized image serves instead of the source's own.

    `extent` is where in that image the source lies; it and `opaque` are known once the plan is settled.
    """

    preset: Preset
    header: Header
    layout: Layout
    moving: bool
    feeder: str | None = None
    extent: Extent = (0, 0, 0, 0)
    opaque: bool = False
    is_settled: bool = False

    @property
    def format(self) -> Format:
        """The format of the rendition. `keep` writes what it cannot write as JPEG, or as PNG where there is alpha."""
        if self.preset.format != "keep":
            return Format(self.preset.format)
        if self.header.format in WRITTEN:
            return self.header.format
        return Format.JPEG if self.opaque else Format.PNG

    @property
    def frames(self) -> int:
        """How many frames the rendition has."""
        return len(self.header.timing.durations) if self.moving and self.header.timing else 1

    @property
    def alpha(self) -> bool:
        """Whether the rendition may be transparent."""
        return self.format in WITH_ALPHA

    @property
    def background(self) -> str:
        """The colour behind what has none, for a rendition without alpha."""
        return "#ffffff" if self.preset.background == "transparent" else self.preset.background

    @cached_property
    def mark(self) -> Mark | None:
        return Mark(self.preset.watermark, self.layout.size) if self.preset.watermark else None

    def settled(self, first: Image.Image) -> "Plan":
        """The plan once the first prepared frame is known: its size, whether it is opaque, what a smart crop keeps."""
        if self.is_settled:
            return self
        plan = replace(self, opaque=first.mode != "RGBa", is_settled=True)
        if self.feeder is None:
            plan = replace(plan, extent=geometry.extent(self.header, first.size))
        if self.preset.fit is Fit.COVER and self.preset.gravity is Gravity.SMART:
            width, height = self.header.upright
            focus = smart.focus(first, self.layout.crop.width / width, self.layout.crop.height / height)
            plan = replace(plan, layout=geometry.layout((width, height), self.preset, focus))
        return plan


def plans(header: Header, recipe: Recipe) -> tuple[Plan, ...]:
    """A plan for each preset, in the recipe's order.

    Raises ImageError where a rendition would break the recipe's own limits.
    """
    made: list[Plan] = []
    for preset in recipe.presets:
        focus = FOCUS.get(preset.gravity, FOCUS[Gravity.CENTER])
        moving = (
            header.timing is not None
            and preset.animation == "keep"
            and (header.format if preset.format == "keep" else preset.format) in ANIMATED
        )
        plan = Plan(preset, header, geometry.layout(header.upright, preset, focus), moving)
        _check_pixels(plan, recipe.limits)
        made.append(plan)
    _check_memory([plan for plan in made if plan.moving], recipe.limits)
    return tuple(_fed(plan, made) for plan in made)


def decode_size(plans: tuple[Plan, ...]) -> Size:
    """The size, as stored, below which a decoder must not shrink the source: that of its hungriest plan."""
    header = plans[0].header
    width, height = geometry.decode_size(header.upright, [plan.layout for plan in plans])
    return (height, width) if header.orientation >= 5 else (width, height)


def _fed(plan: Plan, others: list[Plan]) -> Plan:
    """The plan with the smallest other as its feeder that shows the whole source and is large enough for it."""
    needed = geometry.decode_size(plan.header.upright, [plan.layout])
    sizes = [
        (other.layout.size, other.preset.name)
        for other in others
        if other.moving == plan.moving
        and other.preset.fit in (Fit.INSIDE, Fit.CONTAIN)
        and all(
            _FEED_RATIO * small <= large < whole
            for small, large, whole in zip(needed, other.layout.size, plan.header.upright, strict=True)
        )
    ]
    if not sizes:
        return plan
    size, name = min(sizes)
    return replace(plan, feeder=name, extent=(0, 0, *size))


def _check_pixels(plan: Plan, limits: Limits) -> None:
    width, height = plan.layout.canvas
    checks = [("too_many_pixels", 1, limits.max_megapixels)]
    if plan.moving:
        checks.append(("too_many_frames", plan.frames, limits.max_animation_megapixels))
    for code, frames, limit in checks:
        pixels = frames * width * height
        if pixels > limit * _MEGA:
            shape = f"{width}×{height} pixels" + (f" in {frames} frames" if frames > 1 else "")
            raise ImageError(
                code,
                f"Its rendition {plan.preset.name} would have {shape}, "
                f"{pixels / _MEGA:.0f} megapixels in all; the limit is {limit:g}.",
            )


def _check_memory(moving: list[Plan], limits: Limits) -> None:
    """An encoder wants all frames of an animation, and those of every preset are there when the first is encoded."""
    pixels = [plan.frames * plan.layout.canvas[0] * plan.layout.canvas[1] for plan in moving]
    needed = sum(4 * count for count in pixels)
    needed += max((_ENCODING[plan.format] * count for plan, count in zip(moving, pixels, strict=True)), default=0)
    if needed > limits.max_memory_megabytes * _MEGA:
        raise ImageError(
            "out_of_memory",
            f"Its {moving[0].frames} frames would take about {needed / _MEGA:.0f} MB of memory at the sizes of "
            f"{', '.join(plan.preset.name for plan in moving)}; the limit is {limits.max_memory_megabytes:g}.",
        )
