"""What a folder run is asked to do."""

from dataclasses import dataclass
from pathlib import Path

from imgpipe.core.recipe import Recipe


@dataclass(frozen=True)
class Options:
    """One run's arguments, as `imgpipe process-local` has them.

    `source` is a folder or one image, `out` a folder; `workers` None is as many as there are usable cores. `include`
    and `exclude` are patterns, as of `scan.Scanner`. `deadline` is seconds that one image may take.
    """

    source: Path
    out: Path
    recipe: Recipe
    workers: int | None = None
    checksum: bool = False
    force: bool = False
    prune: bool = False
    dry_run: bool = False
    watch: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    fail_fast: bool = False
    deadline: float = 120.0
    debug: bool = False
