"""What lies in a bucket, as S3 lists it: whole pages of keys, in their order, as each is asked for."""

from collections.abc import Iterator
from typing import NamedTuple

from imgpipe.remote.session import Session, aws_errors


class Listed(NamedTuple):
    """One object. `etag` is the MD5 of its bytes where it was put in one piece and is not encrypted by KMS
    ("Checking object integrity")."""

    key: str
    bytes: int
    etag: str


def objects(session: Session, bucket: str, prefix: str = "") -> Iterator[Listed]:
    """Every object whose key begins with `prefix`. Raises AwsError."""
    with aws_errors():
        for page in session.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for told in page.get("Contents", ()):
                yield Listed(told["Key"], told["Size"], told["ETag"].strip('"'))


def folders(session: Session, bucket: str) -> list[str]:
    """What stands before the first slash of the bucket's keys, sorted; of renditions, that is their presets. Raises
    AwsError."""
    with aws_errors():
        pages = session.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Delimiter="/")
        return [told["Prefix"].rstrip("/") for page in pages for told in page.get("CommonPrefixes", ())]
