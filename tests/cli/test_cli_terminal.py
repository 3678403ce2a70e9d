"""`imgpipe process-local` on a real terminal, and on none."""

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
from run_cli import PROGRAM, environment, imgpipe, photo

MOVES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r(?!\n)")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for number in range(6):
        photo(tmp_path / "in" / f"{number}.jpg", (1600, 1200))
    (tmp_path / "in" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return tmp_path


def on_terminal(*arguments: str, cwd: Path, **env: str) -> str:
    """What a run shows on a terminal of 80 columns, both streams on it."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=cwd,
        env=environment(TERM="xterm-256color", COLUMNS="80", **env),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = bytearray()
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:
        pass  # Linux reports the other end's going as an error.
    os.close(ours)
    process.wait(30)
    return shown.decode()


def test_a_terminal_gets_a_bar_that_goes_away_and_a_report_within_80_columns(here: Path) -> None:
    shown = on_terminal("process-local", "in", "out", cwd=here)
    assert "of 7" in shown
    assert "━" in shown
    assert "1 failed" in shown
    left = shown[shown.rindex("\x1b[2K") :]
    plain = re.sub(r"\x1b\]8;[^\x1b]*\x1b\\", "", COLOURS.sub("", left))
    assert re.search(r"^Done +6 images, 12 renditions", plain, re.MULTILINE)
    assert max(len(line.rstrip()) for line in plain.splitlines()) <= 80


def test_no_color_is_kept(here: Path) -> None:
    coloured = COLOURS.findall(on_terminal("process-local", "in", "out", cwd=here))
    assert any("31" in code for code in coloured)
    plain = COLOURS.findall(on_terminal("process-local", "in", "again", cwd=here, NO_COLOR="1"))
    assert not any(re.search(r"3\d|9\d|38;", code) for code in plain)


def test_json_on_a_terminal_has_no_bar_running_through_it(here: Path) -> None:
    assert "━" not in on_terminal("process-local", "in", "out", "--json", cwd=here)


def test_without_a_terminal_nothing_moves_and_nothing_is_coloured(here: Path) -> None:
    done = imgpipe("process-local", "in", "out", cwd=here)
    assert MOVES.findall(done.stdout + done.stderr) == []
    assert not any(line.endswith(" ") for line in (done.stdout + done.stderr).splitlines())
