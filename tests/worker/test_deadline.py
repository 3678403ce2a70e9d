"""A deadline ends rendering with an answer and everything else with Late, and leaves no alarm behind."""

import signal
import time
from collections.abc import Iterator

import pytest

from imgpipe.core.pipeline import Output, Rendering
from imgpipe.core.recipe import Format, Recipe
from imgpipe.errors import ImageError, Retry
from imgpipe.worker.deadline import Deadline, Late

RECIPE = Recipe(presets=())


def quick(data: bytes, recipe: Recipe) -> Rendering:
    return Rendering(Format.JPEG, 1, 1, iter(()))


def slow(data: bytes, recipe: Recipe) -> Rendering:
    time.sleep(5)
    raise AssertionError("it was not ended")


def slow_later(data: bytes, recipe: Recipe) -> Rendering:
    def outputs() -> Iterator[Output]:
        time.sleep(5)
        yield Output("web", Format.JPEG, 1, 1, b"", False, ())

    return Rendering(Format.JPEG, 1, 1, outputs())


def swallowing(data: bytes, recipe: Recipe) -> Rendering:
    try:
        time.sleep(5)
    except BaseException:
        time.sleep(5)
    raise AssertionError("it was not ended")


@pytest.mark.parametrize("render", [slow, slow_later, swallowing])
def test_rendering_beyond_its_time_is_an_answer(render: object) -> None:
    with (
        Deadline(2, 0.6, render) as deadline,  # type: ignore[arg-type]
        pytest.raises(ImageError, match="after 1 seconds") as caught,
    ):
        list(deadline.render(b"", RECIPE).outputs)
    assert caught.value.code == "deadline"


@pytest.mark.parametrize(("seconds", "before"), [(0.4, 0.3), (0.1, 0.2), (-3, 0)])
def test_rendering_that_others_left_too_little_time_comes_again(seconds: float, before: float) -> None:
    with Deadline(2, seconds, slow) as deadline:
        time.sleep(before)
        with pytest.raises(Retry, match=r"only 0\.\d seconds"):
            deadline.render(b"", RECIPE)


def test_storing_between_outputs_is_not_rendering() -> None:
    def outputs() -> Iterator[Output]:
        yield Output("web", Format.JPEG, 1, 1, b"", False, ())
        time.sleep(5)

    with Deadline(2, 0.4, lambda data, recipe: Rendering(Format.JPEG, 1, 1, outputs())) as deadline:
        rendered = deadline.render(b"", RECIPE).outputs
        next(rendered)
        time.sleep(0.3)
        with pytest.raises(Retry):
            next(rendered)


def test_after_rendering_there_is_time_to_store() -> None:
    with Deadline(2, 0.1, quick) as deadline:
        assert list(deadline.render(b"", RECIPE).outputs) == []
        time.sleep(0.2)


def test_waiting_beyond_the_time_is_late() -> None:
    began = time.monotonic()
    with pytest.raises(Late), Deadline(0.1, 0.05, quick):
        time.sleep(5)
    assert time.monotonic() - began < 2


def test_no_alarm_rings_afterwards() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with Deadline(0.05, 0.05, quick):
        pass
    time.sleep(0.1)
    assert signal.getsignal(signal.SIGALRM) is before
