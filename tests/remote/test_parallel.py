"""The same work for many items at once."""

import threading
from collections.abc import Iterator

import pytest

from imgpipe.remote.parallel import THREADS, unordered


def test_every_item_has_its_result() -> None:
    assert sorted(unordered(lambda number: number * 2, range(1000))) == list(range(0, 2000, 2))


def test_items_are_taken_as_they_are_needed() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10_000):
            taken.append(number)
            yield number

    results = unordered(str, items())
    next(results)
    assert len(taken) <= 2 * THREADS
    results.close()


def test_what_was_under_way_is_told_before_what_was_raised() -> None:
    begun: list[int] = []
    first = threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        if number:
            assert first.wait(10)
            return number
        first.set()
        raise ValueError("0 will not do")

    told: list[int] = []
    with pytest.raises(ValueError, match="0 will not do"):
        told.extend(unordered(work, range(1000)))
    assert sorted([*told, 0]) == sorted(begun)
    assert len(begun) < 1000


def test_what_an_item_could_not_be_taken_for_is_raised_last() -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise OSError("no more pages")

    told: list[int] = []
    with pytest.raises(OSError, match="no more pages"):
        told.extend(unordered(lambda number: number, items()))
    assert sorted(told) == list(range(5))


def test_who_stops_listening_waits_for_nothing() -> None:
    never = threading.Event()
    results = unordered(lambda number: never.wait(60) if number else number, range(100))
    assert next(results) == 0
    results.close()
    assert threading.active_count() > 1, "threads still hang, and nobody waits for them"
    never.set()
