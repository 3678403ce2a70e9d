"""A folder run from beginning to end: what is made, what is left alone, what is refused."""

import errno
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as change
from PIL import Image
from run_case import (
    QUICK,
    SLOW,
    age,
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
    summary,
    tree,
    until,
)

from imgpipe.adapters.catalog_file import FileCatalog
from imgpipe.errors import UsageError
from imgpipe.local.run import run
from imgpipe.local.run_events import Event, Pruned, Scanned, Summary, Trouble, Unchanged, Vanished, Would
from imgpipe.worker.ports import Record


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """IN with two images, one in a folder."""
    draw(tmp_path / "in/a.jpg")
    draw(tmp_path / "in/x/b.png", (40, 80))
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """OUT, which does not exist yet."""
    return tmp_path / "out"


def actions(events: list[Event]) -> dict[str, str]:
    return {event.key: event.action for event in events if isinstance(event, Would)}


def test_every_image_gets_its_renditions_a_record_and_a_place_on_the_contact_sheet(source: Path, out: Path) -> None:
    (source / "notes.txt").write_text("no image")
    events = go(source, out)
    assert sorted(renditions(out)) == ["thumb/a.jpg.webp", "thumb/x/b.png.webp", "web/a.jpg", "web/x/b.png"]
    with Image.open(out / "web/x/b.png") as image:
        assert image.size == (32, 64)
    assert {record["status"] for record in catalog(out).values()} == {"done"}
    assert "x/b.png" in (out / "index.html").read_text()
    numbers = summary(events)
    assert (numbers.total, numbers.done, numbers.renditions, numbers.other, numbers.left) == (2, 2, 4, 1, 0)
    assert numbers.bytes_in == sum(path.stat().st_size for path in (source / "a.jpg", source / "x/b.png"))
    assert numbers.bytes_out == sum(len(data) for data in renditions(out).values())
    assert not (out / ".imgpipe").exists()


def test_in_is_never_written_to(source: Path, out: Path) -> None:
    before = tree(source)
    go(source, out)
    assert tree(source) == before


def test_one_image_is_a_run_of_its_own_and_lets_the_others_be(source: Path, out: Path) -> None:
    go(source, out)
    events = go(source / "a.jpg", out, prune=True)
    assert summary(events) == replace(Summary(total=1, unchanged=1), seconds=summary(events).seconds)
    assert len(renditions(out)) == 4


def test_a_second_run_does_nothing_and_starts_no_worker(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(source, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    children = record_children(monkeypatch)
    assert summary(go(source, out)).unchanged == 2
    assert children == []
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == before


def test_a_changed_source_is_done_again_and_the_rest_is_not(source: Path, out: Path) -> None:
    go(source, out)
    draw(source / "x/b.png", (80, 40))
    age(source / "x/b.png", 1800)
    assert list(finished(go(source, out))) == ["x/b.png"]
    with Image.open(out / "web/x/b.png") as image:
        assert image.size == (64, 32)


def test_another_recipe_does_everything_again_and_drops_the_presets_that_are_gone(source: Path, out: Path) -> None:
    go(source, out)
    assert len(finished(go(source, out, change(QUICK, presets=QUICK.presets[:1])))) == 2
    assert sorted(renditions(out)) == ["web/a.jpg", "web/x/b.png"]


def test_force_does_everything_again(source: Path, out: Path) -> None:
    go(source, out)
    assert len(finished(go(source, out, force=True))) == 2


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"cut")], ids=["deleted", "cut"])
def test_renditions_that_are_not_as_they_were_made_are_made_again(source: Path, out: Path, damage: object) -> None:
    go(source, out)
    before = renditions(out)
    assert callable(damage)
    damage(out / "thumb/a.jpg.webp")
    assert list(finished(go(source, out))) == ["a.jpg"]
    assert renditions(out) == before


def test_times_near_the_start_of_the_run_are_not_trusted(source: Path, out: Path) -> None:
    path = source / "a.jpg"
    age(path, 0)
    facts = path.stat()
    go(source, out)
    data = bytearray(path.read_bytes())
    data[data.index(b"JFIF") + 8] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert list(finished(go(source, out))) == ["a.jpg"]


def test_what_was_read_because_its_time_was_fresh_is_read_once_more_and_then_trusted(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(source / "a.jpg", 0)
    go(source, out)
    assert catalog(out)["a.jpg"]["version"].startswith("sha256:")
    facts = (source / "a.jpg").stat()
    time.sleep(max(0, facts.st_mtime + 2.1 - time.time()))
    assert Unchanged("a.jpg") in go(source, out)
    children = record_children(monkeypatch)
    assert summary(go(source, out)).unchanged == 2
    assert children == []


def test_a_time_that_lies_ahead_is_never_trusted(source: Path, out: Path) -> None:
    age(source / "a.jpg", -3600)
    for _ in range(3):
        go(source, out)
        assert catalog(out)["a.jpg"]["version"].startswith("sha256:")


def test_with_checksum_a_new_time_alone_is_no_change_and_new_content_is(source: Path, out: Path) -> None:
    go(source, out, checksum=True)
    age(source / "a.jpg", 50)
    facts = (source / "x/b.png").stat()
    draw(source / "x/b.png", (40, 80), (201, 90, 30))
    os.utime(source / "x/b.png", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    events = go(source, out, checksum=True)
    assert list(finished(events)) == ["x/b.png"]
    assert Unchanged("a.jpg") in events


def test_what_vanished_is_reported_and_removed_only_by_prune(source: Path, out: Path) -> None:
    go(source, out)
    (source / "a.jpg").unlink()
    assert Vanished("a.jpg") in go(source, out)
    assert "web/a.jpg" in renditions(out)
    events = go(source, out, prune=True)
    assert Pruned("a.jpg") in events
    assert summary(events).pruned == 1
    assert sorted(renditions(out)) == ["thumb/x/b.png.webp", "web/x/b.png"]
    assert list(catalog(out)) == ["x/b.png"]


def test_prune_spares_what_patterns_hide_and_what_cannot_be_looked_at(source: Path, out: Path) -> None:
    go(source, out)
    before = renditions(out)
    (source / "x/b.png").unlink()
    (source / "x/b.png").symlink_to("unplugged.png")
    events = go(source, out, prune=True, exclude=("a.*",))
    assert summary(events).vanished == 0
    assert summary(events).troubles == 1
    assert renditions(out) == before


@pytest.mark.parametrize("dry_run", [False, True])
def test_prune_spares_everything_where_in_is_as_empty_as_an_unmounted_disk(
    source: Path, out: Path, dry_run: bool
) -> None:
    go(source, out)
    before = tree(out)
    source.rename(source.with_name("unplugged"))
    (source / "empty").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"IN is empty.*disk mounted"):
        go(source, out, prune=True, dry_run=dry_run)
    assert tree(out) == before
    assert summary(go(source, out)).vanished == 2
    assert summary(go(source, out, prune=True, force=True)).pruned == 2
    assert renditions(out) == {}


def test_a_dry_run_tells_what_would_be_done_and_writes_nothing(source: Path, out: Path) -> None:
    assert actions(go(source, out, dry_run=True)) == {"a.jpg": "new", "x/b.png": "new"}
    assert not out.exists()
    go(source, out)
    draw(source / "c.png")
    draw(source / "x/b.png", (80, 40))
    (source / "a.jpg").unlink()
    before = tree(out)
    events = go(source, out, dry_run=True)
    assert actions(events) == {"c.png": "new", "x/b.png": "changed", "a.jpg": "vanished"}
    assert actions(go(source, out, dry_run=True, prune=True))["a.jpg"] == "prune"
    assert tree(out) == before


def test_a_dry_run_tells_of_renditions_that_are_missing_and_reads_what_its_time_cannot_tell(
    source: Path, out: Path
) -> None:
    age(source / "a.jpg", 0)
    go(source, out)
    (out / "web/x/b.png").unlink()
    assert actions(go(source, out, dry_run=True)) == {"a.jpg": "unchanged", "x/b.png": "changed"}


def test_a_dry_run_adds_up_as_the_run_that_it_foretells(source: Path, out: Path) -> None:
    age(source / "a.jpg", 0)
    go(source, out)
    draw(source / "c.png")
    (source / "notes.txt").touch()
    (source / "unplugged.png").symlink_to("nowhere")
    would, did = summary(go(source, out, dry_run=True)), summary(go(source, out))
    assert (would.left, would.unchanged) == (1, 2)
    assert replace(would, left=0) == replace(did, done=0, renditions=0, bytes_in=0, bytes_out=0, seconds=would.seconds)


def test_a_dry_run_refuses_what_the_run_would_refuse(source: Path, out: Path) -> None:
    draw(source / "photo.png").rename(source / "photo")
    draw(source / "photo.png.png/1.png")
    for dry_run in (True, False):
        with pytest.raises(UsageError, match="cannot lie in one folder"):
            go(source, out, dry_run=dry_run)


def test_bad_images_end_as_failed_records_and_are_tried_again(source: Path, out: Path) -> None:
    (source / "broken.jpg").write_bytes(b"no image")
    (source / "empty.png").touch()
    for _ in range(2):
        events = go(source, out)
        assert summary(events).failed == 2
        assert {key: code for key, code in codes(events).items() if code} == {
            "broken.jpg": "unsupported_format",
            "empty.png": "empty",
        }
    assert "broken.jpg" in (out / "index.html").read_text()


def test_a_name_that_is_not_utf8_fails_alone(source: Path, out: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(source) + b"/caf\xe9.png")).touch()
    except OSError:
        return  # macOS has no such names
    for _ in range(2):
        events = go(source, out)
        assert codes(events).get("caf\\xe9.png") == "bad_key"
        assert summary(events).vanished == 0
    assert summary(events).unchanged == 2
    events = go(source, out, dry_run=True)
    assert actions(events)["caf\\xe9.png"] == "fail"
    assert (summary(events).total, summary(events).failed) == (3, 1)


def test_fail_fast_ends_the_run_at_the_first_failure(source: Path, out: Path) -> None:
    (source / "0.jpg").write_bytes(b"no image")
    for number in range(10):
        draw(source / f"z{number}.png")
    numbers = summary(go(source, out, fail_fast=True, workers=1))
    assert (numbers.failed, numbers.done, numbers.left) == (1, 0, 12)
    assert (out / "index.html").exists()


def test_what_cannot_be_written_is_trouble_for_its_image_alone(source: Path, out: Path) -> None:
    (out / "web/a.jpg/occupied").mkdir(parents=True)
    events = go(source, out)
    [trouble] = [event for event in events if isinstance(event, Trouble)]
    assert trouble.key == "a.jpg"
    assert trouble.message.endswith(f": {out}/web/a.jpg.")
    assert codes(events) == {"x/b.png": None}
    (out / "web/a.jpg/occupied").rmdir()
    (out / "web/a.jpg").rmdir()
    assert codes(go(source, out)) == {"a.jpg": None}


def test_what_the_run_keeps_of_itself_costs_no_image_where_it_cannot_be_written(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    (out / "index.html/occupied").mkdir(parents=True)
    monkeypatch.setattr(os, "fsync", broken)
    events = go(source, out, fail_fast=True)
    troubles = [event for event in events if isinstance(event, Trouble)]
    assert [trouble.key for trouble in troubles] == ["catalog.jsonl", "index.html"]
    assert all(trouble.message.endswith(f": {out / trouble.key}.") for trouble in troubles)
    numbers = summary(events)
    assert (numbers.done, numbers.failed, numbers.troubles, numbers.other_troubles) == (2, 0, 0, 2)


def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        draw(source / f"z{number}.png")
    real = FileCatalog.put

    def put(self: FileCatalog, record: Record, revision: int | None) -> int:
        if len(self.lines) >= 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "catalog.jsonl")
        return real(self, record, revision)

    with monkeypatch.context() as full:
        full.setattr(FileCatalog, "put", put)
        events = go(source, out, workers=1)
    [trouble] = [event for event in events if isinstance(event, Trouble)]
    assert trouble.ends_run
    assert "Make room" in trouble.remedy
    assert summary(events).left == 12 - len(finished(events)) - 1
    go(source, out)
    assert len(renditions(out)) == 24


def test_a_source_that_changes_while_it_is_rendered_is_rendered_as_it_is_then(tmp_path: Path, out: Path) -> None:
    path = draw_slow(tmp_path / "in/a.png")
    events = run(options(tmp_path / "in", out, SLOW))
    seen = until(events, lambda: is_claimed(out, "a.png"))
    draw(tmp_path / "new.png", (30, 20)).replace(path)
    record = finished(seen + list(events))["a.png"]
    assert (record.status, record.width, record.height) == ("done", 30, 20)
    with Image.open(out / record.renditions[0].key) as image:
        assert image.size == (30, 20)


def test_a_source_that_goes_while_the_run_works_is_told_as_vanished_and_keeps_its_renditions(
    source: Path, out: Path
) -> None:
    go(source, out)
    events = run(options(source, out, force=True))
    assert isinstance(next(events), Scanned)
    (source / "x/b.png").unlink()
    assert Vanished("x/b.png", late=True) in list(events)
    assert len(renditions(out)) == 4


def test_a_folder_that_cannot_be_read_is_trouble_and_no_image(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def scandir(path: str) -> object:
        if path == str(source / "x"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    for dry_run in (True, False):
        numbers = summary(go(source, out, dry_run=dry_run))
        assert (numbers.total, numbers.troubles, numbers.other_troubles) == (1, 0, 1)


def test_a_folder_that_goes_while_the_run_works_costs_no_rendition(source: Path, out: Path) -> None:
    go(source, out)
    for instead in ("nothing", "a file", "a link to itself"):
        events = run(options(source, out, force=True, prune=True))
        assert isinstance(next(events), Scanned)
        (source / "x").rename(source.with_name("unplugged"))
        if instead == "a file":
            (source / "x").touch()
        elif instead == "a link to itself":
            (source / "x").symlink_to("x")
        assert Vanished("x/b.png", late=True) in list(events)
        assert len(renditions(out)) == 4
        (source / "x").unlink(missing_ok=True)
        source.with_name("unplugged").rename(source / "x")


def test_a_folder_that_becomes_unreadable_while_the_run_works_has_not_vanished(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = run(options(source, out))
    assert isinstance(next(events), Scanned)
    real = Path.stat

    def stat(self: Path, **how: bool) -> os.stat_result:
        if self.parent == source / "x":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return real(self, **how)

    monkeypatch.setattr(Path, "stat", stat)
    # This process alone cannot look at it: the worker is asked, and here it can.
    assert codes(list(events)) == {"a.jpg": None, "x/b.png": None}


def test_two_thousand_files_are_looked_through_in_a_moment(tmp_path: Path, out: Path) -> None:
    first = draw(tmp_path / "in/0.png", (8, 8))
    for number in range(1, 2000):
        os.link(first, first.with_name(f"{number}.png"))
    assert summary(go(tmp_path / "in", out)).done == 2000
    began = time.process_time()
    assert summary(go(tmp_path / "in", out)).unchanged == 2000
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("source", "out", "said"),
    [
        ("missing", "out", "IN does not exist"),
        ("in", "in", "OUT lies in IN"),
        ("in", "in/x/deep/out", "OUT lies in IN"),
        ("in", "link/out", "OUT lies in IN"),
        ("in", "in/a.jpg", "OUT is not a folder"),
        ("out/web", "out", "IN lies where OUT's own files go"),
        ("out/web/y", "out", "IN lies where OUT's own files go"),
        ("out/web/y/c.png", "out", "IN lies where OUT's own files go"),
        ("in", "in/a.jpg/out", "OUT lies in IN"),
        ("in", "out/web/y/c.png/out", "OUT cannot be written"),
        ("in", "locked", "OUT cannot be written: .*catalog.jsonl"),
        ("in", "dangling", "OUT is not a folder"),
        ("in", "n" * 300, "cannot be looked at"),
    ],
)
def test_what_cannot_go_together_is_refused_before_anything_is_written(
    tmp_path: Path, source: str, out: str, said: str
) -> None:
    draw(tmp_path / "in/a.jpg")
    draw(tmp_path / "out/web/y/c.png")
    (tmp_path / "link").symlink_to("in")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "locked/catalog.jsonl").mkdir(parents=True)
    before = tree(tmp_path)
    with pytest.raises(UsageError, match=said):
        go(tmp_path / source, tmp_path / out)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("mine", ["index.html", "index-2.html", ".imgpipe/notes", "web/a.jpg", "thumb/deep/b.txt"])
def test_files_of_another_making_are_not_overwritten_unasked(source: Path, out: Path, mine: str) -> None:
    (out / mine).parent.mkdir(parents=True)
    (out / mine).write_text("mine")
    (out / "other.txt").touch()
    for dry_run in (True, False):
        with pytest.raises(UsageError, match=f"another making.*{mine}.*--force"):
            go(source, out, dry_run=dry_run)
    assert tree(out) == {mine: b"mine", "other.txt": b""}
    assert summary(go(source, out, force=True)).done == 2
    assert summary(go(source, out)).unchanged == 2
    kept = (out / mine).read_bytes() == b"mine"
    assert kept == (mine not in ("index.html", "web/a.jpg"))


def test_empty_folders_are_nobody_s(source: Path, out: Path) -> None:
    for name in ("web/deep", ".imgpipe", "thumb"):
        (out / name).mkdir(parents=True)
    assert summary(go(source, out)).done == 2


def test_a_catalog_that_was_edited_into_another_shape_is_told_with_its_line(source: Path, out: Path) -> None:
    go(source, out)
    path = out / "catalog.jsonl"
    path.write_text(path.read_text().replace('"renditions":[', '"renditions":5,"was":[', 1))
    for dry_run in (True, False):
        with pytest.raises(UsageError, match="Line 1 of the catalog"):
            go(source, out, dry_run=dry_run)


def test_sources_whose_renditions_cannot_lie_in_one_folder_are_refused_before_the_first(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgpipe.local.session.folds_case", lambda folder: True)
    draw(source / "A.JPG")
    with pytest.raises(UsageError, match=r"A\.JPG"):
        go(source, out)
    assert renditions(out) == {}
    assert not (out / ".imgpipe").exists()


def test_two_runs_do_not_share_a_folder(source: Path, out: Path) -> None:
    events = run(options(source, out))
    next(events)
    with pytest.raises(UsageError, match="Another run"):
        go(source, out)
    list(events)
    assert summary(go(source, out)).unchanged == 2
