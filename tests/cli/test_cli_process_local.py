"""`imgpipe process-local` as a person or a program meets it: what it prints where, and how it ends."""

import json
import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest
from PIL import Image, ImageChops
from run_cli import imgpipe, photo, started

RECIPE = "[presets.web]\nwidth = 64\nheight = 64\n"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with three images, one of them broken, a text file, and a quick recipe."""
    photo(tmp_path / "in" / "a" / "one.jpg")
    photo(tmp_path / "in" / "two.jpg")
    (tmp_path / "in" / "broken.jpg").write_bytes((tmp_path / "in" / "two.jpg").read_bytes()[:700])
    (tmp_path / "in" / "notes.txt").write_text("no image", encoding="utf-8")
    (tmp_path / "imgpipe.toml").write_text(RECIPE, encoding="utf-8")
    return tmp_path


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def facts(report: str) -> dict[str, str]:
    """The labelled lines at a report's end."""
    return dict(re.findall(r"^([A-Z][a-z ]+?)  +(.+)$", report, re.MULTILINE))


def test_a_run_ends_with_a_report_on_stdout_and_leaves_in_alone(here: Path) -> None:
    (here / "in" / "broken.jpg").unlink()
    before = tree(here / "in")
    done = imgpipe("process-local", "in", "out", cwd=here)
    assert done.returncode == 0, done.stderr
    report = facts(done.stdout)
    assert report["Done"] == "2 images, 2 renditions"
    assert report["No image"] == "1 other file"
    assert report["Look at"] == "out/index.html"
    assert "Failed" not in report
    assert done.stderr == "2 images to look at, 0 unchanged.\n"
    assert {"index.html", "catalog.jsonl", "web/a/one.jpg", "web/two.jpg"} == set(tree(here / "out"))
    assert tree(here / "in") == before


def test_a_second_run_finds_nothing_to_do(here: Path) -> None:
    (here / "in" / "broken.jpg").unlink()
    for path in (here / "in").rglob("*.jpg"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    imgpipe("process-local", "in", "out", cwd=here)
    done = imgpipe("process-local", "in", "out", cwd=here)
    assert done.returncode == 0
    assert facts(done.stdout)["Done"] == "0 images, 0 renditions"
    assert facts(done.stdout)["Unchanged"] == "2 images"


def test_failed_images_are_listed_with_why_and_what_to_do_and_exit_1(here: Path) -> None:
    done = imgpipe("process-local", "in", "out", cwd=here)
    assert done.returncode == 1
    key, why, remedy = done.stdout.splitlines()[:3]
    assert key == "broken.jpg"
    assert why.startswith("    ")
    assert why.endswith(".")
    assert remedy == "    Copy or upload the image again: its end is missing."
    assert facts(done.stdout)["Failed"] == "1 image, listed above"
    assert facts(done.stdout)["Done"] == "2 images, 2 renditions"


def test_many_failures_are_cut_short(here: Path) -> None:
    for number in range(30):
        (here / "in" / f"empty-{number:02}.jpg").write_bytes(b"")
    done = imgpipe("process-local", "in", "out", cwd=here)
    assert done.returncode == 1
    assert done.stdout.count("Copy or upload") == 20
    assert "and 11 more: see out/index.html" in done.stdout
    assert facts(done.stdout)["Failed"] == "31 images, 20 of them listed above"


def test_fail_fast_stops_at_the_first_failure_and_says_what_is_left(here: Path) -> None:
    for number in range(20):
        photo(here / "in" / f"z{number}.jpg")
    done = imgpipe("process-local", "in", "out", "--fail-fast", "--workers", "1", cwd=here)
    assert done.returncode == 1
    assert facts(done.stdout)["Left"].endswith(" images, for the next run")


def test_json_is_a_record_a_line_and_a_summary_and_nothing_else(here: Path) -> None:
    done = imgpipe("process-local", "in", "out", "--json", cwd=here)
    assert done.returncode == 1
    *records, summary = map(json.loads, done.stdout.splitlines())
    assert {record["key"]: record["status"] for record in records} == {
        "a/one.jpg": "done",
        "two.jpg": "done",
        "broken.jpg": "failed",
    }
    assert all("type" not in record and "claim" not in record for record in records)
    assert (summary["type"], summary["done"], summary["failed"], summary["other"]) == ("summary", 2, 1, 1)


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_verbose_shows_one_line_for_every_image_on_stderr(here: Path, more: list[str]) -> None:
    done = imgpipe("process-local", "in", "out", "--verbose", *more, cwd=here)
    lines = sorted(line.split("  ") for line in done.stderr.splitlines() if line.startswith(("done", "failed")))
    assert [line[0] for line in lines] == ["done", "done", "failed"]
    assert more or "one.jpg" not in done.stdout


def test_a_dry_run_tells_and_writes_nothing(here: Path) -> None:
    done = imgpipe("process-local", "in", "out", "--dry-run", cwd=here)
    assert done.returncode == 0
    assert [line.split() for line in done.stdout.splitlines()[:3]] == [
        ["new", "a/one.jpg"],
        ["new", "broken.jpg"],
        ["new", "two.jpg"],
    ]
    assert "nothing was written" in done.stdout
    assert not (here / "out").exists()


def test_a_dry_run_foretells_names_that_are_no_keys_and_adds_up(here: Path) -> None:
    try:
        (here / "in" / os.fsdecode(b"caf\xe9.jpg")).touch()
    except OSError:
        return  # macOS has no such names
    done = imgpipe("process-local", "in", "out", "--dry-run", "--json", cwd=here)
    assert done.returncode == 1
    *told, summary = map(json.loads, done.stdout.splitlines())
    assert {"type": "would", "key": "caf\\xe9.jpg", "action": "fail"} in told
    assert (summary["total"], summary["left"], summary["failed"], summary["other"]) == (4, 3, 1, 1)
    done = imgpipe("process-local", "in", "out", "--dry-run", cwd=here)
    assert "The name caf\\xe9.jpg is not valid UTF-8." in done.stdout
    assert "Rename the image" in done.stdout


def test_without_a_recipe_the_sample_mark_is_owned_up_to(here: Path) -> None:
    (here / "imgpipe.toml").unlink()
    told = imgpipe("process-local", "in/two.jpg", "out", cwd=here)
    assert told.returncode == 0
    assert "imgpipe init" in told.stderr
    own = imgpipe("process-local", "in/two.jpg", "out", "--watermark-text", "© Ada", cwd=here)
    assert own.returncode == 0
    assert "imgpipe init" not in own.stderr


@pytest.mark.parametrize(
    "mark", [["--watermark-text", "MARK"], ["--watermark-image", "logo.png"]], ids=["text", "image"]
)
def test_the_mark_of_an_option_is_drawn_in_its_corner_and_nowhere_else(here: Path, mark: list[str]) -> None:
    (here / "imgpipe.toml").write_text("[presets.web]\nwidth = 640\nquality = 95\n", encoding="utf-8")
    photo(here / "in" / "two.jpg", (640, 480))
    Image.new("RGB", (60, 40), "red").save(here / "logo.png")
    pictures = []
    for out, option in (("plain", ["--no-watermark"]), ("marked", mark)):
        done = imgpipe("process-local", "in/two.jpg", out, "--json", *option, cwd=here)
        [made] = json.loads(done.stdout.splitlines()[0])["renditions"]
        assert made["watermark"] == (out == "marked")
        assert "notes" not in made
        pictures.append(Image.open(here / out / "web" / "two.jpg"))
    difference = ImageChops.difference(*pictures).convert("L").point(lambda level: 255 * (level > 40))
    box = difference.getbbox()
    assert box
    left, top, right, bottom = box
    assert left > 480
    assert top > 400
    assert (right - left) * (bottom - top) > 300


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["nowhere", "out"], "nowhere"),
        (["nowhere/a.jpg", "out"], "nowhere/a.jpg"),
        (["in/two.jpg/a.jpg", "out"], "in/two.jpg/a.jpg"),
        (["in", "in/out"], "in/out"),
        (["in", "in"], "in"),
        (["in", "imgpipe.toml"], "imgpipe.toml"),
        (["", "out"], "'IN'"),
        (["in", ""], "'OUT'"),
        (["in", "out", "--include", ""], "--include is empty"),
        (["in", "out", "--watch", "--dry-run"], "exclude one another"),
        (["in", "out", "--recipe", "no.toml"], "no.toml"),
        (["in", "out", "--watermark-image", "in/notes.txt"], "--watermark-image"),
        (["in", "out", "--watermark-image", "no.png"], "--watermark-image"),
        (["in", "out", "--watermark-text", "  "], "--watermark-text"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_before_the_first_image(
    here: Path, arguments: list[str], what: str
) -> None:
    before = tree(here)
    done = imgpipe("process-local", *arguments, cwd=here)
    assert done.returncode == 2, done.stdout
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith("Error: ")
    assert len(lines) in (2, 3)
    assert any(what in line for line in lines)
    assert lines[-1].endswith((".", "--help"))
    assert tree(here) == before


def test_a_bad_recipe_stops_the_run_and_is_told_whole(here: Path) -> None:
    (here / "imgpipe.toml").write_text("[presets.web]\nwidht = 9\nfit = 'stretch'\n", encoding="utf-8")
    done = imgpipe("process-local", "in", "out", cwd=here)
    assert done.returncode == 2
    assert "line 2  presets.web.widht" in done.stderr
    assert "line 3  presets.web.fit" in done.stderr
    assert not (here / "out").exists()


def test_what_was_passed_over_is_told(here: Path) -> None:
    (here / "in" / "album").symlink_to(here / "in" / "a")
    done = imgpipe("process-local", "in", "out", "--include", "*.JEPG", cwd=here)
    assert facts(done.stdout)["Done"] == "0 images, 0 renditions"
    assert facts(done.stdout)["No match"] == "5 files left out by --include or --exclude"
    done = imgpipe("process-local", "in", "out", "--exclude", "BROKEN*", cwd=here)
    assert facts(done.stdout)["Not entered"] == "1 linked folder"


def test_what_a_preset_could_not_have_is_told(here: Path) -> None:
    (here / "imgpipe.toml").write_text(f"{RECIPE}max_bytes = 300\n[watermark]\ntext = 'PROOF'\n", encoding="utf-8")
    done = imgpipe("process-local", "in/two.jpg", "out", cwd=here)
    notes = re.findall(r"^Note +(.+)$", done.stdout, re.MULTILINE)
    assert notes == ["1 rendition too small for the watermark", "1 rendition larger than max_bytes allows"]


def test_a_contact_sheet_that_could_not_be_written_is_not_referred_to(here: Path) -> None:
    (here / "in" / "broken.jpg").unlink()
    (here / "out" / "index.html" / "occupied").mkdir(parents=True)
    done = imgpipe("process-local", "in", "out", cwd=here)
    assert done.returncode == 1
    report = facts(done.stdout)
    assert report["Trouble"] == "1 more, with what is no image"
    assert "Failed" not in report
    assert "Look at" not in report


def test_a_hostile_name_cannot_reach_the_terminal(here: Path) -> None:
    (here / "in" / "\x1b[31mred[bold]\n.jpg").write_bytes(b"")
    done = imgpipe("process-local", "in", "out", "--verbose", cwd=here)
    assert "\x1b" not in done.stdout + done.stderr
    assert "\\x1b[31mred[bold]\\n.jpg" in done.stdout


def test_ctrl_c_says_what_is_done_and_that_the_run_goes_on_and_exits_130(tmp_path: Path) -> None:
    for number in range(40):
        photo(tmp_path / "in" / f"{number}.jpg", (3000, 2000))
    process = started("process-local", "in", "out", "--json", "--workers", "1", cwd=tmp_path)
    assert process.stdout
    assert json.loads(process.stdout.readline())["status"] == "done"
    os.killpg(process.pid, signal.SIGINT)
    asked = time.monotonic()
    out, talk = process.communicate(timeout=10)
    assert time.monotonic() - asked < 2
    assert process.returncode == 130
    assert "Traceback" not in talk
    assert "The same command goes on from there." in talk
    summary = json.loads(out.splitlines()[-1])
    assert summary["type"] == "summary"
    assert summary["done"] + summary["left"] == 40
    assert summary["left"] > 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_are_answered_like_ctrl_c(tmp_path: Path, number: int) -> None:
    for image in range(20):
        photo(tmp_path / "in" / f"{image}.jpg", (3000, 2000))
    process = started("process-local", "in", "out", "--json", cwd=tmp_path)
    assert process.stdout
    assert json.loads(process.stdout.readline())["status"] == "done"
    os.killpg(process.pid, number)
    asked = time.monotonic()
    out, talk = process.communicate(timeout=10)
    assert time.monotonic() - asked < 2
    assert (process.returncode, talk[:13]) == (128 + number, "20 images to ")
    assert "Interrupted: " in talk
    assert json.loads(out.splitlines()[-1])["failed"] == 0
    assert not (tmp_path / "out" / ".imgpipe").exists()


CTRL_C_AT_AN_IMPORT = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["MODULE"]:
            sys.meta_path.remove(self)
            # In a string, as the import of a dataclass runs code.
            exec("os.kill(os.getpid(), signal.SIGINT); [None for _ in range(9)]")
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize(
    "module",
    ["imgpipe.cli", "typer", "imgpipe.cli.process_local", "pydantic", "imgpipe.cli.run_screen", "imgpipe.local.run"],
)
def test_ctrl_c_at_the_start_is_answered_in_the_same_words(here: Path, module: str) -> None:
    (here / "first").mkdir()
    (here / "first" / "sitecustomize.py").write_text(CTRL_C_AT_AN_IMPORT, encoding="utf-8")
    done = imgpipe("process-local", "in", "out", cwd=here, PYTHONPATH="first", MODULE=module)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted: nothing was done yet.\n")
    assert not (here / "out").exists()


def test_watching_processes_what_arrives_until_ctrl_c(here: Path) -> None:
    process = started("process-local", "in", "out", "--watch", cwd=here)
    assert process.stderr
    late = threading.Timer(60, process.kill)  # which ends the lines
    late.start()
    lines = iter(process.stderr.readline, "")
    assert any(line.startswith("Up to date. Watching in until Ctrl-C.") for line in lines)
    photo(here / "in" / "three.jpg")
    assert any(line.startswith("done       three.jpg") for line in lines)
    end = time.monotonic() + 20
    while "three.jpg" not in (here / "out" / "index.html").read_text(encoding="utf-8") and time.monotonic() < end:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, talk = process.communicate(timeout=10)
    late.cancel()
    assert process.returncode == 130, talk
    assert (here / "out" / "web" / "three.jpg").is_file()
    assert "three.jpg" in (here / "out" / "index.html").read_text(encoding="utf-8")
