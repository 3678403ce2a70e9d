"""Whether the recipe has become another: its file, or an image or a font that it names.

A change counts once it is the same at two looks in a row, so that nothing half-written is read.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from imgpipe.core import recipe_file
from imgpipe.core.recipe import Recipe
from imgpipe.errors import ImgpipeError

_Stats = Mapping[Path, tuple[int, int, int] | None]
"""File -> what tells one state of it from another; None where there is no such file."""


class RecipeWatch:
    """Looks after the recipe at `path`, or where that is None after the one of the working directory, if it gets one.

    `recipe` is what is deployed at first; `deploy` puts another in its place, or raises ImgpipeError.
    """

    def __init__(self, path: Path | None, recipe: Recipe, deploy: Callable[[Recipe], None]) -> None:
        self._path = path
        self._recipe = recipe
        self._deploy = deploy
        self._seen: _Stats | None = None
        self._read: _Stats | None = None
        self._told = ""

    def look(self) -> Recipe | None:
        """The recipe, once it is deployed, if it is another than before. Raises ImgpipeError where it has problems or
        is not deployed: it is tried at every look from then on, and not told again for the same reason."""
        now = self._stats()
        quiet, self._seen = now == self._seen, now
        # A broken one may be mended by a file that is not known yet.
        if not quiet or (now == self._read and not self._told):
            return None
        self._read = now
        try:
            recipe = recipe_file.load(self.file)
            another = recipe.hash != self._recipe.hash
            if another:
                self._deploy(recipe)
        except ImgpipeError as error:
            told, self._told = self._told, str(getattr(error, "problems", error))
            if told == self._told:
                return None
            raise
        self._told = ""
        if not another:
            return None
        self._recipe = recipe
        self._seen = self._read = {**self._stats(), **now}
        return recipe

    @property
    def file(self) -> Path | None:
        """Where the recipe is read; None where that is the built-in one."""
        return self._path or recipe_file.find(Path())

    def _stats(self) -> _Stats:
        path = self._path or Path(recipe_file.NAME)
        marks = [preset.watermark for preset in self._recipe.presets if preset.watermark]
        assets = [asset for mark in marks for asset in (mark.image, mark.font) if asset]
        return {file: _stat(file) for file in (path, *(path.parent / asset.name for asset in assets))}


def _stat(file: Path) -> tuple[int, int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
