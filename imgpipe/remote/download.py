"""Bring renditions into a folder, each under its key, and only what is not there yet with the same content.

A key is a stranger's word: one that leads out of the folder is not followed. S3 sends a checksum with each object, and
botocore holds what arrives against it.
"""

import base64
import errno
import hashlib
import os
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from botocore.exceptions import FlexibleChecksumError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError
from msgspec import Struct

from imgpipe.adapters.folder import FolderStore
from imgpipe.errors import AwsError, ImageError
from imgpipe.remote.failed import OUTAGES, TRIES, Failed, failed, pause
from imgpipe.remote.parallel import unordered
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.session import aws_errors
from imgpipe.remote.wanted import Wanted, missing

ENOUGH: Final = 10
"""Renditions that AWS fails at, one after the other, before the rest is not tried."""
_BROKEN: Final = (FlexibleChecksumError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError)
_OF_ONE: Final = OUTAGES | {"damaged"}
"""Codes of an AwsError after which the next rendition may well arrive."""
_ENDS_ALL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


class Downloaded(Struct, frozen=True):
    """A rendition lies in the folder now, whole."""

    key: str
    bytes: int


class Unchanged(Struct, frozen=True):
    """The folder holds these very bytes already."""

    key: str
    bytes: int


class Would(Struct, frozen=True):
    """What a dry run found: nothing lies there yet (`new`), or other content, or the same."""

    key: str
    bytes: int
    action: Literal["new", "changed", "unchanged"]


Found = TypeVar("Found")
Result = Downloaded | Unchanged | Would | Failed


@dataclass(frozen=True)
class Download:
    """The way into `folder`; a `dry_run` only tells what would be fetched."""

    pipeline: Pipeline
    folder: FolderStore
    dry_run: bool = False
    sleep: Callable[[float], None] = time.sleep

    def fetch(self, wanted: Iterable[Wanted]) -> Generator[Result]:
        """Fetch what is not there yet, and tell what became of each, also of what is under way when it raises: AwsError
        for what would stop every one, or `ENOUGH` outages in a row, and OSError where the disk takes no more."""
        outages = 0
        last: Failed | None = None

        def unless_hopeless() -> Iterator[Wanted]:
            for each in wanted:
                if last and outages >= ENOUGH:
                    raise AwsError(last.code, last.message, last.remedy)
                yield each

        for result in unordered(self._fetch, unless_hopeless()):
            if isinstance(result, Failed) and result.code in OUTAGES:
                outages, last = outages + 1, result
            else:
                outages = 0
            yield result

    def _fetch(self, wanted: Wanted) -> Result:
        if _leads_out(wanted.key):
            message = "Its key is no path below a folder, and was not followed."
            return Failed(wanted.key, "unsafe_key", message, "Give its source another name.")
        try:
            found = self._patiently(lambda: self._compare(wanted))
            if self.dry_run:
                return Would(wanted.key, wanted.bytes, found)
            if found == "unchanged":
                return Unchanged(wanted.key, wanted.bytes)
            data = self._patiently(lambda: self._read(wanted.key))
            if data is None:
                return missing(self.pipeline, wanted.key, wanted.source)
            self.folder.write(wanted.key, data, "")
        except AwsError as error:
            if error.code not in _OF_ONE:
                raise
            return failed(wanted.key, error)
        except ImageError as error:
            return Failed(wanted.key, error.code, error.message, error.remedy)
        except OSError as error:
            if error.errno in _ENDS_ALL:
                raise
            message = f"The system refuses {error.filename}: {error.strerror}."
            return Failed(wanted.key, "file", message, "Mend that, then run the same command again.")
        return Downloaded(wanted.key, len(data))

    def _patiently(self, call: Callable[[], Found]) -> Found:
        """What `call` returns, which is tried again where it fails by what passes. Raises AwsError."""
        for tries in range(1, TRIES):
            try:
                with aws_errors():
                    return call()
            except AwsError as error:
                if error.code not in _OF_ONE:
                    raise
                self.sleep(pause(tries))
        with aws_errors():
            return call()

    def _compare(self, wanted: Wanted) -> Literal["new", "changed", "unchanged"]:
        """What the folder holds, by the MD5 that S3 gives, or the SHA-256 that the rendition was put with."""
        there = self.folder.stat(wanted.key)
        if there is None:
            return "new"
        if there.bytes != wanted.bytes:
            return "changed"
        blob = self.folder.read(wanted.key, wanted.bytes)
        if blob is None:
            return "new"
        digest = hashlib.md5(blob.data, usedforsecurity=False).hexdigest()
        if digest == wanted.etag:
            return "unchanged"
        s3 = self.pipeline.session.client("s3")
        bucket = self.pipeline.destination_bucket
        try:
            told = s3.head_object(Bucket=bucket, Key=wanted.key, ChecksumMode="ENABLED")
        except s3.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            return "changed"
        checksum = base64.b64encode(hashlib.sha256(blob.data).digest()).decode()
        same = checksum == told.get("ChecksumSHA256") or digest == told["ETag"].strip('"')
        return "unchanged" if same else "changed"

    def _read(self, key: str) -> bytes | None:
        """The bytes at `key`, as S3's checksum has them; None where nothing lies there any more."""
        try:
            blob = self.pipeline.renditions.read(key, sys.maxsize)
        except _BROKEN as error:
            raise AwsError("damaged", "What arrived is not what AWS sent.", "Run the same command again.") from error
        return blob.data if blob else None


def _leads_out(key: str) -> bool:
    """Whether `key` names something else than a path below a folder of this system."""
    strange = "\0\\" if os.name == "nt" else "\0"
    return any(c in key for c in strange) or any(part in ("", ".", "..") for part in key.split("/"))
