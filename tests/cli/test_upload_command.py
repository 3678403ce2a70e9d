"""`imgpipe upload` as a person and a program meet it."""

import io
import json
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto_cases import answer
from rich.console import Console
from rich.progress import Task, TaskID
from run_cli import PROGRAM, environment, imgpipe, photo, started
from running_stack import Running

from imgpipe.cli import run
from imgpipe.cli.upload_progress import Progress
from imgpipe.remote.session import Session
from imgpipe.remote.upload.transfer import Meter
from imgpipe.worker.ports import Failure, Record, rfc3339


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with two images in `in` and a file that is none."""
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "in/a/cat.jpg")
    photo(tmp_path / "in/dog.jpg", (64, 48))
    (tmp_path / "in/notes.txt").write_text("no image")
    return tmp_path


@pytest.fixture
def working(running: Running) -> Iterator[Running]:
    """A stack whose bucket tells its queue of what is put, and that works it off."""
    arn = running.client("sqs").get_queue_attributes(QueueUrl=running.pipeline.queue_url, AttributeNames=["QueueArn"])[
        "Attributes"
    ]["QueueArn"]
    told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    running.client("s3").put_bucket_notification_configuration(
        Bucket=running.pipeline.source_bucket, NotificationConfiguration=told
    )
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.05):
            running.work()

    worker = threading.Thread(target=work)
    worker.start()
    yield running
    ended.set()
    worker.join()


def on_calls(monkeypatch: pytest.MonkeyPatch, service: str, event: str, handler: Callable[..., Any]) -> None:
    """Have `handler` called at that event of every client that is made from now on."""
    make = Session._make

    def made(self: Session, name: str, **settings: object) -> Any:
        client = make(self, name, **settings)
        if name == service:
            client.meta.events.register(event, handler)
        return client

    monkeypatch.setattr(Session, "_make", made)


def documents(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_without_a_terminal_there_is_a_line_for_each_file_and_the_rest_is_named(
    running: Running, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["upload", "in", "--prefix", "2026"]) == 0
    shown = capsys.readouterr()
    size = (folder / "in/dog.jpg").stat().st_size
    assert sorted(line.split("  ")[0] for line in shown.out.splitlines()) == ["Uploaded", "uploaded", "uploaded"]
    assert "uploaded   2026/a/cat.jpg  " in shown.out
    assert f"  2026/dog.jpg  {size / 1000:.1f} kB" in shown.out
    assert "in/notes.txt" in shown.err
    assert run(["upload", "in", "--prefix", "2026"]) == 0
    assert capsys.readouterr().out.split() == ["Unchanged", "2", "files"]


def test_a_program_gets_a_document_for_each_file_and_a_summary(
    running: Running, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "in/gone.jpg").symlink_to("unplugged.jpg")
    assert run(["upload", "in", "--json"]) == 1
    *told, summary = documents(capsys)
    by_path = {document["path"]: document for document in told}
    assert {path: document["status"] for path, document in by_path.items()} == {
        "in/a/cat.jpg": "uploaded", "in/dog.jpg": "uploaded", "in/notes.txt": "skipped", "in/gone.jpg": "failed",
    }  # fmt: skip
    head = running.client("s3").head_object(Bucket=running.pipeline.source_bucket, Key="a/cat.jpg")
    assert by_path["in/a/cat.jpg"]["version"] == head["VersionId"]
    assert by_path["in/gone.jpg"]["code"] == "unreadable"
    counts = {name: summary[name] for name in ("type", "uploaded", "unchanged", "failed", "skipped")}
    assert counts == {"type": "summary", "uploaded": 2, "unchanged": 0, "failed": 1, "skipped": 1}
    assert (summary["status"], summary["error"]) == ("ended", None)


def test_a_dry_run_lists_what_is_new_and_changed(
    running: Running, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running.put("dog.jpg", b"another")
    assert run(["upload", "in", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "new        a/cat.jpg" in shown
    assert "changed    dog.jpg" in shown
    assert "nothing was uploaded" in shown
    assert running.client("s3").list_objects_v2(Bucket=running.pipeline.source_bucket)["KeyCount"] == 1


def test_quiet_is_quiet_but_for_failures(running: Running, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["upload", "in", "-q"]) == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")
    assert run(["upload", "in/dog.jpg", "in/notes.txt", "-q"]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "in/notes.txt" in shown.err
    (folder / "in/gone.jpg").symlink_to("unplugged.jpg")
    assert run(["upload", "in", "-q"]) == 1
    assert "in/gone.jpg" in capsys.readouterr().out


def test_waiting_brings_each_record_with_links_that_work_and_fails_where_an_image_did(
    working: Running, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "in/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0broken")
    assert run(["upload", "in", "--wait", "--json"]) == 1
    *told, summary = documents(capsys)
    records = {document["key"]: document for document in told if "type" not in document}
    assert {key: record["status"] for key, record in records.items()} == {
        "a/cat.jpg": "done", "dog.jpg": "done", "broken.jpg": "failed",
    }  # fmt: skip
    versions = {document["key"]: document["version"] for document in told if document.get("status") == "uploaded"}
    assert versions == {key: record["version"] for key, record in records.items()}
    for made in records["a/cat.jpg"]["renditions"]:
        with urllib.request.urlopen(made["url"]) as answer:  # noqa: S310 - the account's own
            assert len(answer.read()) == made["bytes"]
    assert summary["results"] == {"done": 2, "failed": 1, "superseded": 0, "timeout": 0}


def test_waiting_again_tells_the_results_of_what_was_there_already(
    working: Running, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["upload", "in"]) == 0
    capsys.readouterr()
    assert run(["upload", "in", "--wait"]) == 0
    shown = capsys.readouterr().out
    assert "uploaded" not in shown
    assert "done     a/cat.jpg" in shown
    assert "    web  http://" in shown
    assert "Done       2 images" in shown


def test_a_wait_that_ends_too_early_tells_what_is_missing(
    running: Running, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["upload", "in/dog.jpg", "--wait", "--timeout", "0s"]) == 1
    shown = capsys.readouterr().out
    assert "No worker has looked at it yet" in shown
    assert "imgpipe status --stack imgpipe" in shown
    assert "No result  1 image" in shown


def test_stdin_is_an_image_with_a_name(running: Running, folder: Path) -> None:
    data = (folder / "in/dog.jpg").read_bytes()
    command = [*PROGRAM, "upload", "-", "--name", "page.jpg", "--prefix", "scans"]
    ended = subprocess.run(command, cwd=folder, env=environment(), input=data, capture_output=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    body = running.client("s3").get_object(Bucket=running.pipeline.source_bucket, Key="scans/page.jpg")["Body"]
    assert body.read() == data


def test_nothing_on_stdin_is_told_so(running: Running, folder: Path) -> None:
    ended = imgpipe("upload", "-", "--name", "page.jpg", cwd=folder)
    assert ended.returncode == 2
    assert "Nothing came on stdin." in ended.stderr


def test_a_token_of_the_environment_is_no_mistake_where_no_api_is_asked(
    running: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGPIPE_TOKEN", "abc")
    assert run(["upload", "in/dog.jpg"]) == 0


def test_results_that_may_not_be_read_break_off_no_upload(
    running: Running, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = b'{"__type":"x#AccessDeniedException","message":"not authorized to perform: dynamodb:Query"}'
    on_calls(monkeypatch, "dynamodb", "before-send.dynamodb.Query", lambda request, **_: answer(request, 400, refusal))
    for number in range(60):
        photo(folder / f"in/{number:02}.jpg", (8, 8))
    assert run(["upload", "in", "--wait", "--json"]) == 3
    summary = documents(capsys)[-1]
    assert (summary["uploaded"], summary["error"]["code"]) == (62, "denied")
    assert running.client("s3").list_objects_v2(Bucket=running.pipeline.source_bucket)["KeyCount"] == 62


def test_what_was_superseded_is_named_with_what_took_its_place(
    running: Running, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    versions: list[str] = []

    def late(**_: Any) -> None:
        versions.append(running.put("dog.jpg", (folder / "in/a/cat.jpg").read_bytes()))
        running.work()

    on_calls(monkeypatch, "s3", "after-call.s3.PutObject", late)
    assert run(["upload", "in/dog.jpg", "--wait", "--timeout", "20s"]) == 0
    shown = capsys.readouterr().out
    words = f"superseded dog.jpg  Something else was put there since: its version {versions[0]} is done."
    assert words in shown.splitlines()


def test_a_failure_of_a_newer_worker_is_told_all_the_same(
    running: Running, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["upload", "in/dog.jpg"]) == 0
    head = running.client("s3").head_object(Bucket=running.pipeline.source_bucket, Key="dog.jpg")
    record = Record(key="dog.jpg", status="failed", version=head["VersionId"], error=Failure("new", "It is new."),
                    updated=rfc3339(time.time()))  # fmt: skip
    running.pipeline.catalog.put(record, None)
    assert run(["upload", "in/dog.jpg", "--wait"]) == 1
    assert "Update imgpipe, which does not know this error yet." in capsys.readouterr().out


def test_ctrl_c_breaks_off_what_is_under_way(running: Running, folder: Path) -> None:
    with (folder / "large.bin").open("wb") as file:
        file.truncate(10**9)
    process = started("upload", "large.bin", "--any", "--json", cwd=folder)
    s3, bucket = running.client("s3"), running.pipeline.source_bucket
    while "Uploads" not in s3.list_multipart_uploads(Bucket=bucket):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "Interrupted: 0 files uploaded. The same command goes on from there.\n")
    assert {name: json.loads(out)[name] for name in ("status", "uploaded", "error")} == {
        "status": "interrupted", "uploaded": 0, "error": None,
    }  # fmt: skip
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_ctrl_c_while_waiting_leaves_what_is_uploaded(running: Running, folder: Path) -> None:
    process = started("upload", "in/dog.jpg", "--wait", cwd=folder)
    assert process.stdout
    assert process.stdout.readline().startswith("uploaded   dog.jpg")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.startswith("Interrupted: 1 file uploaded")
    assert running.client("s3").head_object(Bucket=running.pipeline.source_bucket, Key="dog.jpg")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([""], "One PATH is empty"),
        (["nope.jpg"], "no file or folder nope.jpg"),
        (["in/*.png"], "Nothing matches in/*.png"),
        (["in/notes.txt"], "Nothing of what was named is an image"),
        (["in", "--prefix", "/a"], "Keys cannot begin with /a"),
        (["-"], "One - and --name belong together"),
        (["-", "--name", ""], "--name '' is no name of a file"),
        (["-", "--name", "../x.webp"], "--name '../x.webp' is no name of a file"),
        (["in", "--name", "a.jpg"], "One - and --name belong together"),
        (["in", "--via", "api", "--prefix", "a"], "--via api and --prefix exclude one another"),
        (["in", "--via", "api", "--force"], "--via api and --force exclude one another"),
        (["in", "--dry-run", "--wait"], "--dry-run and --wait exclude one another"),
        (["in", "--quiet", "--json"], "--quiet and --json exclude one another"),
        (["in", "--concurrency", "33"], "'33' is not a whole number from 1 to 32"),
        (["in", "--timeout", "soon"], "'soon' is no span of time"),
        (["in", "--timeout", "5s"], "--timeout is of --wait"),
        (["in", "--token", "abc"], "--token is of --via api"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_before_aws_is_asked(
    no_aws: Path, folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert run(["upload", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_aws_that_cannot_be_reached_ends_with_3(no_aws: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["upload", "in", "--region", "eu-central-1"]) == 3
    assert "No AWS credentials were found." in capsys.readouterr().err


def test_a_refusal_on_the_way_ends_with_3_and_tells_what_was_done(
    running: Running, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running.client("s3").delete_bucket(Bucket=running.pipeline.source_bucket)
    assert run(["upload", "in", "--json"]) == 3
    shown = capsys.readouterr()
    summary = json.loads(shown.out.splitlines()[-1])
    assert (summary["type"], summary["status"]) == ("summary", "failed")
    assert (summary["error"]["code"], summary["error"]["remedy"]) == ("no_bucket", "Deploy the stack again.")
    assert "source bucket is not there" in shown.err


def test_the_bar_tells_where_the_upload_is() -> None:
    meter = Meter(987_000_000_000)
    progress = Progress(Console(file=io.StringIO()), meter, 123_456, animated=False, quiet=False)
    progress.ended, progress.failed = 98_765, 12
    meter.add(888_000_000_000)
    words = progress.facts(Task(TaskID(0), "", None, 0, lambda: 0.0, _lock=threading.RLock()))
    assert words == "98,765 of 123,456  888 GB of 987 GB  12 failed"
