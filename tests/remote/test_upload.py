"""Uploads into a versioned bucket at moto's server: what is sent, what is not, and what ends it."""

import hashlib
import os
import random
import tracemalloc
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from image_case import jpeg
from moto_cases import answer
from stack_account import SOURCE, Account
from upload_case import Place, kinds, photo, sent, unheard

from imgpipe.errors import AwsError
from imgpipe.remote.upload import listing
from imgpipe.remote.upload.choose import choose
from imgpipe.remote.upload.digest import PART, part_count, part_size
from imgpipe.remote.upload.events import Event, Failed, Unchanged, Uploaded, Would
from imgpipe.remote.upload.run import Options, upload
from imgpipe.remote.upload.transfer import Meter

MEGABYTE = 10**6


@pytest.fixture
def place(account: Account) -> Place:
    return Place(account)


def stored(place: Place, key: str, version: str | None = None) -> bytes:
    """What lies in the source bucket."""
    which = {"VersionId": version} if version else {}
    body = place.client("s3").get_object(Bucket=SOURCE, Key=key, **which)["Body"]
    return bytes(body.read())


def calls(place: Place) -> list[str]:
    """Calls of the session since this was last asked."""
    made = list(place.account.session.calls)
    place.account.session.calls.clear()
    return made


def large(path: Path, size: int = 2 * PART + 1000) -> Path:
    """A file that is sent in parts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(random.Random(size).randbytes(size))  # noqa: S311
    return path


def on(place: Place, call: str, handler: Callable[..., Any], when: str = "before-call") -> None:
    """Have `handler` called with each request of that kind."""
    place.account.session.client("s3").meta.events.register(f"{when}.s3.{call}", handler)


def told(events: list[Event], key: str) -> Event:
    return next(event for event in events if event.key == key)


def test_a_tree_arrives_byte_for_byte_under_its_versions_with_its_content_types(place: Place, tmp_path: Path) -> None:
    photo(tmp_path / "in/a/cat.jpg")
    (tmp_path / "in/notes.jpg").write_text("no image")
    events = sent(place.pipeline, tmp_path / "in", prefix="2026")
    assert kinds(events) == {"Uploaded": 2}
    cat = told(events, "2026/a/cat.jpg")
    assert isinstance(cat, Uploaded)
    assert stored(place, cat.key, cat.version) == (tmp_path / "in/a/cat.jpg").read_bytes()
    s3, bucket = place.client("s3"), SOURCE
    assert s3.head_object(Bucket=bucket, Key=cat.key)["ContentType"] == "image/jpeg"
    assert s3.head_object(Bucket=bucket, Key="2026/notes.jpg")["ContentType"] == "application/octet-stream"


def test_what_is_there_takes_one_listing_and_no_call_of_its_own(place: Place, tmp_path: Path) -> None:
    for number in range(40):
        photo(tmp_path / f"in/{number % 3}/{number}.jpg", number)
    calls(place)
    assert kinds(sent(place.pipeline, tmp_path / "in")) == {"Uploaded": 40}
    assert sorted(calls(place)) == ["ListObjectsV2", *["PutObject"] * 40]
    for path in (tmp_path / "in").rglob("*.jpg"):
        os.utime(path, (0, 0))
    assert kinds(sent(place.pipeline, tmp_path / "in")) == {"Unchanged": 40}
    assert calls(place) == ["ListObjectsV2"]


def test_other_content_of_the_same_size_and_time_is_sent_without_another_look(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    os.utime(path, (0, 0))
    sent(place.pipeline, path)
    path.write_bytes(b"two")
    os.utime(path, (0, 0))
    calls(place)
    assert kinds(sent(place.pipeline, path)) == {"Uploaded": 1}
    assert calls(place) == ["ListObjectsV2", "PutObject"]
    assert stored(place, "a.bin") == b"two"


@pytest.mark.parametrize("how", ["refused", "closed"])
def test_whatever_ends_it_no_file_lies_in_the_bucket_untold(place: Place, tmp_path: Path, how: str) -> None:
    for number in range(60):
        photo(tmp_path / f"in/{number:02}.jpg")
    refusal = b"<Error><Code>AccessDenied</Code><Message>No.</Message></Error>"

    def refuse(request: Any, **_: Any) -> Any:
        return answer(request, 403, refusal) if request.url.endswith("/20.jpg") else None

    choice = choose([str(tmp_path / "in")])
    told: list[Event] = []
    events = upload(place.pipeline, choice, Options(), Meter(0), told.append)
    if how == "refused":
        on(place, "PutObject", refuse, "before-send")
        with pytest.raises(AwsError):
            told.extend(events)
    else:
        told.append(next(events))
        events.close()
    there = place.client("s3").list_objects_v2(Bucket=SOURCE)["Contents"]
    assert len(there) < 60
    assert sorted(str(event.key) for event in told if isinstance(event, Uploaded)) == [item["Key"] for item in there]


def test_force_sends_what_is_there_and_looks_nowhere(place: Place, tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    sent(place.pipeline, tmp_path / "a.jpg")
    calls(place)
    assert kinds(sent(place.pipeline, tmp_path / "a.jpg", options=Options(force=True))) == {"Uploaded": 1}
    assert calls(place) == ["PutObject"]


def test_a_dry_run_tells_what_would_happen_and_changes_nothing(place: Place, tmp_path: Path) -> None:
    for name in ("same", "other", "new"):
        photo(tmp_path / f"in/{name}.jpg")
    place.put("same.jpg", jpeg())
    place.put("other.jpg", b"x")
    calls(place)
    events = sent(place.pipeline, tmp_path / "in", options=Options(dry_run=True))
    actions = {event.key: event.action for event in events if isinstance(event, Would)}
    assert actions == {"same.jpg": "unchanged", "other.jpg": "changed", "new.jpg": "new"}
    assert calls(place) == ["ListObjectsV2"]
    forced = sent(place.pipeline, tmp_path / "in", options=Options(dry_run=True, force=True))
    actions = {event.key: event.action for event in forced if isinstance(event, Would)}
    assert actions == {"same.jpg": "again", "other.jpg": "changed", "new.jpg": "new"}
    assert calls(place) == ["ListObjectsV2"]


def test_few_files_in_a_large_bucket_take_no_more_calls_than_they_are(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 5)
    for number in range(60):
        place.put(f"{number:02}.jpg", jpeg())
    for name in ("03", "31", "58", "99"):
        photo(tmp_path / f"in/{name}.jpg")
    calls(place)
    assert kinds(sent(place.pipeline, tmp_path / "in")) == {"Unchanged": 3, "Uploaded": 1}
    assert calls(place).count("ListObjectsV2") <= 4


def test_names_that_differ_in_their_end_alone_take_no_more_calls_than_they_are(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 5)
    for key in ("a/0", "a/9", *(f"a/5{number:02}" for number in range(40))):
        place.put(key, b"x")
    found = list(listing.look_up(place.account.session.client("s3"), SOURCE, ["a/0", "a/6", "a/9"]))
    assert [each is not None for each in found] == [True, False, True]
    assert calls(place) == ["ListObjectsV2"] * 2


def test_pages_grow_where_keys_lie_far_apart(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_SPARE", 0)
    for number in range(40):
        place.put(f"{number:02}", b"x")
    found = list(listing.look_up(place.account.session.client("s3"), SOURCE, ["00", "10", "20", "30"]))
    assert all(found)
    assert calls(place) == ["ListObjectsV2"] * 3


def test_many_files_in_a_large_bucket_take_no_more_calls_than_it_has_pages(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 5)
    for number in range(30):
        place.put(f"{number:02}.jpg", jpeg())
        photo(tmp_path / f"in/{number:02}.jpg")
    calls(place)
    assert kinds(sent(place.pipeline, tmp_path / "in")) == {"Unchanged": 30}
    assert calls(place) == ["ListObjectsV2"] * 6


def test_a_large_file_goes_in_parts_and_is_known_again_by_their_hashes(place: Place, tmp_path: Path) -> None:
    path = large(tmp_path / "large.tif")
    calls(place)
    (event,) = sent(place.pipeline, path)
    assert isinstance(event, Uploaded)
    assert calls(place).count("UploadPart") == 3
    assert stored(place, "large.tif", event.version) == path.read_bytes()
    head = place.client("s3").head_object(Bucket=SOURCE, Key="large.tif", ChecksumMode="ENABLED")
    assert head["ChecksumType"] == "COMPOSITE"
    parts = [path.read_bytes()[start : start + PART] for start in range(0, path.stat().st_size, PART)]
    hashes = b"".join(hashlib.sha256(part).digest() for part in parts)
    assert b64decode(head["ChecksumSHA256"].partition("-")[0]) == hashlib.sha256(hashes).digest()
    assert kinds(sent(place.pipeline, path)) == {"Unchanged": 1}
    assert calls(place) == ["ListObjectsV2"]
    with path.open("r+b") as file:
        file.write(b"x")
    assert kinds(sent(place.pipeline, path)) == {"Uploaded": 1}


def test_a_large_file_that_another_sent_as_one_is_known_by_its_md5(place: Place, tmp_path: Path) -> None:
    path = large(tmp_path / "large.tif")
    place.put("large.tif", path.read_bytes())
    assert kinds(sent(place.pipeline, path)) == {"Unchanged": 1}


def test_parts_of_any_object_that_s3_takes_are_at_most_10_000() -> None:
    for size in (PART + 1, PART * 10_000, PART * 10_000 + 1, 5 * 10**12):
        assert part_count(size) <= 10_000
        assert part_size(size) * part_count(size) >= size
    assert part_size(PART * 10_000) == PART


def test_under_kms_where_etags_tell_nothing_checksums_do(place: Place, tmp_path: Path) -> None:
    photo(tmp_path / "in/same.jpg")
    photo(tmp_path / "in/new.jpg")
    large(tmp_path / "in/large.bin")
    sent(place.pipeline, tmp_path / "in/same.jpg", tmp_path / "in/large.bin")
    place.pipeline.stack.parameters["KmsKeyArn"] = "arn:aws:kms:eu-central-1:123456789012:key/0"

    def encrypt(parsed: dict[str, Any], **_: Any) -> None:
        for item in parsed.get("Contents", ()):
            item["ETag"] = f'"{hashlib.md5(item["ETag"].encode()).hexdigest()}{item["ETag"][33:-1]}"'  # noqa: S324

    on(place, "ListObjectsV2", encrypt, "after-call")
    calls(place)
    events = sent(place.pipeline, tmp_path / "in")
    assert {event.key for event in events if isinstance(event, Unchanged)} == {"same.jpg", "large.bin"}
    assert sorted(calls(place)) == ["HeadObject", "HeadObject", "ListObjectsV2", "PutObject"]


def test_a_file_that_changes_on_the_way_fails_leaves_nothing_and_stops_no_other(place: Place, tmp_path: Path) -> None:
    path = large(tmp_path / "in/large.bin")
    photo(tmp_path / "in/a.jpg")

    def change(**_: Any) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    on(place, "UploadPart", change)
    events = sent(place.pipeline, tmp_path / "in")
    failure = told(events, "large.bin")
    assert isinstance(failure, Failed)
    assert (failure.code, failure.outage) == ("changed", False)
    assert isinstance(told(events, "a.jpg"), Uploaded)
    s3, bucket = place.client("s3"), SOURCE
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["a.jpg"]


def test_a_file_that_cannot_be_read_fails_alone(place: Place, tmp_path: Path) -> None:
    photo(tmp_path / "in/a.jpg")
    photo(tmp_path / "in/b.jpg")
    choice = choose([str(tmp_path / "in")])
    (tmp_path / "in/a.jpg").unlink()
    events = list(upload(place.pipeline, choice, Options(), Meter(0), unheard))
    assert kinds(events) == {"Failed": 1, "Uploaded": 1}
    assert isinstance(failure := told(events, "a.jpg"), Failed)
    assert failure.code == "unreadable"
    assert failure.message == "It cannot be read: No such file or directory."


def test_what_is_broken_off_leaves_no_parts_behind(place: Place, tmp_path: Path) -> None:
    large(tmp_path / "large.bin")

    def interrupt(**_: Any) -> None:
        raise KeyboardInterrupt

    on(place, "UploadPart", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sent(place.pipeline, tmp_path / "large.bin")
    assert "Uploads" not in place.client("s3").list_multipart_uploads(Bucket=SOURCE)


def test_the_meter_ends_where_all_bytes_are_sent_and_spares_what_is_there(place: Place, tmp_path: Path) -> None:
    photo(tmp_path / "in/there.jpg")
    sent(place.pipeline, tmp_path / "in")
    photo(tmp_path / "in/small.jpg")
    (tmp_path / "in/medium.bin").write_bytes(bytes(3 * MEGABYTE))
    large(tmp_path / "in/large.bin")
    choice = choose([str(tmp_path / "in")], anything=True)
    meter = Meter(sum(file.bytes for file in choice.files))
    list(upload(place.pipeline, choice, Options(), meter, unheard))
    new = sum((tmp_path / "in" / name).stat().st_size for name in ("small.jpg", "medium.bin", "large.bin"))
    assert (meter.sent, meter.total) == (new, new)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(403, "AccessDenied", "denied"), (403, "InvalidAccessKeyId", "bad_credentials"), (400, "ExpiredToken", "expired"),
     (404, "NoSuchBucket", "no_bucket")],
)  # fmt: skip
def test_what_no_file_could_succeed_at_ends_it_at_once(
    place: Place, tmp_path: Path, status: int, code: str, error: str
) -> None:
    for number in range(100):
        photo(tmp_path / f"in/{number}.jpg")
    refusal = f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode()
    on(place, "PutObject", lambda request, **_: answer(request, status, refusal), "before-send")
    calls(place)
    with pytest.raises(AwsError) as raised:
        sent(place.pipeline, tmp_path / "in")
    assert (raised.value.code, raised.value.exit_code) == (error, 3)
    assert calls(place).count("PutObject") <= 2 * Options().concurrency


def test_a_bucket_that_is_gone_is_told_before_the_first_byte(place: Place, tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    place.client("s3").delete_bucket(Bucket=SOURCE)
    calls(place)
    with pytest.raises(AwsError, match="source bucket is not there") as raised:
        sent(place.pipeline, tmp_path / "a.jpg")
    assert raised.value.code == "no_bucket"
    assert calls(place) == ["ListObjectsV2"]


def test_aws_failing_at_one_file_fails_that_file_and_failing_on_ends_it(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for number in range(100):
        photo(tmp_path / f"in/{number:02}.jpg")
    broken = {"/07.jpg"}
    slow = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"

    def fail(request: Any, **_: Any) -> Any:
        return answer(request, 503, slow) if not broken or request.url.endswith(tuple(broken)) else None

    on(place, "PutObject", fail, "before-send")
    events = sent(place.pipeline, tmp_path / "in")
    assert kinds(events) == {"Uploaded": 99, "Failed": 1}
    assert isinstance(failure := told(events, "07.jpg"), Failed)
    assert (failure.code, failure.outage) == ("throttled", True)
    broken.clear()
    calls(place)
    with pytest.raises(AwsError, match="throttling"):
        sent(place.pipeline, tmp_path / "in", options=Options(force=True, concurrency=2))
    assert calls(place).count("PutObject") < 20


def test_throttling_that_passes_is_outlasted(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
        on(place, call, fail_once, "before-send")
    assert kinds(sent(place.pipeline, tmp_path / "a.jpg", tmp_path / "large.bin")) == {"Uploaded": 2}
    assert len(refused) == 6
    assert stored(place, "large.bin") == (tmp_path / "large.bin").read_bytes()


def test_what_arrives_damaged_is_sent_again(place: Place, tmp_path: Path) -> None:
    photo(tmp_path / "in/small.jpg")
    (tmp_path / "in/medium.bin").write_bytes(bytes(3 * MEGABYTE))
    large(tmp_path / "in/large.bin")
    damaged: set[str] = set()
    refusal = b"<Error><Code>BadDigest</Code><Message>The SHA256 you specified did not match.</Message></Error>"

    def damage_once(request: Any, **_: Any) -> Any:
        if request.url in damaged:
            return None
        damaged.add(request.url)
        while getattr(request.body, "read", lambda _: b"")(2**20):
            pass
        return answer(request, 400, refusal)

    for call in ("PutObject", "UploadPart"):
        on(place, call, damage_once, "before-send")
    choice = choose([str(tmp_path / "in")], anything=True)
    meter = Meter(sum(file.bytes for file in choice.files))
    assert kinds(list(upload(place.pipeline, choice, Options(), meter, unheard))) == {"Uploaded": 3}
    assert len(damaged) == 5
    assert meter.sent == meter.total
    assert stored(place, "large.bin") == (tmp_path / "in/large.bin").read_bytes()


def test_memory_holds_the_parts_under_way_however_large_the_file_is(place: Place, tmp_path: Path) -> None:
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(24 * PART)

    def take(request: Any, **_: Any) -> Any:
        taken = answer(request, 200, b"")
        taken.headers["etag"] = '"0"'
        return taken

    on(place, "UploadPart", take, "before-send")
    tracemalloc.start()
    try:
        sent(place.pipeline, tmp_path / "large.bin", options=Options(concurrency=2))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * 2 * PART
