"""A batch: what failed comes again, and nothing else does."""

import json
from typing import Any

import pytest
from simulation import RECIPES, fake_render

from imgpipe.adapters.memory import MemoryCatalog, MemoryStore
from imgpipe.errors import MessageError
from imgpipe.worker.events import Job, Message, envelope, notification
from imgpipe.worker.handler import handle
from imgpipe.worker.ports import Record


class Flaky(MemoryStore):
    """A store that cannot write what belongs to `down`."""

    def write(self, key: str, data: bytes, media_type: str) -> None:
        if "down" in key:
            raise OSError("no network")
        super().write(key, data, media_type)


class Run:
    def __init__(self, event: dict[str, Any], **sources: bytes) -> None:
        self.store = MemoryStore()
        for name, data in sources.items():
            self.store.write(f"{name}.jpg", data, "image/jpeg")
        self.reported: list[Record] = []
        self.errors: list[tuple[str, Exception]] = []
        self.nothing: list[str] = []
        answer = handle(
            event, self.store, Flaky(), MemoryCatalog(), RECIPES[0],
            lease=100, report=self.reported.append, on_error=self.note, on_nothing=self.miss,
            render=fake_render,
        )  # fmt: skip
        self.failed = [item["itemIdentifier"] for item in answer["batchItemFailures"]]

    def note(self, message: Message, error: Exception) -> None:
        self.errors.append((message.id, error))

    def miss(self, message: Message, job: Job) -> None:
        self.nothing.append(job.key)

    @property
    def statuses(self) -> dict[str, str]:
        return {record.key: record.status for record in self.reported}


def message(name: str, *keys: str) -> dict[str, Any]:
    record: dict[str, Any] = envelope("photos", keys[0], message_id=name)["Records"][0]
    records = [notification("photos", key)["Records"][0] for key in keys]
    return record | {"body": json.dumps({"Records": records})}


def test_one_bad_message_never_takes_others_with_it() -> None:
    batch = [
        message("m1", "good.jpg"),
        message("m2", "good.jpg") | {"body": "hello"},
        message("m3", "down.jpg"),
        message("m4", "bad.jpg"),
        message("m5", "nowhere.jpg"),
        message("m6", "good.jpg"),
        message("m7", "x") | {"body": '{"Event": "s3:TestEvent"}'},
    ]
    run = Run({"Records": batch}, good=b"jpeg:1", down=b"jpeg:1", bad=b"BAD:1")
    assert run.failed == ["m2", "m3"]
    assert [(name, type(error)) for name, error in run.errors] == [("m2", MessageError), ("m3", OSError)]
    assert run.statuses == {"good.jpg": "done", "bad.jpg": "failed"}
    assert run.nothing == ["nowhere.jpg"]


def test_every_job_of_a_message_is_tried_and_the_message_comes_again_once() -> None:
    run = Run({"Records": [message("m1", "down.jpg", "good.jpg", "down.jpg")]}, good=b"jpeg:1", down=b"jpeg:1")
    assert run.failed == ["m1"]
    assert run.statuses == {"good.jpg": "done"}


def test_a_call_that_is_no_batch_is_refused_whole() -> None:
    with pytest.raises(MessageError):
        Run({"detail-type": "Object Created"})
