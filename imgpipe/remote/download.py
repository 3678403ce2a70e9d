"""Bring renditions into a folder, each under its key, and only what is not there yet with the same content.

A key is a stranger's word: one that leads out of the folder is not followed. S3 sends a checksum with each object, and
botocore holds what arrives against it.
"""

import base64
import errno
import hashlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from botocore.exceptions import FlexibleChecksumError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError
from msgspec import Struct

from imgpipe.adapters.folder import FolderStore
from imgpipe.errors import AwsError, ImageError
from imgpipe.remote.failed import Failed, failed
from imgpipe.remote.parallel import unordered
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.session import aws_errors
from imgpipe.remote.wanted import Wanted

TRIES: Final = 3
"""Of one object that arrives damaged, or not to its end; a call that fails before is repeated by botocore."""
_BROKEN: Final = (FlexibleChecksumError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError)
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


Result = Downloaded | Unchanged | Would | Failed


@dataclass(frozen=True)
class Download:
    """The way into `folder`; a `dry_run` only tells what would be fetched."""

    pipeline: Pipeline
    folder: FolderStore
    dry_run: bool = False

    def fetch(self, wanted: Iterable[Wanted]) -> Iterator[Result]:
        """Fetch what is not there yet, and tell what became of each. Raises AwsError, and OSError where the disk takes
        no more."""
        return unordered(self._fetch, wanted)

    def _fetch(self, wanted: Wanted) -> Result:
        if _leads_out(wanted.key):
            message = "Its key is no path below a folder, and was not followed."
            return Failed(wanted.key, "unsafe_key", message, "Give its source another name.")
        try:
            with aws_errors():
                found = self._compare(wanted)
                if self.dry_run:
                    return Would(wanted.key, wanted.bytes, found)
                if found == "unchanged":
                    return Unchanged(wanted.key, wanted.bytes)
                data = self._read(wanted.key)
            if data is None:
                again = "Run the same command again, for what is there now."
                return Failed(wanted.key, "vanished", "It was removed meanwhile.", again)
            self.folder.write(wanted.key, data, "")
        except AwsError as error:
            if error.code != "damaged":
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
        for tries_left in reversed(range(TRIES)):
            try:
                blob = self.pipeline.renditions.read(key, sys.maxsize)
            except _BROKEN:
                if not tries_left:
                    raise
            else:
                return blob.data if blob else None
        return None


def _leads_out(key: str) -> bool:
    """Whether `key` names something else than a path below a folder, on any system."""
    return "\\" in key or "\0" in key or any(part in ("", ".", "..") for part in key.split("/"))
