"""`imgpipe redrive` as a person and a program meet it."""

import json

import pytest
from botocore.exceptions import ClientError
from running_stack import Running

from imgpipe.cli import run
from imgpipe.remote.queue import messages
from imgpipe.worker.events import notification


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Receives that do not wait where there is nothing: the server of the tests holds all it has in one place."""
    monkeypatch.setattr("imgpipe.remote.dead_letters.SECONDS", 0)


def park(running: Running, *keys: str) -> None:
    for key in keys:
        body = json.dumps(notification(running.pipeline.source_bucket, key))
        running.client("sqs").send_message(QueueUrl=running.pipeline.dead_letter_queue_url, MessageBody=body)


def counts(running: Running) -> tuple[int, int]:
    """Messages on the queue, and in the dead-letter queue, that can be seen."""
    urls = running.pipeline.queue_url, running.pipeline.dead_letter_queue_url
    here, parked = (messages(running.pipeline.session, url).waiting for url in urls)
    return here, parked


def test_a_look_shows_what_is_parked_and_leaves_it(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    park(running, "a\x1b[2J.jpg")
    running.client("sqs").send_message(QueueUrl=running.pipeline.dead_letter_queue_url, MessageBody="no event")
    assert run(["redrive", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "a\\x1b[2J.jpg" in shown
    assert "No S3 event, stays: no event" in shown
    assert "\x1b" not in shown
    assert counts(running) == (0, 2)


def test_a_program_gets_each_message_and_a_summary(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    park(running, "a.jpg", "b.jpg", "c.jpg")
    assert run(["redrive", "--yes", "--json", "--key", "a.jpg", "--key", "c.jpg", "--key", "d.jpg"]) == 0
    shown = capsys.readouterr()
    assert shown.err == "No message is about d.jpg.\n"
    *lines, summary = [json.loads(line) for line in shown.out.splitlines()]
    assert sorted(line["keys"][0] for line in lines) == ["a.jpg", "c.jpg"]
    assert summary == {"type": "summary", "status": "sent", "parked": 2, "sent": 2, "error": None}
    assert counts(running) == (2, 1)


def test_without_a_terminal_it_needs_yes_and_shows_all_again(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    park(running, "a.jpg")
    assert run(["redrive"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert counts(running) == (0, 1)
    assert run(["redrive", "--yes"]) == 0
    assert "Sent 1 message back" in capsys.readouterr().err
    assert run(["redrive"]) == 0
    assert "Nothing is parked." in capsys.readouterr().err


def test_interrupted_it_says_what_was_sent_and_shows_the_rest_again(
    running: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    park(running, "a.jpg", "b.jpg")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("imgpipe.cli.sending_bar.SendingBar.show_pace", interrupt)
        assert run(["redrive", "--yes", "--key", "a.jpg"]) == 130
    assert "Interrupted: 1 message sent." in capsys.readouterr().err
    assert counts(running) == (1, 1)


def test_without_a_right_to_read_the_catalog_messages_go_back_all_the_same(
    running: Running, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    park(running, "a.jpg")

    def refuse(*_: object, **__: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "BatchGetItem")

    for name in ("entries", "page"):
        monkeypatch.setattr(f"imgpipe.adapters.dynamodb.DynamoDBCatalog.{name}", refuse)
    assert run(["redrive", "--yes"]) == 0
    shown = capsys.readouterr()
    assert "The catalog could not be read: AWS refused BatchGetItem." in shown.err
    assert "never made" not in shown.out
    assert counts(running) == (1, 0)
