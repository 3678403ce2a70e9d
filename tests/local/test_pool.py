"""Worker processes are lost in every way there is, and the run goes on."""

import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image
from run_case import (
    QUICK,
    SLOW,
    TINY_LIMITS,
    Children,
    catalog,
    codes,
    draw,
    draw_slow,
    finished,
    go,
    is_claimed,
    options,
    record_children,
    renditions,
    until,
)

from imgpipe.adapters.memory import MemoryCatalog
from imgpipe.core.recipe import Fit, Preset, Recipe
from imgpipe.errors import ImgpipeError
from imgpipe.local import wire
from imgpipe.local.pool import Lost, Pool, Settled
from imgpipe.local.run import run
from imgpipe.local.run_events import Event


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """IN with one image that takes a second and three that take no time."""
    draw_slow(tmp_path / "in/a.png")
    for name in ("b", "c", "d"):
        draw(tmp_path / f"in/{name}.png")
    return tmp_path / "in"


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Children:
    """Every worker process that the test starts."""
    return record_children(monkeypatch)


def interrupted(source: Path, out: Path, children: Children, number: int, **changes: object) -> list[Event]:
    """A run whose only worker gets a signal while it is on the slow image."""
    events = run(options(source, out, SLOW, workers=1, **changes))
    seen = until(events, lambda: is_claimed(out, "a.png"))
    children[0].send_signal(number)
    return seen + list(events)


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGSEGV, "decoder_crashed", "SIGSEGV"),
        (signal.SIGABRT, "decoder_crashed", "SIGABRT"),
        (signal.SIGKILL, "out_of_memory", "SIGKILL"),
    ],
)
def test_an_image_that_kills_its_worker_fails_alone(
    source: Path, tmp_path: Path, children: Children, number: int, code: str, said: str
) -> None:
    events = interrupted(source, tmp_path / "out", children, number)
    assert codes(events) == {"a.png": code, "b.png": None, "c.png": None, "d.png": None}
    error = finished(events)["a.png"].error
    assert error
    assert said in error.message
    assert catalog(tmp_path / "out")["a.png"]["error"]["code"] == code
    assert sorted(renditions(tmp_path / "out")) == [f"web/{name}.png.avif" for name in "bcd"]
    assert len(children) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_ends_a_run_is_for_the_parent_to_answer(
    source: Path, tmp_path: Path, children: Children, number: int
) -> None:
    events = interrupted(source, tmp_path / "out", children, number)
    assert codes(events) == dict.fromkeys(("a.png", "b.png", "c.png", "d.png"))
    assert len(children) == 1


def test_an_image_that_hangs_fails_at_its_deadline(source: Path, tmp_path: Path, children: Children) -> None:
    began = time.monotonic()
    events = interrupted(source, tmp_path / "out", children, signal.SIGSTOP, deadline=3)
    assert codes(events) == {"a.png": "deadline", "b.png": None, "c.png": None, "d.png": None}
    assert time.monotonic() - began < 20
    assert children.alive == []


def test_an_image_that_takes_too_much_memory_fails_alone(tmp_path: Path, children: Children) -> None:
    if sys.platform != "linux":
        return  # nothing bounds a process's memory there
    huge = Preset(name="web", fit=Fit.CONTAIN, width=16000, height=16000, background="#000000")
    recipe = Recipe(presets=(huge,), limits=TINY_LIMITS)
    draw(tmp_path / "in/a.jpg")
    (tmp_path / "in/b.jpg").write_bytes(b"no image")
    events = go(tmp_path / "in", tmp_path / "out", recipe)
    assert codes(events) == {"a.jpg": "out_of_memory", "b.jpg": "unsupported_format"}
    assert renditions(tmp_path / "out") == {}


def test_workers_write_nothing_to_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    # libtiff itself writes to file descriptor 2 about LZW codes that cannot be.
    path = draw(tmp_path / "in/a.tif")
    Image.frombytes("RGB", (200, 200), os.urandom(120_000)).save(path, compression="tiff_lzw")
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 3000 + path.read_bytes()[3100:])
    assert codes(go(tmp_path / "in", tmp_path / "out")) == {"a.tif": "corrupt"}
    assert capfd.readouterr() == ("", "")
    assert codes(go(tmp_path / "in", tmp_path / "out", debug=True)) == {"a.tif": "corrupt"}
    assert "code" in capfd.readouterr().err


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[int]:
    """A descriptor that holds the staging folder."""
    (tmp_path / "staging").mkdir()
    descriptor = os.open(tmp_path / "staging", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield descriptor
    with suppress(OSError):
        os.close(descriptor)


@pytest.fixture
def pool(source: Path, tmp_path: Path, hold: int) -> Iterator[Pool]:
    """A pool of one worker on IN, with a catalog in memory."""
    staging = tmp_path / "staging"
    setup = wire.Setup(
        sources=bytes(source),
        renditions=bytes(tmp_path / "out"),
        staging=bytes(staging),
        recipe=QUICK,
        checksum=False,
        trusted_before_ns=time.time_ns(),
    )
    pool = Pool(setup, staging, MemoryCatalog(), 1, deadline=60, hold=hold)
    yield pool
    pool.close()


def outcome(pool: Pool) -> Settled | Lost:
    while True:
        for came in pool.wait(0.1):
            return came


def test_a_worker_takes_one_job_after_another(pool: Pool, children: Children) -> None:
    for name in ("b.png", "c.png"):
        pool.submit(wire.Job(name))
        assert not pool.free
        came = outcome(pool)
        assert isinstance(came, Settled)
        assert came.wrote
        assert came.ended.record
        assert (came.ended.record.key, came.ended.record.status) == (name, "done")
    assert len(children) == 1


def test_a_job_that_has_nothing_to_do_writes_nothing(pool: Pool) -> None:
    written = []
    for _ in range(2):
        pool.submit(wire.Job("b.png"))
        came = outcome(pool)
        assert isinstance(came, Settled)
        written.append(came.wrote)
    assert written == [True, False]


def test_a_worker_that_dies_idle_costs_no_image(pool: Pool, children: Children) -> None:
    for name in ("b.png", "c.png"):
        pool.submit(wire.Job(name))
        assert isinstance(outcome(pool), Settled)
        children[-1].kill()
        children[-1].wait()
    assert len(children) == 2


def test_a_worker_that_dies_before_its_job_leaves_it_to_another(pool: Pool, children: Children) -> None:
    pool.submit(wire.Job("b.png"))
    children[0].kill()
    assert isinstance(outcome(pool), Settled)
    assert len(children) == 2


def test_a_worker_that_is_slow_to_start_leaves_its_job_to_another(
    source: Path, tmp_path: Path, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgpipe.local.pool.STARTUP", 3.0)
    events = run(options(source, tmp_path / "out", workers=2))
    seen = until(events, lambda: len(children) == 2)
    children[0].send_signal(signal.SIGSTOP)
    assert codes(seen + list(events)) == dict.fromkeys(("a.png", "b.png", "c.png", "d.png"))
    assert children.alive == []


def test_workers_that_cannot_start_end_the_run(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "staging/setup").write_bytes(b"nonsense")
    pool.submit(wire.Job("b.png"))
    with pytest.raises(ImgpipeError, match="could not start"):
        outcome(pool)


def test_the_time_in_which_nobody_looks_is_not_the_jobs(source: Path, tmp_path: Path) -> None:
    # As when the run is stopped in the terminal and continued: the worker waits for its catalog all the while.
    events = run(options(source, tmp_path / "out", SLOW, workers=1, deadline=20))
    until(events, lambda: is_claimed(tmp_path / "out", "a.png"))
    with pytest.MonkeyPatch.context() as clock:
        real = time.monotonic
        clock.setattr(time, "monotonic", lambda: real() + 3600)
        assert codes(list(events))["a.png"] is None


def test_closing_the_pool_ends_workers_in_the_midst_of_their_jobs(pool: Pool, children: Children) -> None:
    pool.submit(wire.Job("a.png"))
    began = time.monotonic()
    pool.close()
    assert time.monotonic() - began < 1
    assert children.alive == []
    assert not pool.busy


def test_a_worker_that_cannot_be_killed_is_left_behind(
    pool: Pool, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As one is that waits for a dead network disk.
    pool.submit(wire.Job("a.png"))
    with monkeypatch.context() as stuck:
        stuck.setattr(type(children[0]), "kill", lambda process: process.send_signal(signal.SIGSTOP))
        began = time.monotonic()
        pool.close()
        assert time.monotonic() - began < 1
    assert not pool.busy
    [left] = children.alive
    left.kill()
    left.wait()


def test_a_worker_holds_the_staging_folder_as_long_as_it_lives(
    pool: Pool, hold: int, tmp_path: Path, children: Children
) -> None:
    pool.submit(wire.Job("a.png"))
    children[0].send_signal(signal.SIGSTOP)
    os.close(hold)
    again = os.open(tmp_path / "staging", os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    pool.close()
    fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(again)


def test_limits_are_those_of_the_recipe(source: Path, tmp_path: Path) -> None:
    recipe = replace(QUICK, limits=replace(QUICK.limits, max_megapixels=1))
    assert codes(go(source, tmp_path / "out", recipe))["a.png"] == "too_many_pixels"
