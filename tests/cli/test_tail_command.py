"""`imgpipe tail` as a person and a program meet it, while real workers make real images."""

import io
import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from PIL import Image
from run_cli import imgpipe, started
from running_stack import Running
from stack_account import Account

from imgpipe.cli import run
from imgpipe.cli.record_lines import line, shortened
from imgpipe.worker.ports import Failure, Milliseconds, Record, Rendition, rfc3339

IMAGES = int(os.environ.get("IMGPIPE_TAILED_IMAGES", "60"))
"""How many the tails are tried with. As many as a busy minute brings, by hand, in minutes:

IMGPIPE_TAILED_IMAGES=2000 pytest tests/cli/test_tail_command.py -k several_workers
"""
WORKERS = 4


def picture(colour: int = 0) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 6), (colour % 256, colour // 256, 0)).save(data, "png")
    return data.getvalue()


@contextmanager
def tailing(folder: Path, *options: str) -> "Iterator[Popen[str]]":
    """`imgpipe tail` at work, once it follows."""
    process = started("tail", *options, cwd=folder)
    try:
        assert process.stderr
        assert "until Ctrl-C." in process.stderr.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def interrupted(process: "Popen[str]") -> tuple[str, str]:
    """What a tail still says on stdout and stderr when Ctrl-C ends it."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    return out, err


def read(process: "Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline()


def test_two_tails_tell_every_image_of_several_workers_exactly_once(running: Running, tmp_path: Path) -> None:
    with tailing(tmp_path, "--json") as one, tailing(tmp_path, "--json") as two:
        for number in range(IMAGES):
            running.put(f"{number}.png", picture(number) if number % 10 else b"no image")
        with ThreadPoolExecutor(WORKERS + 2) as pool:
            tails = [pool.submit(lambda tail: [read(tail) for _ in range(IMAGES)], tail) for tail in (one, two)]
            for worker in [pool.submit(running.work) for _ in range(WORKERS)]:
                worker.result()
            told = [[json.loads(text) for text in tail.result()] for tail in tails]
        ends = [interrupted(tail) for tail in (one, two)]
    failed = IMAGES // 10
    for records, (out, err) in zip(told, ends, strict=True):
        assert Counter(record["key"] for record in records) == Counter(f"{number}.png" for number in range(IMAGES))
        assert Counter(record["status"] for record in records) == {"done": IMAGES - failed, "failed": failed}
        summary = {"type": "summary", "status": "interrupted", "done": IMAGES - failed, "failed": failed, "deleted": 0}
        assert [json.loads(text) for text in out.splitlines()] == [summary]
        assert f"Interrupted: {IMAGES:,} results: {IMAGES - failed:,} done, {failed:,} failed." in err


def test_each_result_of_an_image_is_told_as_it_comes(running: Running, tmp_path: Path) -> None:
    with tailing(tmp_path) as tail:
        running.put("a/cat.png", b"no image")
        running.work()
        assert re.match(r"\S+Z  failed   a/cat\.png  8 bytes  .+\. Convert it to ", read(tail))
        running.put("a/cat.png", picture())
        running.work()
        assert re.match(r"\S+Z  done     a/cat\.png  \d+ bytes  → web 8×6 .+  [\d,]+ ms\n", read(tail))
        running.delete("a/cat.png")
        running.work()
        assert re.match(r"\S+Z  deleted  a/cat\.png\n", read(tail))
        _, err = interrupted(tail)
    assert err == "Interrupted: 3 results: 1 done, 1 failed, 1 deleted.\n"


def test_without_follow_it_ends_after_what_is_there(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    put = running.pipeline.catalog.put
    now = time.time()
    put(Record(key="old.jpg", status="done", updated=rfc3339(now - 7000)), None)
    put(Record(key="a/new.jpg", status="failed", error=Failure("empty", "It is empty."), updated=rfc3339(now)), None)
    put(Record(key="b/new.jpg", status="done", updated=rfc3339(now - 1)), None)
    assert run(["tail", "--no-follow"]) == 0
    out, err = capsys.readouterr()
    assert [text.split()[2] for text in out.splitlines()] == ["b/new.jpg", "a/new.jpg"]
    assert err == "2 results: 1 done, 1 failed.\n"
    assert run(["tail", "--no-follow", "--since", "2h", "--json"]) == 0
    *records, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert [record["key"] for record in records] == ["old.jpg", "b/new.jpg", "a/new.jpg"]
    assert summary == {"type": "summary", "status": "ended", "done": 2, "failed": 1, "deleted": 0}
    assert run(["tail", "--no-follow", "--status", "failed", "--prefix", "a/"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert run(["tail", "--no-follow", "--prefix", "c/"]) == 0
    assert capsys.readouterr() == ("", "0 results.\n")


def test_a_program_is_told_that_aws_refused(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    table = {"TableName": running.pipeline.table}
    running.client("dynamodb").update_table(**table, DeletionProtectionEnabled=False)
    running.client("dynamodb").delete_table(**table)
    assert run(["tail", "--json"]) != 0
    summary = {"type": "summary", "status": "failed", "done": 0, "failed": 0, "deleted": 0}
    assert json.loads(capsys.readouterr().out) == summary


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--since", "soon"], 2, "'soon' is neither a span"),
        (["--status", "lost"], 2, "'--status': 'lost' is not one of"),
        (["--stack", "other"], 2, "There is no stack other"),
    ],
)
def test_what_cannot_be_followed_is_said(
    options: list[str], code: int, words: str, account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["tail", *options]) == code
    assert words in capsys.readouterr().err


def test_a_network_that_is_gone_fails_what_does_not_follow(
    no_aws: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = imgpipe(
        "tail", "--no-follow", "--endpoint-url", "http://127.0.0.1:9", cwd=tmp_path,
        AWS_MAX_ATTEMPTS="1", AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s", AWS_REGION="eu-central-1",  # noqa: S106
    )  # fmt: skip
    assert done.returncode == 3
    assert "http://127.0.0.1:9" in done.stderr


def made(preset: str, width: int, height: int, size: int) -> Rendition:
    return Rendition(
        preset=preset, key=f"{preset}/x", width=width, height=height, bytes=size, format="jpeg", watermark=False
    )


WEB, THUMB, HERO = made("web", 1600, 1200, 319_172), made("thumb", 400, 400, 21_034), made("hero", 2400, 800, 400_000)
BASE: dict[str, Any] = {"updated": "2026-11-22T10:00:00.000Z", "bytes": 2_005_354}
DONE = Record(key="a/cat.jpg", status="done", renditions=(WEB,), milliseconds=Milliseconds(total=1068), **BASE)
LONG = Record(
    key="photos/2026/lake-constance/with-everybody/IMG_20260712_143312.jpg", status="done",
    renditions=(WEB, THUMB, HERO), milliseconds=Milliseconds(total=68), **BASE,
)  # fmt: skip
FAILED = Record(
    key="a/b\x1b[31m.jpg", status="failed", error=Failure("truncated", "It ends in the middle of the picture."), **BASE
)
DELETED = Record(key="gone.jpg", status="deleted", updated=BASE["updated"])


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


PICTURES = {
    80: """
19:00:00  done     a/cat.jpg  2.0 MB  → web 1600×1200 319 kB  1,068 ms
19:00:00  done     photos/2026/lake-con…e/with-everybody/IMG_20260712_143312.jpg
    2.0 MB  → web 1600×1200 319 kB, thumb 400×400 21 kB, hero 2400×800 400 kB
      68 ms
19:00:00  failed   a/b\\x1b[31m.jpg  2.0 MB
    It ends in the middle of the picture. Copy or upload the image again: its
    end is missing.
19:00:00  deleted  gone.jpg
""",
    60: """
19:00:00  done     a/cat.jpg
    2.0 MB  → web 1600×1200 319 kB  1,068 ms
19:00:00  done     photos/2026/la…dy/IMG_20260712_143312.jpg
    2.0 MB  → web 1600×1200 319 kB, thumb 400×400 21 kB,
      hero 2400×800 400 kB  68 ms
19:00:00  failed   a/b\\x1b[31m.jpg  2.0 MB
    It ends in the middle of the picture. Copy or upload the
    image again: its end is missing.
19:00:00  deleted  gone.jpg
""",
    120: """
19:00:00  done     a/cat.jpg  2.0 MB  → web 1600×1200 319 kB  1,068 ms
19:00:00  done     photos/2026/lake-constance/with-everybody/IMG_20260712_143312.jpg
    2.0 MB  → web 1600×1200 319 kB, thumb 400×400 21 kB, hero 2400×800 400 kB  68 ms
19:00:00  failed   a/b\\x1b[31m.jpg  2.0 MB
    It ends in the middle of the picture. Copy or upload the image again: its end is missing.
19:00:00  deleted  gone.jpg
""",
}


@pytest.mark.parametrize("width", PICTURES)
def test_records_fit_their_terminal(width: int, zone: None) -> None:
    told = [line(record, width) for record in (DONE, LONG, FAILED, DELETED)]
    assert "\n".join(text.plain for text in told) == PICTURES[width].strip("\n")
    assert {str(span.style) for span in told[2].spans} == {"red"}
    assert str(told[3].spans[-1].style) == "dim"


def test_a_record_in_a_pipe_is_one_line_with_its_whole_time(zone: None) -> None:
    for record in (DONE, LONG, FAILED, DELETED):
        text = line(record).plain
        assert "\n" not in text
        assert text.startswith("2026-11-22T10:00:00Z  ")
        assert record is FAILED or record.key in text


def test_a_key_is_shortened_in_its_middle_by_columns() -> None:
    assert shortened("abcdefghij", 10) == "abcdefghij"
    assert shortened("abcdefghijk", 7) == "ab…hijk"
    assert shortened("写真夏休海辺風景", 10) == "写…辺風景"
