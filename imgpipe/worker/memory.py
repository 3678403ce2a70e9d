"""What a worker may take of its machine's memory: an image that would take more fails, and the worker lives on."""

import resource
import sys
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from imgpipe.core import pipeline
from imgpipe.core.recipe import Recipe

_SHARE: Final = 0.8
"""How much of the free memory a decoder may take by its own estimate. Rendering took up to 1.26 times the estimate
where renditions are small. Where they are as large as the source it took three times as much: `bound` ends that."""
_RESERVE: Final = 64
"""Megabytes for what is not this process, or grows in it apart from images: the runtime, connections."""


class Memory:
    """`megabytes` (of a million bytes) are the machine's; what this process holds already counts."""

    def __init__(self, megabytes: float) -> None:
        self._free = megabytes - _held() - _RESERVE

    def bound(self) -> None:
        """From now on, what would take more than there is raises MemoryError before the machine ends the process."""
        bound(self._free)

    def render(self, data: bytes, recipe: Recipe) -> pipeline.Rendering:
        """As `pipeline.render`, with the recipe's memory limit lowered to what is left beside `data`."""
        left = max((self._free - len(data) / 1e6) * _SHARE, 1)
        limit = min(recipe.limits.max_memory_megabytes, left)
        limits = replace(recipe.limits, max_memory_megabytes=limit)
        return pipeline.render(data, replace(recipe, limits=limits))


def bound(megabytes: float) -> None:
    """From now on, what would take more than `megabytes` beyond what this process holds raises MemoryError; what would
    take more than a limit that it has already does so too."""
    if sys.platform == "linux":  # elsewhere the limit does not count what an allocator maps
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
        wanted = int(megabytes * 1e6) + _data_bytes()
        resource.setrlimit(resource.RLIMIT_DATA, (min([wanted, *limits]), hard))


def _held() -> float:
    """Megabytes that are resident; where only the most that ever were is known, those."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def _data_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
