"""A run is broken off at any moment, and the same command ends with exactly the right files."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from run_case import (
    SLOW,
    age,
    catalog,
    codes,
    draw,
    draw_slow,
    eventually,
    go,
    is_claimed,
    options,
    record_children,
    renditions,
    start,
    summary,
    tree,
    until,
)

from imgpipe.errors import UsageError
from imgpipe.local import folders
from imgpipe.local.run import run


def facts(out: Path) -> dict[str, Any]:
    """The catalog without what differs from run to run."""
    varying = ("milliseconds", "updated")
    return {
        key: {name: value for name, value in record.items() if name not in varying}
        for key, record in catalog(out).items()
    }


def test_killed_at_any_moment_the_same_command_ends_with_exactly_the_right_files(tmp_path: Path) -> None:
    source, out, clean = tmp_path / "in", tmp_path / "out", tmp_path / "clean"
    random = Random(7)  # noqa: S311  moments, not secrets
    for number in range(300):
        draw(source / f"{number % 5}/{number}.jpg", (600 + number, 500))
    (source / "broken.jpg").write_bytes(b"no image")
    age(source / "broken.jpg")
    # A recipe that the catalog was begun with and that is no longer wanted: its renditions must go as well.
    with start(source, out, "SLOW", workers=2) as process:
        eventually(lambda: len(renditions(out)) > 5)
        process.kill()
    for _ in range(6):
        with start(source, out, workers=2, force=True) as process:
            assert process.stdout
            for _ in range(random.randrange(250)):
                process.stdout.readline()
            time.sleep(random.uniform(0, 0.02))
            if random.random() < 0.3:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        assert process.returncode == -signal.SIGKILL
    assert summary(go(source, out, workers=2)).failed == 1
    go(source, clean, workers=2)
    assert renditions(out) == renditions(clean)
    assert facts(out) == facts(clean)
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in clean.iterdir())


def test_a_first_run_that_was_killed_at_its_start_is_begun_again(tmp_path: Path) -> None:
    draw(tmp_path / "in/a.png")
    out = tmp_path / "out"
    for trace in (out / ".imgpipe", out / ".imgpipe/setup", out / "web"):
        with start(tmp_path / "in", out) as process:
            eventually(trace.exists)
            process.kill()
        (out / ".imgpipe").mkdir(exist_ok=True)
        (out / ".imgpipe/0123456789abcdef0123456789abcdef").write_bytes(b"half a rendition")
    assert set(codes(go(tmp_path / "in", out, force=True))) == {"a.png"}
    go(tmp_path / "in", out)
    assert not (out / ".imgpipe").exists()


def test_the_workers_of_a_killed_run_end_at_once_in_the_midst_of_their_jobs(tmp_path: Path) -> None:
    draw_slow(tmp_path / "in/a.png")
    out = tmp_path / "out"
    with start(tmp_path / "in", out, "SLOW") as process:
        eventually(lambda: is_claimed(out, "a.png"))
        process.kill()
    began = time.monotonic()
    with folders.staging(out):
        assert time.monotonic() - began < 1
    assert renditions(out) == {}
    assert codes(go(tmp_path / "in", out, SLOW)) == {"a.png": None}


def test_a_new_run_waits_for_the_workers_of_a_killed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(tmp_path / "in/a.png")
    (tmp_path / "out").mkdir()
    with folders.staging(tmp_path / "out"), monkeypatch.context() as short:
        short.setattr(folders, "ORPHANS", 0.1)
        with pytest.raises(UsageError, match="killed run"):
            go(tmp_path / "in", tmp_path / "out")
    assert codes(go(tmp_path / "in", tmp_path / "out")) == {"a.png": None}


@pytest.mark.parametrize("busy", [True, False], ids=["in a job", "while starting"])
def test_ctrl_c_stops_within_a_second_and_says_nothing(tmp_path: Path, busy: bool) -> None:
    for name in ("a", "b", "c"):
        draw_slow(tmp_path / f"in/{name}.png")
    out = tmp_path / "out"
    ready: Callable[[], bool] = (lambda: is_claimed(out, "a.png")) if busy else (out / ".imgpipe/setup").exists
    with start(tmp_path / "in", out, "SLOW", workers=2) as process:
        eventually(ready)
        began = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate()
        assert time.monotonic() - began < 1
    assert process.returncode == 130
    assert said == b""
    assert not (out / ".imgpipe").exists()
    assert catalog(out).keys() <= {"a.png", "b.png", "c.png"}
    assert set(codes(go(tmp_path / "in", out, SLOW, workers=2))) >= {"c.png"}


def test_a_run_that_is_closed_early_ends_its_workers_and_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    children = record_children(monkeypatch)
    draw_slow(tmp_path / "in/a.png")
    out = tmp_path / "out"
    events = run(options(tmp_path / "in", out, SLOW))
    until(events, lambda: is_claimed(out, "a.png"))
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < 1
    assert children.alive == []
    assert list(tree(out)) == ["catalog.jsonl"]
    assert codes(go(tmp_path / "in", out, SLOW)) == {"a.png": None}
