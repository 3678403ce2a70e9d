"""The folder store keeps the contract, stays inside its root, and sees every change of a file."""

import os
import threading
from pathlib import Path

import pytest
from contract import StoreContract

from imgpipe.adapters.folder import FolderStore, folds_case

YESTERDAY = 1_763_719_200_000_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def store(root: Path, tmp_path: Path) -> FolderStore:
    return FolderStore(root, tmp_path / "staging")


class TestFolderStore(StoreContract):
    @pytest.fixture
    def store(self, root: Path, tmp_path: Path) -> FolderStore:
        return FolderStore(root, tmp_path / "staging")


class TestFolderStoreByContent(StoreContract):
    @pytest.fixture
    def store(self, root: Path, tmp_path: Path) -> FolderStore:
        return FolderStore(root, tmp_path / "staging", checksum=True)


def version(store: FolderStore, key: str = "cat.jpg", known: str | None = None) -> str:
    stat = store.stat(key, known)
    assert stat is not None
    return stat.version


def put(path: Path, data: bytes, modified_ns: int = YESTERDAY) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, ns=(modified_ns, modified_ns))


def test_a_version_is_size_and_time(root: Path, store: FolderStore) -> None:
    put(root / "cat.jpg", b"12345")
    assert version(store) == f"5-{YESTERDAY}"


def test_a_time_that_cannot_be_trusted_is_replaced_by_content(root: Path) -> None:
    put(root / "cat.jpg", b"12345")
    assert version(FolderStore(root, trusted_before_ns=YESTERDAY + 1)) == f"5-{YESTERDAY}"
    store = FolderStore(root, trusted_before_ns=YESTERDAY)
    before = version(store)
    assert before.startswith("sha256:")
    put(root / "cat.jpg", b"54321")
    assert version(store) != before


def test_a_version_is_told_in_the_kind_that_is_known(root: Path, store: FolderStore) -> None:
    put(root / "cat.jpg", b"12345")
    by_content = version(FolderStore(root, checksum=True))
    put(root / "cat.jpg", b"12345", YESTERDAY + 5)
    assert version(store, known=by_content) == by_content
    assert version(store, known=f"5-{YESTERDAY}") == f"5-{YESTERDAY + 5}"
    blob = store.read("cat.jpg", 2, by_content)
    assert blob is not None
    assert (blob.data, blob.stat.version, blob.stat.bytes) == (b"12", by_content, 5)


def test_a_file_that_changes_under_the_reader_is_read_again(
    root: Path, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root / "cat.jpg", b"1" * 10)
    calls = 0
    fstat = os.fstat

    def change_between(file: int) -> os.stat_result:
        nonlocal calls
        calls += 1
        if calls == 2:
            put(root / "cat.jpg", b"2" * 20, YESTERDAY + 1)
        return fstat(file)

    monkeypatch.setattr(os, "fstat", change_between)
    blob = store.read("cat.jpg", 100)
    assert blob is not None
    assert (blob.data, blob.stat.version) == (b"2" * 20, f"20-{YESTERDAY + 1}")


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../out.jpg", "a/../../out.jpg", "a//b", "a/", "./a", "a\0b"])
def test_a_key_never_leaves_the_root(store: FolderStore, tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="no path below a folder"):
        store.write(key, b"1", "image/jpeg")
    with pytest.raises(ValueError, match="no path below a folder"):
        store.read(key, 1)
    with pytest.raises(ValueError, match="no path below a folder"):
        store.delete([key])
    assert list(tmp_path.rglob("*")) == []


def test_a_link_never_leads_a_write_out_of_the_root(root: Path, store: FolderStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    put(outside / "theirs.jpg", b"theirs")
    root.mkdir()
    (root / "link").symlink_to(outside)
    (root / "file.jpg").symlink_to(outside / "theirs.jpg")
    for key in ("link/new.jpg", "link/sub/new.jpg"):
        with pytest.raises(PermissionError, match="leads out"):
            store.write(key, b"1", "image/jpeg")
    with pytest.raises(PermissionError, match="leads out"):
        store.delete(["link/theirs.jpg"])
    store.write("file.jpg", b"ours", "image/jpeg")
    assert not (root / "file.jpg").is_symlink()
    assert [path.name for path in outside.iterdir()] == ["theirs.jpg"]
    assert (outside / "theirs.jpg").read_bytes() == b"theirs"


def test_a_source_folder_is_never_written_to(root: Path) -> None:
    put(root / "cat.jpg", b"1")
    store = FolderStore(root)
    with pytest.raises(PermissionError):
        store.write("new.jpg", b"1", "image/jpeg")
    with pytest.raises(PermissionError):
        store.delete(["cat.jpg"])
    assert [path.name for path in root.iterdir()] == ["cat.jpg"]


def test_deleting_the_last_file_removes_emptied_folders_and_keeps_the_root(root: Path, store: FolderStore) -> None:
    store.write("a/b/c/1.jpg", b"1", "image/jpeg")
    store.write("a/2.jpg", b"1", "image/jpeg")
    store.delete(["a/b/c/1.jpg"])
    assert [path.name for path in (root / "a").iterdir()] == ["2.jpg"]
    store.delete(["a/2.jpg"])
    assert list(root.iterdir()) == []


def test_folders_may_vanish_while_others_write(root: Path, store: FolderStore) -> None:
    errors: list[BaseException] = []

    def churn(name: str) -> None:
        try:
            for _ in range(100):
                store.write(f"a/b/{name}", b"1", "image/jpeg")
                store.delete([f"a/b/{name}"])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=churn, args=(f"{number}.jpg",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert list(root.iterdir()) == []


def test_a_failed_write_leaves_nothing(root: Path, store: FolderStore, tmp_path: Path) -> None:
    put(root / "a", b"a file where a folder is needed")
    with pytest.raises(OSError):
        store.write("a/cat.jpg", b"1", "image/jpeg")
    assert list((tmp_path / "staging").iterdir()) == []


def test_what_cannot_be_written_is_told_by_its_own_name(root: Path, store: FolderStore) -> None:
    put(root / "a", b"a file where a folder is needed")
    (root / "b/occupied").mkdir(parents=True)
    for key in ("a/cat.jpg", "b"):
        with pytest.raises(OSError) as told:
            store.write(key, b"1", "image/jpeg")
        assert (told.value.filename, told.value.filename2) == (str(root / key), None)


def test_what_cannot_be_looked_at_is_neither_there_nor_gone(
    root: Path, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(path: object, **_: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "stat", locked)
    for look in (store.stat, store.is_gone):
        with pytest.raises(PermissionError):
            look("cat.jpg")


def test_what_a_folder_does_not_hold_is_gone_for_certain(store: FolderStore) -> None:
    assert store.is_gone("cat.jpg")


def test_what_is_no_file_is_not_there(root: Path, store: FolderStore) -> None:
    (root / "folder").mkdir(parents=True)
    os.mkfifo(root / "pipe")
    (root / "loop").symlink_to("loop")
    (root / "dangling").symlink_to("nowhere")
    for key in ("folder", "pipe", "loop", "dangling", "pipe/below"):
        assert store.stat(key) is None
        assert store.read(key, 10) is None


def test_files_get_the_permissions_that_the_person_gives_new_ones(root: Path, store: FolderStore) -> None:
    umask = os.umask(0o027)
    try:
        store.write("cat.jpg", b"1", "image/jpeg")
    finally:
        os.umask(umask)
    assert (root / "cat.jpg").stat().st_mode & 0o777 == 0o640


def test_a_time_out_of_range_is_no_obstacle(root: Path, store: FolderStore) -> None:
    put(root / "cat.jpg", b"1", -5_000_000_000)
    stat = store.stat("cat.jpg")
    assert stat is not None
    assert stat.modified == "1970-01-01T00:00:00.000Z"


def test_the_probe_for_folded_names_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "Case").touch()
    assert folds_case(tmp_path) == (tmp_path / "cASE").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["Case"]
