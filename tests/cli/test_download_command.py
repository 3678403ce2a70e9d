"""`imgpipe download` as a person and a program meet it."""

import json
from pathlib import Path

import pytest
from run_cli import photo
from running_stack import Running

from imgpipe.cli import run


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def test_renditions_are_brought_into_a_folder_and_what_could_not_be_is_said(
    running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = photo(tmp_path / "photo.jpg").read_bytes()
    for key in ("a/1.jpg", "a/2.jpg", "b.jpg"):
        running.put(key, data)
    running.put("broken.jpg", data[:300])
    running.work()
    out = tmp_path / "new" / "out"

    assert run(["download", "--prefix", "a/", "--dry-run", str(out)]) == 0
    assert len([line for line in capsys.readouterr().out.splitlines() if line.startswith("new ")]) == 4
    assert not out.parent.exists()

    assert run(["download", "--prefix", "a/", str(out)]) == 0
    assert "4 renditions" in capsys.readouterr().out
    assert files(out) == ["thumb/a/1.jpg", "thumb/a/2.jpg", "web/a/1.jpg", "web/a/2.jpg"]
    assert sorted(path.name for path in out.iterdir()) == ["thumb", "web"]

    assert run(["download", "a/1.jpg", "b.jpg", "broken.jpg", str(out), "--preset", "web", "--json"]) == 1
    *told, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert {each["key"]: each["status"] for each in told if each["type"] == "download"} == {
        "web/a/1.jpg": "unchanged",
        "web/b.jpg": "downloaded",
        "broken.jpg": "failed",
    }
    made = (out / "web" / "b.jpg").stat().st_size
    counts = {"downloaded": 1, "unchanged": 1, "would": 0, "failed": 1, "without": 0, "bytes": made}
    assert summary == {"type": "summary", "status": "ended", **counts, "error": None}

    assert run(["download", "--prefix", "x", str(tmp_path / "other")]) == 0
    assert "nothing: no image with renditions begins so" in capsys.readouterr().out
    assert not (tmp_path / "other").exists()

    assert run(["download", "broken.jpg", "nothing", str(out)]) == 1
    shown = capsys.readouterr().out
    assert "its end is missing" in shown
    assert "There is no image nothing." in shown


def test_renditions_that_cannot_lie_side_by_side_are_refused_before_the_first(
    running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for key in ("photo", "photo.jpg.jpg/b.jpg"):
        running.put(key, photo(tmp_path / "photo.jpg").read_bytes())
    running.work()
    for options in ([], ["--dry-run"]):
        assert run(["download", "--prefix", "", str(tmp_path / "out"), *options]) == 2
        assert "photo.jpg.jpg and thumb/photo.jpg.jpg/b.jpg cannot lie in one folder" in capsys.readouterr().err
    assert files(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "DIR"),
        (["cat.jpg"], "No image is named, and cat.jpg is the folder."),
        (["--prefix", "a/", "cat.jpg", "out"], "two ways to name images"),
        (["cat.jpg", __file__], "is no folder"),
        (["cat.jpg", f"{__file__}/a"], f"{__file__} is no folder"),
        (["cat.jpg", "/dev/full"], "/dev/full is no folder"),
        (["--prefix", "\udcff", "out"], "not valid UTF-8"),
        (["--prefix", "a" * 1025, "out"], "1,025 bytes"),
    ],
)
def test_what_is_not_clear_is_a_usage_error(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["download", *arguments]) == 2
    assert words in capsys.readouterr().err
