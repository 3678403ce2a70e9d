"""Worker processes are lost in every way there is, and the run goes on."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
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
    # libtiff writes to file descriptor 2 about a TIFF like this.
    (tmp_path / "in").mkdir()
    draw(tmp_path / "in/a.tif")
    data = bytearray((tmp_path / "in/a.tif").read_bytes())
    data[-200:] = bytes(200)
    (tmp_path / "in/a.tif").write_bytes(data)
    go(tmp_path / "in", tmp_path / "out")
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def pool(source: Path, tmp_path: Path) -> Iterator[Pool]:
    """A pool of one worker on IN, with a catalog in memory."""
    staging = tmp_path / "staging"
    staging.mkdir()
    setup = wire.Setup(
        sources=bytes(source),
        renditions=bytes(tmp_path / "out"),
        staging=bytes(staging),
        recipe=QUICK,
        checksum=False,
        trusted_before_ns=time.time_ns(),
    )
    hold = os.open(staging, os.O_RDONLY)
    pool = Pool(setup, staging, MemoryCatalog(), 1, deadline=60, hold=hold)
    yield pool
    pool.close()
    os.close(hold)


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


def test_limits_are_those_of_the_recipe(source: Path, tmp_path: Path) -> None:
    recipe = replace(QUICK, limits=replace(QUICK.limits, max_megapixels=1))
    assert codes(go(source, tmp_path / "out", recipe))["a.png"] == "too_many_pixels"
