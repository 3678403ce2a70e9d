"""What the tests of folder runs share: real images, quick recipes, runs in this process and in one of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imgpipe.core.recipe import Fit, Limits, Preset, Recipe
from imgpipe.local.options import Options
from imgpipe.local.run import run
from imgpipe.local.run_events import Event, Finished, Summary
from imgpipe.worker.ports import Record

QUICK = Recipe(
    presets=(
        Preset(name="web", width=64, height=64),
        Preset(name="thumb", fit=Fit.COVER, width=16, height=16, format="webp"),
    )
)
SLOW = Recipe(presets=(Preset(name="web", width=2400, height=2400, format="avif", quality=90),))
"""Takes about a second for what `draw_slow` draws, and next to nothing for a small image."""
TINY_LIMITS = Limits(max_memory_megabytes=50)


def draw(path: Path, size: tuple[int, int] = (96, 64), color: tuple[int, int, int] = (200, 90, 30)) -> Path:
    """A small image whose time is old enough to be trusted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)
    return age(path)


def draw_slow(path: Path) -> Path:
    """Noise that takes a second to encode by `SLOW`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.frombytes("RGB", (2400, 1800), os.urandom(2400 * 1800 * 3)).save(path, compress_level=0)
    return age(path)


def age(path: Path, seconds: float = 3600) -> Path:
    """Let the file seem to have been written `seconds` ago."""
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path


def go(source: Path, out: Path, recipe: Recipe = QUICK, **changes: Any) -> list[Event]:
    """All events of a run."""
    return list(run(options(source, out, recipe, **changes)))


def options(source: Path, out: Path, recipe: Recipe = QUICK, **changes: Any) -> Options:
    return Options(source=source, out=out, recipe=recipe, workers=changes.pop("workers", 1), **changes)


def summary(events: Iterable[Event]) -> Summary:
    """The last event, which sums up the run."""
    last = list(events)[-1]
    assert isinstance(last, Summary)
    return last


def finished(events: Iterable[Event]) -> dict[str, Record]:
    """The records of the images that a run brought up to date."""
    return {event.record.key: event.record for event in events if isinstance(event, Finished)}


def codes(events: Iterable[Event]) -> dict[str, str | None]:
    """Key -> error code, or None for an image that is done."""
    return {key: record.error.code if record.error else None for key, record in finished(events).items()}


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def renditions(out: Path) -> dict[str, bytes]:
    """Every file in OUT but the catalog and the contact sheet."""
    return {key: data for key, data in tree(out).items() if "/" in key and not key.startswith(".")}


def catalog(out: Path) -> dict[str, dict[str, Any]]:
    """The last line of each key, as any reader of JSON sees it."""
    lines = [json.loads(line) for line in (out / "catalog.jsonl").read_bytes().splitlines()]
    return {line["key"]: line for line in lines}


def eventually(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until `condition` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def is_claimed(out: Path, key: str) -> bool:
    """Whether the catalog says that a worker is on `key`, which it does before anything is written for it."""
    try:
        return catalog(out).get(key, {}).get("status") == "processing"
    except (FileNotFoundError, ValueError):
        return False


def until(events: Iterator[Event], condition: Callable[[], bool]) -> list[Event]:
    """Let a run go on until `condition` holds; its events till then."""
    seen: list[Event] = []
    while not condition():
        seen.append(next(events))
    return seen


class Children(list["subprocess.Popen[bytes]"]):
    """The worker processes that runs in this process have started."""

    @property
    def alive(self) -> "list[subprocess.Popen[bytes]]":
        return [child for child in self if child.poll() is None]


def record_children(monkeypatch: pytest.MonkeyPatch) -> Children:
    """Note every worker process that is started from now on."""
    children = Children()
    real = subprocess.Popen

    def popen(*args: Any, **kwargs: Any) -> "subprocess.Popen[bytes]":
        child = real(*args, **kwargs)
        children.append(child)
        return child

    monkeypatch.setattr(subprocess, "Popen", popen)
    return children


def hear_ctrl_c() -> None:
    """Answer SIGINT, which whoever runs the tests in the background had ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


PROGRAM = """
import sys
sys.path[:] = {path}
from pathlib import Path
import run_case
try:
    for event in run_case.run(run_case.options(Path({source}), Path({out}), run_case.{recipe}, **{changes})):
        print(type(event).__name__, flush=True)
except KeyboardInterrupt:
    sys.exit(130)
"""


def start(source: Path, out: Path, recipe: str = "QUICK", **changes: Any) -> "subprocess.Popen[bytes]":
    """A run in a process and a process group of its own, which prints the names of its events."""
    here = str(Path(__file__).parent)
    program = PROGRAM.format(
        path=ascii([here, *sys.path]),
        source=ascii(str(source)),
        out=ascii(str(out)),
        recipe=recipe,
        changes=repr(changes),
    )
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=hear_ctrl_c,
    )
