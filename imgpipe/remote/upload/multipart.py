"""Send a large file in parts, as tasks that a crew shares out among its threads.

Every part is read, hashed and sent by whoever is free; whoever ends the last one completes the upload, or aborts it
where a part failed. s3transfer does this too, but keeps to itself the VersionId that S3 answers with.
"""

import os
import threading
from collections.abc import Sequence
from typing import Any

from imgpipe.remote.upload import digest
from imgpipe.remote.upload.choose import File
from imgpipe.remote.upload.crew import Task
from imgpipe.remote.upload.events import Event, Failed, Uploaded
from imgpipe.remote.upload.transfer import Bucket, check, failures, read_part, version


class Multipart:
    """The upload of one file: made, then `parts` carried out in any order, and `abort` where they were not."""

    def __init__(self, bucket: Bucket, file: File) -> None:
        """Begin it. Raises what botocore raises."""
        self.file = file
        self._bucket = bucket
        self._size = digest.part_size(file.bytes)
        self._left = digest.part_count(file.bytes)
        self._stored: dict[int, dict[str, Any]] = {}
        self._failures: list[Failed] = []
        self._lock = threading.Lock()
        answer = bucket.client.create_multipart_upload(
            Bucket=bucket.name,
            Key=file.key,
            ContentType=file.media_type,
            ChecksumAlgorithm="SHA256",
            ChecksumType="COMPOSITE",
        )
        self._name = {"Bucket": bucket.name, "Key": file.key, "UploadId": answer["UploadId"]}

    def parts(self) -> list[Task]:
        return [lambda number=number: self._part(number) for number in range(1, self._left + 1)]  # type: ignore[misc]

    def abort(self) -> None:
        self._bucket.client.abort_multipart_upload(**self._name)

    def _part(self, number: int) -> Sequence[Event]:
        found: list[Failed] = []
        if not self._failures:
            with failures(self.file, found):
                self._stored[number] = self._send(number)
        with self._lock:
            self._failures += found
            self._left -= 1
            if self._left:
                return []
        return [self._end()]

    def _send(self, number: int) -> dict[str, Any]:
        data = read_part(self.file, (number - 1) * self._size, self._size)
        checksum = digest.checksum(data)
        answer = self._bucket.send(self._bucket.client.upload_part, data, checksum, **self._name, PartNumber=number)
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}

    def _end(self) -> Event:
        if not self._failures:
            with failures(self.file, self._failures):
                check(self.file, os.stat(self.file.path))  # noqa: PTH116
                answer = self._bucket.client.complete_multipart_upload(
                    **self._name, MultipartUpload={"Parts": [self._stored[number] for number in sorted(self._stored)]}
                )
                return Uploaded(self.file.key, self.file.called, self.file.bytes, version(answer))
        with failures(self.file, self._failures):
            self.abort()
        return self._failures[0]
