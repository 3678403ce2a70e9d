"""A DynamoDB table as a catalog: an item is a record, its fields as native attributes, with what the table needs.

    key        partition key
    revision   what a compare-and-set names; it counts the puts
    claim      its `keys` are packed: they are many, nearly alike, and read by workers alone
    shard      with `feed` on settled records alone: the index `feed` holds what became of each source, not
    feed       every claim on the way; sorted by `updated`, spread over SHARDS partitions
    expires    on `deleted` records alone: when the table may forget them, in seconds since the epoch

Expressions name attributes by aliases alone (#NAME): `shard`, `key` and `status` are among DynamoDB's reserved words.
The low-level client is given, and nothing here imports the SDK, whose resources would cost each start of a function.
"""

import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from threading import Thread
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from imgpipe.errors import Conflict
from imgpipe.worker.ports import Entry, Page, Record, Settled

INDEX: Final = "feed"
SHARDS: Final = 16
"""Each takes 1,000 writes a second ("Partition throughput limits")."""
BATCH: Final = 100
"""Keys of one request ("BatchGetItem")."""
DELETED_DAYS: Final = 30
_LONGEST_SORT_KEY: Final = 1024
"""UTF-8 bytes ("Quotas"): a key as long as S3 allows does not fit behind a time."""
TRIES: Final = 8
"""Requests in a row of which all is left over: some ten seconds."""
_SHORTEST: Final = 0.05
_LONGEST: Final = 5.0
"""Seconds before what a request left over is asked for again."""
_FIRST: Final = " "
_LAST: Final = "\U0010ffff"
"""Sort before and behind every time."""

Item = Mapping[str, Mapping[str, Any]]
"""Attributes by name, each as {type: value}."""


class Stretch(NamedTuple):
    """A part of the feed, oldest first, and the place ("UPDATED#KEY") up to which it is whole: None for its end."""

    entries: tuple[Entry, ...]
    until: str | None


class DynamoDBCatalog:
    """A Catalog and a Feed in `table`, by a low-level client of botocore. Many threads may use it."""

    def __init__(
        self,
        client: Any,
        table: str,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._sleep = sleep

    def get(self, key: str) -> Entry | None:
        answer = self._client.get_item(TableName=self._table, Key={"key": {"S": key}}, ConsistentRead=True)
        item = answer.get("Item")
        return _to_entry(item) if item else None

    def entries(self, keys: Iterable[str]) -> dict[str, Entry]:
        """The entries of those of `keys` that have one, each as it was a moment ago: eventually consistent, at half
        the price. At most `BATCH` keys, no two alike. Raises the client's own error of throttling where `TRIES`
        requests in a row bring nothing."""
        found: dict[str, Entry] = {}
        wanted: list[Any] = [{"key": {"S": key}} for key in keys]
        vain = 0
        while wanted:
            answer = self._client.batch_get_item(RequestItems={self._table: {"Keys": wanted}})
            for item in answer["Responses"].get(self._table, ()):
                found[item["key"]["S"]] = _to_entry(item)
            # What is throttled, or does not fit the answer, is left over, and is no error that the client retries.
            left = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
            vain = 0 if len(left) < len(wanted) else vain + 1
            if vain == TRIES:
                throttled = {"Error": {"Code": "ThrottlingException", "Message": f"{len(left)} keys were left over"}}
                raise self._client.exceptions.ClientError(throttled, "BatchGetItem")
            wanted = left
            if wanted:
                self._sleep(min(_SHORTEST * 2**vain, _LONGEST))
        return found

    def put(self, record: Record, revision: int | None) -> int:
        item = to_item(record, (revision or 0) + 1, self._clock())
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(#revision)"}
        if revision is not None:
            condition = {
                "ConditionExpression": "#revision = :read",
                "ExpressionAttributeValues": {":read": {"N": str(revision)}},
            }
        names = {"#revision": "revision"}
        try:
            self._client.put_item(TableName=self._table, Item=item, ExpressionAttributeNames=names, **condition)
        except self._client.exceptions.ConditionalCheckFailedException:
            stored = self.get(record.key)
            if stored and stored.record == record:
                return stored.revision
            raise Conflict(record.key) from None
        return int(item["revision"]["N"])

    def page(
        self,
        limit: int,
        *,
        cursor: str | None = None,
        since: str | None = None,
        prefix: str | None = None,
        status: Settled | None = None,
    ) -> Page:
        oldest, newest = since or _FIRST, cursor or _LAST
        # DynamoDB refuses such a range. Python compares as UTF-8 sorts.
        if oldest > newest:
            return Page((), None)
        reads = self._read_all(self._query(limit, oldest, newest, prefix, status))
        # Behind the newest place where a shard's reading stopped, what it holds is not known yet.
        floor = max((read.stopped for read in reads), default="")
        found = [item for read in reads for item in read.items if floor <= _feed(item) != cursor]
        found.sort(key=_feed, reverse=True)
        if len(found) > limit:
            found = found[:limit]
            floor = _feed(found[-1])
        return Page(tuple(map(to_record, found)), floor or None)

    def stretch(self, limit: int, since: str, *, prefix: str | None = None, status: Settled | None = None) -> Stretch:
        """The feed from `since` on, a time (RFC 3339, UTC) or the place where another stretch ended, which is read
        again: at most `limit` records of each shard, two or more."""
        reads = self._read_all(self._query(limit, since, _LAST, prefix, status) | {"ScanIndexForward": True})
        # Behind the oldest place where a shard's reading stopped, what it holds is not known yet.
        ceiling = min((read.stopped for read in reads if read.stopped), default=None)
        found = [item for read in reads for item in read.items if ceiling is None or _feed(item) <= ceiling]
        found.sort(key=_feed)
        return Stretch(tuple(map(_to_entry, found)), ceiling)

    def _query(
        self, limit: int, oldest: str, newest: str, prefix: str | None, status: Settled | None
    ) -> dict[str, Any]:
        names = {"#shard": "shard", "#feed": "feed"}
        values = {":oldest": {"S": oldest}, ":newest": {"S": newest}}
        filters = []
        if prefix:
            filters.append("begins_with(#key, :prefix)")
            names["#key"] = "key"
            values[":prefix"] = {"S": prefix}
        if status:
            filters.append("#status = :status")
            names["#status"] = "status"
            values[":status"] = {"S": status}
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": INDEX,
            "KeyConditionExpression": "#shard = :shard AND #feed BETWEEN :oldest AND :newest",
            "ScanIndexForward": False,
            "Limit": limit + 1,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
        return query | {"FilterExpression": " AND ".join(filters)} if filters else query

    def _read_all(self, query: dict[str, Any]) -> list["_Read"]:
        """Every shard at once, by threads that a process which is interrupted need not wait for."""
        reads: list[_Read] = []
        errors: list[Exception] = []

        def read(shard: str) -> None:
            try:
                reads.append(self._read(query, shard))
            except Exception as error:
                errors.append(error)

        threads = [Thread(target=read, args=(_shard_name(number),), daemon=True) for number in range(SHARDS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return reads

    def _read(self, query: dict[str, Any], shard: str) -> "_Read":
        values = query["ExpressionAttributeValues"] | {":shard": {"S": shard}}
        answer = self._client.query(**query | {"ExpressionAttributeValues": values})
        last = answer.get("LastEvaluatedKey")
        return _Read(answer["Items"], last["feed"]["S"] if last else "")


class _Read(Struct, frozen=True):
    """What one shard holds, and where the reading stopped: "" where it came to the end."""

    items: list[Item]
    stopped: str


def to_item(record: Record, revision: int, now: float) -> dict[str, Any]:
    """The item of `record`; `now` is in seconds since the epoch."""
    fields = msgspec.to_builtins(record)
    if claim := fields.get("claim"):
        claim["keys"] = zlib.compress(msgspec.json.encode(claim["keys"]))
    fields["revision"] = revision
    if record.status != "processing":
        fields["shard"] = _shard_name(zlib.crc32(record.key.encode()) % SHARDS)
        feed = f"{record.updated}#{record.key}".encode()
        fields["feed"] = feed[:_LONGEST_SORT_KEY].decode(errors="ignore")
    if record.status == "deleted":
        fields["expires"] = int(now) + DELETED_DAYS * 86_400
    attributes: dict[str, Any] = _attribute(fields)["M"]
    return attributes


def to_record(item: Item) -> Record:
    """The record of an item, without the table's own attributes."""
    fields = {name: _value(attribute) for name, attribute in item.items()}
    if claim := fields.get("claim"):
        claim["keys"] = msgspec.json.decode(zlib.decompress(claim["keys"]))
    return msgspec.convert(fields, Record)


def _to_entry(item: Item) -> Entry:
    return Entry(to_record(item), int(item["revision"]["N"]))


def _attribute(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case bytes():
            return {"B": value}
        case int() | float():
            return {"N": repr(value)}
        case dict():
            return {"M": {name: _attribute(inner) for name, inner in value.items()}}
        case _:
            return {"L": [_attribute(inner) for inner in value]}


def _value(attribute: Mapping[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    match kind:
        case "NULL":
            return None
        case "N":
            return float(value) if "." in value or "E" in value.upper() else int(value)
        case "M":
            return {name: _value(inner) for name, inner in value.items()}
        case "L":
            return [_value(inner) for inner in value]
        case _:
            return value


def _feed(item: Item) -> str:
    feed: str = item["feed"]["S"]
    return feed


def _shard_name(number: int) -> str:
    return f"{number:02}"
