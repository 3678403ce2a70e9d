"""What an upload chooses: content decides what is an image, the path below the named folder what its key is."""

import os
from pathlib import Path

import pytest
from upload_case import photo

from imgpipe.errors import UsageError
from imgpipe.remote.upload.choose import OTHER, Choice, StandardInput, choose


def keys(choice: Choice) -> list[str]:
    return [file.key for file in choice.files]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_keys_are_the_prefix_and_the_path_below_the_named_folder(folder: Path) -> None:
    photo(folder / "in/a/cat.jpg")
    photo(folder / "in/dog.jpg")
    assert keys(choose(["in"])) == ["a/cat.jpg", "dog.jpg"]
    assert keys(choose(["in/"], prefix="2026")) == ["2026/a/cat.jpg", "2026/dog.jpg"]
    assert keys(choose(["in/a/cat.jpg"], prefix="2026/")) == ["2026/cat.jpg"]
    assert keys(choose(["."])) == ["in/a/cat.jpg", "in/dog.jpg"]


def test_names_are_taken_over_letter_by_letter(folder: Path) -> None:
    composed, decomposed = "caf\u00e9.jpg", "cafe\u0301.jpg"
    photo(folder / "in" / composed)
    photo(folder / "in" / decomposed)
    assert set(keys(choose(["in"]))) == {composed, decomposed}


def test_an_image_is_told_by_its_content_and_the_rest_is_named_with_why(folder: Path) -> None:
    photo(folder / "in/a.jpg").rename(folder / "in/photo")
    (folder / "in/notes.jpg").write_text("no image")
    (folder / "in/raw.cr2").write_bytes(b"II*\x00\x10\x00\x00\x00CR\x02\x00")
    choice = choose(["in"])
    assert [(file.key, file.media_type) for file in choice.files] == [("photo", "image/jpeg")]
    reasons = {left.path: left.reason for left in choice.left_out}
    assert reasons.keys() == {"in/notes.jpg", "in/raw.cr2"}
    assert "camera raw" in reasons["in/raw.cr2"]


def test_anything_may_be_uploaded_but_nothing_as_what_a_browser_could_run(folder: Path) -> None:
    (folder / "in").mkdir()
    (folder / "in/page.html").write_text("<html>")
    assert [(file.key, file.media_type) for file in choose(["in"], anything=True).files] == [("page.html", OTHER)]


def test_what_is_named_twice_is_left_out_once(folder: Path) -> None:
    (folder / "in").mkdir()
    (folder / "in/notes.txt").write_text("no image")
    assert [left.path for left in choose(["in", "./in"]).left_out] == ["./in/notes.txt"]


def test_hidden_files_links_to_folders_and_what_is_no_file_are_passed_over(folder: Path) -> None:
    photo(folder / "in/a.jpg")
    photo(folder / "in/.hidden.jpg")
    photo(folder / "in/.folder/a.jpg")
    (folder / "in/round").symlink_to(folder / "in")
    (folder / "in/link.jpg").symlink_to(folder / "in/a.jpg")
    os.mkfifo(folder / "in/pipe")
    choice = choose(["in"])
    assert keys(choice) == ["a.jpg", "link.jpg"]
    assert (choice.passed_over, choice.linked) == (3, 1)
    assert keys(choose(["in/.hidden.jpg"])) == [".hidden.jpg"]


def test_patterns_are_those_of_folder_runs(folder: Path) -> None:
    for name in ("a/1.jpg", "a/2.PNG.jpg", "drafts/3.jpg"):
        photo(folder / "in" / name)
    choice = choose(["in"], include=["*.JPG"], exclude=["drafts", "a/2*"])
    assert keys(choice) == ["a/1.jpg"]
    assert choice.unmatched == 2


def test_a_pattern_that_the_shell_left_is_expanded_and_a_file_of_that_name_is_itself(folder: Path) -> None:
    photo(folder / "in/a/1.jpg")
    photo(folder / "in/b/2.jpg")
    photo(folder / "in/[1].jpg")
    assert keys(choose(["in/*/*.jpg"])) == ["1.jpg", "2.jpg"]
    assert keys(choose([str(folder / "in/**/2.jpg")])) == ["2.jpg"]
    assert keys(choose(["in/[1].jpg"])) == ["[1].jpg"]
    with pytest.raises(UsageError, match=r"Nothing matches in/\*\.png"):
        choose(["in/*.png"])


def test_two_files_that_would_meet_in_one_key_are_refused_and_one_named_twice_is_not(folder: Path) -> None:
    first, second = photo(folder / "a/1.jpg"), photo(folder / "b/1.jpg")
    with pytest.raises(UsageError, match=r"a/1\.jpg and .*b/1\.jpg would both become 1\.jpg"):
        choose([str(first), str(second)])
    assert keys(choose(["a", "a/1.jpg", str(first)])) == ["1.jpg"]


@pytest.mark.parametrize("prefix", ["/a", "a//b", "a/../b", ".", "x" * 1025])
def test_a_prefix_that_keys_cannot_begin_with_is_refused(prefix: str) -> None:
    with pytest.raises(UsageError, match="Keys cannot begin with"):
        choose([], prefix=prefix)


def test_a_key_that_s3_cannot_hold_fails_alone_by_name(folder: Path) -> None:
    deep = "/".join(["d" * 200] * 5)
    photo(folder / "in" / deep / ("n" * 20 + ".jpg"))
    photo(folder / "in/a.jpg")
    choice = choose(["in"])
    assert keys(choice) == ["a.jpg"]
    (failure,) = choice.unread
    assert failure.code == "bad_key"
    assert "1,029 bytes, and S3 takes 1,024" in failure.message


def test_a_name_that_is_no_utf_8_is_refused_as_a_person_can_read_it(folder: Path) -> None:
    photo(folder / "in/a.jpg")
    try:
        (folder / "in/a.jpg").rename(folder / "in" / os.fsdecode(b"caf\xe9.jpg"))
    except OSError:
        pytest.skip("this file system takes no such name")
    (failure,) = choose(["in"]).unread
    failure.path.encode()
    failure.message.encode()
    assert failure.path == "in/caf\\xe9.jpg"
    with pytest.raises(UsageError, match=r"caf\\xe9\.jpg cannot be uploaded: .* is not valid UTF-8") as raised:
        choose([os.fsdecode(b"in/caf\xe9.jpg")])
    raised.value.message.encode()
    assert keys(choose(["in"], exclude=["caf*"])) == []


def test_what_is_not_there_is_refused_and_what_cannot_be_read_fails_alone(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"no file or folder nope\.jpg"):
        choose(["nope.jpg"])
    photo(folder / "in/a.jpg")
    (folder / "in/gone.jpg").symlink_to(folder / "unplugged.jpg")
    choice = choose(["in"])
    assert keys(choice) == ["a.jpg"]
    assert [(failure.path, failure.code) for failure in choice.unread] == [("in/gone.jpg", "unreadable")]


def test_files_that_were_named_and_are_all_no_images_are_a_mistake_and_an_empty_folder_is_none(folder: Path) -> None:
    (folder / "notes.txt").write_text("no image")
    with pytest.raises(UsageError, match=r"notes\.txt.*--any"):
        choose(["notes.txt"])
    assert choose(["."]).left_out[0].path == "./notes.txt"


def test_standard_input_gets_the_name_that_it_is_given(folder: Path) -> None:
    choice = choose(["-"], prefix="scans", standard_input=StandardInput("page.png", photo(folder / "spooled")))
    assert [(file.key, file.media_type) for file in choice.files] == [("scans/page.png", "image/jpeg")]
