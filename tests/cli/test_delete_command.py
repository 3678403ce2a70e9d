"""`imgpipe delete` as a person and a program meet it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from image_case import jpeg
from running_stack import Running

from imgpipe.cli import run
from imgpipe.remote import waiting
from imgpipe.remote.objects import objects


def sources(running: Running) -> list[str]:
    return [found.key for found in objects(running.account.session, running.pipeline.source_bucket)]


def test_nothing_is_deleted_unless_somebody_says_so(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(7):
        running.put(f"a/{number}.jpg", jpeg(), told=False)
    assert run(["delete", "a/1.jpg"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert run(["delete", "--prefix", "a/", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if line.startswith("delete ")] == [
        f"delete  a/{n}.jpg" for n in range(7)
    ]
    assert len(sources(running)) == 7
    assert "DeleteObjects" not in running.account.session.calls


def test_what_is_named_goes_and_what_is_not_there_is_said(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    for key in ("1.jpg", "2.jpg", "3.jpg"):
        running.put(key, jpeg(), told=False)
    assert run(["delete", "--yes", "--json", "2.jpg", "nothing", "2.jpg"]) == 1
    failed, removed, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert (failed["key"], failed["code"]) == ("nothing", "no_image")
    assert removed == {"type": "delete", "status": "deleted", "key": "2.jpg"}
    counts = {"deleted": 1, "would": 0, "failed": 1}
    assert summary == {"type": "summary", "status": "ended", **counts, "error": None}
    assert sources(running) == ["1.jpg", "3.jpg"]

    assert run(["delete", "--yes", "--prefix", "x"]) == 0
    assert "no image begins so" in capsys.readouterr().out
    assert run(["delete", "--yes", "--prefix", ""]) == 2
    assert "--all" in capsys.readouterr().err
    assert run(["delete", "--yes", "--all"]) == 0
    assert "2 images" in capsys.readouterr().out
    assert sources(running) == []


def test_wait_ends_when_the_renditions_are_gone(
    running: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    running.put("made.jpg", jpeg())
    running.work()
    running.put("never-looked-at.jpg", jpeg(), told=False)

    def wait_while_the_pipeline_works(*arguments: Any) -> Iterator[waiting.Outcome]:
        for key in ("made.jpg", "never-looked-at.jpg"):
            running.tell(key, removed=True)
        running.work()
        return wait(*arguments)

    wait = waiting.wait
    monkeypatch.setattr(waiting, "wait", wait_while_the_pipeline_works)
    assert run(["delete", "--yes", "--wait", "made.jpg", "never-looked-at.jpg"]) == 0
    assert "the renditions of 2 images" in capsys.readouterr().out
    assert list(objects(running.account.session, running.pipeline.destination_bucket)) == []


def test_wait_says_what_is_still_there_when_its_time_is_over(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    running.put("made.jpg", jpeg())
    running.work()
    assert run(["delete", "--yes", "--wait", "--timeout", "0s", "made.jpg"]) == 1
    shown = capsys.readouterr().out
    assert "Its record is still of what was there before" in shown
    assert "1 image, of which renditions may still be there" in shown
