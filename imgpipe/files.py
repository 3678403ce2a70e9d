"""How imgpipe goes through a person's folders: what is passed over, what a pattern means, how a name is shown.

Folder runs and uploads share it, so that the same options choose the same files in both.
"""

import os
import re
import stat
from collections.abc import Callable, Collection, Iterator
from fnmatch import fnmatchcase
from itertools import accumulate
from typing import Literal


class Patterns:
    """Which keys `include` and `exclude` let through.

    A pattern with a slash is held against the key and the folders that it lies in, one without against each of their
    names, all without regard to case; exclusion wins.
    """

    def __init__(self, include: Collection[str] = (), exclude: Collection[str] = ()) -> None:
        self._include = tuple(_plain(pattern) for pattern in include)
        self._exclude = tuple(_plain(pattern) for pattern in exclude)

    def want(self, key: str) -> bool:
        return (not self._include or _matches(key, self._include)) and not _matches(key, self._exclude)


def walk(folder: str, on_unread: Callable[[str, OSError], None]) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    """Everything below `folder` that is no folder to walk, with its path in there as a key.

    Hidden folders are not entered, nor links to folders, since they may lead round in a circle: they are among what is
    yielded. A folder that cannot be read goes to `on_unread`, with its key.
    """
    folders = [(folder, "")]
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
            on_unread(prefix.rstrip("/"), error)


def kind(name: str, facts: os.stat_result) -> Literal["file", "linked", "other"]:
    """What `walk` met under `name`: a file to look at, a link to a folder, or what is passed over."""
    if name.startswith("."):
        return "other"
    if stat.S_ISDIR(facts.st_mode):
        return "linked"
    return "file" if stat.S_ISREG(facts.st_mode) else "other"


def is_utf8(key: str) -> bool:
    """Whether every name in `key` was UTF-8, and no bytes that only Python can carry."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(name: str) -> str:
    """`name` with the bytes that are not UTF-8 as a person can read them: `caf\\xe9.jpg`."""
    escaped = re.sub("[\udc80-\udcff]", lambda byte: f"\\x{ord(byte[0]) - 0xDC00:02x}", name)
    return escaped.encode(errors="backslashreplace").decode()


def _matches(key: str, patterns: tuple[str, ...]) -> bool:
    names = _plain(key).split("/")
    paths = list(accumulate(names, "{}/{}".format))
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in (paths if "/" in pattern else names))


def _plain(text: str) -> str:
    """A pattern or a key as it is compared: `Photos/` names the folder `photos`."""
    return text.casefold().rstrip("/")
