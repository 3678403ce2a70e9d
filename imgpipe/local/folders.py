"""IN and OUT of a folder run: what is refused before anything is done, and what lies where in OUT.

IN is never written to; therefore OUT may not lie in it, and IN may not lie where OUT's own files go. What lies there
in an OUT without a catalog, which every run makes first, is a person's own and must not be overwritten.
"""

import errno
import fcntl
import os
import re
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from imgpipe.errors import UsageError
from imgpipe.local.options import Options

CATALOG: Final = "catalog.jsonl"
SHEET: Final = "index.html"
STAGING: Final = ".imgpipe"
_PAGE: Final = re.compile(r"index(-\d+)?\.html")
_TEMPORARY: Final = re.compile(r"setup|sheet-.+|[0-9a-f]{32}|imgpipe-[0-9a-f]{32}-.+")
"""What runs put into the folder for temporary files."""
ORPHANS: Final = 10.0
"""Seconds in which the workers of a killed run must be gone."""


def check(options: Options) -> None:
    """Refuse, by raising UsageError, an IN and an OUT that cannot go together; nothing is written to find out."""
    written = [options.out / name for name in (STAGING, *(preset.name for preset in options.recipe.presets))]
    try:
        _check(options.source, options.out, written)
        if not options.force:
            _check_owned(options.out, written)
    except OSError as error:
        raise UsageError(
            f"IN or OUT cannot be looked at: {error.filename}: {error.strerror}.", "Give folders that you may use."
        ) from error


def _check(source: Path, out: Path, written: Iterable[Path]) -> None:
    mode = _mode(source)
    if not mode:
        raise UsageError(f"IN does not exist: {source}.", "Give a folder of images, or one image.")
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise UsageError(f"IN is neither a folder nor a file: {source}.", "Give a folder of images, or one image.")
    if not os.access(source, os.R_OK | os.X_OK if stat.S_ISDIR(mode) else os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(source))
    if not stat.S_ISDIR(_mode(out) or stat.S_IFDIR) or (out.is_symlink() and not _mode(out)):
        raise UsageError(f"OUT is not a folder: {out}.", "Give a folder, which may be one that does not exist yet.")
    if stat.S_ISDIR(mode) and _lies_in(out, (source,)):
        raise UsageError(f"OUT lies in IN: {out}.", "Give a folder outside IN, since IN is never written to.")
    if _lies_in(source, written):
        raise UsageError(f"IN lies where OUT's own files go: {source}.", "Give another OUT.")


def _check_owned(out: Path, written: Iterable[Path]) -> None:
    if not _mode(out) or _mode(out / CATALOG):
        return
    pages = sorted(path for path in out.iterdir() if _PAGE.fullmatch(path.name))
    for path in (*pages, *written):
        if file := next(_files(path), None):
            raise UsageError(
                f"OUT holds files of another making, which might be overwritten: {file}.",
                "Give another OUT, or add --force if nothing there is needed.",
            )


def _files(path: Path) -> Iterator[Path]:
    """What lies at `path` or below, without folders."""
    if _mode(path) and not path.is_dir():
        yield path
    for folder, _, names in os.walk(path):
        yield from (Path(folder, name) for name in names)


def _mode(path: Path) -> int:
    """What lies at `path`, as of `stat`; 0 where nothing does. Raises OSError where that cannot be told."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def prepare(out: Path) -> None:
    """Make OUT where it is missing. Raises OSError where it cannot be written."""
    out.mkdir(parents=True, exist_ok=True)
    if os.statvfs(out).f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(out))
    if not os.access(out, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(out))


def unwritable(out: Path, error: OSError) -> UsageError:
    """The refusal of an OUT that gave `error` before anything was done."""
    place = f": {error.filename}" if error.filename else ""
    return UsageError(f"OUT cannot be written: {out}: {error.strerror}{place}.", "Mend that, or give another folder.")


@contextmanager
def staging(out: Path) -> Iterator[tuple[Path, int]]:
    """The folder for temporary files in OUT, without any at first and in the end, with a descriptor that holds it.

    Workers inherit the descriptor, and so hold the folder as long as they live: those of a killed run end with it, but
    not at the same instant, and are waited for. Raises UsageError where that takes too long.
    """
    folder = out / STAGING
    with suppress(FileNotFoundError):
        os.close(_hold(folder))
    _clean(folder)
    folder.mkdir(exist_ok=True)
    descriptor = _hold(folder)
    try:
        yield folder, descriptor
    finally:
        os.close(descriptor)
        _clean(folder)


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


def _clean(folder: Path) -> None:
    """Remove what runs left in `folder`, and the folder too unless it holds more."""
    if not _mode(folder):
        return
    for path in folder.iterdir():
        if _TEMPORARY.fullmatch(path.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    with suppress(OSError):
        folder.rmdir()


def _lies_in(path: Path, folders: Iterable[Path]) -> bool:
    """Whether `path`, which need not exist, is one of `folders` or lies in one, by whatever names and links."""
    path = path.resolve()
    for folder in folders:
        if _mode(folder) and any(_mode(place) and place.samefile(folder) for place in (path, *path.parents)):
            return True
    return False


def folds_case(out: Path) -> bool:
    """Whether `out`, which need not exist, lies where names that differ in case alone are the same; by a look alone."""
    for place in (out.resolve(), *out.resolve().parents):
        other = place.with_name(place.name.swapcase()) if place.name else place
        if other != place and _mode(place):
            return bool(_mode(other)) and other.samefile(place)
    return False
