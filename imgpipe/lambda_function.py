"""What Lambda calls, `process` for batches of the queue and `api` for HTTP requests.

Lambda names the handler in `_HANDLER` before it imports this module. What that handler needs, and only that, is made
then, while the function starts: clients, the recipe, and for `process` the image libraries.
"""

import logging
import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import botocore.session
from botocore.config import Config

from imgpipe.adapters.dynamodb import SHARDS, DynamoDBCatalog
from imgpipe.adapters.s3 import S3Presigner, S3Store
from imgpipe.core import recipe_file
from imgpipe.core.recipe import Recipe
from imgpipe.worker.journal import Journal

Handler = Callable[[Mapping[str, Any], Any], Mapping[str, Any]]

_LEASE_AFTER: Final = 10.0
"""Seconds by which a lease outlasts the invocation, whose end no worker survives."""
_LATE: Final = 3.0
"""Seconds before the invocation's end in which a lease is released: one request, and one repetition."""
_STORE: Final = 5.0
"""Seconds that are left, when rendering has to end, to store what was rendered."""
_SHORT: Final = 30.0
"""Seconds of an invocation below which the three above shrink with it; only the emulator has functions so short."""
_PATIENT: Final[Mapping[str, Any]] = {
    "connect_timeout": 2,
    "read_timeout": 10,
    "retries": {"mode": "standard", "total_max_attempts": 4},
}
_PROMPT: Final[Mapping[str, Any]] = {
    "connect_timeout": 1,
    "read_timeout": 2,
    "retries": {"mode": "standard", "total_max_attempts": 2},
}
"""How long clients of `process` and of `api` wait, in seconds: `api` has to answer within its ten."""

if "AWS_LAMBDA_LOG_LEVEL" not in os.environ:
    logging.getLogger("imgpipe").setLevel(logging.INFO)
# At each start it tells where it found credentials.
logging.getLogger("botocore").setLevel(logging.WARNING)
_session = botocore.session.get_session()


def process(event: Mapping[str, Any], context: Any) -> Mapping[str, Any]:
    """Bring the sources of a batch up to date; what has to come again is in `batchItemFailures`."""
    return _processor()(event, context)


def api(event: Mapping[str, Any], context: Any) -> Mapping[str, Any]:
    """Answer one HTTP request (payload format 2.0)."""
    return _api()(event, context)


@cache
def _processor() -> Handler:
    from imgpipe.core import pipeline
    from imgpipe.worker.deadline import Deadline, Late
    from imgpipe.worker.handler import handle
    from imgpipe.worker.memory import Memory

    recipe = _recipe()
    s3 = _s3(_PATIENT)
    sources = S3Store(s3, os.environ["IMGPIPE_SOURCE_BUCKET"])
    renditions = S3Store(s3, os.environ["IMGPIPE_DESTINATION_BUCKET"])
    catalog = _catalog(_PATIENT)
    render = pipeline.render
    if mebibytes := os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"):
        memory = Memory(int(mebibytes) * 1.048576)
        memory.bound()
        render = memory.render

    def handler(event: Mapping[str, Any], context: Any) -> Mapping[str, Any]:
        journal = Journal(os.environ["IMGPIPE_STACK"], context.aws_request_id)
        remaining = context.get_remaining_time_in_millis() / 1000
        share = min(remaining / _SHORT, 1)
        in_time = remaining - _LATE * share
        try:
            with Deadline(in_time, in_time - _STORE * share, render) as deadline:
                return handle(
                    event,
                    sources,
                    renditions,
                    catalog,
                    recipe,
                    lease=remaining + _LEASE_AFTER * share,
                    report=journal.report,
                    on_error=journal.outage,
                    on_nothing=journal.nothing,
                    render=deadline.render,
                )
        except Late:
            journal.trouble("S3 or DynamoDB did not answer in time; the messages come again.")
            return {"batchItemFailures": [{"itemIdentifier": message["messageId"]} for message in event["Records"]]}

    return handler


@cache
def _api() -> Handler:
    from imgpipe.adapters.sqs import SqsQueue
    from imgpipe.worker.api import Ports, respond

    source_bucket = os.environ["IMGPIPE_SOURCE_BUCKET"]
    s3 = _s3(_PROMPT)
    uploads = S3Presigner(s3, source_bucket)
    catalog = _catalog(_PROMPT)
    ports = Ports(
        recipe=_recipe(),
        source_bucket=source_bucket,
        region=s3.meta.region_name,
        sources=S3Store(s3, source_bucket),
        catalog=catalog,
        feed=catalog,
        uploads=uploads,
        source_links=uploads,
        rendition_links=S3Presigner(s3, os.environ["IMGPIPE_DESTINATION_BUCKET"]),
        queue=SqsQueue(_client("sqs", _PROMPT), os.environ["IMGPIPE_QUEUE_URL"]),
    )

    def handler(event: Mapping[str, Any], context: Any) -> Mapping[str, Any]:
        journal = Journal(os.environ["IMGPIPE_STACK"], context.aws_request_id)
        return respond(event, ports, lambda error: journal.trouble(f"A request failed: {error}", error))

    return handler


def _recipe() -> Recipe:
    return recipe_file.load(Path(os.environ["LAMBDA_TASK_ROOT"], recipe_file.NAME))


def _client(service: str, waits: Mapping[str, Any], **config: Any) -> Any:
    config |= {"tcp_keepalive": True, "max_pool_connections": SHARDS}
    return _session.create_client(service, config=Config(**waits, **config))


def _s3(waits: Mapping[str, Any]) -> Any:
    """A client that signs for the region's own host: the global one redirects, and cannot for a POST."""
    elsewhere = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    style = "auto" if elsewhere else "virtual"
    return _client(
        "s3",
        waits,
        signature_version="s3v4",
        s3={"addressing_style": style, "us_east_1_regional_endpoint": "regional"},
    )


def _catalog(waits: Mapping[str, Any]) -> DynamoDBCatalog:
    return DynamoDBCatalog(_client("dynamodb", waits), os.environ["IMGPIPE_CATALOG_TABLE"])


match os.environ.get("_HANDLER", "").rpartition(".")[2]:
    case "process":
        _processor()
    case "api":
        _api()
