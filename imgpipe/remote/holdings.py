"""What a stack holds that cannot be made anew: its buckets and its catalog, measured without reading all of it.

They outlive their stack, so they are found by names that follow from the stack's name alone; the template computes the
same ones.
"""

from collections.abc import Iterator, Mapping
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
        return tuple(_there(session, names(session, stack, outputs)))


def _there(session: Session, named: dict[Kind, str]) -> Iterator[Holding]:
    for kind, name in named.items():
        found = _table(session, name) if kind == "catalog" else _bucket(session, kind, name)
        if found:
            yield found


def _bucket(session: Session, kind: Kind, name: str) -> Holding | None:
    s3 = session.client("s3")
    try:
        s3.head_bucket(Bucket=name, ExpectedBucketOwner=session.account)
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchBucket"}:
            return None
        raise
    size = _listed(session, name)
    if size.at_least:
        size = _measured(session, name) or size
    return Holding(kind=kind, name=name, size=size)


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


def _table(session: Session, name: str) -> Holding | None:
    dynamodb = session.client("dynamodb")
    try:
        table = dynamodb.describe_table(TableName=name)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        return None
    return Holding(
        kind="catalog",
        name=name,
        size=Size(items=table["ItemCount"], older=0, bytes=table["TableSizeBytes"], counted=None),
        # An endpoint may hand on what CloudFormation gave it as text.
        protected=str(table.get("DeletionProtectionEnabled", False)).lower() == "true",
    )
