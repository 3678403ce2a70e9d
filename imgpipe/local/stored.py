"""What lies in the destination bucket, held against bytes made here, and fetched only where they differ.

S3 keeps the SHA-256 with which a rendition was stored, and for what is not encrypted by KMS its MD5 as the ETag
("Checking object integrity").
"""

import base64
import hashlib
from typing import Any

from msgspec import Struct

from imgpipe.remote.pipeline import Pipeline


class Stored(Struct, frozen=True):
    """An object of `size` bytes: `data` None where it is byte for byte what it was held against."""

    size: int
    data: bytes | None


def stored(pipeline: Pipeline, key: str, data: bytes) -> Stored | None:
    """The object at `key`, held against `data`; None where nothing lies there. Raises botocore's errors."""
    head = _head(pipeline, key)
    if head is None:
        return None
    size = int(head["ContentLength"])
    checksum = head.get("ChecksumSHA256")
    if checksum == base64.b64encode(hashlib.sha256(data).digest()).decode():
        return Stored(size, None)
    if not checksum and head["ETag"].strip('"') == hashlib.md5(data, usedforsecurity=False).hexdigest():
        return Stored(size, None)
    blob = pipeline.renditions.read(key, size)
    if blob is None:
        return None
    return Stored(blob.stat.bytes, None if blob.data == data else blob.data)


def is_there(pipeline: Pipeline, key: str) -> bool:
    """Whether anything lies at `key`. Raises botocore's errors."""
    return _head(pipeline, key) is not None


def _head(pipeline: Pipeline, key: str) -> dict[str, Any] | None:
    client = pipeline.session.client("s3")
    try:
        head: dict[str, Any] = client.head_object(Bucket=pipeline.destination_bucket, Key=key, ChecksumMode="ENABLED")
    except client.exceptions.ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        return None
    return head
