"""Renditions in a folder: the same bytes as in the bucket, whole or not at all, and nothing beside the folder."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from image_case import jpeg
from moto_cases import answer
from running_stack import Running
from stack_account import Account

from imgpipe.adapters.folder import FolderStore
from imgpipe.errors import AwsError, UsageError
from imgpipe.remote import download
from imgpipe.remote.download import Download, Downloaded, Result, Unchanged, Would
from imgpipe.remote.failed import Failed
from imgpipe.remote.wanted import Wanted, of_images, of_prefix, refuse_collisions
from imgpipe.worker.ports import Claim


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The folder; `tmp_path` also holds the one for temporary files."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def fetch(running: Running, out: Path, wanted: Iterable[Wanted], *, dry_run: bool = False) -> list[Result]:
    store = FolderStore(out, None if dry_run else out.parent / "staging")
    pauses: list[float] = []
    return sorted(
        Download(running.pipeline, store, dry_run, pauses.append).fetch(wanted), key=lambda result: result.key
    )


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stored(running: Running) -> dict[str, bytes]:
    """What the destination bucket holds."""
    s3, bucket = running.client("s3"), running.pipeline.destination_bucket
    keys = [told["Key"] for told in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def test_a_folder_gets_what_the_bucket_holds_and_only_what_it_lacks(running: Running, out: Path) -> None:
    for turn, key in enumerate(("a/1.jpg", "a/2.jpg", "b/\u00e9 +%.jpg")):
        running.put(key, jpeg(turn))
    running.work()
    everything = of_prefix(running.pipeline, "", ()).wanted
    assert len(everything) == 6
    assert all(
        isinstance(result, Would) and result.action == "new" for result in fetch(running, out, everything, dry_run=True)
    )
    assert tree(out) == {}
    assert all(isinstance(result, Downloaded) for result in fetch(running, out, everything))
    assert tree(out) == stored(running)

    running.account.session.calls.clear()
    assert all(isinstance(result, Unchanged) for result in fetch(running, out, everything))
    assert running.account.session.calls == []

    missing, damaged = (out / "web" / "a" / name for name in ("1.jpg", "2.jpg"))
    missing.unlink()
    data = bytearray(damaged.read_bytes())
    data[-9] ^= 1
    damaged.write_bytes(data)
    told = {
        result.key: result.action
        for result in fetch(running, out, everything, dry_run=True)
        if isinstance(result, Would)
    }
    assert {key: action for key, action in told.items() if action != "unchanged"} == {
        "web/a/1.jpg": "new",
        "web/a/2.jpg": "changed",
    }
    # Keys alone come without a listing, whose checksums S3 then tells one by one.
    of_two = of_images(running.pipeline, ["a/1.jpg", "a/2.jpg"], ["web"]).wanted
    assert [type(result) for result in fetch(running, out, of_two)] == [Downloaded, Downloaded]
    assert [type(result) for result in fetch(running, out, of_two)] == [Unchanged, Unchanged]
    assert tree(out) == stored(running)
    assert list((out.parent / "staging").iterdir()) == []


def test_what_is_wanted_of_images_and_why_it_cannot_be_had(running: Running) -> None:
    running.put("done.jpg", jpeg())
    running.put("broken.jpg", jpeg()[:200])
    running.work()
    running.put("queued.jpg", jpeg())
    plan = of_images(running.pipeline, ["queued.jpg", "done.jpg", "broken.jpg", "nothing", "done.jpg"], ())
    assert [wanted.key for wanted in plan.wanted] == ["web/done.jpg", "thumb/done.jpg"]
    assert [(each.key, each.code) for each in plan.failed] == [
        ("broken.jpg", "truncated"),
        ("nothing", "no_image"),
        ("queued.jpg", "not_made"),
    ]
    assert [wanted.key for wanted in of_prefix(running.pipeline, "d", ["thumb"]).wanted] == ["thumb/done.jpg"]
    with pytest.raises(UsageError, match=r"no rendition of a preset wbe.*thumb, web"):
        of_images(running.pipeline, ["done.jpg"], ["web", "wbe"])


def test_what_arrives_damaged_is_fetched_again_and_never_kept(running: Running, out: Path) -> None:
    running.put("cat.jpg", jpeg())
    running.work()
    (wanted,) = of_prefix(running.pipeline, "", ["web"]).wanted
    right = stored(running)[wanted.key]
    headers = {"ETag": '"0"', "Content-Length": str(len(right)), "Last-Modified": "Sun, 22 Nov 2026 10:00:00 GMT"}
    headers["x-amz-checksum-crc32"] = "AAAAAA=="
    damages = 1

    def damage(request: Any, **_: object) -> Any:
        nonlocal damages
        damages -= 1
        if damages < 0:
            return None
        told = answer(request, 200, bytes(len(right)))
        told.headers.update(headers)
        return told

    events = running.account.session.client("s3").meta.events
    events.register("before-send.s3.GetObject", damage)
    assert fetch(running, out, [wanted]) == [Downloaded(wanted.key, len(right))]
    assert tree(out) == {wanted.key: right}

    (out / wanted.key).write_bytes(b"mine")
    damages = 3
    (result,) = fetch(running, out, [wanted])
    assert isinstance(result, Failed)
    assert result.code == "damaged"
    assert tree(out) == {wanted.key: b"mine"}


def test_what_cannot_lie_in_the_folder_keeps_nothing_else_back(running: Running, out: Path) -> None:
    for key in ("web/a.jpg", "web/b.jpg", "linked/c.jpg"):
        running.pipeline.renditions.write(key, b"1234", "image/jpeg")
    elsewhere = out.parent / "elsewhere"
    elsewhere.mkdir()
    (out / "linked").symlink_to(elsewhere)
    (out / "web" / "b.jpg").mkdir(parents=True)
    unsafe = [
        "/etc/a.jpg",
        "../a.jpg",
        "web/../../a.jpg",
        "web//a.jpg",
        "web/./a.jpg",
        "web/a\0.jpg",
        "web/",
    ]
    wanted = [Wanted(key, "a.jpg", 4) for key in (*unsafe, "web/gone.jpg", "linked/c.jpg", "web/b.jpg", "web/a.jpg")]
    results = {result.key: result for result in fetch(running, out, wanted)}
    assert results.pop("web/a.jpg") == Downloaded("web/a.jpg", 4)
    codes = {key: result.code for key, result in results.items() if isinstance(result, Failed)}
    assert codes == dict.fromkeys(unsafe, "unsafe_key") | {
        "web/gone.jpg": "missing",
        "linked/c.jpg": "file",
        "web/b.jpg": "file",
    }
    assert tree(out) == {"web/a.jpg": b"1234"}
    assert not any(elsewhere.iterdir())


@pytest.mark.parametrize(
    ("keys", "folding"),
    [
        (("web/A.jpg", "web/a.jpg"), True),
        (("web/\u00e9.jpg", "web/e\u0301.jpg"), True),
        (("web/a.jpg", "web/a.jpg/b.jpg"), False),
        (("web/a.jpg/b/c.jpg", "web/a.jpg"), False),
        (("web/A.jpg", "web/a.JPG/b.jpg"), True),
    ],
)
def test_what_cannot_lie_side_by_side_is_refused_before_the_first(keys: tuple[str, ...], folding: bool) -> None:
    with pytest.raises(UsageError, match="cannot lie in one folder"):
        refuse_collisions([Wanted(key, "a.jpg", 1) for key in keys], folding=folding)


def test_names_that_differ_in_case_alone_lie_side_by_side_where_the_file_system_tells_them_apart() -> None:
    keys = ("web/A.jpg", "web/a.jpg", "web/a/b.jpg", "web/a.jp")
    refuse_collisions([Wanted(key, "a.jpg", 1) for key in keys], folding=False)


@pytest.fixture
def one_try(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without botocore's own tries, and the time that they take."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


def throttle(running: Running, times: int, keys: str = "") -> None:
    """Let S3 refuse the next `times` reads of renditions whose keys hold `keys`."""

    def respond(request: Any, **_: object) -> Any:
        nonlocal times
        if keys not in request.url or times <= 0:
            return None
        times -= 1
        return answer(request, 400, b"<Error><Code>SlowDown</Code><Message>Slow down</Message></Error>")

    client = running.account.session.client("s3")
    client.meta.events.register("before-send.s3.GetObject", respond)


def of_bytes(running: Running, count: int) -> list[Wanted]:
    keys = [f"web/{number:02}.jpg" for number in range(count)]
    for key in keys:
        running.pipeline.renditions.write(key, b"1234", "image/jpeg")
    return [Wanted(key, "a.jpg", 4) for key in keys]


@pytest.mark.usefixtures("one_try")
def test_one_that_aws_fails_at_is_tried_again_and_does_not_end_the_rest(running: Running, out: Path) -> None:
    wanted = of_bytes(running, 5)
    throttle(running, 10_000, "03.jpg")
    results = fetch(running, out, wanted)
    (told,) = [result for result in results if isinstance(result, Failed)]
    assert (told.key, told.code) == ("web/03.jpg", "throttled")
    assert len(tree(out)) == 4


@pytest.mark.usefixtures("one_try")
def test_many_outages_in_a_row_end_it_and_what_was_done_is_told(running: Running, out: Path) -> None:
    wanted = of_bytes(running, 60)
    throttle(running, 1_000_000, "web/")
    told: list[Result] = []
    store = FolderStore(out, out.parent / "staging")
    with pytest.raises(AwsError, match="throttling GetObject"):
        told.extend(Download(running.pipeline, store, sleep=lambda _: None).fetch(wanted))
    assert download.ENOUGH <= len(told) < 60
    assert {result.code for result in told if isinstance(result, Failed)} == {"throttled"}


def test_a_prefix_is_answered_by_records_as_a_key_is(running: Running) -> None:
    for key in ("a/1.jpg", "a/2.jpg", "b.jpg"):
        running.put(key, jpeg())
    running.put("a/broken.jpg", jpeg()[:200])
    running.work()
    running.pipeline.renditions.write("web/a/orphan.jpg", b"1234", "image/jpeg")
    running.pipeline.renditions.delete(["web/a/2.jpg"])
    plan = of_prefix(running.pipeline, "a/", ())
    assert [wanted.key for wanted in plan.wanted] == ["thumb/a/1.jpg", "thumb/a/2.jpg", "web/a/1.jpg"]
    (lost,) = plan.failed
    assert (lost.key, lost.code) == ("web/a/2.jpg", "missing")
    assert lost.remedy.endswith("imgpipe reprocess --stack imgpipe a/2.jpg")
    assert (plan.images, plan.without) == (2, 1)


def test_what_is_missing_is_said_and_how_to_have_it_again(running: Running, out: Path) -> None:
    running.put("cat.jpg", jpeg())
    running.work()
    running.pipeline.renditions.delete(["web/cat.jpg"])
    lost, made = sorted(
        fetch(running, out, of_images(running.pipeline, ["cat.jpg"], ()).wanted),
        key=lambda result: isinstance(result, Downloaded),
    )
    assert isinstance(lost, Failed)
    assert (lost.code, lost.message) == ("missing", "It is missing, though its record names it.")
    assert lost.remedy.endswith("imgpipe reprocess --stack imgpipe cat.jpg")
    assert isinstance(made, Downloaded)


def test_of_an_image_that_is_being_made_anew_there_is_what_its_record_names(running: Running) -> None:
    running.put("cat.jpg", jpeg())
    running.work()
    entry = running.pipeline.catalog.get("cat.jpg")
    assert entry
    claim = Claim(attempt="1", ends=None, keys=())
    held = msgspec.structs.replace(entry.record, status="processing", claim=claim)
    running.pipeline.catalog.put(held, entry.revision)
    plan = of_images(running.pipeline, ["cat.jpg"], ())
    assert [wanted.key for wanted in plan.wanted] == ["web/cat.jpg", "thumb/cat.jpg"]
    assert len(of_prefix(running.pipeline, "", ()).wanted) == 2


@pytest.mark.skipif(os.name == "nt", reason="a backslash leads out there")
def test_a_backslash_is_a_letter_as_any_other(running: Running, out: Path) -> None:
    running.put("a\\b.jpg", jpeg())
    running.work()
    assert {type(result) for result in fetch(running, out, of_prefix(running.pipeline, "", ()).wanted)} == {Downloaded}
    assert (out / "web" / "a\\b.jpg").is_file()
