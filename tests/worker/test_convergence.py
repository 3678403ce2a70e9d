"""Whatever happens, and in whatever order: the newest source wins, and nothing is orphaned."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulation import World

from imgpipe.worker import claims, source
from imgpipe.worker import process as processing


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(min_size=20, max_size=400))
def test_every_story_ends_well(tape: bytes) -> None:
    World(tape).play()


def play(stories: int, length: int) -> None:
    for seed in range(stories):
        World(random.Random(seed).randbytes(length)).play()  # noqa: S311


def test_long_stories_end_well() -> None:
    play(20, 1000)


RULES: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "a claim names what it may write": (claims, "candidates", lambda recipe, key: ()),
    "a claim takes over what earlier ones left": (claims, "may_exist", lambda record: frozenset()),
    "a live lease is respected": (processing, "live_until", lambda record, now: None),
    "only what is done is skipped": (processing, "_is_settled", lambda record, stat, recipe, force: bool(record)),
    "what was put and is not seen is not believed to be gone": (
        source.Source,
        "_is_there",
        lambda source, stat: stat is not None,
    ),
    "deaths are counted once a lease has ended": (claims, "_strikes", lambda before, now: 3),
}


@pytest.mark.parametrize("rule", RULES)
def test_without_one_of_its_rules_some_story_ends_badly(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulation is worth nothing if it cannot fail."""
    monkeypatch.setattr(*RULES[rule])
    with pytest.raises(AssertionError):
        play(1000, 40)
