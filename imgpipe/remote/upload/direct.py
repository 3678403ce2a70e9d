"""Put files into the source bucket, but for those that are there with the same content.

One listing tells what is there; hashes are made only of files of the same size as their object. A file above
`digest.PART` is sent in parts.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import repeat

from imgpipe.remote.upload import digest
from imgpipe.remote.upload.choose import File
from imgpipe.remote.upload.crew import GRACE, Task
from imgpipe.remote.upload.events import Event, Failed, Unchanged, Uploaded, Would
from imgpipe.remote.upload.listing import There, look_up
from imgpipe.remote.upload.multipart import Multipart
from imgpipe.remote.upload.transfer import Bucket, failures, read_part, read_parts, refusal, version


class Direct:
    """The tasks of one run: `force` sends also what is there already, `dry_run` only looks, `versions` asks for those
    of what is unchanged."""

    def __init__(self, bucket: Bucket, *, force: bool, dry_run: bool, versions: bool) -> None:
        self._bucket = bucket
        self._force = force
        self._dry_run = dry_run
        self._versions = versions
        self._unfinished: set[Multipart] = set()

    def tasks(self, files: Sequence[File]) -> Iterator[Task]:
        """The first task of each file. Raises AwsError where the bucket cannot be listed."""
        there = repeat(None) if self._force and not self._dry_run else self._there(files)
        for file, found in zip(files, there, strict=False):
            yield partial(self._look, file, found)

    def close(self) -> None:
        """Abort what was broken off. What cannot be reached for it, the bucket's lifecycle rule removes."""

        def work() -> None:
            for multipart in list(self._unfinished):
                with suppress(Exception):
                    multipart.abort()

        if self._unfinished:
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            thread.join(GRACE)

    def _there(self, files: Sequence[File]) -> Iterator[There | None]:
        try:
            yield from look_up(self._bucket.client, self._bucket.name, [file.key for file in files])
        except Exception as error:
            told = refusal(error)
            if told is None:
                raise
            raise told from error

    def _look(self, file: File, there: There | None) -> Sequence[Event | Task]:
        """The first task of every file."""
        found: list[Failed] = []
        with failures(file, found):
            if file.bytes > digest.PART:
                return self._large(file, there)
            return [self._small(file, there)]
        return found

    def _small(self, file: File, there: There | None) -> Event:
        data = read_part(file, 0, file.bytes)
        content = digest.whole([data])
        if there and there.bytes == file.bytes and self._bucket.holds(file.key, there.etag, content):
            return self._unchanged(file)
        if self._dry_run:
            return self._would(file, there)
        answer = self._bucket.send(
            self._bucket.client.put_object,
            data,
            content.sha256,
            Bucket=self._bucket.name,
            Key=file.key,
            ContentType=file.media_type,
        )
        return Uploaded(file.key, file.called, file.bytes, version(answer))

    def _large(self, file: File, there: There | None) -> Sequence[Event | Task]:
        if there and there.bytes == file.bytes and self._is_same(file, there):
            return [self._unchanged(file)]
        if self._dry_run:
            return [self._would(file, there)]
        multipart = Multipart(self._bucket, file)
        self._unfinished.add(multipart)
        return [partial(self._part, multipart, part) for part in multipart.parts()]

    def _is_same(self, file: File, there: There) -> bool:
        """In doubt it is not, as where the parts were of another size."""
        size = digest.part_size(file.bytes)
        chunks = read_parts(file, size, self._bucket.stopped)
        if "-" not in there.etag:
            return self._bucket.holds(file.key, there.etag, digest.whole(chunks))
        if there.etag.partition("-")[2] != str(digest.part_count(file.bytes)):
            return False
        return self._bucket.holds(file.key, there.etag, digest.composite(chunks))

    def _part(self, multipart: Multipart, part: Task) -> Sequence[Event | Task]:
        ended = part()
        if ended:
            self._unfinished.discard(multipart)
        return ended

    def _unchanged(self, file: File) -> Event:
        self._bucket.meter.spare(file.bytes)
        if self._dry_run:
            return Would(file.key, file.called, file.bytes, "again" if self._force else "unchanged")
        return Unchanged(file.key, file.called, file.bytes, self._bucket.version(file.key) if self._versions else None)

    def _would(self, file: File, there: There | None) -> Event:
        return Would(file.key, file.called, file.bytes, "changed" if there else "new")
