"""Uploads into the source bucket of a stack at moto's server: what is sent, what is not, and what ends it."""

import hashlib
import os
import random
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from image_case import jpeg
from moto_cases import answer
from running_stack import Running
from upload_case import kinds, photo, sent

from imgpipe.errors import AwsError
from imgpipe.remote.upload import listing
from imgpipe.remote.upload.choose import choose
from imgpipe.remote.upload.digest import PART, part_count, part_size
from imgpipe.remote.upload.events import Event, Failed, Unchanged, Uploaded, Would
from imgpipe.remote.upload.run import Options, upload
from imgpipe.remote.upload.transfer import Meter

MEGABYTE = 10**6


def stored(running: Running, key: str, version: str | None = None) -> bytes:
    """What lies in the source bucket."""
    which = {"VersionId": version} if version else {}
    body = running.client("s3").get_object(Bucket=running.pipeline.source_bucket, Key=key, **which)["Body"]
    return bytes(body.read())


def calls(running: Running) -> list[str]:
    """Calls of the session since this was last asked."""
    made = list(running.account.session.calls)
    running.account.session.calls.clear()
    return made


def large(path: Path, size: int = 2 * PART + 1000) -> Path:
    """A file that is sent in parts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(random.Random(size).randbytes(size))  # noqa: S311
    return path


def on(running: Running, call: str, handler: Callable[..., Any], when: str = "before-call") -> None:
    """Have `handler` called with each request of that kind."""
    running.account.session.client("s3").meta.events.register(f"{when}.s3.{call}", handler)


def told(events: list[Event], key: str) -> Event:
    return next(event for event in events if event.key == key)


def test_a_tree_arrives_byte_for_byte_under_its_versions_with_its_content_types(
    running: Running, tmp_path: Path
) -> None:
    photo(tmp_path / "in/a/cat.jpg")
    (tmp_path / "in/notes.jpg").write_text("no image")
    events = sent(running.pipeline, tmp_path / "in", prefix="2026")
    assert kinds(events) == {"Uploaded": 2}
    cat = told(events, "2026/a/cat.jpg")
    assert isinstance(cat, Uploaded)
    assert stored(running, cat.key, cat.version) == (tmp_path / "in/a/cat.jpg").read_bytes()
    s3, bucket = running.client("s3"), running.pipeline.source_bucket
    assert s3.head_object(Bucket=bucket, Key=cat.key)["ContentType"] == "image/jpeg"
    assert s3.head_object(Bucket=bucket, Key="2026/notes.jpg")["ContentType"] == "application/octet-stream"


def test_what_is_there_takes_one_listing_and_no_call_of_its_own(running: Running, tmp_path: Path) -> None:
    for number in range(40):
        photo(tmp_path / f"in/{number % 3}/{number}.jpg", number)
    calls(running)
    assert kinds(sent(running.pipeline, tmp_path / "in")) == {"Uploaded": 40}
    assert sorted(calls(running)) == ["ListObjectsV2", *["PutObject"] * 40]
    for path in (tmp_path / "in").rglob("*.jpg"):
        os.utime(path, (0, 0))
    assert kinds(sent(running.pipeline, tmp_path / "in")) == {"Unchanged": 40}
    assert calls(running) == ["ListObjectsV2"]


def test_other_content_of_the_same_size_and_time_is_sent_without_another_look(running: Running, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    os.utime(path, (0, 0))
    sent(running.pipeline, path)
    path.write_bytes(b"two")
    os.utime(path, (0, 0))
    calls(running)
    assert kinds(sent(running.pipeline, path)) == {"Uploaded": 1}
    assert calls(running) == ["ListObjectsV2", "PutObject"]
    assert stored(running, "a.bin") == b"two"


def test_force_sends_what_is_there_and_looks_nowhere(running: Running, tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    sent(running.pipeline, tmp_path / "a.jpg")
    calls(running)
    assert kinds(sent(running.pipeline, tmp_path / "a.jpg", options=Options(force=True))) == {"Uploaded": 1}
    assert calls(running) == ["PutObject"]


def test_a_dry_run_tells_what_would_happen_and_changes_nothing(running: Running, tmp_path: Path) -> None:
    for name in ("same", "other", "new"):
        photo(tmp_path / f"in/{name}.jpg")
    running.put("same.jpg", jpeg())
    running.put("other.jpg", b"x")
    calls(running)
    events = sent(running.pipeline, tmp_path / "in", options=Options(dry_run=True))
    actions = {event.key: event.action for event in events if isinstance(event, Would)}
    assert actions == {"same.jpg": "unchanged", "other.jpg": "changed", "new.jpg": "new"}
    assert calls(running) == ["ListObjectsV2"]


def test_few_files_in_a_large_bucket_take_no_more_calls_than_they_are(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 5)
    for number in range(60):
        running.put(f"{number:02}.jpg", jpeg(), told=False)
    for name in ("03", "31", "58", "99"):
        photo(tmp_path / f"in/{name}.jpg")
    calls(running)
    assert kinds(sent(running.pipeline, tmp_path / "in")) == {"Unchanged": 3, "Uploaded": 1}
    assert calls(running).count("ListObjectsV2") <= 4


def test_many_files_in_a_large_bucket_take_no_more_calls_than_it_has_pages(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 5)
    for number in range(30):
        running.put(f"{number:02}.jpg", jpeg(), told=False)
        photo(tmp_path / f"in/{number:02}.jpg")
    calls(running)
    assert kinds(sent(running.pipeline, tmp_path / "in")) == {"Unchanged": 30}
    assert calls(running) == ["ListObjectsV2"] * 6


def test_a_large_file_goes_in_parts_and_is_known_again_by_their_hashes(running: Running, tmp_path: Path) -> None:
    path = large(tmp_path / "large.tif")
    calls(running)
    (event,) = sent(running.pipeline, path)
    assert isinstance(event, Uploaded)
    assert calls(running).count("UploadPart") == 3
    assert stored(running, "large.tif", event.version) == path.read_bytes()
    head = running.client("s3").head_object(
        Bucket=running.pipeline.source_bucket, Key="large.tif", ChecksumMode="ENABLED"
    )
    assert head["ChecksumType"] == "COMPOSITE"
    parts = [path.read_bytes()[start : start + PART] for start in range(0, path.stat().st_size, PART)]
    hashes = b"".join(hashlib.sha256(part).digest() for part in parts)
    assert b64decode(head["ChecksumSHA256"].partition("-")[0]) == hashlib.sha256(hashes).digest()
    assert kinds(sent(running.pipeline, path)) == {"Unchanged": 1}
    assert calls(running) == ["ListObjectsV2"]
    with path.open("r+b") as file:
        file.write(b"x")
    assert kinds(sent(running.pipeline, path)) == {"Uploaded": 1}


def test_a_large_file_that_another_sent_as_one_is_known_by_its_md5(running: Running, tmp_path: Path) -> None:
    path = large(tmp_path / "large.tif")
    running.put("large.tif", path.read_bytes())
    assert kinds(sent(running.pipeline, path)) == {"Unchanged": 1}


def test_parts_of_any_object_that_s3_takes_are_at_most_10_000() -> None:
    for size in (PART + 1, PART * 10_000, PART * 10_000 + 1, 5 * 10**12):
        assert part_count(size) <= 10_000
        assert part_size(size) * part_count(size) >= size
    assert part_size(PART * 10_000) == PART


def test_under_kms_where_etags_tell_nothing_checksums_do(running: Running, tmp_path: Path) -> None:
    photo(tmp_path / "in/same.jpg")
    photo(tmp_path / "in/new.jpg")
    large(tmp_path / "in/large.bin")
    sent(running.pipeline, tmp_path / "in/same.jpg", tmp_path / "in/large.bin")
    running.pipeline.stack.parameters["KmsKeyArn"] = "arn:aws:kms:eu-central-1:123456789012:key/0"

    def encrypt(parsed: dict[str, Any], **_: Any) -> None:
        for item in parsed.get("Contents", ()):
            item["ETag"] = f'"{hashlib.md5(item["ETag"].encode()).hexdigest()}{item["ETag"][33:-1]}"'  # noqa: S324

    on(running, "ListObjectsV2", encrypt, "after-call")
    calls(running)
    events = sent(running.pipeline, tmp_path / "in")
    assert {event.key for event in events if isinstance(event, Unchanged)} == {"same.jpg", "large.bin"}
    assert sorted(calls(running)) == ["HeadObject", "HeadObject", "ListObjectsV2", "PutObject"]


def test_a_file_that_changes_on_the_way_fails_leaves_nothing_and_stops_no_other(
    running: Running, tmp_path: Path
) -> None:
    path = large(tmp_path / "in/large.bin")
    photo(tmp_path / "in/a.jpg")

    def change(**_: Any) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    on(running, "UploadPart", change)
    events = sent(running.pipeline, tmp_path / "in")
    failure = told(events, "large.bin")
    assert isinstance(failure, Failed)
    assert (failure.code, failure.outage) == ("changed", False)
    assert isinstance(told(events, "a.jpg"), Uploaded)
    s3, bucket = running.client("s3"), running.pipeline.source_bucket
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["a.jpg"]


def test_a_file_that_cannot_be_read_fails_alone(running: Running, tmp_path: Path) -> None:
    photo(tmp_path / "in/a.jpg")
    photo(tmp_path / "in/b.jpg")
    choice = choose([str(tmp_path / "in")])
    (tmp_path / "in/a.jpg").unlink()
    events = list(upload(running.pipeline, choice, Options(), Meter(0)))
    assert kinds(events) == {"Failed": 1, "Uploaded": 1}
    assert isinstance(failure := told(events, "a.jpg"), Failed)
    assert failure.code == "unreadable"
    assert failure.message == "It cannot be read: No such file or directory."


def test_what_is_broken_off_leaves_no_parts_behind(running: Running, tmp_path: Path) -> None:
    large(tmp_path / "large.bin")

    def interrupt(**_: Any) -> None:
        raise KeyboardInterrupt

    on(running, "UploadPart", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sent(running.pipeline, tmp_path / "large.bin")
    assert "Uploads" not in running.client("s3").list_multipart_uploads(Bucket=running.pipeline.source_bucket)


def test_the_meter_ends_where_all_bytes_are_sent_and_spares_what_is_there(running: Running, tmp_path: Path) -> None:
    photo(tmp_path / "in/there.jpg")
    sent(running.pipeline, tmp_path / "in")
    photo(tmp_path / "in/small.jpg")
    (tmp_path / "in/medium.bin").write_bytes(bytes(3 * MEGABYTE))
    large(tmp_path / "in/large.bin")
    choice = choose([str(tmp_path / "in")], anything=True)
    meter = Meter(sum(file.bytes for file in choice.files))
    list(upload(running.pipeline, choice, Options(), meter))
    new = sum((tmp_path / "in" / name).stat().st_size for name in ("small.jpg", "medium.bin", "large.bin"))
    assert (meter.sent, meter.total) == (new, new)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(403, "AccessDenied", "denied"), (403, "InvalidAccessKeyId", "bad_credentials"), (400, "ExpiredToken", "expired"),
     (404, "NoSuchBucket", "no_bucket")],
)  # fmt: skip
def test_what_no_file_could_succeed_at_ends_it_at_once(
    running: Running, tmp_path: Path, status: int, code: str, error: str
) -> None:
    for number in range(100):
        photo(tmp_path / f"in/{number}.jpg")
    refusal = f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode()
    on(running, "PutObject", lambda request, **_: answer(request, status, refusal), "before-send")
    calls(running)
    with pytest.raises(AwsError) as raised:
        sent(running.pipeline, tmp_path / "in")
    assert (raised.value.code, raised.value.exit_code) == (error, 3)
    assert calls(running).count("PutObject") <= 2 * Options().concurrency


def test_a_bucket_that_is_gone_is_told_before_the_first_byte(running: Running, tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    running.client("s3").delete_bucket(Bucket=running.pipeline.source_bucket)
    calls(running)
    with pytest.raises(AwsError, match="source bucket is not there") as raised:
        sent(running.pipeline, tmp_path / "a.jpg")
    assert raised.value.code == "no_bucket"
    assert calls(running) == ["ListObjectsV2"]


def test_aws_failing_at_one_file_fails_that_file_and_failing_on_ends_it(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for number in range(100):
        photo(tmp_path / f"in/{number:02}.jpg")
    broken = {"/07.jpg"}
    slow = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"

    def fail(request: Any, **_: Any) -> Any:
        return answer(request, 503, slow) if not broken or request.url.endswith(tuple(broken)) else None

    on(running, "PutObject", fail, "before-send")
    events = sent(running.pipeline, tmp_path / "in")
    assert kinds(events) == {"Uploaded": 99, "Failed": 1}
    assert isinstance(failure := told(events, "07.jpg"), Failed)
    assert (failure.code, failure.outage) == ("throttled", True)
    broken.clear()
    calls(running)
    with pytest.raises(AwsError, match="throttling"):
        sent(running.pipeline, tmp_path / "in", options=Options(force=True, concurrency=2))
    assert calls(running).count("PutObject") < 20


def test_throttling_that_passes_is_outlasted(running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    photo(tmp_path / "a.jpg")
    large(tmp_path / "large.bin")
    refused: set[str] = set()

    def fail_once(request: Any, **_: Any) -> Any:
        if request.url in refused:
            return None
        refused.add(request.url)
        return answer(request, 503, b"<Error><Code>SlowDown</Code><Message>Slower.</Message></Error>")

    for call in ("ListObjectsV2", "PutObject", "UploadPart", "CompleteMultipartUpload"):
        on(running, call, fail_once, "before-send")
    assert kinds(sent(running.pipeline, tmp_path / "a.jpg", tmp_path / "large.bin")) == {"Uploaded": 2}
    assert len(refused) == 6
    assert stored(running, "large.bin") == (tmp_path / "large.bin").read_bytes()
