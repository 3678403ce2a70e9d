"""Streams as a shell may hand them over: closed, full, or of an encoding that lacks characters."""

import shlex
import subprocess
from pathlib import Path

import pytest
from run_cli import PROGRAM, environment, photo

RUN = "process-local in out"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    photo(tmp_path / "in" / "é.jpg")
    return tmp_path


def shell(line: str, cwd: Path, **env: str) -> "subprocess.CompletedProcess[str]":
    """The program with arguments and redirections as a shell reads them."""
    return subprocess.run(
        ["/bin/sh", "-c", f"{shlex.join(PROGRAM)} {line}"],
        cwd=cwd,
        env=environment(**env),
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        timeout=60,
    )


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", ">&-", "<&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_or_talk_that_nobody_hears_stops_nothing(here: Path, closed: str) -> None:
    done = shell(f"{RUN} {closed}", here)
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr
    assert (here / "out/web/é.jpg").is_file()
    assert (here / "out/catalog.jsonl").read_text(encoding="utf-8").startswith('{"key":"é.jpg"')
    assert (here / "out/catalog.jsonl").read_text(encoding="utf-8").count("\n") == 1


@pytest.mark.parametrize("arguments", [RUN, f"{RUN} --json", "recipe show"])
def test_results_that_cannot_be_written_are_an_error_that_names_stdout(here: Path, arguments: str) -> None:
    done = shell(f"{arguments} >/dev/full", here)
    assert done.returncode == 1
    assert "Error: The results cannot be written to stdout: No space left on device." in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_character_that_an_encoding_lacks_is_written_as_an_escape(here: Path, encoding: str) -> None:
    (here / "imgpipe.toml").write_text("[presets.web]\nwidth = 64\n[watermark]\ntext = 'Ω'\n", encoding="utf-8")
    for arguments in ("recipe show", f"{RUN} --dry-run -v", f"{RUN} -v"):
        done = shell(arguments, here, PYTHONIOENCODING=encoding)
        assert done.returncode == 0, done.stderr
        if encoding == "latin-1" and arguments == "recipe show":
            assert "\\u03a9" in done.stdout


INTERRUPTED = """
import signal, sys
from imgpipe.cli import surroundings

surroundings.open_streams()
writing = False

def interrupt(*_):
    global writing
    if writing:
        writing = False
        raise KeyboardInterrupt

signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
for number in range(20_000):
    try:
        writing = True
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()
    except KeyboardInterrupt:
        pass
    writing = False
signal.setitimer(signal.ITIMER_REAL, 0)
"""


def test_what_is_written_when_a_signal_comes_is_not_written_again() -> None:
    done = subprocess.run([PROGRAM[0], "-c", INTERRUPTED], capture_output=True, encoding="utf-8", timeout=60)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(set(lines)) > 15_000
