"""Send one file to the source bucket, or find that it is there already.

What is hashed is what is sent: a small file is read once and sent from memory, a part likewise. S3 compares the SHA-256
that goes with it, and a file that is no longer what it was when it was looked at fails.
"""

import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from imgpipe.errors import AwsError, ImgpipeError
from imgpipe.remote.refusals import explained
from imgpipe.remote.upload import digest
from imgpipe.remote.upload.choose import File, unreadable
from imgpipe.remote.upload.crew import Stopped
from imgpipe.remote.upload.events import Failed

_AT_ONCE: Final = 1024**2
"""Bytes that are sent without a look back. What is larger counts as it goes, and asks S3 first (Expect: 100-continue),
which takes one more way there and back."""
TRIES: Final = 3
"""Of what arrives damaged."""
DAMAGED: Final = frozenset({"BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"})
"""S3's words for it ("Error responses"), which botocore does not try again."""
_OF_ONE_FILE: Final = frozenset({"throttled", "unavailable"})
"""Codes of an AwsError after which the next file may well succeed."""


class Changed(Exception):
    """The file is not what it was when it was looked at."""


class Meter:
    """Bytes that are sent, and to be sent. Many threads count."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.sent = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self.sent += count

    def spare(self, count: int) -> None:
        """So many bytes need not be sent."""
        with self._lock:
            self.total -= count


class Sending(io.BytesIO):
    """A request's body: counts what is read of it, takes that back where it is read again, and ends when stopped."""

    def __init__(self, data: bytes, meter: Meter, stopped: threading.Event) -> None:
        super().__init__(data)
        self._meter = meter
        self._stopped = stopped

    def read(self, size: int | None = -1, /) -> bytes:
        if self._stopped.is_set():
            raise Stopped
        data = super().read(size)
        self._meter.add(len(data))
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        before = self.tell()
        after = super().seek(offset, whence)
        self._meter.add(after - before)
        return after


@dataclass(frozen=True)
class Bucket:
    """Where files go, as all tasks of a run share it."""

    client: Any
    name: str
    kms: bool
    meter: Meter
    stopped: threading.Event

    def send(self, call: Callable[..., dict[str, Any]], data: bytes, sha256: str, **named: object) -> dict[str, Any]:
        """The answer to `call` with `data`, which goes again where it does not arrive as it is. Raises what botocore
        raises."""
        body = data if len(data) <= _AT_ONCE else Sending(data, self.meter, self.stopped)
        for tries_left in reversed(range(TRIES)):
            try:
                answer = call(**named, Body=body, ChecksumAlgorithm="SHA256", ChecksumSHA256=sha256)
            except ClientError as error:
                if error.response["Error"]["Code"] not in DAMAGED or not tries_left:
                    raise
                if isinstance(body, Sending):
                    body.seek(0)
            else:
                break
        if not isinstance(body, Sending):
            self.meter.add(len(data))
        return answer

    def holds(self, key: str, etag: str, content: digest.Digest) -> bool:
        """Whether the object at `key`, listed with `etag`, is `content`. Only under KMS that takes a call."""
        if etag == content.etag:
            return True
        if not self.kms:
            return False
        told = self.client.head_object(Bucket=self.name, Key=key, ChecksumMode="ENABLED")
        return str(told.get("ChecksumSHA256", "")).partition("-")[0] == content.sha256

    def version(self, key: str) -> str:
        """The version of what lies at `key`, as records name it."""
        return version(self.client.head_object(Bucket=self.name, Key=key))


def version(answer: dict[str, Any]) -> str:
    """The version that an answer of S3's tells: the VersionId, or the ETag of a bucket without versions."""
    told = answer.get("VersionId")
    return str(told) if told and told != "null" else str(answer["ETag"]).strip('"')


def read_parts(file: File, size: int, stopped: threading.Event) -> Iterator[bytes]:
    """All bytes of `file`, `size` of them at a time. Raises Changed, Stopped and OSError."""
    for start in range(0, file.bytes, size):
        if stopped.is_set():
            raise Stopped
        yield read_part(file, start, size)


def read_part(file: File, start: int, size: int) -> bytes:
    """`size` bytes of `file` from `start`, or those up to its end. Raises Changed and OSError."""
    with open(file.path, "rb") as opened:  # noqa: PTH123
        opened.seek(start)
        data = opened.read(size)
        check(file, os.fstat(opened.fileno()))
    return data


def check(file: File, facts: os.stat_result) -> None:
    """Raise Changed where `facts` are no longer those of the look."""
    if (facts.st_size, facts.st_mtime_ns) != (file.bytes, file.modified_ns):
        raise Changed


@contextmanager
def failures(file: File, found: list[Failed]) -> Iterator[None]:
    """What goes wrong in here with `file` alone, added to `found`; what would stop every file is raised."""
    try:
        yield
    except Changed:
        message = "It changed while it was being uploaded."
        remedy = "Run the same command again once it is completely written."
        found.append(Failed(file.key, file.called, "changed", message, remedy))
    except Exception as error:
        told = refusal(error)
        # Some of botocore's errors are OSErrors too, and so come first.
        if told is None and isinstance(error, OSError):
            found.append(unreadable(file.key, file.called, error))
            return
        if told is None:
            raise
        outage = isinstance(told, AwsError)
        if outage and told.code not in _OF_ONE_FILE:
            raise told from error
        found.append(Failed(file.key, file.called, told.code, told.message, told.remedy, outage))


def refusal(error: Exception) -> ImgpipeError | None:
    """`error` as a person is told it; None where it is no answer of AWS's or of the way to it."""
    if isinstance(error, ImgpipeError):
        return error
    if isinstance(error, ClientError) and error.response["Error"]["Code"] == "NoSuchBucket":
        return AwsError("no_bucket", "The stack's source bucket is not there.", "Deploy the stack again.")
    return explained(error)
