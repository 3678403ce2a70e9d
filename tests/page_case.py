"""The page of a stack at moto's server, whose work is done when a test says so; and plain requests to its server."""

import http.client
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest
from running_stack import Running

from imgpipe.core.recipe import Recipe
from imgpipe.deploy.bundle_recipe import recipe_files
from imgpipe.local.dashboard.server import Dashboard
from imgpipe.remote.pipeline import Pipeline, open_pipeline
from imgpipe.remote.session import Session
from imgpipe.worker.ids import to_id


def connect() -> Pipeline:
    """The stack of the account that the environment names."""
    return open_pipeline(Session(), "imgpipe")


def lay_bundle(running: Running, recipe: Recipe, key: str = "0.zip") -> None:
    """Store what a deployment with `recipe` would."""
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w") as archive:
        for name, data in recipe_files(recipe).items():
            archive.writestr(name, data)
    running.client("s3").put_object(Bucket="bundles", Key=key, Body=bundle.getvalue())


class Answered(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Paged:
    """A page, and the stack that is behind it."""

    connect = staticmethod(connect)

    def __init__(self, running: Running) -> None:
        self.running = running
        lay_bundle(running, running.recipe)
        self._let_the_bucket_tell()
        self.dashboard = Dashboard(connect)

    @property
    def token(self) -> str:
        return self.dashboard.url.partition("#")[2]

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        body: bytes | str | None = None,
        token: str | None = None,
        **headers: str,
    ) -> Answered:
        """One request of a plain client, with the token unless another is given; header names with _ for -."""
        connection = http.client.HTTPConnection("127.0.0.1", self.dashboard.port, timeout=30)
        given = {"Authorization": f"Bearer {self.token if token is None else token}"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            return Answered(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def api(self, path: str, method: str = "GET", document: object = None) -> Answered:
        body = None if document is None else json.dumps(document)
        return self.ask(f"/api{path}", method=method, body=body)

    def remove(self, key: str) -> None:
        """Tell of a removal, which moto's bucket does not."""
        self.running.tell(key, removed=True)
        self.running.work()

    def image(self, key: str) -> Any:
        return self.api(f"/images/{to_id(key)}").document

    def _let_the_bucket_tell(self) -> None:
        outputs = self.running.pipeline.stack.outputs
        sqs = self.running.client("sqs")
        attributes = sqs.get_queue_attributes(QueueUrl=outputs["QueueUrl"], AttributeNames=["QueueArn"])["Attributes"]
        told = {"QueueArn": attributes["QueueArn"], "Events": ["s3:ObjectCreated:*"]}
        self.running.client("s3").put_bucket_notification_configuration(
            Bucket=outputs["SourceBucket"], NotificationConfiguration={"QueueConfigurations": [told]}
        )


@pytest.fixture
def paged(running: Running) -> Iterator[Paged]:
    """A page on a stack without images."""
    page = Paged(running)
    yield page
    page.dashboard.close()
