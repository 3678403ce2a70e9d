"""Look through IN: which of its files are images, and what could not be looked at.

A scan only looks: names, sizes and times, and the first bytes of files whose extension is not an image's. What it
could not read is trouble, never a vanished source. An unmounted disk's folder can be read, though, and is empty.
"""

import os
import re
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from imgpipe.core.containers import EXTENSIONS, known

HEAD = 64
"""Bytes that tell a known signature."""


class Found(NamedTuple):
    """A source in IN: its key, bytes, and modification time in nanoseconds since the epoch."""

    key: str
    size: int
    modified_ns: int

    @property
    def version(self) -> str:
        """The version that a FolderStore gives it, where its time is to be trusted."""
        return f"{self.size}-{self.modified_ns}"


class Unread(NamedTuple):
    """A key or a folder (`file` tells which), as shown to a person, that could not be looked at."""

    place: str
    error: OSError
    file: bool


@dataclass(frozen=True)
class Scan:
    """One look at IN: sources sorted by key; how many other files, files that the patterns leave out, and links to
    folders there are; names that are not UTF-8 (as shown to a person); and what could not be looked at, with why."""

    found: tuple[Found, ...]
    other: int
    unmatched: int
    linked: int
    bad_names: tuple[str, ...]
    unread: tuple["Unread", ...]

    def may_hold(self, key: str) -> bool:
        """Whether `key` may lie where this scan could not look."""
        return any(place in ("", key) or key.startswith(f"{place}/") for place, _, _ in self.unread)


class Scanner:
    """Looks at IN, a folder or one file, as often as asked. Files are read again only where they changed.

    Hidden files and folders are passed over; links to files are followed, links to
    folders are not, since they may lead round in a circle. A pattern with a slash is held against the key and the
    folders that it lies in, one without against each of their names, all without regard to case; exclusion wins.
    `lone` tells that IN is one file; keys are paths below `root`.
    """

    def __init__(self, source: Path, include: Collection[str] = (), exclude: Collection[str] = ()) -> None:
        self._source = source
        self.lone = source.is_file()
        self.root = source.parent if self.lone else source
        self._include = tuple(_plain(pattern) for pattern in include)
        self._exclude = tuple(_plain(pattern) for pattern in exclude)
        self._judged: dict[Found, bool] = {}

    def wants(self, key: str) -> bool:
        """Whether the patterns let `key` through."""
        return (not self._include or _matches(key, self._include)) and not _matches(key, self._exclude)

    def scan(self, sources: Collection[str] = ()) -> Scan:
        """Look now. Keys in `sources` are taken for images without a look: what was a source stays one."""
        found: list[Found] = []
        bad_names: list[str] = []
        unread: list[Unread] = []
        judged: dict[Found, bool] = {}
        other = unmatched = linked = 0
        for key, entry in self._entries(unread):
            if not self.wants(key):
                unmatched += 1
                continue
            try:
                facts = entry.stat()
                hidden = entry.name.startswith(".") and not self.lone
                if stat.S_ISDIR(facts.st_mode) and not hidden:
                    linked += 1
                    continue
                if hidden or not stat.S_ISREG(facts.st_mode):
                    other += 1
                    continue
                if not _is_utf8(key):
                    bad_names.append(shown(key))
                    continue
                file = Found(key, facts.st_size, facts.st_mtime_ns)
                image = PurePosixPath(key).suffix.lower() in EXTENSIONS or key in sources
                if not image:
                    image = judged[file] = self._judged[file] if file in self._judged else _has_signature(entry.path)
            except OSError as error:
                unread.append(Unread(shown(key), error, file=True))
                continue
            if image:
                found.append(file)
            else:
                other += 1
        self._judged = judged
        found.sort()
        return Scan(tuple(found), other, unmatched, linked, tuple(bad_names), tuple(unread))

    def _entries(self, unread: list[Unread]) -> Iterator[tuple[str, "os.DirEntry[str] | _File"]]:
        """Everything that is not a folder to walk, with its key."""
        if self.lone:
            yield self._source.name, _File(self._source)
            return
        folders = [(str(self._source), "")]
        while folders:
            path, prefix = folders.pop()
            try:
                with os.scandir(path) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                            folders.append((entry.path, f"{prefix}{entry.name}/"))
                        else:
                            yield prefix + entry.name, entry
            except OSError as error:
                unread.append(Unread(shown(prefix.rstrip("/")), error, file=False))


class _File:
    """A lone file in the shape of a folder's entry."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.name = path.name

    def stat(self) -> os.stat_result:
        return Path(self.path).stat()


def _matches(key: str, patterns: tuple[str, ...]) -> bool:
    names = _plain(key).split("/")
    paths = list(accumulate(names, "{}/{}".format))
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in (paths if "/" in pattern else names))


def _plain(text: str) -> str:
    """A pattern or a key as it is compared: `Photos/` names the folder `photos`."""
    return text.casefold().rstrip("/")


def _is_utf8(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(name: str) -> str:
    """`name` with the bytes that are not UTF-8 as a person can read them: `caf\\xe9.jpg`."""
    escaped = re.sub("[\udc80-\udcff]", lambda byte: f"\\x{ord(byte[0]) - 0xDC00:02x}", name)
    return escaped.encode(errors="backslashreplace").decode()


def _has_signature(path: str) -> bool:
    with Path(path).open("rb") as file:
        return known(file.read(HEAD))
