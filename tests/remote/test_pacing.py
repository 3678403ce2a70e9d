"""However old SQS's counts are and whatever fails for a while: all is sent once, and never too much at a time."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest
from botocore.exceptions import ClientError
from running_stack import Running

from imgpipe.errors import AwsError, StackError
from imgpipe.remote import pacing
from imgpipe.remote.pacing import SHARE, STILL, bound, paced
from imgpipe.remote.patience import Patience
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.queue import Messages

WORKERS = 10
MILLISECONDS = 300.0


class Line:
    """A queue and its workers in a time of their own; its count is `lag` seconds old."""

    def __init__(self, *, lag: float = 0, working: bool = True) -> None:
        self.now = 0.0
        self.sent: list[int] = []
        self.deepest = 0.0
        self._lag = lag
        self._rate = WORKERS * 1000 / MILLISECONDS if working else 0.0
        self._done = 0.0
        self._history = [(0.0, 0)]

    def count(self, *_: object) -> Messages:
        known = [depth for then, depth in self._history if then <= self.now - self._lag]
        return Messages(known[-1] if known else 0, 0)

    def send(self, batch: list[int]) -> list[int]:
        self.sent += batch
        self.deepest = max(self.deepest, len(self.sent) - self._done)
        return batch

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self._done = min(len(self.sent), self._done + seconds * self._rate)
        self._history.append((self.now, len(self.sent) - int(self._done)))

    def run(self, pipeline: Pipeline, count: int, patience: Patience | None = None) -> Iterator[pacing.Pace]:
        return paced(
            pipeline,
            range(count),
            self.send,
            patience or Patience(lambda _: None),
            milliseconds=MILLISECONDS,
            sleep=self.sleep,
            clock=lambda: self.now,
        )


PARAMETERS = {"MaxConcurrency": str(WORKERS), "ProcessorTimeout": "120"}
SESSION = SimpleNamespace(command=lambda *words: " ".join(words))
PIPELINE = cast(
    "Pipeline",
    SimpleNamespace(stack=SimpleNamespace(name="imgpipe", parameters=PARAMETERS), session=SESSION, queue_url=""),
)
"""As much of a pipeline as pacing needs besides a count."""


@pytest.mark.parametrize("lag", [0, 5, 15, 60])
def test_the_queue_stays_short_however_old_its_count_is(monkeypatch: pytest.MonkeyPatch, lag: float) -> None:
    line = Line(lag=lag)
    monkeypatch.setattr(pacing, "messages", line.count)
    count = 5_000
    assert list(line.run(PIPELINE, count))[-1].sent == count
    assert sorted(line.sent) == list(range(count))
    assert line.deepest <= bound(PIPELINE)
    at_best = count * MILLISECONDS / 1000 / WORKERS / SHARE
    assert line.now < 1.1 * at_best


@pytest.mark.parametrize("count", [0, 1, 99, 100])
def test_what_fits_a_queue_that_stands_still_is_sent_at_once(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    line = Line(working=False)
    monkeypatch.setattr(pacing, "messages", line.count)
    assert [pace.sent for pace in line.run(PIPELINE, count)] == [count][: min(count, 1)]
    assert line.now == 0


def test_what_does_not_fit_a_queue_that_stands_still_is_an_error_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(working=False)
    monkeypatch.setattr(pacing, "messages", line.count)
    with pytest.raises(StackError, match="No worker takes what is in the queue: 100 messages"):
        list(line.run(PIPELINE, 101))
    assert len(line.sent) == 100
    assert STILL < line.now < 2 * STILL


def test_what_arrives_meanwhile_counts(running: Running) -> None:
    for _ in range(7):
        running.tell("live.jpg")
    limit = bound(running.pipeline)
    assert next(Line().run(running.pipeline, 200)) == (limit - 7, limit)


def test_looks_and_sends_that_are_throttled_are_made_again_and_refused_ones_are_not(running: Running) -> None:
    line = Line()
    said: list[str | None] = []
    patience = Patience(lambda error: said.append(error.code if error else None))
    answers = ["ThrottlingException"] * 3
    sends: list[list[int]] = []

    def refuse(**_: object) -> None:
        if answers:
            raise ClientError({"Error": {"Code": answers.pop(), "Message": ""}}, "GetQueueAttributes")

    def send(batch: list[int]) -> list[int]:
        sends.append(batch)
        if len(sends) == 2:
            raise AwsError("unreachable", "SQS cannot be reached.", "")
        return line_send(batch)

    line_send, line.send = line.send, send  # type: ignore[method-assign]
    running.pipeline.session.client("sqs").meta.events.register("before-call.sqs.GetQueueAttributes", refuse)
    assert [pace.sent for pace in line.run(running.pipeline, 30, patience)] == [30]
    assert sorted(line.sent) == list(range(30))
    assert line.now == 1 + 2 + 4 + 1
    assert said == ["throttled", None, "unreachable", None]
    answers.append("AccessDenied")
    with pytest.raises(AwsError, match="refused"):
        list(line.run(running.pipeline, 1, patience))
