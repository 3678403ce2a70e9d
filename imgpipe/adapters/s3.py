"""An S3 bucket as a store, and the presigned requests by which others reach it.

An object's version is its VersionId, or its ETag where the bucket has no versions. Only an answer of 404 is "nothing
there"; 403 is a missing permission and so an outage, which is why a role needs `s3:ListBucket`: without it S3 answers
403 for what is missing ("GetObject"). The client of botocore is given: nothing here imports the SDK.
"""

import base64
import hashlib
import re
from collections.abc import Collection, Iterator
from contextlib import closing
from typing import Any, Final
from urllib.parse import quote

from imgpipe.errors import ImageError
from imgpipe.worker.ports import Blob, Form, Stat, rfc3339

LONGEST_KEY: Final = 1024
"""UTF-8 bytes ("Naming Amazon S3 objects")."""
_BATCH: Final = 1000
"""Keys of one request ("DeleteObjects")."""
NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot say, and so neither can DeleteObjects."""


class S3Store:
    """A Store in `bucket`, by a client of botocore. Many threads may use it."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def stat(self, key: str, known: str | None = None) -> Stat | None:
        if _is_too_long(key):
            return None
        try:
            return _stat(key, self._client.head_object(Bucket=self._bucket, Key=key))
        except self._client.exceptions.ClientError as error:
            if _status(error) != 404:
                raise
        # HEAD has no body to tell a missing key from a missing bucket; GET has.
        blob = self.read(key, 0)
        return blob.stat if blob else None

    def read(self, key: str, limit: int, known: str | None = None) -> Blob | None:
        if _is_too_long(key):
            return None
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
        except self._client.exceptions.ClientError as error:
            # The answer repeats the key, and with one that XML cannot carry it has no code that could be read.
            if error.response["Error"]["Code"] == "NoSuchKey" or (_status(error) == 404 and NOT_IN_XML.search(key)):
                return None
            raise
        stat = _stat(key, answer)
        wanted = min(limit, stat.bytes)
        with closing(answer["Body"]) as body:
            # To the end where all is wanted: only there the checksum that S3 sent is compared.
            data: bytes = body.read(wanted) if wanted < stat.bytes else body.read()
        if len(data) != wanted:
            raise OSError(f"{key} ended after {len(data)} of {wanted} bytes")
        return Blob(stat, data)

    def write(self, key: str, data: bytes, media_type: str) -> None:
        if _is_too_long(key):
            length = len(key.encode())
            raise ImageError(
                "key_too_long", f"The key is {length} bytes long; the longest that can be is {LONGEST_KEY}."
            )
        checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
        self._client.put_object(
            Bucket=self._bucket, Key=key, Body=data, ContentType=media_type, ChecksumSHA256=checksum
        )

    def delete(self, keys: Collection[str]) -> None:
        possible = sorted({key for key in keys if not _is_too_long(key)})
        for key in filter(NOT_IN_XML.search, possible):
            self._client.delete_object(Bucket=self._bucket, Key=key)
        for batch in _batches([key for key in possible if not NOT_IN_XML.search(key)]):
            answer = self._client.delete_objects(
                Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True}
            )
            if errors := answer.get("Errors"):
                first = errors[0]
                raise OSError(f"{len(errors)} keys were not deleted, as {first.get('Key')}: {first.get('Code')}")

    def is_gone(self, key: str) -> bool:
        """Where versioning was just enabled, S3 may not find what was put minutes ago; a delete marker is certain."""
        try:
            self._client.head_object(Bucket=self._bucket, Key=key)
        except self._client.exceptions.ClientError as error:
            if _status(error) != 404:
                raise
            headers = error.response["ResponseMetadata"]["HTTPHeaders"]
            return bool(headers.get("x-amz-delete-marker") == "true")
        return False


class S3Presigner:
    """Uploads into `bucket` and Links to it. They work as long as the client's credentials do, and by its permissions.

    The client must sign with version 4 for the bucket's own region, or S3 refuses what newer regions and uploads need.
    """

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def form(self, key: str, media_type: str, size: int, checksum: str | None, seconds: int) -> Form:
        fields = {"Content-Type": media_type}
        if checksum:
            fields |= {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": checksum}
        # S3 holds a field to its value only where a condition names it ("POST policy").
        conditions: list[Any] = [{name: value} for name, value in (("key", key), *fields.items())]
        conditions.append(["content-length-range", size, size])
        made = self._client.generate_presigned_post(
            self._bucket, key, Fields=fields, Conditions=conditions, ExpiresIn=seconds
        )
        return Form(made["url"], made["fields"])

    def link(self, key: str, media_type: str, seconds: int) -> str:
        name = quote(key.rpartition("/")[2], safe="")
        asked = {
            "Bucket": self._bucket,
            "Key": key,
            "ResponseContentType": media_type,
            "ResponseContentDisposition": f"inline; filename*=UTF-8''{name}",
        }
        url: str = self._client.generate_presigned_url("get_object", Params=asked, ExpiresIn=seconds)
        return url


def _stat(key: str, answer: dict[str, Any]) -> Stat:
    """From the headers of a HEAD or a GET. VersionId is "null" for what was stored while there were no versions."""
    version = answer.get("VersionId")
    return Stat(
        key=key,
        version=version if version and version != "null" else answer["ETag"].strip('"'),
        bytes=answer["ContentLength"],
        modified=rfc3339(answer["LastModified"].timestamp()),
    )


def _batches(keys: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), _BATCH):
        yield keys[start : start + _BATCH]


def _is_too_long(key: str) -> bool:
    return len(key.encode()) > LONGEST_KEY


def _status(error: Any) -> int:
    status: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status
