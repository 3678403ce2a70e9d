"""What lies in a bucket under many keys, without a call for each.

S3 lists keys in the order of their UTF-8 bytes, which is the order of Python's strings, so that the sorted keys and
the listing are walked side by side: a page of 1,000 answers for every key up to its last, and the next page begins
right before the next key in question. That is never more calls than the bucket has pages there, and hardly ever more
than there are keys, however large the bucket is.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

PAGE: Final = 1000
"""Keys of one page ("ListObjectsV2")."""


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
    reached = ""
    whole = False
    for index, key in enumerate(keys):
        while not whole and key > reached:
            start = max(reached, key[:-1])
            answer = client.list_objects_v2(
                Bucket=bucket,
                Prefix=prefix,
                MaxKeys=min(PAGE, len(keys) - index + 10),
                **({"StartAfter": start} if start else {}),
            )
            listed = answer.get("Contents", ())
            page = {told["Key"]: There(told["Size"], told["ETag"].strip('"')) for told in listed}
            whole = not (listed and answer["IsTruncated"])
            reached = listed[-1]["Key"] if listed else reached
        yield page.get(key)
