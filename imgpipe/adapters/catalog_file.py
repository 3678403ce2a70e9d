"""A catalog in one file of JSON lines: a put appends the record, and the last line of a key is its record.

Only an index is in memory; records are read again where they lie. One process at a time holds the file, so whatever
lease it finds on opening is dead and is released. A put has reached the operating system when it returns: a killed
process loses nothing that was acknowledged, and what it was writing is a torn last line, which is dropped.
"""

import fcntl
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from imgpipe.errors import Conflict, UsageError, naming
from imgpipe.worker.ports import Claim, Entry, Record, Status

_BUFFER: Final = 1 << 20


class Line(Struct, frozen=True, gc=False):
    """Where a key's last line lies (bytes), its revision, and what tells whether the source is up to date."""

    offset: int
    length: int
    revision: int
    status: Status
    version: str | None
    recipe: str | None


_RECORD: Final = msgspec.json.Decoder(Record)
_JSON: Final = msgspec.json.Encoder()


class FileCatalog:
    """A Catalog in the file at `path`, which it creates; to be closed, best by `with`. Many threads may use it.

    Raises UsageError where another process holds the file, or where a line is no record. A process
    forked from this one holds it too.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = threading.Lock()
        self._file = _open_and_hold(path)
        try:
            self._rewritten.unlink(missing_ok=True)
            self._lines, self._end = read_index(path)
            self._revision = max((line.revision for line in self._lines.values()), default=0)
            if os.fstat(self._file).st_size != self._end:  # else the file keeps its time: nothing was written
                os.ftruncate(self._file, self._end)
            self._release_dead_leases()
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def lines(self) -> Mapping[str, Line]:
        """Every key and its last line, without a look at the file."""
        return self._lines

    def get(self, key: str) -> Entry | None:
        with self._lock:
            line = self._lines.get(key)
            return Entry(self._read(line), line.revision) if line else None

    def put(self, record: Record, revision: int | None) -> int:
        with self._lock:
            line = self._lines.get(record.key)
            if (line.revision if line else None) == revision:
                return self._append(record)
            if line and self._read(line) == record:
                return line.revision
        raise Conflict(record.key)

    def records(self) -> Iterator[Record]:
        """The record of every key, as it is when its turn comes, in the order of keys."""
        with self._lock:
            keys = sorted(self._lines)
        for key in keys:
            entry = self.get(key)
            if entry:
                yield entry.record

    def compact(self) -> None:
        """Leave one line a key, and none of deleted ones; the file is replaced whole or not at all."""
        with self._lock, naming(self._path):
            kept = {key: line for key, line in self._lines.items() if line.status != "deleted"}
            if sum(line.length for line in kept.values()) == self._end:
                return
            moved: dict[str, Line] = {}
            end = 0
            file = _open_and_hold(self._rewritten)
            try:
                with os.fdopen(file, "wb", _BUFFER, closefd=False) as rewritten:
                    for key, line in kept.items():
                        rewritten.write(self._bytes(line))
                        moved[key] = replace(line, offset=end)
                        end += line.length
                # Without it, a power cut may leave the name on an empty file.
                os.fsync(file)
                self._rewritten.replace(self._path)
            except BaseException:
                os.close(file)
                self._rewritten.unlink(missing_ok=True)
                raise
            replaced = self._file
            self._file, self._lines, self._end = file, moved, end
            os.close(replaced)  # last: interrupted in between, `close` must not find a descriptor that is gone

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            os.close(self._file)

    @property
    def _rewritten(self) -> Path:
        return self._path.with_name(f".{self._path.name}.new")

    def _release_dead_leases(self) -> None:
        for line in [line for line in self._lines.values() if line.status == "processing"]:
            record = self._read(line)
            if isinstance(record.claim, Claim) and record.claim.ends is not None:
                self._append(replace(record, claim=replace(record.claim, ends=None)))

    def _append(self, record: Record) -> int:
        data = _JSON.encode(record) + b"\n"
        left = memoryview(data)
        try:
            # At the end as it is known, not as it is: over what a failed write may have left.
            while left:
                left = left[os.pwrite(self._file, left, self._end + len(data) - len(left)) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, self._end)
            raise
        self._revision += 1
        self._lines[record.key] = Line(
            self._end, len(data), self._revision, record.status, record.version, record.recipe
        )
        self._end += len(data)
        return self._revision

    def _read(self, line: Line) -> Record:
        return _RECORD.decode(self._bytes(line))

    def _bytes(self, line: Line) -> bytes:
        return os.pread(self._file, line.length, line.offset)


def read_index(path: Path) -> tuple[dict[str, Line], int]:
    """Every key of the catalog at `path` with its last line, and where the last whole line ends; it writes nothing.

    Raises UsageError where a line is no record. The last one may be torn.
    """
    lines: dict[str, Line] = {}
    end = 0
    unread: UsageError | None = None
    try:
        file = path.open("rb", buffering=_BUFFER)
    except FileNotFoundError:
        return lines, end
    with file:
        for number, text in enumerate(file, start=1):
            if unread:
                raise unread
            if not text.endswith(b"\n"):
                break
            try:
                record = _RECORD.decode(text)
            except msgspec.DecodeError as error:
                unread = UsageError(
                    f"Line {number} of the catalog {path} cannot be read: {error}.",
                    "Mend or remove that line; or remove the file, and begin anew with --force.",
                )
                if isinstance(error, msgspec.ValidationError):  # whole JSON, thus not torn
                    raise unread from None
                continue
            recipe = record.recipe and sys.intern(record.recipe)
            lines[record.key] = Line(end, len(text), number, record.status, record.version, recipe)
            end += len(text)
    return lines, end


def _open_and_hold(path: Path) -> int:
    """A descriptor of the file at `path`, made where there is none, which no other process holds.

    Raises UsageError where one does.
    """
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its holder may have put another file in its place before it let go.
            if os.path.samestat(os.fstat(file), path.stat()):
                return file
        except BlockingIOError:
            os.close(file)
            raise UsageError(
                f"Another run is writing to {path.parent}.", "Wait for it to end, or name another folder."
            ) from None
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(file)
            raise
        os.close(file)
