"""The progress of a folder run where there is no terminal to draw a bar on."""

import io

import pytest
from rich.console import Console

from imgpipe.cli import run_progress
from imgpipe.local.run_events import Finished, Scanned, Tally
from imgpipe.worker.ports import Failure, Record


def test_without_a_terminal_a_line_is_printed_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_progress, "PLAIN_EVERY", 0.0)
    file, tally = io.StringIO(), Tally()
    progress = run_progress.Progress(Console(file=file, width=200), tally, animated=False)
    scanned = Scanned(total=5, todo=2, unchanged=3, other=0, vanished=0)
    done = Record(key="a.jpg", status="done", bytes=3000, updated="2026-11-22T10:00:00.000Z")
    failed = Record(key="b.jpg", status="failed", error=Failure("empty", "It is empty."), updated=done.updated)
    for event in (scanned, Finished(done), Finished(failed)):
        tally.add(event)
        progress.show(event)
    progress.close()
    first, *_, last = file.getvalue().splitlines()
    assert first == "2 images to look at, 3 unchanged."
    assert last.startswith("2 of 2  ")
    assert last.endswith("1 failed  3.0 kB")
