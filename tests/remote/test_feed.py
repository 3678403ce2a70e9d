"""The feed read forward: each result once and in order, whatever the index, AWS and the way to it do meanwhile."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto_cases import answer, client, make_table
from msgspec.structs import replace
from running_stack import Running
from stack_account import Account

from imgpipe.adapters.dynamodb import DynamoDBCatalog, Stretch, to_item
from imgpipe.errors import AwsError
from imgpipe.remote import feed as feeds
from imgpipe.remote.feed import Feed, follow, to_the_end
from imgpipe.remote.pipeline import Pipeline, open_pipeline
from imgpipe.remote.session import Session
from imgpipe.worker.ports import Entry, Record, Status, rfc3339

NOW = 1_763_805_600.0
TABLE = "catalog"


def settled(key: str, at: float, status: Status = "done") -> Record:
    return Record(key=key, status=status, updated=rfc3339(at))


def polled(feed: Feed) -> list[Record]:
    """What a look tells, and those that are due at once after it."""
    told = feed.poll()
    while feed.is_behind:
        told += feed.poll()
    return [entry.record for entry in told]


class Clock:
    """A clock that goes as a test says."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dynamodb(account: Account) -> Any:
    dynamodb = client("dynamodb", account.url, retries={"total_max_attempts": 1}, max_pool_connections=32)
    make_table(dynamodb, TABLE)
    return dynamodb


@pytest.fixture
def catalog(dynamodb: Any) -> DynamoDBCatalog:
    return DynamoDBCatalog(dynamodb, TABLE)


def fail(dynamodb: Any, code: str, calls: Iterator[bool]) -> None:
    """Have DynamoDB answer a query with the error `code` where the next of `calls` says so."""
    body = f'{{"__type": "com.amazonaws.dynamodb.v20120810#{code}", "message": "no"}}'.encode()
    dynamodb.meta.events.register(
        "before-send.dynamodb.Query", lambda request, **_: answer(request, 400, body) if next(calls, False) else None
    )


def test_what_settled_is_told_once_and_oldest_first(catalog: DynamoDBCatalog, clock: Clock) -> None:
    feed = Feed(catalog, since=NOW - 100, clock=clock)
    records = [settled(f"{number}.jpg", NOW - 50 + number) for number in range(40)]
    for record in random.Random(1).sample(records, 40):  # noqa: S311
        catalog.put(record, None)
    catalog.put(settled("before.jpg", NOW - 101), None)
    catalog.put(Record(key="at-work.jpg", status="processing", updated=rfc3339(NOW)), None)
    assert polled(feed) == records
    for _ in range(10):
        clock.now += 8
        assert polled(feed) == []
    newer = settled("newer.jpg", clock.now)
    catalog.put(newer, None)
    assert polled(feed) == [newer]


def test_a_look_is_sixteen_queries_and_no_scan(catalog: DynamoDBCatalog, dynamodb: Any, clock: Clock) -> None:
    calls: list[str] = []
    dynamodb.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))
    polled(Feed(catalog, since=NOW, clock=clock))
    assert calls == ["Query"] * 16


def test_a_long_past_comes_in_bounded_looks_without_a_repeat(
    catalog: DynamoDBCatalog, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "PAGE", 2)
    records = [settled(f"{number}.jpg", NOW - 300 + number) for number in range(70)]
    for record in records:
        catalog.put(record, None)
    feed = Feed(catalog, since=0, clock=clock)
    looks = list(to_the_end(feed))
    assert [record for look in looks for record in look] == records
    assert max(map(len, looks)) <= 32
    assert len(feed._told) < 40


def test_a_record_that_the_index_shows_a_minute_late_is_told(catalog: DynamoDBCatalog, clock: Clock) -> None:
    feed = Feed(catalog, since=NOW, clock=clock)
    for _ in range(15):
        clock.now += 4
        assert polled(feed) == []
    late = settled("late.jpg", clock.now - 59)
    catalog.put(late, None)
    told = []
    for _ in range(8):
        clock.now += 4
        told += polled(feed)
    assert told == [late]


def test_an_image_s_results_come_in_order_by_whichever_clock_they_were_written(
    catalog: DynamoDBCatalog, dynamodb: Any, clock: Clock
) -> None:
    feed = Feed(catalog, since=NOW - 10, clock=clock)
    first, second = settled("a.jpg", NOW + 1.5, "failed"), settled("a.jpg", NOW)
    revision = catalog.put(first, None)
    assert polled(feed) == [first]
    revision = catalog.put(replace(second, status="processing"), revision)
    catalog.put(second, revision)
    assert polled(feed) == [second]

    def repeat_the_first(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Items"].append(to_item(first, 1, NOW))

    dynamodb.meta.events.register("after-call.dynamodb.Query", repeat_the_first)
    clock.now += 1
    assert polled(feed) == []


def test_what_is_remembered_is_bounded_by_the_lag(catalog: DynamoDBCatalog, clock: Clock) -> None:
    feed = Feed(catalog, since=NOW, clock=clock)
    for number in range(40):
        clock.now += 10
        catalog.put(settled(f"{number}.jpg", clock.now), None)
        assert [record.key for record in polled(feed)] == [f"{number}.jpg"]
    assert len(feed._told) <= (feeds.LATEST + feeds.THOROUGH_EVERY) / 10 + 1


def test_a_feed_is_narrowed_where_it_is_read(catalog: DynamoDBCatalog, clock: Clock) -> None:
    for key, status in (("a/1.jpg", "done"), ("a/2.jpg", "failed"), ("b/3.jpg", "failed")):
        catalog.put(settled(key, NOW, status), None)  # type: ignore[arg-type]
    asked: dict[str, Any] = {"since": NOW - 1, "clock": clock}
    assert [record.key for record in polled(Feed(catalog, prefix="a/", **asked))] == ["a/1.jpg", "a/2.jpg"]
    assert [record.key for record in polled(Feed(catalog, status="failed", prefix="a/", **asked))] == ["a/2.jpg"]


def test_a_look_that_fails_in_the_middle_loses_nothing(catalog: DynamoDBCatalog, dynamodb: Any, clock: Clock) -> None:
    records = [settled(f"{number}.jpg", NOW + number) for number in range(40)]
    for record in records:
        catalog.put(record, None)
    feed = Feed(catalog, since=NOW, clock=clock)
    fail(dynamodb, "ThrottlingException", iter([False] * 7 + [True]))
    with pytest.raises(dynamodb.exceptions.ClientError):
        polled(feed)
    assert polled(feed) == records


class Index:
    """A feed of which each record is visible only some time after it was written, as `DynamoDBCatalog.stretch` reads
    it: the newest record of a key takes the place of the one before it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.written: list[tuple[float, Entry]] = []

    def stretch(self, limit: int, since: str, **_: object) -> Stretch:
        visible = {entry.record.key: entry for at, entry in self.written if at <= self._clock.now}
        found = sorted((f"{entry.record.updated}#{key}", entry) for key, entry in visible.items())
        found = [(place, entry) for place, entry in found if place >= since]
        until = found[limit][0] if len(found) > limit else None
        return Stretch(tuple(entry for place, entry in found if until is None or place <= until), until)


def test_news_wait_for_one_thorough_look_and_not_for_all_of_them(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "PAGE", 5)
    index = Index(clock)
    feed = Feed(index, since=NOW, clock=clock)  # type: ignore[arg-type]
    for number in range(100):
        clock.now += 1
        index.written.append((clock.now, Entry(settled(f"{number}.jpg", clock.now), 1)))
        polled(feed)
    clock.now += feeds.THOROUGH_EVERY
    for number in range(4):
        clock.now += 0.1
        index.written.append((clock.now, Entry(settled(f"news-{number}.jpg", clock.now), 1)))
        assert feed.is_behind
        assert [entry.record.key for entry in [*feed.poll(), *feed.poll()]] == [f"news-{number}.jpg"]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_lag_every_image_s_last_result_is_told_once_and_in_order(
    seed: int, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "PAGE", 5)
    chance = random.Random(seed)  # noqa: S311
    index = Index(clock)
    feed = Feed(index, since=NOW, clock=clock)  # type: ignore[arg-type]
    told: list[tuple[str, str]] = []
    revisions: dict[str, int] = {}
    shown: dict[str, float] = {}
    for _ in range(400):
        clock.now += chance.choice([0.1, 1, 1, 5, chance.choice([1, 90])])
        for key in chance.sample([f"{number}.jpg" for number in range(60)], chance.choice([0, 1, 3])):
            revisions[key] = revisions.get(key, 0) + 1
            entry = Entry(settled(key, clock.now), revisions[key])
            # An item's changes reach the index in their order.
            shown[key] = max(shown.get(key, 0), clock.now + chance.choice([0, 0.3, chance.uniform(0, 59)]))
            index.written.append((shown[key], entry))
            index.written.sort(key=lambda written: written[0])
        told += [(record.key, record.updated) for record in polled(feed)]
    for _ in range(100):
        clock.now += 1
        told += [(record.key, record.updated) for record in polled(feed)]
    last = {entry.record.key: entry.record.updated for _, entry in index.written}
    assert len(told) == len(set(told))
    assert dict(told) == last
    for key in last:
        times = [updated for name, updated in told if name == key]
        assert times == sorted(times)


class Told:
    """What a follower says, and how long it waits, which takes no time here."""

    def __init__(self) -> None:
        self.codes: list[str | None] = []
        self.waits: list[float] = []

    def say(self, error: AwsError | None) -> None:
        self.codes.append(error.code if error else None)


def start(running: Running, told: Told, connect: Callable[[], Any], *, renewing: bool = True) -> Iterator[list[Record]]:
    feed = Feed(running.pipeline.catalog, since=NOW - 1)
    return follow(feed, connect, told.say, renewing=renewing, sleep=told.waits.append)


def once(running: Running) -> Any:
    """The pipeline's client, each call of which is tried once."""
    dynamodb = running.client("dynamodb")
    running.pipeline.__dict__["catalog"] = DynamoDBCatalog(dynamodb, running.pipeline.table)
    return dynamodb


def test_throttling_is_said_once_and_outlasted(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    dynamodb = once(running)
    running.pipeline.catalog.put(settled("a.jpg", NOW), None)
    fail(dynamodb, "ProvisionedThroughputExceededException", iter([True] * 16 * 8))
    told = Told()
    (record,) = next(start(running, told, lambda: None))
    assert record.key == "a.jpg"
    assert told.codes == ["throttled", None]
    assert told.waits[:8] == [1, 2, 4, 8, 16, 30, 30, 30]


def test_credentials_that_ran_out_are_read_again_and_time_with_them(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    fail(once(running), "ExpiredTokenException", iter([True] * 16 * 100))
    newer = open_pipeline(Session(), "imgpipe")
    newer.catalog.put(settled("a.jpg", NOW), None)
    told = Told()
    answers: Iterator[AwsError | Pipeline]
    answers = iter([AwsError("expired", "", ""), AwsError("unreachable", "", ""), newer])

    def connect() -> Pipeline:
        found = next(answers)
        if isinstance(found, AwsError):
            raise found
        return found

    feed = Feed(running.pipeline.catalog, since=NOW - 1, clock=running.pipeline.session.now)
    (record,) = next(follow(feed, connect, told.say, renewing=True, sleep=told.waits.append))
    assert record.key == "a.jpg"
    assert told.codes == ["expired", "unreachable", None]
    assert feed.clock == newer.session.now


def test_what_does_not_pass_ends_it(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    dynamodb = once(running)
    for code, expected in (("AccessDeniedException", "denied"), ("ExpiredTokenException", "expired")):
        fail(dynamodb, code, iter([True] * 16))
        with pytest.raises(AwsError) as raised:
            next(start(running, Told(), lambda: None, renewing=False))
        assert raised.value.code == expected
