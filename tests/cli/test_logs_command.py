"""`imgpipe logs` as a person and a program meet it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from run_cli import started
from running_stack import Running

from imgpipe.cli import run
from imgpipe.cli.logs import line
from imgpipe.remote.logs import GROUPS, Line

INFO = {"timestamp": "…", "level": "INFO", "message": "a/cat.jpg is done.", "key": "a/cat.jpg", "requestId": "1"}
CRASH = {
    "level": "ERROR",
    "message": "A message comes again: no way",
    "errorType": "OSError",
    "errorMessage": "no way to S3",
    "stackTrace": ['  File "process.py", line 1\n    read()\n'],
}
RUNTIME = {"log_level": "ERROR", "errorType": "Runtime.ImportModuleError", "errorMessage": "No module named x"}
REPORT = {"type": "platform.report", "record": {"status": "timeout"}}
METRICS = {"_aws": {"Timestamp": 1}, "Images": 1}


def write(running: Running, function: str, *documents: object) -> None:
    """Have a function log, each line a millisecond after the one before."""
    group = running.outputs[GROUPS[function]]
    logs = running.client("logs")
    logs.create_log_stream(logGroupName=group, logStreamName="one")
    now = int(running.pipeline.session.now() * 1000) - 1000
    texts = [document if isinstance(document, str) else json.dumps(document) for document in documents]
    told = [{"timestamp": now + number, "message": text} for number, text in enumerate(texts)]
    logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=told)


def test_lines_are_readable_and_metrics_left_out(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    write(running, "processor", INFO, METRICS, CRASH, RUNTIME, REPORT, "START plain\n")
    assert run(["logs", "--function", "processor"]) == 0
    out, err = capsys.readouterr()
    assert re.sub(r"^\S+Z ", "", out, flags=re.MULTILINE).splitlines() == [
        " INFO     a/cat.jpg is done.",
        " ERROR    A message comes again: no way",
        '  File "process.py", line 1',
        "    read()",
        "OSError: no way to S3",
        " ERROR    Runtime.ImportModuleError: No module named x",
        " ERROR    The function ran into its time limit.",
        "          START plain",
    ]
    assert err == "5 lines.\n"


def test_functions_are_named_where_both_are_read(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    write(running, "processor", INFO)
    write(running, "api", RUNTIME)
    assert run(["logs"]) == 0
    assert sorted(text.split()[2] for text in capsys.readouterr().out.splitlines()) == ["api", "processor"]
    assert run(["logs", "--function", "api", "--filter", "nothing"]) == 0
    assert capsys.readouterr() == ("", "0 lines.\n")


def test_a_program_gets_every_line_as_it_was_logged(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    write(running, "processor", INFO, METRICS, "plain")
    assert run(["logs", "--json", "--since", "1m"]) == 0
    *told, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert [each["line"] for each in told] == [INFO, METRICS, "plain"]
    assert {each["function"] for each in told} == {"processor"}
    assert summary == {"type": "summary", "status": "ended", "lines": 3}


def test_a_program_is_told_that_aws_refused(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    running.client("logs").delete_log_group(logGroupName=running.outputs[GROUPS["api"]])
    assert run(["logs", "--json"]) != 0
    assert json.loads(capsys.readouterr().out) == {"type": "summary", "status": "failed", "lines": 0}


def test_following_shows_what_comes_until_ctrl_c(running: Running, tmp_path: Path) -> None:
    write(running, "processor", INFO)
    process = started("logs", "--follow", cwd=tmp_path)
    try:
        assert process.stdout
        assert "a/cat.jpg is done." in process.stdout.readline()
        write(running, "api", RUNTIME)
        assert "No module named x" in process.stdout.readline()
    finally:
        process.send_signal(2)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "Interrupted: 2 lines."


@pytest.mark.parametrize("document", [{"level": 5, "message": ["x"]}, {"type": "platform.x"}, {"record": 1}, [], 7, ""])
def test_whatever_was_logged_is_shown(document: Any) -> None:
    text = line(Line(0, "api", "1", json.dumps(document)), 80, name=True)
    assert text is not None
    assert not text.plain.endswith("\n")


def test_a_long_message_is_folded_under_itself_and_cannot_steer_the_terminal() -> None:
    told = line(Line(0, "processor", "1", "one two\x1b[2J " * 12), 60, name=False)
    assert told
    first, *more = told.plain.splitlines()
    assert max(map(len, (first, *more))) <= 60
    assert all(text.startswith(" " * 19) for text in more)
    assert "\x1b" not in told.plain
