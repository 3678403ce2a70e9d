"""What CloudWatch counted: the last hour's images, and the age of the queue's oldest message.

The functions write these figures with every image; CloudWatch shows them a minute or two later.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from imgpipe.errors import StackError
from imgpipe.remote.session import Session, aws_errors

NAMESPACE: Final = "imgpipe"
HOUR: Final = timedelta(hours=1)
LATELY: Final = timedelta(minutes=10)
MINUTE: Final = 60
COUNTED: Final = {
    "images": "Images",
    "failures": "Failures",
    "source_bytes": "SourceBytes",
    "rendition_bytes": "RenditionBytes",
}
"""Field of `LastHour` -> name of the metric."""


class LastHour(Struct, frozen=True, rename="camel"):
    """Sums over the sixty minutes before now. `images` counts the failures too."""

    images: int
    failures: int
    source_bytes: int
    rendition_bytes: int


def last_hour(session: Session, stack: str) -> LastHour:
    """The sums for the stack of that name. Raises StackError where nothing was ever counted, AwsError."""
    dimensions = [{"Name": "Stack", "Value": stack}]
    queries = [_query(field, NAMESPACE, metric, dimensions, "Sum") for field, metric in COUNTED.items()]
    with aws_errors():
        values = _values(session, queries, HOUR)
        if not any(values.values()):
            page = session.client("cloudwatch").list_metrics(Namespace=NAMESPACE, Dimensions=dimensions)
            if not page["Metrics"]:
                raise StackError(
                    "CloudWatch has no figures of this stack.", "They are there some minutes after its first image."
                )
    return LastHour(**{field: round(sum(values[field])) for field in COUNTED})


def oldest_seconds(session: Session, queue: str) -> int | None:
    """How long the oldest message of the queue of that name waits; None where CloudWatch did not look lately."""
    query = _query(
        "age", "AWS/SQS", "ApproximateAgeOfOldestMessage", [{"Name": "QueueName", "Value": queue}], "Maximum"
    )
    with aws_errors():
        newest_first = _values(session, [query], LATELY)["age"]
    return round(newest_first[0]) if newest_first else None


def _query(name: str, namespace: str, metric: str, dimensions: list[dict[str, str]], stat: str) -> dict[str, Any]:
    told = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": told, "Period": MINUTE, "Stat": stat}}


def _values(session: Session, queries: list[dict[str, Any]], span: timedelta) -> dict[str, list[float]]:
    """Id of each query -> its values by the minute, newest first."""
    now = datetime.now(UTC)
    values: dict[str, list[float]] = {query["Id"]: [] for query in queries}
    pages = session.client("cloudwatch").get_paginator("get_metric_data")
    for page in pages.paginate(
        MetricDataQueries=queries, StartTime=now - span, EndTime=now, ScanBy="TimestampDescending"
    ):
        for result in page["MetricDataResults"]:
            values[result["Id"]] += result["Values"]
    return values
