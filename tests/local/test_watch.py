"""A watching run follows its folder."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_case import age, codes, draw, finished, options, renditions

from imgpipe.local import settling, watch
from imgpipe.local.run import run
from imgpipe.local.run_events import Event, Idle, Postponed, Pruned, Tally, Trouble, Vanished


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL", 0.3)
    monkeypatch.setattr(settling, "QUIET", 1.0)
    monkeypatch.setattr(settling, "DOUBT", 3.0)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """IN with one image."""
    draw(tmp_path / "in/a.png")
    return tmp_path / "in"


@pytest.fixture
def events(source: Path, tmp_path: Path) -> Iterator[Iterator[Event]]:
    """A watching run, which prunes."""
    watching = run(options(source, tmp_path / "out", watch=True, prune=True))
    yield watching
    watching.close()


def until_idle(events: Iterator[Event]) -> list[Event]:
    seen: list[Event] = []
    for event in events:
        seen.append(event)
        if isinstance(event, Idle):
            break
    return seen


def test_what_is_there_and_what_arrives_and_changes_is_done_once(
    source: Path, tmp_path: Path, events: Iterator[Event]
) -> None:
    assert list(finished(until_idle(events))) == ["a.png"]
    draw(source / "b.png")
    assert list(finished(until_idle(events))) == ["b.png"]
    draw(source / "a.png", (20, 30))
    record = finished(until_idle(events))
    assert {key: (made.width, made.height) for key, made in record.items()} == {"a.png": (20, 30)}
    assert "b.png" in (tmp_path / "out/index.html").read_text()


def test_a_file_is_left_alone_while_it_is_being_written(source: Path, events: Iterator[Event]) -> None:
    until_idle(events)
    data = (source / "a.png").read_bytes()
    with (source / "b.png").open("wb") as file:
        for start in range(0, len(data), 20):
            file.write(data[start : start + 20])
            file.flush()
            assert not finished([next(events)])
    assert codes(until_idle(events)) == {"b.png": None}


def test_a_writer_that_pauses_is_waited_for(source: Path, tmp_path: Path, events: Iterator[Event]) -> None:
    until_idle(events)
    data = draw(tmp_path / "b.png", (300, 200)).read_bytes()
    with (source / "b.png").open("wb") as file:
        for part in (data[:200], data[200:]):
            file.write(part)
            file.flush()
            written = time.monotonic()
            while time.monotonic() < written + 0.8:
                assert not finished([next(events)])
    assert codes(until_idle(events)) == {"b.png": None}


def test_a_file_that_looks_half_written_is_no_failure_before_it_is_old(source: Path, tmp_path: Path) -> None:
    events = run(options(source, tmp_path / "out", watch=True, fail_fast=True))
    seen = until_idle(events)
    data = draw(tmp_path / "b.png", (300, 200)).read_bytes()
    (source / "b.png").write_bytes(data[:-200])
    for event in events:
        seen.append(event)
        if isinstance(event, Postponed):
            break
    (source / "b.png").write_bytes(data)
    seen += until_idle(events)
    assert codes(seen) == {"a.png": None, "b.png": None}
    tally = Tally()
    for event in seen:
        tally.add(event)
    assert (tally.summary().done, tally.summary().failed, tally.summary().left) == (2, 0, 0)
    events.close()


def test_a_file_that_stays_half_written_fails_in_the_end_and_once(
    source: Path, tmp_path: Path, events: Iterator[Event]
) -> None:
    until_idle(events)
    (source / "b.png").write_bytes(draw(tmp_path / "b.png").read_bytes()[:-20])
    seen = until_idle(events)
    assert codes(seen) == {"b.png": "truncated"}
    assert seen.count(Postponed("b.png")) == 1
    (source / "old.png").write_bytes((source / "b.png").read_bytes())
    age(source / "old.png")
    seen = until_idle(events)
    assert (codes(seen), Postponed("old.png") in seen) == ({"old.png": "truncated"}, False)


def test_a_clock_that_runs_ahead_keeps_nothing_waiting(source: Path, events: Iterator[Event]) -> None:
    until_idle(events)
    age(draw(source / "b.png"), -3600)
    assert codes(until_idle(events)) == {"b.png": None}


def test_a_disk_that_is_unplugged_costs_no_rendition_and_is_told_once(
    source: Path, tmp_path: Path, events: Iterator[Event]
) -> None:
    until_idle(events)
    before = renditions(tmp_path / "out")
    source.rename(tmp_path / "unplugged")
    source.mkdir()
    seen = until_idle(events)
    seen += [next(events) for _ in range(12)]
    [trouble] = [event for event in seen if isinstance(event, Trouble)]
    assert "IN is empty" in trouble.message
    assert not trouble.image
    draw(tmp_path / "unplugged/b.png")
    source.rmdir()
    (tmp_path / "unplugged").rename(source)
    assert codes(until_idle(events)) == {"b.png": None}
    assert renditions(tmp_path / "out").items() > before.items()
    (source / "a.png").unlink()
    assert Pruned("a.png") in until_idle(events)


def test_what_vanishes_is_told_once_and_pruned_and_may_come_back(
    source: Path, tmp_path: Path, events: Iterator[Event]
) -> None:
    draw(source / "other.png")
    until_idle(events)
    (source / "a.png").unlink()
    seen = until_idle(events)
    assert seen.count(Vanished("a.png")) == seen.count(Pruned("a.png")) == 1
    assert sorted(renditions(tmp_path / "out")) == ["thumb/other.png.webp", "web/other.png"]
    draw(source / "a.png")
    assert list(finished(until_idle(events))) == ["a.png"]


def test_a_file_that_is_missing_at_one_look_alone_has_not_vanished(source: Path, events: Iterator[Event]) -> None:
    until_idle(events)
    (source / "a.png").unlink()
    # Three ticks are the pause; the next event comes after a look.
    seen = [next(events) for _ in range(4)]
    draw(source / "a.png", (20, 30))
    seen += until_idle(events)
    assert Vanished("a.png") not in seen
    assert list(finished(seen)) == ["a.png"]


def test_what_vanishes_is_told_once_where_it_is_not_pruned(source: Path, tmp_path: Path) -> None:
    events = run(options(source, tmp_path / "out", watch=True))
    until_idle(events)
    (source / "a.png").unlink()
    seen = until_idle(events)
    for name in ("b.png", "c.png"):
        draw(source / name)
        seen += until_idle(events)
    assert seen.count(Vanished("a.png")) == 1
    assert "web/a.png" in renditions(tmp_path / "out")


def test_trouble_is_told_once(source: Path, events: Iterator[Event]) -> None:
    until_idle(events)
    (source / "c.png").symlink_to("unplugged.png")
    draw(source / "b.png")
    seen = until_idle(events)
    draw(source / "d.png")
    seen += until_idle(events)
    assert [event.key for event in seen if isinstance(event, Trouble)] == ["c.png"]
    assert sorted(finished(seen)) == ["b.png", "d.png"]
