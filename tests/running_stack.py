"""A stack at moto's server whose work the real handler does, message by message, when a test says so."""

import json
from functools import cached_property
from typing import Any

import pytest
from stack_account import Account

from imgpipe.adapters.s3 import S3Store
from imgpipe.core import recipe_file
from imgpipe.core.recipe import Recipe
from imgpipe.remote.pipeline import Pipeline, open_pipeline
from imgpipe.worker.events import notification
from imgpipe.worker.handler import handle
from imgpipe.worker.ports import Record


class Running:
    """What S3, its queue and Lambda do between them, beside a pipeline to look at it with."""

    def __init__(self, account: Account, recipe: Recipe) -> None:
        self.account = account
        self.recipe = recipe
        self.outputs = account.make_stack(RecipeHash=recipe.hash)
        self.pipeline: Pipeline = open_pipeline(account.session, "imgpipe")
        self.client("s3").put_bucket_versioning(
            Bucket=self.pipeline.source_bucket, VersioningConfiguration={"Status": "Enabled"}
        )
        # moto's own would take messages and call functions that it cannot run.
        for mapping in self.client("lambda").list_event_source_mappings()["EventSourceMappings"]:
            self.client("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)

    @property
    def client(self) -> Any:
        """A client of a service, whose calls are not written down."""
        return self.account.client

    def put(self, key: str, data: bytes, *, told: bool = True) -> str:
        """Put a source; returns its version. Unless `told`, no event reaches the queue, as of what was there before."""
        answer = self.client("s3").put_object(Bucket=self.pipeline.source_bucket, Key=key, Body=data)
        if told:
            self.tell(key)
        return str(answer["VersionId"])

    def delete(self, key: str) -> None:
        """Remove a source."""
        self.client("s3").delete_object(Bucket=self.pipeline.source_bucket, Key=key)
        self.tell(key, removed=True)

    def tell(self, key: str, *, removed: bool = False) -> None:
        """Send what S3 would."""
        message = notification(self.pipeline.source_bucket, key, removed=removed)
        self.client("sqs").send_message(QueueUrl=self.pipeline.queue_url, MessageBody=json.dumps(message))

    def work(self) -> list[Record]:
        """Receive and handle until the queue is empty; returns what was reported, in that order."""
        reported: list[Record] = []
        while received := self._receive():
            event = {
                "Records": [
                    {
                        "messageId": message["MessageId"],
                        "body": message["Body"],
                        "attributes": {"ApproximateReceiveCount": message["Attributes"]["ApproximateReceiveCount"]},
                    }
                    for message in received
                ]
            }
            answer = handle(
                event,
                self._sources,
                self._renditions,
                self.pipeline.catalog,
                self.recipe,
                lease=60,
                report=reported.append,
                on_error=lambda message, error: None,
            )
            failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
            for message in received:
                if message["MessageId"] not in failed:
                    self.client("sqs").delete_message(
                        QueueUrl=self.pipeline.queue_url, ReceiptHandle=message["ReceiptHandle"]
                    )
        return reported

    def _receive(self) -> list[dict[str, Any]]:
        answer = self.client("sqs").receive_message(
            QueueUrl=self.pipeline.queue_url,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        received: list[dict[str, Any]] = answer.get("Messages", [])
        return received

    @cached_property
    def _sources(self) -> S3Store:
        return S3Store(self.client("s3"), self.pipeline.source_bucket)

    @cached_property
    def _renditions(self) -> S3Store:
        return S3Store(self.client("s3"), self.pipeline.destination_bucket)


@pytest.fixture
def running(account: Account) -> Running:
    """A stack with the built-in recipe."""
    return Running(account, recipe_file.load(None))
