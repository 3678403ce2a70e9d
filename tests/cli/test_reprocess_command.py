"""`imgpipe reprocess` as a person and a program meet it."""

import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from PIL import Image
from running_stack import Running

from imgpipe.cli import run
from imgpipe.errors import AwsError
from imgpipe.remote.session import Session
from imgpipe.worker.ports import Claim, Record, rfc3339


def jpeg() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(data, "JPEG")
    return data.getvalue()


@contextmanager
def working(running: Running) -> Iterator[None]:
    """A worker beside the command."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.05):
            running.work()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()


def documents(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_person_sees_what_would_be_made_and_what_it_costs_and_nothing_is_sent(
    running: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    running.put("a.jpg", jpeg(), told=False)
    running.put("a.txt", b"text", told=False)
    assert run(["reprocess", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert [line.split() for line in shown.splitlines()[:2]] == [["Never", "made", "1"], ["No", "image", "1"]]
    assert "To make" in shown
    assert "none was made here lately" in shown
    assert "Cost" not in shown
    monkeypatch.setattr(Session, "endpoint", "https://cloudformation.eu-central-1.amazonaws.com")
    assert run(["reprocess", "--dry-run"]) == 0
    assert "less than $0.01 at us-east-1's list prices" in capsys.readouterr().out
    assert running.work() == []


def test_a_program_gets_a_line_for_each_and_a_summary(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    for key in ("a/1.jpg", "a/2.jpg", "b.jpg"):
        running.put(key, jpeg(), told=False)
    assert run(["reprocess", "--dry-run", "--json", "--prefix", "a/"]) == 0
    *lines, summary = documents(capsys)
    assert sorted(str(line["key"]) for line in lines) == ["a/1.jpg", "a/2.jpg"]
    assert lines[0] == {"type": "would", "key": lines[0]["key"], "action": "make", "state": "new"}
    assert (summary["type"], summary["status"], summary["wanted"], summary["sent"]) == ("summary", "looked", 2, 0)


def test_without_a_terminal_it_needs_yes_where_there_is_something_to_do(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["reprocess"]) == 0
    assert "nothing" in capsys.readouterr().err
    running.put("a.jpg", jpeg(), told=False)
    assert run(["reprocess"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "--yes" in shown.err
    assert running.work() == []


def test_waiting_prints_what_became_of_each_image_and_fails_with_one(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    running.put("a.jpg", jpeg(), told=False)
    running.put("b.jpg", b"no image", told=False)
    with working(running):
        assert run(["reprocess", "--yes", "--wait", "--json"]) == 1
    *records, summary = documents(capsys)
    assert {record["key"]: record["status"] for record in records} == {"a.jpg": "done", "b.jpg": "failed"}
    assert summary["ended"] == {"done": 1, "failed": 1}
    with working(running):
        assert run(["reprocess", "--yes", "--wait", "a.jpg"]) == 0
    shown = capsys.readouterr()
    assert "a.jpg" in shown.out
    assert "1 image: 1 done" in shown.err


def test_a_named_image_that_is_in_work_is_waited_for_and_not_sent(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    running.put("a.jpg", jpeg(), told=False)
    claim = Claim(attempt="1", ends=time.time() + 600, keys=())
    begun = Record(key="a.jpg", status="processing", updated=rfc3339(time.time()), claim=claim)
    running.pipeline.catalog.put(begun, None)
    assert run(["reprocess", "a.jpg", "--yes", "--wait", "--timeout", "0s"]) == 1
    shown = capsys.readouterr().err
    assert "a.jpg is left alone: in work; it is waited for." in shown
    assert "a.jpg has no result yet" in shown
    assert running.work() == []


def test_a_span_to_wait_needs_wait(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reprocess", "--timeout", "5s"]) == 2
    assert "--timeout is for --wait." in capsys.readouterr().err


def test_interrupted_it_says_what_was_sent_and_how_to_go_on(
    running: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        running.put(f"{number}.jpg", jpeg(), told=False)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("imgpipe.cli.sending_bar.SendingBar.show_pace", interrupt)
    assert run(["reprocess", "--yes"]) == 130
    assert "Interrupted: 12 of 12 images sent. The same command finds what is left." in capsys.readouterr().err
    assert run(["reprocess", "--yes", "--json"]) == 130
    (summary,) = documents(capsys)
    assert (summary["status"], summary["sent"]) == ("interrupted", 12)


def test_a_key_that_is_not_there_is_said_and_nothing_is_sent(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    running.put("a.jpg", jpeg(), told=False)
    assert run(["reprocess", "--yes", "a.jpg", "b.jpg"]) == 1
    assert "no image b.jpg" in capsys.readouterr().err
    assert running.work() == []
    assert run(["reprocess", "a.jpg", "--prefix", "a"]) == 2


def test_what_has_no_result_in_time_is_a_failure(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    running.put("a.jpg", jpeg(), told=False)
    assert run(["reprocess", "--yes", "--wait", "--timeout", "1s"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "a.jpg has no result yet. No worker has looked at it yet" in shown.err


def test_a_program_gets_a_summary_also_where_aws_refuses(
    running: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    running.put("a.jpg", jpeg(), told=False)

    def refuse(*_: object) -> None:
        raise AwsError("denied", "AWS refused sqs:SendMessage.", "Have it allowed.")

    monkeypatch.setattr("imgpipe.remote.queue.send", refuse)
    assert run(["reprocess", "--yes", "--json"]) == 3
    (summary,) = documents(capsys)
    assert (summary["type"], summary["status"], summary["sent"]) == ("summary", "failed", 0)
    assert summary["error"] == {
        "code": "denied",
        "message": "AWS refused sqs:SendMessage.",
        "remedy": "Have it allowed.",
    }
