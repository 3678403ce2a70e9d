"""What lies in a bucket under many keys, without a call for each.

S3 lists keys in the order of their UTF-8 bytes, which is the order of Python's strings, so that the sorted keys and
the listing are walked side by side: a page answers for every key up to its last, and the next begins right before the
next key in question. So there are no more calls than keys, however large the bucket is. Pages grow to 1,000 keys, so
that there are hardly more calls than the bucket has such pages, however the keys lie.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from imgpipe.adapters.s3 import LONGEST_KEY

PAGE: Final = 1000
"""Keys of one page, at most ("ListObjectsV2")."""
_SPARE: Final = 10
"""Keys of the first page that are not asked for."""
_HIGH: Final = "\U0010fffd"
"""The last character that is one."""


class There(NamedTuple):
    """An object as a listing tells it. `etag` is the MD5 of its bytes, or of its parts' MD5s and how many they are;
    under KMS it is neither ("Object", in S3's API reference)."""

    bytes: int
    etag: str


def look_up(client: Any, bucket: str, keys: Sequence[str]) -> Iterator[There | None]:
    """What lies at each of `keys`, which are sorted; listed as it is asked for. Raises what botocore raises."""
    if not keys:
        return
    prefix = os.path.commonprefix((keys[0], keys[-1]))  # noqa: RUF071 - of characters, as S3 takes it
    page: dict[str, There] = {}
    size = len(keys) + _SPARE
    reached = ""
    whole = False
    for key in keys:
        while not whole and key > reached:
            start = max(reached, _before(key))
            answer = client.list_objects_v2(
                Bucket=bucket, Prefix=prefix, MaxKeys=min(PAGE, size), **({"StartAfter": start} if start else {})
            )
            listed = answer.get("Contents", ())
            page = {told["Key"]: There(told["Size"], told["ETag"].strip('"')) for told in listed}
            whole = not (listed and answer["IsTruncated"])
            reached = listed[-1]["Key"] if listed else reached
            size = min(PAGE, 2 * size)
        yield page.get(key)


def _before(key: str) -> str:
    """The last text before `key` in that order, but for what no key is called; the one that `key` begins with, where
    that would be longer than keys may be."""
    head, last = key[:-1], ord(key[-1])
    if not last or len(key.encode()) + 4 > LONGEST_KEY:
        return head
    # No character is a surrogate.
    return f"{head}{chr(0xD7FF if last == 0xE000 else last - 1)}{_HIGH}"
