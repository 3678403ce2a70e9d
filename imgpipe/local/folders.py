"""IN and OUT of a folder run: what is refused before anything is done, and what lies where in OUT.

IN is never written to; therefore OUT may not lie in it, and IN may not lie where OUT's own files go.
"""

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from imgpipe.core.recipe import Recipe
from imgpipe.errors import UsageError

CATALOG: Final = "catalog.jsonl"
SHEET: Final = "index.html"
STAGING: Final = ".imgpipe"
ORPHANS: Final = 10.0
"""Seconds in which the workers of a killed run must be gone."""


def check(source: Path, out: Path, recipe: Recipe) -> None:
    """Refuse, by raising UsageError, an IN and an OUT that cannot go together; nothing is written to find out."""
    try:
        _check(source, out, [out / name for name in (STAGING, *(preset.name for preset in recipe.presets))])
    except OSError as error:
        raise UsageError(
            f"IN or OUT cannot be looked at: {error.filename}: {error.strerror}.", "Give folders that you may use."
        ) from error


def _check(source: Path, out: Path, written: Iterable[Path]) -> None:
    if not source.exists():
        raise UsageError(f"IN does not exist: {source}.", "Give a folder of images, or one image.")
    if not source.is_dir() and not source.is_file():
        raise UsageError(f"IN is neither a folder nor a file: {source}.", "Give a folder of images, or one image.")
    if out.exists() and not out.is_dir():
        raise UsageError(f"OUT is not a folder: {out}.", "Give a folder, which may be one that does not exist yet.")
    if source.is_dir() and _lies_in(out, (source,)):
        raise UsageError(f"OUT lies in IN: {out}.", "Give a folder outside IN, since IN is never written to.")
    if _lies_in(source, written):
        raise UsageError(f"IN lies where OUT's own files go: {source}.", "Give another OUT.")


def prepare(out: Path) -> None:
    """Make OUT where it is missing. Raises OSError where it cannot be written."""
    out.mkdir(parents=True, exist_ok=True)
    if not os.access(out, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(out))


def unwritable(out: Path, error: OSError) -> UsageError:
    """The refusal of an OUT that gave `error` before anything was done."""
    place = f": {error.filename}" if error.filename else ""
    return UsageError(f"OUT cannot be written: {out}: {error.strerror}{place}.", "Mend that, or give another folder.")


@contextmanager
def staging(out: Path) -> Iterator[tuple[Path, int]]:
    """The folder for temporary files in OUT, empty at first and gone in the end, with a descriptor that holds it.

    Workers inherit the descriptor, and so hold the folder as long as they live: those of a killed run end with it, but
    not at the same instant, and are waited for. Raises UsageError where that takes too long.
    """
    folder = out / STAGING
    with suppress(FileNotFoundError):
        os.close(_hold(folder))
    _remove(folder)
    folder.mkdir()
    descriptor = _hold(folder)
    try:
        yield folder, descriptor
    finally:
        os.close(descriptor)
        _remove(folder)


def _hold(folder: Path) -> int:
    descriptor = os.open(folder, os.O_RDONLY)
    end = time.monotonic() + ORPHANS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() < end:
                time.sleep(0.02)
                continue
            os.close(descriptor)
        raise UsageError(
            f"Worker processes of a killed run still hold {folder}.", "End them, and run the command again."
        )


def _remove(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def _lies_in(path: Path, folders: Iterable[Path]) -> bool:
    """Whether `path`, which need not exist, is one of `folders` or lies in one, by whatever names and links."""
    path = path.resolve()
    for folder in folders:
        if folder.exists() and any(place.exists() and place.samefile(folder) for place in (path, *path.parents)):
            return True
    return False
