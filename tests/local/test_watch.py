"""A watching run follows its folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from run_case import codes, draw, finished, options, renditions

from imgpipe.local import watch
from imgpipe.local.run import run
from imgpipe.local.run_events import Event, Idle, Pruned, Trouble, Vanished


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL", 0.3)


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
    watching.close()  # type: ignore[attr-defined] # it is a generator


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


def test_what_vanishes_is_told_once_and_pruned_and_may_come_back(
    source: Path, tmp_path: Path, events: Iterator[Event]
) -> None:
    until_idle(events)
    (source / "a.png").unlink()
    seen = until_idle(events)
    assert seen.count(Vanished("a.png")) == seen.count(Pruned("a.png")) == 1
    assert renditions(tmp_path / "out") == {}
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
