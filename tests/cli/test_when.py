"""How a time in the past is given on the command line."""

import time
from datetime import UTC, datetime, timedelta

import pytest
import typer

from imgpipe.cli.when import Past, since


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86_400), ("2w", 1_209_600)]
)
def test_a_span_reaches_that_far_back_from_now(text: str, seconds: int) -> None:
    before = time.time()
    assert before - seconds <= since(text) <= time.time() - seconds


def test_spans_and_times_are_held_against_a_clock_that_is_known_later() -> None:
    slow = datetime(2026, 1, 2, tzinfo=UTC).timestamp()
    assert Past("10m").moment(slow) == slow - 600
    assert Past("2026-01-02").moment(slow) == slow
    with pytest.raises(typer.BadParameter, match="still to come"):
        Past("2026-01-02T00:01").moment(slow)


def test_a_span_longer_than_time_itself_reaches_back_to_its_beginning() -> None:
    assert since("999999999d") == since("1960-01-01") == 0


@pytest.mark.parametrize(
    "text", ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05", "2026-01-02 03:04:05", "2026-01-02T05:04:05+02:00"]
)
def test_a_time_without_a_zone_is_utc(text: str) -> None:
    assert since(text) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()


def test_a_date_is_its_first_moment() -> None:
    assert since("2026-01-02") == datetime(2026, 1, 2, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("text", ["", "soon", "10", "m", "-5m", "1.5h", "10 m", "9999999999d", "2026-13-01", "10:00"])
def test_what_is_no_time_is_refused_with_what_is_one(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="neither a span") as refused:
        since(text)
    assert repr(text) in refused.value.message


def test_a_time_to_come_is_refused_with_the_zone_that_was_taken() -> None:
    text = (datetime.now(UTC) + timedelta(hours=2)).isoformat(timespec="minutes")
    with pytest.raises(typer.BadParameter, match="still to come; a time without a zone is UTC"):
        since(text)
