"""A folder as a store: keys are POSIX paths below its root.

A file's version is its size and modification time where that time can be trusted, else the hash of its content. Files
appear whole or not at all, by a temporary file and a rename. They are not synced to the disk: a killed process loses
nothing by that, a power cut may cost the last seconds' renditions, and each sync would cost more than an encoding.
"""

import errno
import hashlib
import os
import stat as modes
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO, Final

from imgpipe.errors import ImageError, naming
from imgpipe.worker.ports import Blob, Stat, rfc3339

_HASH: Final = "sha256:"
_CHUNK: Final = 1 << 20
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999, the last that RFC 3339 can write
_TRIES: Final = 10


class FolderStore:
    """A Store below `root`. Temporary files go into `staging`, on the same file system; without one it is only read.

    With `checksum` every version is a hash. Without, files are hashed that were modified at `trusted_before_ns`
    (nanoseconds since the epoch) or later, since a second change in the same tick of the clock would not show; and
    those known by their hash, so that the two versions can be compared.
    """

    def __init__(
        self, root: Path, staging: Path | None = None, *, checksum: bool = False, trusted_before_ns: int | None = None
    ) -> None:
        self._root = root
        self._staging = staging
        self._checksum = checksum
        self._trusted_before_ns = trusted_before_ns

    def stat(self, key: str, known: str | None = None) -> Stat | None:
        path = self._path(key)
        facts = _facts(path)
        if facts is None:
            return None
        if not self._is_hashed(facts, known):
            return _stat(key, facts, _version(facts))
        blob = self.read(key, 0, known)
        return blob.stat if blob else None

    def read(self, key: str, limit: int, known: str | None = None) -> Blob | None:
        path = self._path(key)
        for _ in range(_TRIES):
            # Anything but a regular file is not opened: a named pipe would wait for its writer.
            if _facts(path) is None:
                return None
            try:
                with path.open("rb") as file:
                    before = os.fstat(file.fileno())
                    data = file.read(min(limit, before.st_size))
                    version = _digest(file, data) if self._is_hashed(before, known) else _version(before)
                    after = os.fstat(file.fileno())
            except (FileNotFoundError, NotADirectoryError):
                continue
            if _version(before) == _version(after):
                return Blob(_stat(key, before, version), data)
        raise OSError(errno.EBUSY, "it keeps changing while it is read", str(path))

    def write(self, key: str, data: bytes, media_type: str) -> None:
        path = self._path(key)
        if self._staging is None:
            raise PermissionError(errno.EROFS, "this folder is only read", str(path))
        temporary = self._staging / uuid.uuid4().hex
        try:
            with naming(path):
                self._staging.mkdir(parents=True, exist_ok=True)
                temporary.write_bytes(data)
                self._move(temporary, path)
        except BaseException as error:
            temporary.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
                message = f"The file system has no room for a name as long as {key!r}."
                raise ImageError("key_too_long", message) from None
            raise

    def delete(self, keys: Collection[str]) -> None:
        for key in keys:
            path = self._path(key)
            if self._staging is None:
                raise PermissionError(errno.EROFS, "this folder is only read", str(path))
            try:
                if path.is_dir():
                    continue
                self._check_inside(path)
                path.unlink()
            except OSError as error:
                if error.errno not in _NOTHING_THERE:
                    raise
            else:
                self._remove_empty(path.parent)

    def is_gone(self, key: str) -> bool:
        return _facts(self._path(key)) is None

    def _path(self, key: str) -> Path:
        """Where `key` lies. No two keys lie at one path, and none outside the root."""
        if any(part in ("", ".", "..") for part in key.split("/")) or "\0" in key:
            raise ValueError(f"{key!r} is no path below a folder; a key here needs names between single slashes.")
        return self._root.joinpath(key)

    def _is_hashed(self, facts: os.stat_result, known: str | None) -> bool:
        trusted = self._trusted_before_ns is None or facts.st_mtime_ns < self._trusted_before_ns
        return self._checksum or not trusted or (known is not None and known.startswith(_HASH))

    def _move(self, temporary: Path, path: Path) -> None:
        self._check_inside(path)
        for tries_left in reversed(range(_TRIES)):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary.replace(path)
                return
            except (FileNotFoundError, FileExistsError):
                # Another process may have removed the folder, which was empty until now, in between.
                if not tries_left:
                    raise

    def _check_inside(self, path: Path) -> None:
        """Raise PermissionError where a linked folder leads out of the root."""
        if not Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(self._root)):
            raise PermissionError(errno.EPERM, f"a link leads out of {self._root}", str(path))

    def _remove_empty(self, folder: Path) -> None:
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent


_NOTHING_THERE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
"""What the system says where no file lies at a path or can lie there."""


def folds_case(folder: Path) -> bool:
    """Whether file names that differ in case or composition alone are the same in `folder`, which must be writable."""
    probe = folder / f"imgpipe-{uuid.uuid4().hex}-\u00e9"
    probe.touch()
    try:
        return any((folder / name).exists() for name in (probe.name.upper(), probe.name.replace("\u00e9", "e\u0301")))
    finally:
        probe.unlink()


def _facts(path: Path) -> os.stat_result | None:
    try:
        facts = path.stat()
    except OSError as error:
        if error.errno in _NOTHING_THERE:
            return None
        raise
    return facts if modes.S_ISREG(facts.st_mode) else None


def _stat(key: str, facts: os.stat_result, version: str) -> Stat:
    modified = min(max(facts.st_mtime, 0), _LAST_SECOND)
    return Stat(key=key, version=version, bytes=facts.st_size, modified=rfc3339(modified))


def _version(facts: os.stat_result) -> str:
    return f"{facts.st_size}-{facts.st_mtime_ns}"


def _digest(file: BinaryIO, begun: bytes) -> str:
    digest = hashlib.sha256(begun)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return f"{_HASH}{digest.hexdigest()}"
