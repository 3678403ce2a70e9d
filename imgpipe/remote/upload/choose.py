"""Choose what to upload: from paths, folders and patterns to files and their keys, before anything is sent.

Names decide nothing but the key: what is an image is told by content. A key is the prefix and the file's path below
the folder that was named, byte for byte as the file system spells it (no Unicode normalization), so that the same tree
gives the same keys again.
"""

import glob
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from imgpipe.adapters.s3 import LONGEST_KEY
from imgpipe.core.containers import sniff
from imgpipe.errors import ImageError, UsageError
from imgpipe.files import Patterns, is_utf8, kind, shown, walk
from imgpipe.remote.upload.events import Failed

STDIN: Final = "-"
OTHER: Final = "application/octet-stream"
"""The content type of what is no image: nothing that a browser could run, whatever the file's name claims."""
_RENAME: Final = "Rename it, or leave it out with --exclude."
_HEAD: Final = 1024
"""Bytes that a format is told by: an `ftyp` box lists its brands in them."""


class File(NamedTuple):
    """A file to upload, `called` so for a person, `bytes` and `modified_ns` (nanoseconds since the epoch) as it was
    when it was looked at."""

    key: str
    path: str
    called: str
    bytes: int
    modified_ns: int
    media_type: str


class LeftOut(NamedTuple):
    """A file that is not uploaded since it is no image, and what it is, as a sentence; `named` itself, not found in a
    folder."""

    path: str
    bytes: int
    reason: str
    named: bool


@dataclass(frozen=True)
class Choice:
    """Files sorted by key; what is no image; what could not be read; how many files the patterns leave out, files and
    folders are hidden or no files at all, and links to folders are not entered."""

    files: tuple[File, ...]
    left_out: tuple[LeftOut, ...]
    unread: tuple[Failed, ...]
    unmatched: int
    passed_over: int
    linked: int


class StandardInput(NamedTuple):
    """What came by standard input: the name that it is to have, and the file that it was written to."""

    name: str
    path: Path


def choose(
    paths: Sequence[str],
    *,
    prefix: str = "",
    include: Collection[str] = (),
    exclude: Collection[str] = (),
    anything: bool = False,
    standard_input: StandardInput | None = None,
) -> Choice:
    """Look at every path; a pattern that the shell left as it was is expanded here, `**` over folders too.

    `prefix` is a folder: a slash is added where it has none at its end. With `anything`, what is no image is chosen
    too. A file in a folder whose key S3 cannot hold is among the unread. Raises UsageError for a path that is not
    there, such a file that was named itself, and two files that would meet in one key.
    """
    look = _Look(_folder(prefix), Patterns(include, exclude), anything)
    for path in _expanded(paths):
        if path == STDIN and standard_input:
            look.at_file(standard_input.name, str(standard_input.path), "standard input")
        elif Path(path).is_dir():
            look.at_folder(path)
        else:
            look.at_file(os.path.basename(path), path, path)  # noqa: PTH119 - Path would fold what is no UTF-8
    files = _checked(sorted(look.files))
    named = next((left for left in look.left_out.values() if left.named), None)
    if not files and named:
        message = f"Nothing of what was named is an image. {named.path}: {named.reason}"
        raise UsageError(message, "Name images, or add --any to upload what is none.")
    return Choice(
        files, tuple(look.left_out.values()), tuple(look.unread), look.unmatched, look.passed_over, look.linked
    )


class _Look:
    """What was found so far."""

    def __init__(self, prefix: str, patterns: Patterns, anything: bool) -> None:
        self.files: set[File] = set()
        self.left_out: dict[str, LeftOut] = {}
        self.unread: list[Failed] = []
        self.unmatched = self.passed_over = self.linked = 0
        self._prefix = prefix
        self._patterns = patterns
        self._anything = anything

    def at_folder(self, folder: str) -> None:
        for inside, entry in walk(folder, lambda place, error: self._refused(f"{folder.rstrip('/')}/{place}", error)):
            if not self._patterns.want(inside):
                self.unmatched += 1
                continue
            try:
                facts = entry.stat()
                match kind(entry.name, facts):
                    case "linked":
                        self.linked += 1
                    case "other":
                        self.passed_over += 1
                    case "file":
                        self._judge(inside, entry.path, entry.path, facts, named=False)
            except OSError as error:
                self._refused(entry.path, error)

    def at_file(self, name: str, path: str, called: str) -> None:
        """A file that was named itself: it may be hidden, and what is not there is a mistake."""
        if not self._patterns.want(name):
            self.unmatched += 1
            return
        try:
            facts = os.stat(path)  # noqa: PTH116 - as in scandir
            if kind("", facts) != "file":
                raise UsageError(f"{shown(called)} is neither a file nor a folder.", "Name files, folders or patterns.")
            self._judge(name, path, called, facts, named=True)
        except FileNotFoundError:
            raise UsageError(f"There is no file or folder {shown(called)}.", "Check its name.") from None
        except OSError as error:
            self._refused(called, error)

    def _judge(self, inside: str, path: str, called: str, facts: os.stat_result, *, named: bool) -> None:
        media_type = OTHER
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            head = file.read(_HEAD)
        try:
            media_type = f"image/{sniff(head)}"
        except ImageError as error:
            if not self._anything:
                self.left_out[os.path.normpath(path)] = LeftOut(shown(called), facts.st_size, error.message, named)
                return
        key = self._prefix + inside
        if problem := _problem(key):
            if named:
                raise UsageError(f"{shown(called)} cannot be uploaded: {problem}.", _RENAME)
            self.unread.append(Failed(None, shown(called), "bad_key", f"It cannot be uploaded: {problem}.", _RENAME))
            return
        self.files.add(File(key, path, shown(called), facts.st_size, facts.st_mtime_ns, media_type))

    def _refused(self, path: str, error: OSError) -> None:
        self.unread.append(unreadable(None, shown(path), error))


def unreadable(key: str | None, called: str, error: OSError) -> Failed:
    """A file that the system does not let be read."""
    reason = error.strerror or str(error)
    return Failed(key, called, "unreadable", f"It cannot be read: {reason}.", "Mend that, then run it again.")


def _expanded(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        if not path:
            raise UsageError("One PATH is empty.", "Name the working directory as '.'.")
        if path == STDIN or not glob.has_magic(path) or os.path.lexists(path):
            yield path
            continue
        found = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - Path takes no absolute pattern
        if not found:
            raise UsageError(f"Nothing matches {shown(path)}.", "Check the pattern.")
        yield from found


def _folder(prefix: str) -> str:
    folder = f"{prefix}/" if prefix and not prefix.endswith("/") else prefix
    if problem := _problem(f"{folder}x"):
        raise UsageError(f"Keys cannot begin with {shown(prefix)}: {problem}.", "Give --prefix as in holiday/2026.")
    return folder


def _checked(found: Sequence[File]) -> tuple[File, ...]:
    """The sorted files, each once, however it was named. Raises UsageError for a key that two of them would have."""
    files: list[File] = []
    for file in found:
        if not files or files[-1].key != file.key:
            files.append(file)
        elif not Path(files[-1].path).samefile(file.path):
            raise UsageError(
                f"{files[-1].called} and {file.called} would both become {file.key}.",
                "Name the folder that holds both: its own folders become part of the keys. Or give each its --prefix.",
            )
    return tuple(files)


def _problem(key: str) -> str | None:
    """Why no object can have this key ("Naming Amazon S3 objects"), or none that every tool could reach."""
    if not is_utf8(key):
        return f"the key {shown(key)} is not valid UTF-8"
    if (length := len(key.encode())) > LONGEST_KEY:
        return f"the key has {length:,} bytes, and S3 takes {LONGEST_KEY:,}"
    segments = key.split("/")
    if "." in segments or ".." in segments:
        return f"the key {key} has a part '.' or '..'"
    if not all(segments):
        return f"the key {key} has an empty part"
    return None
