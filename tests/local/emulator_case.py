"""A whole emulator in this process, with what its functions said to be waited for."""

import io
import os
import queue
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from moto.core.base_backend import BackendDict
from PIL import Image

from imgpipe.core import recipe_file
from imgpipe.core.recipe import Recipe
from imgpipe.local.emulator.emulator import Emulator, Options
from imgpipe.local.emulator.heard import Ear, Trouble
from imgpipe.remote.emulated import EmulatedSession
from imgpipe.remote.pipeline import Pipeline, open_pipeline
from imgpipe.worker.ports import Record

SECONDS: Final = 60
"""In which what is waited for must have come."""
RECIPE: Final = recipe_file.load(None)


def photo(width: int = 96, height: int = 64, *, shade: int = 0) -> bytes:
    """A JPEG; another `shade` makes another one."""
    image = Image.radial_gradient("L").resize((width, height)).point(lambda value: value // 2 + shade)
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


class Emulated:
    """An emulator, its pipeline, and what is heard of it."""

    def __init__(self, emulator: Emulator, lines: "queue.SimpleQueue[Any]") -> None:
        self.emulator = emulator
        self._lines = lines
        self._ear = Ear()
        self.session = EmulatedSession(int(emulator.environment["IMGPIPE_PORT"]))
        self.records: dict[str, Record] = {}
        self.troubles: list[str] = []
        self.parked = 0

    @property
    def pipeline(self) -> Pipeline:
        return open_pipeline(self.session, self.emulator.options.stack)

    def put(self, key: str, data: bytes) -> str:
        """Put a source; returns its version."""
        answer = self.session.client("s3").put_object(Bucket=self.emulator.source_bucket, Key=key, Body=data)
        return str(answer["VersionId"])

    def delete(self, key: str) -> None:
        self.session.client("s3").delete_object(Bucket=self.emulator.source_bucket, Key=key)

    def hear(self, until: Callable[[], bool]) -> None:
        """Take in what the functions say until that is so."""
        ends = time.monotonic() + SECONDS
        while not until():
            for told in self._ear.hear(self._lines.get(timeout=ends - time.monotonic())):
                if isinstance(told, Trouble):
                    self.troubles.append(told.message)
                    self.parked += told.parked
                else:
                    self.records[told.key] = told

    def settled(self, key: str) -> Record:
        """The result of `key`, the first since it was last asked for."""
        self.records.pop(key, None)
        self.hear(lambda: key in self.records)
        return self.records[key]

    def waiting(self, url: str) -> int:
        """Messages on a queue, also those in work."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        told = self.session.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
        return sum(int(told[name]) for name in names)

    def until_empty(self) -> None:
        """Wait until the queue is: a message goes after its result was said."""
        ends = time.monotonic() + SECONDS
        while self.waiting(self.pipeline.queue_url):
            assert time.monotonic() < ends
            time.sleep(0.05)

    @contextmanager
    def visibility(self, seconds: int) -> Iterator[None]:
        """Messages that fail meanwhile come again after so long, and not after the template's minutes."""
        sqs, queue = self.session.client("sqs"), self.pipeline.queue_url
        told = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
        self._set_visibility(str(seconds))
        yield
        self.until_empty()
        self._set_visibility(told["VisibilityTimeout"])

    def _set_visibility(self, seconds: str) -> None:
        attributes = {"VisibilityTimeout": seconds}
        self.session.client("sqs").set_queue_attributes(QueueUrl=self.pipeline.queue_url, Attributes=attributes)
        # A receive that waits already keeps to what it was before, for one message.
        self.put("visibility.jpg", photo())
        self.settled("visibility.jpg")
        self.until_empty()

    def stored(self) -> set[str]:
        """What lies in the destination bucket."""
        pages = self.session.client("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.pipeline.destination_bucket)
        return {item["Key"] for page in found for item in page.get("Contents", ())}


@contextmanager
def emulated(
    recipe: Recipe = RECIPE, *, max_concurrency: int = 2, timeout: int | None = None, **more: str
) -> Iterator[Emulated]:
    """A new emulator at any free ports; there can be one at a time."""
    BackendDict.reset()
    lines: queue.SimpleQueue[Any] = queue.SimpleQueue()
    parameters = {"MaxConcurrency": str(max_concurrency), **more}
    options = Options(recipe, port=0, parameters=parameters, timeout=timeout)
    with Emulator(options, lines.put) as emulator:
        running = Emulated(emulator, lines)
        running.until_empty()  # S3's test event
        yield running


def workers() -> set[int]:
    """The processes that the functions run in."""
    listed = subprocess.run(
        ["pgrep", "-f", "-P", str(os.getpid()), "imgpipe.local.emulator.runtime"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return {int(number) for number in listed.stdout.split()}
