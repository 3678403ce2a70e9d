"""The DynamoDB catalog keeps the contract, and its items hold what the table's index and expiry need."""

import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from contract import CatalogContract, record
from hypothesis import given
from hypothesis import strategies as st
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords
from moto_cases import answer, aws, client, make_table, server
from msgspec.structs import replace

from imgpipe.adapters.dynamodb import TRIES, DynamoDBCatalog, to_item, to_record
from imgpipe.errors import AwsError, Conflict
from imgpipe.remote.session import aws_errors
from imgpipe.worker.ports import Claim, Entry, Failure, Record, rfc3339

TABLE = "catalog"
NOW = 1_763_805_600.0


class TestDynamoDBCatalog(CatalogContract):
    @pytest.fixture
    def catalog(self) -> Iterator[DynamoDBCatalog]:
        with aws():
            dynamodb = client("dynamodb")
            make_table(dynamodb, TABLE)
            yield DynamoDBCatalog(dynamodb, TABLE)


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with aws():
        dynamodb = client("dynamodb", retries={"mode": "standard", "total_max_attempts": 2})
        make_table(dynamodb, TABLE)
        yield dynamodb


@pytest.fixture
def catalog(dynamodb: Any) -> DynamoDBCatalog:
    return DynamoDBCatalog(dynamodb, TABLE, lambda: NOW)


def stored(dynamodb: Any, key: str = "a/cat.jpg") -> dict[str, Any]:
    item: dict[str, Any] = dynamodb.get_item(TableName=TABLE, Key={"key": {"S": key}})["Item"]
    return item


@given(st.text(), st.one_of(st.none(), st.floats(0, 4e9)), st.integers(0, 2**40), st.dictionaries(st.text(), st.text()))
def test_any_record_survives_its_item(text: str, ends: float | None, number: int, builds: dict[str, str]) -> None:
    claim = Claim(attempt=text, ends=ends, keys=(text, ""), strikes=number)
    full = replace(record(), error=Failure("", text), bytes=number, builds=builds, claim=claim)
    assert to_record(to_item(full, 1, NOW)) == full


def test_a_record_is_native_attributes(dynamodb: Any, catalog: DynamoDBCatalog) -> None:
    catalog.put(record(), None)
    item = stored(dynamodb)
    assert item["status"] == {"S": "done"}
    assert item["bytes"] == {"N": "5"}
    assert item["error"] == {"NULL": True}
    assert item["renditions"]["L"][0]["M"]["watermark"] == {"BOOL": False}
    assert item["revision"] == {"N": "1"}


def test_settled_records_alone_are_in_the_feed(dynamodb: Any, catalog: DynamoDBCatalog) -> None:
    revision = catalog.put(record(), None)
    assert stored(dynamodb)["feed"] == {"S": "2026-11-22T10:00:00.000Z#a/cat.jpg"}
    assert 0 <= int(stored(dynamodb)["shard"]["S"]) < 16
    shard = stored(dynamodb)["shard"]
    revision = catalog.put(record(status="processing"), revision)
    assert not {"feed", "shard", "expires"} & stored(dynamodb).keys()
    revision = catalog.put(record(status="failed"), revision)
    assert stored(dynamodb)["shard"] == shard
    assert "expires" not in stored(dynamodb)


def test_only_deleted_records_expire_after_thirty_days(dynamodb: Any, catalog: DynamoDBCatalog) -> None:
    catalog.put(record(status="deleted"), None)
    assert stored(dynamodb)["expires"] == {"N": str(int(NOW) + 30 * 86_400)}
    assert catalog.get("a/cat.jpg") == (record(status="deleted"), 1)


def test_the_longest_key_fits_the_index(catalog: DynamoDBCatalog) -> None:
    key = "\u00e9" * 512
    catalog.put(record(key), None)
    assert len(to_item(record(key), 1, NOW)["feed"]["S"].encode()) <= 1024
    assert [found.key for found in catalog.page(10).records] == [key]


def test_a_claim_on_hundreds_of_the_longest_keys_fits_an_item(catalog: DynamoDBCatalog) -> None:
    keys = tuple(f"preset-{number}/{'k' * 1000}.jpg" for number in range(1000))
    claim = Claim(attempt="a1", ends=NOW, keys=keys)
    claimed = replace(record(status="processing"), claim=claim)
    catalog.put(claimed, None)
    assert catalog.get("a/cat.jpg") == (claimed, 1)


def test_gets_are_strongly_consistent(dynamodb: Any, catalog: DynamoDBCatalog) -> None:
    asked = []
    dynamodb.meta.events.register(
        "provide-client-params.dynamodb.GetItem", lambda params, **_: asked.append(params["ConsistentRead"])
    )
    catalog.get("a/cat.jpg")
    assert asked == [True]


def test_every_attribute_in_an_expression_is_an_alias(dynamodb: Any, catalog: DynamoDBCatalog) -> None:
    """DynamoDB refuses reserved words as names, in conditions on keys too, where moto lets them pass."""
    sent: dict[str, list[str]] = {}

    def walk(params: dict[str, Any], model: Any, **_: Any) -> None:
        text = " ".join(value for name, value in params.items() if name.endswith("Expression"))
        words = re.findall(r"[#:]?\w+", text)
        sent.setdefault(model.name, []).extend(words)
        assert {word for word in words if word[0] == "#"} == params.get("ExpressionAttributeNames", {}).keys()
        assert {word for word in words if word[0] == ":"} == params.get("ExpressionAttributeValues", {}).keys()

    dynamodb.meta.events.register("provide-client-params.dynamodb", walk)
    revision = catalog.put(record(), None)
    catalog.put(record(status="failed"), revision)
    catalog.page(5, cursor=rfc3339(NOW), since=rfc3339(0), prefix="a/", status="failed")
    catalog.stretch(5, rfc3339(0), prefix="a/", status="failed")
    assert {name for name, words in sent.items() if words} == {"PutItem", "Query"}
    plain = {word for words in sent.values() for word in words if word[0] not in "#:"}
    assert plain == {"AND", "BETWEEN", "attribute_not_exists", "begins_with"}
    assert {word.upper() for word in plain}.intersection(ReservedKeywords.get_reserved_keywords()) == {"AND", "BETWEEN"}


def test_a_put_that_the_client_repeats_by_itself_succeeds(dynamodb: Any, catalog: DynamoDBCatalog) -> None:
    """The first answer is lost on its way; the second says that the record had changed, by the first."""
    lost = iter([True])

    def lose(response_dict: dict[str, Any], **_: Any) -> None:
        if next(lost, False):
            response_dict["status_code"] = 503

    dynamodb.meta.events.register("before-parse.dynamodb.PutItem", lose)
    revision = catalog.put(record(status="processing"), None)
    assert next(lost, None) is None
    assert catalog.put(record(), revision) == 2


def test_throttling_that_does_not_end_is_an_outage(dynamodb: Any, catalog: DynamoDBCatalog) -> None:
    def throttle(request: Any, **_: Any) -> Any:
        body = b'{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow down"}'
        return answer(request, 400, body)

    dynamodb.meta.events.register("before-send.dynamodb.*", throttle)
    with pytest.raises(dynamodb.exceptions.ClientError, match="slow down"):
        catalog.put(record(), None)
    with pytest.raises(dynamodb.exceptions.ClientError, match="slow down"):
        catalog.get("a/cat.jpg")


class Feed:
    """A catalog with `count` records, a millisecond apart; every third failed, every fourth of another prefix."""

    def __init__(self, catalog: DynamoDBCatalog, count: int) -> None:
        self.catalog = catalog
        self.newest_first: list[Record] = []
        for number in random.Random(1).sample(range(count), count):  # noqa: S311
            status = "done" if number % 3 else "failed"
            key = f"{'b' if number % 4 else 'a'}/{number}.jpg"
            self.newest_first.append(replace(record(key, status), updated=rfc3339(NOW + number / 1000)))
            catalog.put(self.newest_first[-1], None)
        self.newest_first.sort(key=lambda found: found.updated, reverse=True)

    def walk(self, limit: int, **asked: Any) -> list[Record]:
        """Every page, one after another."""
        found: list[Record] = []
        cursor = None
        while True:
            page = self.catalog.page(limit, cursor=cursor, **asked)
            assert len(page.records) <= limit
            found += page.records
            cursor = page.cursor
            if cursor is None:
                return found


@pytest.fixture
def feed(catalog: DynamoDBCatalog) -> Feed:
    return Feed(catalog, 40)


@pytest.mark.parametrize("limit", [3, 40, 100])
def test_pages_hold_every_record_once_newest_first(feed: Feed, limit: int) -> None:
    assert feed.walk(limit) == feed.newest_first


@pytest.mark.parametrize("limit", [3, 100])
def test_a_feed_can_be_narrowed(feed: Feed, limit: int) -> None:
    newest = feed.newest_first
    assert feed.walk(limit, status="failed") == [found for found in newest if found.status == "failed"]
    assert feed.walk(limit, prefix="a/") == [found for found in newest if found.key.startswith("a/")]
    assert feed.walk(limit, since=newest[9].updated) == newest[:10]
    assert feed.walk(limit, status="failed", prefix="a/", since=newest[20].updated) == [
        found for found in newest[:21] if found.status == "failed" and found.key.startswith("a/")
    ]


@pytest.mark.parametrize("limit", [2, 5, 100])
def test_stretches_hold_every_record_oldest_first_and_their_ends_again(feed: Feed, limit: int) -> None:
    oldest_first = feed.newest_first[::-1]
    since = oldest_first[3].updated
    found: list[Record] = []
    while True:
        entries, until = feed.catalog.stretch(limit, since)
        assert all(entry.revision == 1 for entry in entries)
        records = [entry.record for entry in entries]
        found += records[1:] if found and records[0] == found[-1] else records
        if until is None:
            break
        assert f"{records[-1].updated}#{records[-1].key}" == until
        since = until
    assert found == oldest_first[3:]


def test_a_stretch_can_be_narrowed(feed: Feed) -> None:
    found, until = feed.catalog.stretch(100, rfc3339(0), status="failed", prefix="a/")
    assert until is None
    assert [entry.record for entry in found] == [
        record for record in feed.newest_first[::-1] if record.status == "failed" and record.key.startswith("a/")
    ]


def test_a_page_before_the_first_moment_is_empty(feed: Feed) -> None:
    """DynamoDB refuses a range whose end comes before its beginning."""
    feed.catalog._client.meta.events.register("provide-client-params.dynamodb.Query", _in_order)
    cursor = feed.catalog.page(5).cursor
    assert feed.catalog.page(5, cursor=cursor, since=rfc3339(NOW + 1)) == ((), None)


def _in_order(params: dict[str, Any], **_: Any) -> None:
    values = params["ExpressionAttributeValues"]
    assert values[":oldest"]["S"].encode() <= values[":newest"]["S"].encode()


def test_a_page_does_not_repeat_what_comes_between(feed: Feed) -> None:
    first = feed.catalog.page(5)
    newer = replace(record("new.jpg"), updated=rfc3339(NOW + 100))
    feed.catalog.put(newer, None)
    second = feed.catalog.page(5, cursor=first.cursor)
    assert [*first.records, *second.records] == feed.newest_first[:10]


def test_the_contract_holds_behind_a_server_for_threads(dynamodb: Any) -> None:
    with server() as endpoint:
        remote = client("dynamodb", endpoint)
        make_table(remote, TABLE)
        CatalogContract().test_of_many_claims_one_succeeds(DynamoDBCatalog(remote, TABLE))


def test_a_conflict_is_no_sdk_error(catalog: DynamoDBCatalog) -> None:
    catalog.put(record(), None)
    with pytest.raises(Conflict):
        catalog.put(record(status="failed"), 7)


def test_records_are_read_by_the_hundred_and_what_is_left_over_is_read_again(
    dynamodb: Any, catalog: DynamoDBCatalog
) -> None:
    there = [replace(record(), key=f"{number}.jpg") for number in range(60)]
    for one in there:
        catalog.put(one, None)
    asked: list[int] = []

    def leave_over(parsed: dict[str, Any], **_: object) -> None:
        found = parsed["Responses"][TABLE]
        asked.append(len(found))
        if len(asked) < 3:
            left, parsed["Responses"][TABLE] = found[20:], found[:20]
            parsed["UnprocessedKeys"] = {TABLE: {"Keys": [{"key": item["key"]} for item in left]}}

    dynamodb.meta.events.register("after-call.dynamodb.BatchGetItem", leave_over)
    keys = [f"{number}.jpg" for number in range(100)]
    assert catalog.entries(keys) == {one.key: Entry(one, 1) for one in there}
    assert asked == [60, 40, 20]
    assert catalog.entries([]) == {}


def test_reads_of_which_all_is_left_over_again_and_again_end_as_throttled(dynamodb: Any) -> None:
    waits: list[float] = []
    catalog = DynamoDBCatalog(dynamodb, TABLE, sleep=waits.append)

    def leave_all(parsed: dict[str, Any], **_: object) -> None:
        parsed["UnprocessedKeys"] = {TABLE: {"Keys": [{"key": {"S": "a.jpg"}}]}}

    dynamodb.meta.events.register("after-call.dynamodb.BatchGetItem", leave_all)
    with pytest.raises(AwsError) as raised, aws_errors():
        catalog.entries(["a.jpg"])
    assert raised.value.code == "throttled"
    assert len(waits) == TRIES - 1
    assert waits == sorted(waits)
    assert 5 < sum(waits) < 30
