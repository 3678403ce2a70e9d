"""The catalog file keeps the contract, and survives whatever a process can die of."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from contract import CatalogContract, record
from msgspec.structs import replace

from imgpipe.adapters.catalog_file import FileCatalog, read_index
from imgpipe.errors import UsageError
from imgpipe.worker.ports import Claim, Record


class TestFileCatalog(CatalogContract):
    @pytest.fixture
    def catalog(self, tmp_path: Path) -> Iterator[FileCatalog]:
        with FileCatalog(tmp_path / "out" / "catalog.jsonl") as catalog:
            yield catalog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.jsonl"


def reopened(path: Path) -> list[Record]:
    with FileCatalog(path) as catalog:
        return list(catalog.records())


def test_records_outlive_the_process_in_the_order_of_keys(path: Path) -> None:
    with FileCatalog(path) as catalog:
        for key in ("b", "a", "c"):
            catalog.put(record(key), None)
        catalog.put(record("a", "failed"), 2)
    assert reopened(path) == [record("a", "failed"), record("b"), record("c")]
    assert [msgspec.json.decode(line, type=Record).key for line in path.read_bytes().splitlines()] == [*"baca"]


def test_the_index_tells_what_is_up_to_date_without_the_file(path: Path) -> None:
    with FileCatalog(path) as catalog:
        catalog.put(record("a"), None)
        line = catalog.lines["a"]
    assert (line.status, line.version, line.recipe) == ("done", "5-1", "0123456789abcdef")
    assert read_index(path)[0] == {"a": line}
    assert read_index(path.with_name("none.jsonl")) == ({}, 0)


def test_a_torn_last_line_is_dropped_wherever_it_is_torn(path: Path) -> None:
    with FileCatalog(path) as catalog:
        catalog.put(record("a"), None)
        whole = path.stat().st_size
        catalog.put(record("é"), None)
    data = path.read_bytes()
    for end in range(whole, len(data)):
        path.write_bytes(data[:end])
        assert reopened(path) == [record("a")]
        assert path.stat().st_size == whole


def test_what_a_power_cut_leaves_at_the_end_is_dropped(path: Path) -> None:
    with FileCatalog(path) as catalog:
        catalog.put(record("a"), None)
    for garbage in (b"\0" * 4096, b'{"key": "b", \0\0\0}\n'):
        path.write_bytes(path.read_bytes() + garbage)
        assert reopened(path) == [record("a")]


def test_a_damaged_line_before_the_last_is_told_and_nothing_is_changed(path: Path) -> None:
    with FileCatalog(path) as catalog:
        for key in "abc":
            catalog.put(record(key), None)
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = lines[0] + b"{oops}\n" + lines[2]
    path.write_bytes(damaged)
    with pytest.raises(UsageError, match="Line 2 of the catalog"):
        FileCatalog(path)
    assert path.read_bytes() == damaged
    path.write_bytes(lines[0] + lines[2])
    assert reopened(path) == [record("a"), record("c")]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_line_that_is_json_but_no_record_is_told_wherever_it_stands(path: Path, number: int) -> None:
    with FileCatalog(path) as catalog:
        for key in "abc":
            catalog.put(record(key), None)
    lines = path.read_bytes().splitlines(keepends=True)
    edited = msgspec.json.decode(lines[number - 1]) | {"renditions": 5}
    lines[number - 1] = msgspec.json.encode(edited) + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(UsageError, match=rf"Line {number} of the catalog .*renditions.*[^.]\. Mend"):
        FileCatalog(path)
    assert path.read_bytes() == b"".join(lines)


def test_a_compaction_that_cannot_be_written_names_the_catalog(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with FileCatalog(path) as catalog:
        catalog.put(record("a", "failed"), catalog.put(record("a"), None))
        with pytest.raises(OSError, match="No space") as told:
            catalog.compact()
        assert list(catalog.records()) == [record("a", "failed")]
    assert told.value.filename == str(path)
    assert list(path.parent.iterdir()) == [path]


def test_a_lease_found_on_opening_is_released_and_its_keys_are_kept(path: Path) -> None:
    with FileCatalog(path) as catalog:
        catalog.put(record("a", "processing"), None)
    claim = record("a", "processing").claim
    assert isinstance(claim, Claim)
    for _ in range(2):
        assert reopened(path) == [replace(record("a", "processing"), claim=replace(claim, ends=None))]
    assert len(path.read_bytes().splitlines()) == 2


def test_compaction_leaves_one_line_a_key_and_none_of_deleted_ones(path: Path) -> None:
    with FileCatalog(path) as catalog:
        revisions = {key: catalog.put(record(key), None) for key in "abc"}
        catalog.put(record("b", "failed"), revisions["b"])
        catalog.put(record("c", "deleted"), revisions["c"])
        catalog.compact()
        assert len(path.read_bytes().splitlines()) == 2
        assert list(catalog.records()) == [record("a"), record("b", "failed")]
        assert catalog.get("c") is None
        catalog.put(replace(record("a"), bytes=6), revisions["a"])
        catalog.put(record("c"), None)
    assert reopened(path) == [replace(record("a"), bytes=6), record("b", "failed"), record("c")]
    assert list(path.parent.iterdir()) == [path]


def test_compaction_that_would_change_nothing_does_not_touch_the_file(path: Path) -> None:
    with FileCatalog(path) as catalog:
        catalog.put(record("a"), None)
        before = path.stat()
        catalog.compact()
        assert os.path.samestat(before, path.stat())


def test_what_a_killed_compaction_left_is_removed(path: Path) -> None:
    path.with_name(".catalog.jsonl.new").write_bytes(b"half")
    assert reopened(path) == []
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_costs_the_put_and_nothing_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    room = 10

    def full(file: int, data: memoryview, offset: int) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = pwrite(file, data[:room], offset)
        room -= written
        return written

    def refused(file: int, length: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with FileCatalog(path) as catalog:
        revision = catalog.put(record("a"), None)
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="No space"):
            catalog.put(record("a", "failed"), revision)
        assert catalog.get("a") == (record("a"), revision)
        room = 10_000
        monkeypatch.setattr(os, "ftruncate", refused)
        room = 40
        with pytest.raises(OSError, match="No space"):
            catalog.put(record("b" * 100), None)
        room = 10_000
        catalog.put(record("b", "deleted"), None)
        monkeypatch.undo()
    assert reopened(path) == [record("a"), record("b", "deleted")]


HOLD = """
import sys, time
from pathlib import Path
from imgpipe.adapters.catalog_file import FileCatalog
from imgpipe.worker.ports import Record
catalog = FileCatalog(Path(sys.argv[1]))
for number in range(1_000_000):
    catalog.put(Record(key=str(number), status="done", updated=""), None)
    print(number, flush=True)
    if number == int(sys.argv[2]):
        time.sleep(60)
"""


def test_one_process_at_a_time_holds_it_and_a_killed_one_lets_go(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path), "3"], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        while holder.stdout.readline() != b"3\n":
            pass
        with pytest.raises(UsageError, match="Another run is writing"):
            FileCatalog(path)
        holder.send_signal(signal.SIGKILL)
    assert [entry.key for entry in reopened(path)] == ["0", "1", "2", "3"]


def test_the_holder_of_a_compacted_catalog_still_holds_it(path: Path) -> None:
    with FileCatalog(path) as catalog:
        catalog.put(record("a"), None)
        catalog.put(record("a", "failed"), 1)
        catalog.compact()
        with pytest.raises(UsageError):
            FileCatalog(path)


def test_kill_9_loses_no_put_that_was_acknowledged(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path), "-1"], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        for _ in range(500):
            holder.stdout.readline()
        holder.send_signal(signal.SIGKILL)
        acknowledged = 499 + len(holder.stdout.read().splitlines())
    assert len(reopened(path)) >= acknowledged
