"""Look through IN: which of its files are images, and what could not be looked at.

A scan only looks: names, sizes and times, and the first bytes of files whose extension is not an image's. What it
could not read is trouble, never a vanished source. An unmounted disk's folder can be read, though, and is empty.
"""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from imgpipe.core.containers import EXTENSIONS, known
from imgpipe.files import Patterns, is_utf8, kind, shown, walk

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

    What is passed over, and what `include` and `exclude` mean, is `imgpipe.files`' to say; a lone file may be hidden.
    `lone` tells that IN is one file; keys are paths below `root`.
    """

    def __init__(self, source: Path, include: Collection[str] = (), exclude: Collection[str] = ()) -> None:
        self._source = source
        self.lone = source.is_file()
        self.root = source.parent if self.lone else source
        self._patterns = Patterns(include, exclude)
        self._judged: dict[Found, bool] = {}

    def wants(self, key: str) -> bool:
        """Whether the patterns let `key` through."""
        return self._patterns.want(key)

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
                match kind("" if self.lone else entry.name, facts):
                    case "linked":
                        linked += 1
                        continue
                    case "other":
                        other += 1
                        continue
                if not is_utf8(key):
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
        yield from walk(str(self._source), lambda place, error: unread.append(Unread(shown(place), error, file=False)))


class _File:
    """A lone file in the shape of a folder's entry."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.name = path.name

    def stat(self) -> os.stat_result:
        return Path(self.path).stat()


def _has_signature(path: str) -> bool:
    with Path(path).open("rb") as file:
        return known(file.read(HEAD))
