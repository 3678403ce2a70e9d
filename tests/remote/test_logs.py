"""The functions' own logs: every line once, in order, and through what passes."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from moto_cases import answer
from running_stack import Running

from imgpipe.errors import AwsError
from imgpipe.remote.logs import GROUPS, Logs, follow, so_far

FUNCTIONS = tuple(GROUPS)


class Journal:
    """Writes lines into the functions' log groups, at times relative to `now` in milliseconds."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._logs = running.client("logs")
        self.now = int(running.pipeline.session.now() * 1000)
        for output in GROUPS.values():
            for stream in ("one", "two"):
                self._logs.create_log_stream(logGroupName=running.outputs[output], logStreamName=stream)

    def write(self, function: str, lines: Sequence[tuple[int, str]], stream: str = "one") -> None:
        self._logs.put_log_events(
            logGroupName=self._running.outputs[GROUPS[function]],
            logStreamName=stream,
            logEvents=[{"timestamp": self.now + at, "message": text} for at, text in sorted(lines)],
        )


@pytest.fixture
def journal(running: Running) -> Journal:
    return Journal(running)


def reader(running: Running, functions: tuple[str, ...] = FUNCTIONS, **more: Any) -> Logs:
    since = running.pipeline.session.now() - 60
    return Logs(running.account.session, running.pipeline.stack, functions, since, **more)


def texts(lines: Any) -> list[str]:
    return [line.text for line in lines]


def test_lines_of_all_functions_and_streams_come_in_the_order_of_time(running: Running, journal: Journal) -> None:
    journal.write("processor", [(-30_000, "2"), (-10_000, "5")], "one")
    journal.write("processor", [(-40_000, "1"), (-15_000, "4")], "two")
    journal.write("api", [(-20_000, "3"), (-100_000, "too old")])
    assert texts(so_far(reader(running))) == ["1", "2", "3", "4", "5"]
    assert texts(so_far(reader(running, ("api",)))) == ["3"]


def test_a_pattern_is_cloudwatch_s_to_match(running: Running, journal: Journal) -> None:
    journal.write("processor", [(-2, json.dumps({"level": "ERROR"})), (-1, json.dumps({"level": "INFO"}))])
    assert texts(so_far(reader(running, pattern='"ERROR"'))) == ['{"level": "ERROR"}']


def test_a_line_that_comes_late_is_told_and_none_twice(running: Running, journal: Journal) -> None:
    log = reader(running)
    journal.write("processor", [(-3_000, "a"), (-1_000, "a")])
    assert texts(log.poll()) == ["a", "a"]
    assert texts(log.poll()) == []
    journal.write("processor", [(-2_000, "late")], "two")
    journal.write("api", [(-2_000, "late")])
    assert texts(log.poll()) == ["late", "late"]
    assert texts(log.poll()) == []


def test_what_is_remembered_is_bounded_and_seldom_gone_through(
    running: Running, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = [(-50_000 + 100 * number, f"past {number}") for number in range(300)]
    new = [(-5_000 + number, f"new {number}") for number in range(300)]
    journal.write("processor", [*past, *new])
    log = reader(running)
    remembered = {id(log._told): log._told}
    sizes = []
    told = []
    for line in log.poll():
        told.append(line.text)
        remembered[id(log._told)] = log._told
        sizes.append(len(log._told))
    assert told == [text for _, text in (*past, *new)]
    assert max(sizes[:300]) <= 12
    assert len(remembered) <= 42
    assert texts(log.poll()) == []


def test_following_outlasts_throttling_and_an_expired_sign_in(
    running: Running, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    codes = iter(["ThrottlingException", "ThrottlingException", "", "", "ExpiredTokenException"])

    def refuse(request: Any, **_: Any) -> Any:
        code = next(codes, "")
        return answer(request, 400, f'{{"__type": "{code}", "message": "no"}}'.encode()) if code else None

    running.account.session.client("logs").meta.events.register("before-send.logs.FilterLogEvents", refuse)
    journal.write("processor", [(-2, "first")])
    told: list[str | None] = []
    renewed = []

    def connect() -> Any:
        renewed.append(True)
        journal.write("processor", [(-1, "second")])
        return running.account.session

    def say(error: AwsError | None) -> None:
        told.append(error.code if error else None)

    found = follow(reader(running), connect, say, renewing=True, sleep=lambda _: None)
    assert [next(found).text, next(found).text] == ["first", "second"]
    assert told == ["throttled", None, "expired", None]
    assert renewed == [True]
