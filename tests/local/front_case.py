"""The emulator's front before moto, as its tests meet it: a server, clients, and what a bucket told its queue."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from xml.etree import ElementTree

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from urllib3 import BaseHTTPResponse, PoolManager

from imgpipe.local.emulator.front import Front
from imgpipe.local.emulator.server import HOST, serve

KEY: Final = "imgpipe"
QUEUE: Final = "arn:aws:sqs:us-east-1:123456789012:queue"
EVERYTHING: Final = [{"Event": event, "Queue": QUEUE} for event in ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")]


class Fronted:
    """A front of its own; moto's state is the process's, so each test takes a bucket of another name."""

    def __init__(self, port: int, front: Front, sent: list[tuple[str, str]]) -> None:
        self.port = port
        self.front = front
        self.sent = sent
        self.http = PoolManager()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def client(self, service: str = "s3", key: str = KEY, secret: str = KEY, **config: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(retries={"max_attempts": 0}, **config),
        )

    def bucket(self, name: str, *, versioned: bool = True, **properties: Any) -> str:
        """A bucket with these properties of its resource, telling of everything unless they say otherwise."""
        self.client().create_bucket(Bucket=name)
        status = {"VersioningConfiguration": {"Status": "Enabled"}} if versioned else {}
        told = {"NotificationConfiguration": {"QueueConfigurations": EVERYTHING}}
        self.front.realise(name, {**status, **told, **properties})
        self.sent.clear()
        return name

    def send(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> BaseHTTPResponse:
        return self.http.request(method, url, body=body, headers=headers, redirect=False, retries=False)

    def post(
        self, form: Mapping[str, Any], data: bytes, name: str | None = "cat.jpg", **fields: str
    ) -> BaseHTTPResponse:
        """Send a presigned form with a file, and with these fields besides."""
        file = (name, data, "image/jpeg") if name is not None else data
        parts = [*{**form["fields"], **fields}.items(), ("file", file)]
        return self.http.request("POST", form["url"], fields=parts, redirect=False, retries=False)

    @property
    def records(self) -> list[dict[str, Any]]:
        """What the queue was told of objects, in order."""
        return [record for _, body in self.sent for record in json.loads(body).get("Records", ())]


def xml(answer: BaseHTTPResponse) -> ElementTree.Element:
    return ElementTree.fromstring(answer.data)  # noqa: S314 - our own server's


def error(answer: BaseHTTPResponse) -> tuple[int, str, str]:
    """Status, code and message of an answer that is S3's error."""
    root = xml(answer)
    return answer.status, root.findtext("Code", ""), root.findtext("Message", "")


@contextmanager
def fronted(send: Callable[[str, str], None] | None = None) -> Iterator[Fronted]:
    """A front whose queues are a list, or what `send` makes of them."""
    sent: list[tuple[str, str]] = []
    backend = DomainDispatcherApplication(create_backend_app)
    front = Front(backend, {KEY: KEY}, send or (lambda queue, body: sent.append((queue, body))))
    server = serve(front, 0)
    try:
        yield Fronted(server.port, front, sent)
    finally:
        server.close()
