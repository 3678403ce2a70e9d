"""What a file's content is known by in S3: as one object, or as parts of a size that follows from the file's.

An ETag is MD5 where no KMS key is used, and S3 compares the SHA-256 of every object and part with what arrived. Where
both are made of parts, they are hashes of the parts' hashes, so the sizes of the parts must be the same again: they
are the AWS CLI's, up to 80 GB.
"""

import base64
import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple

PART: Final = 8 * 1024**2
"""Bytes of a part, and of the largest file that is sent as one."""
_MOST_PARTS: Final = 10_000
"""Of one object ("Amazon S3 multipart upload limits")."""


class Digest(NamedTuple):
    """A content's ETag as S3 writes it, and its SHA-256 in base64, without the number of parts that S3 appends."""

    etag: str
    sha256: str


def part_size(size: int) -> int:
    """Bytes of each part but the last, of a file of `size` bytes: PART, or as many times it as 10,000 parts take."""
    return PART * max(1, -(-size // (PART * _MOST_PARTS)))


def part_count(size: int) -> int:
    return -(-size // part_size(size))


def whole(chunks: Iterable[bytes]) -> Digest:
    """Of what is sent as one object."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    for chunk in chunks:
        md5.update(chunk)
        sha256.update(chunk)
    return Digest(md5.hexdigest(), _base64(sha256.digest()))


def composite(parts: Iterable[bytes]) -> Digest:
    """Of what is sent in these parts ("Checking object integrity": composite checksums)."""
    count = 0
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    for part in parts:
        count += 1
        md5.update(hashlib.md5(part, usedforsecurity=False).digest())
        sha256.update(hashlib.sha256(part).digest())
    return Digest(f"{md5.hexdigest()}-{count}", _base64(sha256.digest()))


def checksum(data: bytes) -> str:
    """The SHA-256 of `data` in base64."""
    return _base64(hashlib.sha256(data).digest())


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
