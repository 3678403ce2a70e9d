"""What a stack holds that cannot be made anew: its buckets and its catalog, measured without reading all of it.

They outlive their stack, so they are found by names that follow from the stack's name alone; the template computes the
same ones. A name is no proof: what bears it and was made by somebody else is a stranger, and no holding.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from msgspec import Struct

from imgpipe.errors import AwsError, StackError
from imgpipe.remote.session import Session, aws_errors
from imgpipe.worker.ports import rfc3339

Kind = Literal["source", "destination", "catalog"]

LISTED: Final = 5
"""Pages of 1,000 versions that are counted; a larger bucket is measured by S3's own daily count."""
DAY: Final = 24 * 60 * 60
BUCKETS: Final = {"source": "SourceBucket", "destination": "DestinationBucket"}
"""Kind -> the bucket's name in the template, which CloudFormation writes into a tag."""
FEED: Final = {"shard": "HASH", "feed": "RANGE"}
"""The keys of the catalog's index `feed`."""
UNTAGGED: Final = frozenset({"NoSuchTagSet", "AccessDenied", "403", "MethodNotAllowed", "NotImplemented", "501"})
"""How S3, or what speaks its language, says that there are no tags to be read."""


class Size(Struct, frozen=True, kw_only=True, rename="camel"):
    """How much there is. `items` are objects or records, `older` an object's versions before its last and its delete
    markers; `bytes` is of all. `counted` is when (RFC 3339, UTC), None where only the order of hours is known: DynamoDB
    counts about every six. `at_least` tells that there is more."""

    items: int
    older: int
    bytes: int
    counted: str | None
    at_least: bool = False


class Holding(Struct, frozen=True, kw_only=True):
    """One bucket or table that is there. `protected` is DynamoDB's deletion protection."""

    kind: Kind
    name: str
    size: Size
    protected: bool = False


class Stranger(Struct, frozen=True):
    """What has the name of a holding, and is somebody else's."""

    name: str


def names(session: Session, stack: str, outputs: Mapping[str, str]) -> dict[Kind, str]:
    """Kind -> name of its bucket or table: as the outputs tell, or else as they are computed."""
    place = f"{session.account}-{session.region}-an"
    return {
        "source": outputs.get("SourceBucket", f"{stack}-source-{place}"),
        "destination": outputs.get("DestinationBucket", f"{stack}-dest-{place}"),
        "catalog": outputs.get("CatalogTable", f"{stack}-catalog"),
    }


def holdings(session: Session, stack: str, outputs: Mapping[str, str]) -> tuple[Holding, ...]:
    """What is there of the stack of that name, whether or not there still is a stack. Raises AwsError."""
    with aws_errors():
        return tuple(found for found in _there(session, stack, outputs) if isinstance(found, Holding))


def to_delete(found: Iterable[Holding]) -> tuple[str, ...]:
    """The flags with which `imgpipe destroy` deletes what was found."""
    return ("--delete-data", *["--lift-protection"] * any(held.protected for held in found))


def strangers(session: Session, stack: str) -> tuple[str, ...]:
    """The names that a stack of that name would give, and that something of somebody else's has. Raises AwsError."""
    with aws_errors():
        return tuple(found.name for found in _there(session, stack, {}) if isinstance(found, Stranger))


def _there(session: Session, stack: str, outputs: Mapping[str, str]) -> Iterator[Holding | Stranger]:
    for kind, name in names(session, stack, outputs).items():
        found = _table(session, name) if kind == "catalog" else _bucket(session, stack, kind, name)
        if found:
            yield found


def _bucket(session: Session, stack: str, kind: Kind, name: str) -> Holding | Stranger | None:
    s3 = session.client("s3")
    try:
        s3.head_bucket(Bucket=name, ExpectedBucketOwner=session.account)
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchBucket"}:
            return None
        raise
    tags = _tags(session, name)
    made_as = tags.get("aws:cloudformation:stack-name", stack), tags.get("aws:cloudformation:logical-id", BUCKETS[kind])
    if made_as != (stack, BUCKETS[kind]):
        return Stranger(name)
    size = _listed(session, name)
    if size.at_least:
        size = _measured(session, name) or size
    return Holding(kind=kind, name=name, size=size)


def _tags(session: Session, bucket: str) -> dict[str, str]:
    """The bucket's tags; none where they cannot be read: then its name, which only this account can give, has to do."""
    s3 = session.client("s3")
    try:
        answer = s3.get_bucket_tagging(Bucket=bucket, ExpectedBucketOwner=session.account)
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in UNTAGGED:
            raise
        return {}
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


def _listed(session: Session, bucket: str) -> Size:
    """The first pages of the bucket, counted one by one."""
    now = datetime.now(UTC).timestamp()
    items = older = volume = 0
    more = False
    pages = session.client("s3").get_paginator("list_object_versions")
    for number, page in enumerate(pages.paginate(Bucket=bucket, ExpectedBucketOwner=session.account), 1):
        versions = page.get("Versions", ())
        latest = sum(version["IsLatest"] for version in versions)
        items += latest
        older += len(versions) - latest + len(page.get("DeleteMarkers", ()))
        volume += sum(version["Size"] for version in versions)
        more = page["IsTruncated"]
        if number == LISTED:
            break
    return Size(items=items, older=older, bytes=volume, counted=rfc3339(now), at_least=more)


def _measured(session: Session, bucket: str) -> Size | None:
    """What S3 counted of the bucket on its last day, all versions together; None where that cannot be had."""
    now = datetime.now(UTC)
    queries = [
        {"Id": name, "Expression": f"SUM(SEARCH('{{AWS/S3,BucketName,StorageType}} {told}', 'Average', {DAY}))"}
        for name, told in (
            ("items", f'MetricName="NumberOfObjects" BucketName="{bucket}"'),
            ("bytes", f'MetricName="BucketSizeBytes" BucketName="{bucket}"'),
        )
    ]
    try:
        with aws_errors():
            answer = session.client("cloudwatch").get_metric_data(
                MetricDataQueries=queries, StartTime=now - timedelta(days=3), EndTime=now, ScanBy="TimestampDescending"
            )
    except (AwsError, StackError):
        return None
    results: dict[str, Any] = {result["Id"]: result for result in answer["MetricDataResults"]}
    if not all(results[name]["Values"] for name in ("items", "bytes")):
        return None
    return Size(
        items=round(results["items"]["Values"][0]),
        older=0,
        bytes=round(results["bytes"]["Values"][0]),
        counted=rfc3339(results["bytes"]["Timestamps"][0].timestamp()),
    )


def _table(session: Session, name: str) -> Holding | Stranger | None:
    dynamodb = session.client("dynamodb")
    try:
        table = dynamodb.describe_table(TableName=name)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        return None
    if not _is_catalog(table):
        return Stranger(name)
    return Holding(
        kind="catalog",
        name=name,
        size=Size(items=table["ItemCount"], older=0, bytes=table["TableSizeBytes"], counted=None),
        # An endpoint may hand on what CloudFormation gave it as text.
        protected=str(table.get("DeletionProtectionEnabled", False)).lower() == "true",
    )


def _is_catalog(table: dict[str, Any]) -> bool:
    """Whether a table has the catalog's keys and index: its name alone, STACK-catalog, is an ordinary one."""
    feeds = (_keys(index) for index in table.get("GlobalSecondaryIndexes", ()) if index["IndexName"] == "feed")
    return _keys(table) == {"key": "HASH"} and next(feeds, None) == FEED


def _keys(described: dict[str, Any]) -> dict[str, str]:
    return {key["AttributeName"]: key["KeyType"] for key in described["KeySchema"]}
