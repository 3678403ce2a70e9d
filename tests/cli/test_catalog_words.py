"""`list`, `download` and `delete` tell a program how they ended in the same words, also where they do not end well."""

import json
import os
import pty
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from image_case import jpeg
from run_cli import PROGRAM, environment
from running_stack import Running

from imgpipe.cli import download, run
from imgpipe.errors import AwsError
from imgpipe.remote import removal
from imgpipe.remote.objects import objects


def documents(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def sources(running: Running) -> list[str]:
    return [found.key for found in objects(running.account.session, running.pipeline.source_bucket)]


def test_each_result_has_the_commands_name_and_what_became_of_it(
    running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running.put("cat.jpg", jpeg())
    running.work()
    out = str(tmp_path / "out")
    told: dict[tuple[str, int], set[str]] = {}
    for command in (
        ["download", "--dry-run"],
        ["download"],
        ["download"],
        ["delete", "--dry-run"],
        ["delete", "--yes"],
    ):
        where = [out] if command[0] == "download" else []
        assert run([command[0], "cat.jpg", *where, *command[1:], "--json"]) == 0
        *results, summary = documents(capsys)
        assert {result["type"] for result in results} == {command[0]}
        assert (summary["type"], summary["status"], summary["error"]) == ("summary", "ended", None)
        told[" ".join(command), len(told)] = {result["status"] for result in results}
    assert list(told.values()) == [{"would"}, {"downloaded"}, {"unchanged"}, {"would"}, {"deleted"}]


@pytest.mark.parametrize("end", ["interrupted", "failed"])
@pytest.mark.parametrize("command", ["list", "download", "delete"])
def test_the_summary_tells_what_broke_it_off(
    running: Running,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    end: str,
) -> None:
    running.put("cat.jpg", jpeg())
    running.work()
    error = AwsError("throttled", "AWS is throttling it.", "Wait a minute.")

    def broken(*_: object, **__: object) -> Iterator[Any]:
        if command == "delete":
            yield removal.Removed("cat.jpg")
        raise KeyboardInterrupt if end == "interrupted" else error

    place = {
        "list": "imgpipe.remote.listing.newest",
        "download": "imgpipe.cli.download.results",
        "delete": "imgpipe.remote.removal.remove",
    }
    monkeypatch.setattr(place[command], broken)
    more = {"list": [], "download": ["cat.jpg", str(tmp_path / "out")], "delete": ["cat.jpg", "--yes"]}
    assert run([command, *more[command], "--json"]) == (130 if end == "interrupted" else 3)
    summary = documents(capsys)[-1]
    assert (summary["type"], summary["status"]) == ("summary", end)
    said = {"code": error.code, "message": error.message, "remedy": error.remedy}
    assert summary["error"] == (None if end == "interrupted" else said)
    if command == "delete":
        assert summary["deleted"] == 1
        assert run([command, *more[command]]) == (130 if end == "interrupted" else 3)
        assert "1 image" in "".join(capsys.readouterr())


def test_what_failed_before_is_told_where_something_ends_it(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    running.put("broken.jpg", jpeg()[:200])
    running.work()
    results = download.results

    def broken(*arguments: Any) -> Iterator[Any]:
        yield from results(*arguments)
        raise AwsError("denied", "AWS refused GetObject.", "Have it allowed.")

    monkeypatch.setattr(download, "results", broken)
    assert run(["download", "broken.jpg", str(tmp_path / "out")]) == 3
    shown = capsys.readouterr()
    assert "its end is missing" in shown.out
    assert "AWS refused GetObject." in shown.err


def test_without_anybody_to_ask_nothing_looks_like_a_deletion(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    running.put("cat.jpg", jpeg())
    assert run(["delete", "cat.jpg", "--json"]) == 2
    (summary,) = documents(capsys)
    assert (summary["status"], summary["deleted"], summary["error"]["code"]) == ("failed", 0, "usage")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--all", "cat.jpg"], "two ways to name images"),
        (["--all", "--prefix", "a"], "two ways to name images"),
        (["--prefix", "", "--yes"], "To delete every image of the stack: --all"),
        (["cat.jpg", "--timeout", "1m"], "--timeout is for --wait"),
    ],
)
def test_what_is_not_clear_deletes_nothing(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["delete", *options]) == 2
    assert words in capsys.readouterr().err


def answered(answer: bytes | None) -> tuple[int, str]:
    """Exit code of a deletion on a terminal, and what it shows: the question gets `answer`, or Ctrl-C for None."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "delete", "cat.jpg"],
        env=environment(TERM="xterm-256color", COLUMNS="80"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(theirs)
    shown = b""
    asked = False
    try:
        while select.select([ours], [], [], 60)[0] and (part := os.read(ours, 65536)):
            shown += part
            if not asked and b"[y/N]" in shown:
                asked = True
                if answer is None:
                    process.send_signal(signal.SIGINT)
                else:
                    os.write(ours, answer)
    except OSError:
        pass  # Linux reports the other end's going as an error.
    os.close(ours)
    return process.wait(30), shown.decode()


def test_a_person_is_asked_and_only_a_yes_deletes(running: Running) -> None:
    running.put("cat.jpg", jpeg(), told=False)
    code, shown = answered(None)
    assert code == 130
    assert "[y/N] \r\nNothing was deleted." in shown
    code, shown = answered(b"\n")
    assert code == 1
    assert "Nothing was deleted." in shown
    assert sources(running) == ["cat.jpg"]
    code, shown = answered(b"y\n")
    assert code == 0
    assert "Deleted" in shown
    assert sources(running) == []
