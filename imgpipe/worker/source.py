"""The source of one job as its worker sees it: what a store's answer about it means.

Nothing at its key is a removal, unless the job says that something was put there and the store is not certain.
"""

from imgpipe.errors import Retry
from imgpipe.worker.events import Job
from imgpipe.worker.ports import Blob, Stat, Store


class Unseen(Retry):
    """What was put is not to be seen yet, or was removed since; a later look will tell."""


class Source:
    """What lies at the key of `job` in `store`; both methods raise Unseen."""

    def __init__(self, job: Job, store: Store) -> None:
        self._job = job
        self._store = store

    def stat(self, known: str | None) -> Stat | None:
        stat = self._store.stat(self._job.key, known)
        return stat if self._is_there(stat) else None

    def read(self, limit: int, known: str | None) -> Blob | None:
        blob = self._store.read(self._job.key, limit, known)
        return blob if self._is_there(blob.stat if blob else None) else None

    def _is_there(self, stat: Stat | None) -> bool:
        key = self._job.key
        if stat:
            # S3's console marks a folder by an empty object with a slash at its end.
            return stat.bytes > 0 or not key.endswith("/")
        if self._job.expected and not self._store.is_gone(key):
            raise Unseen(f"{key} was put, and nothing is to be seen there")
        return False
