"""Finished frames in, the bytes of a rendition out, within what the format and the preset allow.

How each format is written is in `encoders` and `gif`; here is what they have in common: the bounds, the search for a
quality that fits `max_bytes`, and how a want of memory shows.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from PIL import Image

from imgpipe.core import encoders
from imgpipe.core.image import Size, Timing
from imgpipe.core.metadata import Tags
from imgpipe.core.recipe import ANIMATED, LONGEST_SIDE, LOSSY, Format, Preset
from imgpipe.errors import ImageError

LOWEST_QUALITY: Final = 40
"""`max_bytes` does not go below: it is where photos begin to look broken."""

_ENCODES: Final = 4
_CLOSE_ENOUGH: Final = 0.95
_TYPICAL_SLOPE: Final = 0.02
_GENTLEST_SLOPE: Final = 0.005
"""Growth of the logarithm of the size with each step of quality: before two sizes are known, and at least."""

_LONGEST_FRAME: Final = 655_350
_LONGEST_EXACT: Final = 65_535
_LONGEST_TOTAL: Final = 2**31 - 1
"""Milliseconds: what GIF can say, what PNG can say to the millisecond, what libwebp's clock can count."""
_MOST_PLAYS: Final = 65_535

# What the libraries say when memory ends. libwebp's codes are VP8EncodingError: 1 and 2 are memory, 8 a buffer that
# could not grow.
_NO_MEMORY: Final = re.compile(
    r"out of memory|could not create encoder object|(encoding error|WebPEncodingError:) [128]\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Encoded:
    """A rendition's bytes. `notes` has `over_max_bytes` where they are more than was allowed."""

    data: bytes
    notes: tuple[str, ...] = ()


def encode(
    frames: Sequence[Image.Image],
    timing: Timing | None,
    format: Format,
    preset: Preset,
    tags: Tags,
    max_bytes: int | None,
) -> Encoded:
    """Encode frames (L, RGB or straight RGBA, in sRGB, all of one mode and size; no alpha for JPEG) as `format`.

    One frame, `timing` None, or a format without animations make a still. Where `max_bytes` is exceeded, a lossy format
    gets up to three more tries with lower quality, down to `LOWEST_QUALITY`; the best that fits is kept, else the
    smallest. AVIF cannot say how often it plays.

    Raises ImageError: `side_too_long` where the format has no room for the size, `out_of_memory`.
    """
    size = frames[0].size
    if max(size) > LONGEST_SIDE[format]:
        raise ImageError(
            "side_too_long",
            f"The rendition would be {size[0]} × {size[1]} pixels; the longest side that {format.upper()} holds is "
            f"{LONGEST_SIDE[format]}.",
        )
    timing = _bounded(timing) if timing and len(frames) > 1 and format in ANIMATED else None
    shown = frames if timing else frames[:1]
    quality = preset.quality or encoders.QUALITY.get(format, 100)
    with _without_info(shown), _failures(format, size):
        write = partial(encoders.write, shown, timing, format, preset, tags)
        if max_bytes is None or preset.lossless or format not in LOSSY:
            data = write(quality)
        else:
            data = _within(write, quality, max_bytes)
    return Encoded(data, ("over_max_bytes",) if max_bytes is not None and len(data) > max_bytes else ())


def _bounded(timing: Timing) -> Timing:
    """Durations and plays that every format can hold: sources may claim days for a frame, and encoders overflow. What
    PNG cannot say exactly, as a fraction of 16-bit numbers, is rounded to 10 ms."""
    longest = min(_LONGEST_FRAME, _LONGEST_TOTAL // len(timing.durations))
    bounded = (min(duration, longest) for duration in timing.durations)
    durations = tuple(duration if duration <= _LONGEST_EXACT else duration // 10 * 10 for duration in bounded)
    return Timing(durations, min(timing.plays, _MOST_PLAYS))


@contextmanager
def _without_info(frames: Sequence[Image.Image]) -> Iterator[None]:
    """Hide what the frames remember of their source, which encoders would write. A copy costs as much as a JPEG."""
    infos = [frame.info for frame in frames]
    for frame in frames:
        frame.info = {}
    try:
        yield
    finally:
        for frame, info in zip(frames, infos, strict=True):
            frame.info = info


@contextmanager
def _failures(format: Format, size: Size) -> Iterator[None]:
    """Turn want of memory, however an encoder puts it, into ImageError; all other failures are bugs and pass."""
    try:
        yield
    except (MemoryError, OSError, RuntimeError, ValueError) as error:
        if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
            message = f"There was not enough memory to write {size[0]} × {size[1]} pixels as {format.upper()}."
            raise ImageError("out_of_memory", message) from error
        raise


def _within(write: Callable[[int], bytes], quality: int, limit: int) -> bytes:
    """The best of at most four encodes that fits into `limit` bytes, else the smallest."""
    tried = {quality: write(quality)}
    while len(tried) < _ENCODES:
        sizes = {tested: len(data) for tested, data in tried.items()}
        guess = next_quality(sizes, limit, last=len(tried) == _ENCODES - 1)
        if guess is None:
            break
        tried[guess] = write(guess)
    fitting = [tested for tested, data in tried.items() if len(data) <= limit]
    return tried[max(fitting)] if fitting else min(tried.values(), key=len)


def next_quality(sizes: Mapping[int, int], limit: int, *, last: bool) -> int | None:
    """The quality to try next, when `sizes` maps those tried to bytes; None where trying on is of no use.

    The logarithm of the size grows about linearly with quality. The last try is the lowest quality if nothing fitted
    before, so what can be made to fit does.
    """
    over = min((quality for quality, size in sizes.items() if size > limit), default=0)
    fits = max((quality for quality, size in sizes.items() if size <= limit), default=None)
    if fits is not None:
        if over - fits < 2 or sizes[fits] >= _CLOSE_ENOUGH * limit:
            return None
        share = math.log(limit / sizes[fits]) / math.log(sizes[over] / sizes[fits])
        return min(max(fits + int(share * (over - fits)), fits + 1), over - 1)
    if over <= LOWEST_QUALITY:
        return None
    if last:
        return LOWEST_QUALITY
    slope = _TYPICAL_SLOPE
    if len(sizes) > 1:
        worst, best = sorted(sizes)[:2]
        slope = max(math.log(sizes[best] / sizes[worst]) / (best - worst), _GENTLEST_SLOPE)
    step = math.ceil(math.log(sizes[over] / (_CLOSE_ENOUGH * limit)) / slope)
    return max(over - step, LOWEST_QUALITY)
