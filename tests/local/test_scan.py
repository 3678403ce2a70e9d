import os
from pathlib import Path
from unittest.mock import Mock

import pytest
from run_case import draw

from imgpipe.adapters.folder import FolderStore
from imgpipe.cli.console import printable
from imgpipe.files import shown
from imgpipe.local.outages import trouble
from imgpipe.local.scan import Scan, Scanner


def scan(source: Path, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> Scan:
    return Scanner(source, include, exclude).scan()


def keys(found: Scan) -> list[str]:
    return [file.key for file in found.found]


def test_keys_are_sorted_paths_below_in(tmp_path: Path) -> None:
    for name in ("b.png", "a/z.png", "a/B.png", "a.png", "ä.png"):
        draw(tmp_path / name)
    assert keys(scan(tmp_path)) == ["a.png", "a/B.png", "a/z.png", "b.png", "ä.png"]


def test_an_image_is_told_by_its_extension_or_its_content_and_the_rest_is_counted(tmp_path: Path) -> None:
    draw(tmp_path / "photo.png").rename(tmp_path / "photo")
    (tmp_path / "broken.JPG").write_bytes(b"no image")
    (tmp_path / "empty.png").touch()
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "empty").touch()
    found = scan(tmp_path)
    assert keys(found) == ["broken.JPG", "empty.png", "photo"]
    assert found.other == 2


def test_hidden_files_and_folders_are_passed_over_and_counted(tmp_path: Path) -> None:
    draw(tmp_path / ".hidden.png")
    draw(tmp_path / ".folder/a.png")
    draw(tmp_path / "a.png")
    found = scan(tmp_path)
    assert keys(found) == ["a.png"]
    assert found.other == 2


def test_linked_files_are_followed_and_linked_folders_are_not(tmp_path: Path) -> None:
    draw(tmp_path / "elsewhere/a.png")
    source = tmp_path / "in"
    source.mkdir()
    (source / "link.png").symlink_to(tmp_path / "elsewhere/a.png")
    (source / "round").symlink_to(source)
    found = scan(source)
    assert keys(found) == ["link.png"]
    assert (found.linked, found.other) == (1, 0)


def test_what_is_no_file_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    assert scan(tmp_path).other == 2


def test_links_that_lead_nowhere_are_trouble_and_not_vanished(tmp_path: Path) -> None:
    (tmp_path / "gone.png").symlink_to(tmp_path / "unplugged.png")
    (tmp_path / "round.png").symlink_to("round.png")
    draw(tmp_path / "a.png")
    found = scan(tmp_path)
    assert keys(found) == ["a.png"]
    assert sorted((key, file) for key, _, file in found.unread) == [("gone.png", True), ("round.png", True)]
    assert found.may_hold("gone.png")
    assert not found.may_hold("a.png")


def test_a_folder_that_cannot_be_read_hides_what_lies_in_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(tmp_path / "a/b/1.png")
    draw(tmp_path / "ab/2.png")
    real = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("/a/b"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = scan(tmp_path)
    assert keys(found) == ["ab/2.png"]
    assert [(key, file) for key, _, file in found.unread] == [("a/b", False)]
    assert found.may_hold("a/b/1.png")
    assert not found.may_hold("a/bc.png")


def test_a_folder_that_is_gone_has_no_vanished_sources(tmp_path: Path) -> None:
    source = tmp_path / "in"
    draw(source / "a.png")
    scanner = Scanner(source)
    source.rename(tmp_path / "unplugged")
    assert scanner.scan().may_hold("a.png")


def test_names_that_are_not_utf8_are_told_as_a_person_can_read_them(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")).touch()
    except OSError:
        return  # macOS has no such names
    found = scan(tmp_path)
    assert keys(found) == []
    assert found.bad_names == ("caf\\xe9.png",)


def test_a_name_that_is_not_utf8_is_spelled_alike_in_key_and_message() -> None:
    told = trouble(shown("bad\udcff.jpg"), PermissionError(13, "Permission denied", "in/bad\udcff.jpg"))
    assert told.key == r"bad\xff.jpg"
    assert r"in/bad\xff.jpg" in told.message
    assert printable("bad\udcff.jpg") == told.key


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (("*.png",), (), ["a.png", "x/b.png"]),
        (("x/*",), (), ["x/b.png", "x/y/c.jpg"]),
        ((), ("x/*",), ["a.png"]),
        (("*.png", "*.jpg"), ("b.*",), ["a.png", "x/y/c.jpg"]),
        (("*.PNG",), (), ["a.png", "x/b.png"]),
        ((), ("X/Y/",), ["a.png", "x/b.png"]),
        (("y",), (), ["x/y/c.jpg"]),
        (("x/y",), (), ["x/y/c.jpg"]),
        ((), ("x", "a"), ["a.png"]),
        (("y/*",), (), []),
    ],
)
def test_patterns_meet_names_or_with_a_slash_paths_in_any_case(
    tmp_path: Path, include: tuple[str, ...], exclude: tuple[str, ...], expected: list[str]
) -> None:
    for name in ("a.png", "x/b.png", "x/y/c.jpg"):
        draw(tmp_path / name)
    found = scan(tmp_path, include, exclude)
    assert keys(found) == expected
    assert found.unmatched == 3 - len(expected)


def test_one_file_is_a_source_by_its_name(tmp_path: Path) -> None:
    draw(tmp_path / "other.png")
    scanner = Scanner(draw(tmp_path / "a.png"))
    assert keys(scanner.scan()) == ["a.png"]
    assert scanner.root == tmp_path


def test_a_file_is_read_again_only_where_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes").write_text("no image")
    scanner = Scanner(tmp_path)
    assert keys(scanner.scan()) == []
    look = Mock(return_value=True)
    monkeypatch.setattr("imgpipe.local.scan._has_signature", look)
    scanner.scan()
    look.assert_not_called()
    draw(tmp_path / "photo.png").rename(tmp_path / "notes")
    scanner.scan()
    look.assert_called_once()


def test_versions_are_those_of_the_store(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    stat = FolderStore(tmp_path).stat("a.png")
    assert stat
    assert [file.version for file in scan(tmp_path).found] == [stat.version]
