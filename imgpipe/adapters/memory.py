"""A store and a catalog in memory, for tests and trials.

They keep every promise of the ports except to outlive the process, and many threads may use them.
"""

import hashlib
import threading
import time
from collections.abc import Collection

from imgpipe.errors import Conflict, ImageError
from imgpipe.worker.ports import Blob, Entry, Record, Stat, rfc3339

LONGEST_KEY = 1024
"""UTF-8 bytes, as in S3."""


class MemoryStore:
    """A Store whose versions are hashes of content."""

    def __init__(self) -> None:
        self._blobs: dict[str, Blob] = {}
        self._lock = threading.Lock()

    def stat(self, key: str, known: str | None = None) -> Stat | None:
        with self._lock:
            blob = self._blobs.get(key)
        return blob.stat if blob else None

    def read(self, key: str, limit: int, known: str | None = None) -> Blob | None:
        with self._lock:
            blob = self._blobs.get(key)
        return Blob(blob.stat, blob.data[:limit]) if blob else None

    def write(self, key: str, data: bytes, media_type: str) -> None:
        length = len(key.encode())
        if length > LONGEST_KEY:
            raise ImageError(
                "key_too_long", f"The key is {length} bytes long; the longest that can be is {LONGEST_KEY}."
            )
        version = f"sha256:{hashlib.sha256(data).hexdigest()}"
        stat = Stat(key=key, version=version, bytes=len(data), modified=rfc3339(time.time()))
        with self._lock:
            self._blobs[key] = Blob(stat, data)

    def delete(self, keys: Collection[str]) -> None:
        with self._lock:
            for key in keys:
                self._blobs.pop(key, None)

    def is_gone(self, key: str) -> bool:
        return self.stat(key) is None

    def keys(self) -> frozenset[str]:
        """Every key that something lies at."""
        with self._lock:
            return frozenset(self._blobs)


class MemoryCatalog:
    """A Catalog whose revisions count a record's puts."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> Entry | None:
        with self._lock:
            return self._entries.get(key)

    def put(self, record: Record, revision: int | None) -> int:
        with self._lock:
            stored = self._entries.get(record.key)
            if stored and stored.record == record:
                return stored.revision
            if (stored.revision if stored else None) != revision:
                raise Conflict(record.key)
            entry = Entry(record, (revision or 0) + 1)
            self._entries[record.key] = entry
        return entry.revision
