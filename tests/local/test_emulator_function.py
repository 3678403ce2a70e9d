"""A function's invocations end in every way there is, and none of them takes another with it."""

import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from function_case import ENVIRONMENT, SECONDS, Logged

from imgpipe.local.emulator.environment import FunctionError
from imgpipe.local.emulator.function import PAYLOAD_BYTES

Make = Callable[..., Logged]

ENDS = """
    import json, os, signal, subprocess, sys, time

    def handler(event, context):
        print("began")
        match event:
            case "hang": time.sleep(1000)
            case "babble":
                while True: os.write(1, b"babble and no end\\n" * 3000)
            case "exit": sys.exit(3)
            case "leave": os._exit(0)
            case "crash": os.kill(os.getpid(), signal.SIGSEGV)
            case "raise": raise ValueError("no such thing")
            case "unsayable": return object()
            case "too much": return "x" * 7_000_000
        return os.getpid()
"""
HELD = """
    import os, time

    def handler(event, context):
        pipe = open(event, "w")
        pipe.write(f"{os.getpid()}\\n")
        pipe.flush()
        time.sleep(1000)
"""
"""Holds a pipe open as long as it lives."""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Logged] = []

    def make(source: str, **options: Any) -> Logged:
        made.append(Logged(tmp_path, source, **options))
        return made[-1]

    yield make
    for each in made:
        each.function.close()


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_a_handler_sees_what_lambda_shows_it(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "somebody's own")
    monkeypatch.setenv("HTTPS_PROXY", "http://elsewhere")
    function = make("""
        import os

        def handler(event, context):
            facts = {name: getattr(context, name) for name in dir(context) if not name.startswith("_")}
            facts["left"] = facts.pop("get_remaining_time_in_millis")()
            return [event, os.getcwd(), dict(os.environ), facts]
    """)
    event, folder, variables, context = function({"é": [1, None]})
    assert event == {"é": [1, None]}
    assert folder == variables["LAMBDA_TASK_ROOT"] == str(tmp_path)
    assert variables["_HANDLER"] == "written.handler"
    assert variables["TZ"] == ":UTC"
    assert not variables.keys() & {"AWS_PROFILE", "HTTPS_PROXY", "HOME"}
    assert context["function_name"] == variables["AWS_LAMBDA_FUNCTION_NAME"] == "imgpipe-test"
    assert context["memory_limit_in_mb"] == variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
    assert context["log_stream_name"] == variables["AWS_LAMBDA_LOG_STREAM_NAME"]
    assert context["invoked_function_arn"] == "arn:aws:lambda:us-east-1:123456789012:function:imgpipe-test"
    assert (SECONDS - 10) * 1000 < context["left"] <= SECONDS * 1000


def test_what_it_says_is_logged_before_its_answer_is_there(make: Make) -> None:
    function = make("""
        import logging, sys
        print("loaded")

        def handler(event, context):
            print('{"_aws": {}, "é": 1}')
            print("half", end="", file=sys.stderr)
            print(" a line", file=sys.stderr)
            logging.getLogger("imgpipe").info("done", extra={"key": "a.jpg", "requestId": context.aws_request_id})
            logging.getLogger("imgpipe").debug("nobody asked for this")
            try:
                1 / 0
            except ZeroDivisionError:
                logging.exception("oh")
    """)
    function.function.invoke(None, "request-1")
    *plain, info, error = function.said()
    assert plain == ["loaded", '{"_aws": {}, "é": 1}', "half a line"]
    told = json.loads(info)
    assert told.pop("timestamp")
    assert told == {
        "level": "INFO",
        "message": "done",
        "logger": "imgpipe",
        "requestId": "request-1",
        "key": "a.jpg",
    }
    assert json.loads(error)["errorType"] == "ZeroDivisionError"
    assert json.loads(error)["requestId"] == "request-1"
    function()
    assert "loaded" not in function.said()


@pytest.mark.parametrize(
    ("event", "kind", "error_type", "message", "status"),
    [
        ("hang", "timeout", "Sandbox.Timedout", "Task timed out after 1.00 seconds", "timeout"),
        ("babble", "timeout", "Sandbox.Timedout", "Task timed out after 1.00 seconds", "timeout"),
        ("exit", "died", "Runtime.ExitError", "Runtime exited with error: exit status 3", "failure"),
        ("leave", "died", "Runtime.ExitError", "Runtime exited without providing a reason", "failure"),
        ("crash", "died", "Runtime.ExitError", "signal: segmentation fault", "failure"),
        ("raise", "raised", "ValueError", "no such thing", "error"),
        ("unsayable", "raised", "TypeError", "not JSON serializable", "error"),
        ("too much", "raised", "Function.ResponseSizeTooLarge", str(PAYLOAD_BYTES), "error"),
    ],
)
def test_an_invocation_that_goes_wrong_is_told_in_lambdas_words(
    make: Make, event: str, kind: str, error_type: str, message: str, status: str
) -> None:
    function = make(ENDS, timeout=1)
    before = function()
    function.said()
    with pytest.raises(FunctionError) as raised:
        function(event)
    assert (raised.value.kind, raised.value.error_type) == (kind, error_type)
    assert message in raised.value.message
    said = function.said()
    assert said[0] == "began"
    assert len(said) <= 10_002  # with an unfinished one, and the report
    report = json.loads(said[-1])
    assert (report["type"], report["record"]["status"]) == ("platform.report", status)
    assert (function() == before) is (kind == "raised")


def test_a_worker_that_takes_no_event_is_ended_when_its_time_is_over(make: Make) -> None:
    function = make(ENDS, timeout=1)
    stopped = function()
    os.kill(stopped, signal.SIGSTOP)
    with pytest.raises(FunctionError) as raised:
        function("x" * 1_000_000)
    assert raised.value.kind == "timeout"
    assert function("x" * 1_000_000) != stopped


def test_what_the_handler_raised_is_logged_with_its_traceback(make: Make) -> None:
    function = make(ENDS)
    with pytest.raises(FunctionError):
        function.function.invoke("raise", "request-1")
    line = json.loads(function.said()[1])
    assert (line["level"], line["errorMessage"], line["errorType"]) == ("ERROR", "no such thing", "ValueError")
    assert line["requestId"] == "request-1"
    assert "in handler" in line["stackTrace"][0]


@pytest.mark.parametrize(
    ("source", "error_type", "message"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError", "nothing_of_that_name"),
        ("def other(event, context): ...", "AttributeError", "handler"),
        ("raise OSError('no recipe')", "OSError", "no recipe"),
        ("import os; os._exit(4)", "Runtime.ExitError", "exit status 4"),
    ],
)
def test_a_handler_that_cannot_be_imported_fails_each_invocation(
    make: Make, source: str, error_type: str, message: str
) -> None:
    function = make(source)
    for _ in range(2):
        with pytest.raises(FunctionError, match=message) as raised:
            function()
        assert (raised.value.kind, raised.value.error_type) == ("init", error_type)


def test_an_environment_that_cannot_be_started_is_told_and_costs_its_invocation_alone(make: Make) -> None:
    function = make(ENDS)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    os.close(free := os.dup(0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    try:
        with pytest.raises(FunctionError, match="Too many open files") as raised:
            function()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (raised.value.kind, raised.value.error_type) == ("init", "OSError")
    (report,) = function.said()
    assert json.loads(report)["record"] | {"requestId": "", "metrics": {}} == {
        "requestId": "", "metrics": {}, "status": "error", "errorType": "OSError",
    }  # fmt: skip
    assert function()


def test_one_environment_serves_one_invocation_after_another(make: Make) -> None:
    function = make(ENDS, concurrency=4)
    assert function() == function() == function()


def test_invocations_at_once_have_environments_of_their_own_up_to_the_most_that_there_may_be(make: Make) -> None:
    function = make(
        """
        import os, time

        def handler(event, context):
            began = time.monotonic()
            time.sleep(0.1)
            return [os.getpid(), began, time.monotonic()]
        """,
        concurrency=2,
    )
    with ThreadPoolExecutor(6) as threads:
        spans = list(threads.map(lambda _: function(), range(6)))
    assert len({pid for pid, _, _ in spans}) == 2
    for _, moment, _ in spans:
        assert sum(began <= moment < ended for _, began, ended in spans) <= 2


def test_an_environment_that_dies_idle_costs_no_invocation(make: Make) -> None:
    function = make(ENDS)
    pid = function()
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert function() != pid


def test_a_timeout_ends_what_the_handler_has_started(make: Make, pipe: Path) -> None:
    function = make(
        """
        import subprocess, sys

        def handler(event, context):
            subprocess.run([sys.executable, "-c", f"import time; pipe = open({event!r}, 'w'); time.sleep(1000)"])
        """,
        timeout=1,
    )
    with ThreadPoolExecutor(1) as thread:
        failing = thread.submit(function, str(pipe))
        with pipe.open() as reader:
            assert isinstance(failing.exception(SECONDS), FunctionError)
            assert reader.read() == ""


def test_closing_ends_an_invocation_under_way_at_once_and_quietly(make: Make, pipe: Path) -> None:
    function = make(HELD)
    with ThreadPoolExecutor(1) as thread:
        failing = thread.submit(function, str(pipe))
        with pipe.open() as reader:
            assert int(reader.readline())
            function.function.close()
            assert reader.read() == ""
        error = failing.exception(SECONDS)
    assert isinstance(error, FunctionError)
    assert error.kind == "died"
    assert function.said() == []
    with pytest.raises(FunctionError, match="closed"):
        function()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_behind_when_the_emulator_ends(tmp_path: Path, pipe: Path, number: int) -> None:
    (tmp_path / "written.py").write_text(textwrap.dedent(HELD))
    program = f"""
        from pathlib import Path
        from imgpipe.local.emulator.function import Function
        Function("f", "written.handler", {ENVIRONMENT!r}, Path("."), 1000, 512, print, concurrency=1).invoke("pipe")
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    ) as parent:
        with pipe.open() as reader:
            assert int(reader.readline())
            os.killpg(parent.pid, number)
            assert reader.read() == ""
        assert parent.stdout
        assert parent.stderr
        assert parent.stdout.read() == b""
        assert parent.stderr.read().count(b"Traceback") == (number == signal.SIGINT)  # its own, not its child's


def test_a_deployment_in_place_is_seen_by_what_is_invoked_after_it(make: Make, tmp_path: Path, pipe: Path) -> None:
    function = make(
        """
        import os

        def handler(event, context):
            if event:
                with open(event) as pipe:
                    pipe.read()
            return [os.environ["LAMBDA_TASK_ROOT"], os.environ.get("RECIPE")]
        """,
        concurrency=2,
    )
    assert function() == [str(tmp_path), None]
    new = tmp_path / "new"
    new.mkdir()
    (new / "written.py").write_text((tmp_path / "written.py").read_text())
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(function, str(pipe))
        with pipe.open("w"):
            function.function.replace(new, {**ENVIRONMENT, "RECIPE": "other"})
            assert function() == [str(new), "other"]
        assert running.result(SECONDS) == [str(tmp_path), None]
    assert function() == [str(new), "other"]


def test_threads_share_a_function(make: Make) -> None:
    function = make("def handler(event, context): return event * 2", concurrency=3)
    barrier = threading.Barrier(8)

    def call(number: int) -> list[int]:
        barrier.wait()
        return [function(number) for _ in range(20)]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(call, range(8))) == [[number * 2] * 20 for number in range(8)]
