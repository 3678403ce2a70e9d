"""The command line as a whole: help, errors, exit codes, and how little it costs to start."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from run_cli import PROGRAM, environment, imgpipe, photo

import imgpipe as package
from imgpipe.cli import app, run

SLOW = {"PIL", "boto3", "msgspec", "pydantic", "rich"}


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_starting_imports_nothing_slow(argument: str, tmp_path: Path) -> None:
    code = f"import sys; from imgpipe.cli import run; run([{argument!r}]); print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "imgpipe.cli" in done.stdout
    assert SLOW.isdisjoint(line.split(".")[0] for line in done.stdout.splitlines())


def test_the_version_is_the_package_s(tmp_path: Path) -> None:
    done = imgpipe("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"imgpipe {package.__version__}\n", "")


def commands(command: Any, *names: str) -> Iterator[tuple[str, ...]]:
    yield names
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, *names, name)


@pytest.mark.parametrize("names", list(commands(typer.main.get_command(app))), ids=" ".join)
def test_every_help_says_what_for_and_shows_an_example(
    names: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*names, "--help"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert lines[1].startswith("  ")
    assert lines[1].endswith(".")
    assert any(line.strip() in ("Example:", "Start with:") for line in lines)
    assert any(line.startswith(" " * 6 + " ".join(["imgpipe", *names])) for line in lines)


def test_no_command_shows_the_help_and_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["recipe"]):
        assert run(arguments) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "Commands:" in shown.err


@pytest.mark.parametrize(
    ("arguments", "what", "remedy"),
    [
        (["proces-local"], "Did you mean 'process-local'?", "imgpipe --help"),
        (["process-local"], "Missing argument 'IN'.", "imgpipe process-local --help"),
        (["process-local", "in", "out", "--worker", "2"], "--workers", "imgpipe process-local --help"),
        (["process-local", "in", "out", "--workers", "0"], "'0' is not a whole number", "imgpipe process-local --help"),
        (["process-local", "in", "out", "more"], "(more)", "imgpipe process-local --help"),
        (["process-local", "in", "out", "--recipe"], "'--recipe' requires an argument", "--help"),
        (
            ["process-local", "in", "out", "--no-watermark", "--watermark-text", "x"],
            "--watermark-text, --watermark-image and --no-watermark exclude one another.",
            "Give one of them.",
        ),
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_a_remedy(
    arguments: list[str], what: str, remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    first, second = shown.err.splitlines()
    assert first.startswith("Error: ")
    assert what in first
    assert second.startswith("       ")
    assert remedy in second


def test_an_environment_variable_counts_and_an_option_counts_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMGPIPE_WORKERS", "many")
    assert run(["process-local", "in", "out"]) == 2
    assert "'many'" in capsys.readouterr().err
    assert run(["process-local", "in", "out", "--workers", "1"]) == 2
    assert "many" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--debug", "recipe", "check", "no.toml"], ["recipe", "check", "no.toml", "--debug"]]
)
def test_a_traceback_is_shown_for_debug_alone(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert "Traceback" in capsys.readouterr().err
    assert run([argument for argument in arguments if argument != "--debug"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_debug_behind_two_dashes_is_a_file_s_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipe", "check", "--", "--debug"]) == 2
    shown = capsys.readouterr().err
    assert "--debug" in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    "arguments", [["recipe", "show"], ["process-local", "in", "out"], ["process-local", "in", "out", "--json"]]
)
def test_a_reader_that_goes_away_is_no_drama(arguments: list[str], tmp_path: Path) -> None:
    photo(tmp_path / "in" / "one.jpg")
    process = subprocess.Popen(
        [*PROGRAM, *arguments], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() in (b"", b"1 image to look at, 0 unchanged.\n")
    assert process.wait(30) == 1
    process.stderr.close()
