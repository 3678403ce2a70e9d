"""`imgpipe list` as a person and a program meet it."""

import json

import pytest
from running_stack import Running

from imgpipe.cli import run
from imgpipe.worker.ports import Failure, Record, Rendition

MADE = Rendition(preset="web", key="web/a.jpg", width=4, height=3, bytes=2_000, format="jpeg", watermark=True)


def test_a_person_sees_the_newest_first_and_why_an_image_failed(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = running.pipeline.catalog
    assert run(["list"]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "No image" in shown.err

    time = "2026-11-22T10:0{}:00.000Z"
    catalog.put(Record(key="a.jpg", status="done", bytes=3_000_000, renditions=(MADE,), updated=time.format(1)), None)
    error = Failure("empty", "It has no bytes.")
    catalog.put(Record(key="b\x1b[2J.jpg", status="failed", bytes=0, error=error, updated=time.format(2)), None)
    catalog.put(Record(key="c.jpg", status="deleted", updated=time.format(3)), None)
    assert run(["list"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.splitlines()[1:] == [
        "2026-11-22 10:03  deleted                        c.jpg",
        "2026-11-22 10:02  failed     0 bytes             b\\x1b[2J.jpg",
        "    It has no bytes.",
        "    Copy or upload the image again.",
        "2026-11-22 10:01  done        3.0 MB     2.0 kB  a.jpg",
    ]

    assert run(["list", "--limit", "1", "--prefix", "a"]) == 0
    assert "a.jpg" in (shown := capsys.readouterr()).out
    assert shown.err == ""
    assert run(["list", "--limit", "2"]) == 0
    assert "more than 2" in capsys.readouterr().err

    assert run(["list", "--json", "--limit", "0", "--status", "failed"]) == 0
    record, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert (record["key"], record["error"]["code"]) == ("b\x1b[2J.jpg", "empty")
    assert summary == {"type": "summary", "status": "ended", "listed": 1, "more": False, "error": None}
    assert run(["list", "--json", "--limit", "1"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["more"] is True


@pytest.mark.parametrize(
    "options",
    [
        ("--since", "soon"),
        ("--status", "processing"),
        ("--limit", "-1"),
        ("--limit", "x"),
        ("--limit", "1" * 5000),
        ("--prefix", "a" * 1025),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error_with_the_value_seen(
    options: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["list", *options]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert options[1][:9] in shown.err or "1,025 bytes" in shown.err
