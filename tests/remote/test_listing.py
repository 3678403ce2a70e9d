"""The catalog's settled records, newest first, over as many pages as it takes."""

from collections.abc import Iterable

import pytest
from moto_cases import make_table
from stack_account import CATALOG, Account

from imgpipe.adapters.dynamodb import DynamoDBCatalog
from imgpipe.remote import listing
from imgpipe.remote.listing import newest
from imgpipe.worker.ports import Failure, Page, Record, Settled, rfc3339

BEGIN = 1_780_000_000.0


def record(key: str, second: float, status: Settled = "done") -> Record:
    error = Failure("empty", "It has no bytes.") if status == "failed" else None
    return Record(key=key, status=status, error=error, updated=rfc3339(BEGIN + second))


@pytest.fixture
def catalog(account: Account) -> DynamoDBCatalog:
    """Fifty records, a second after each other; every tenth failed."""
    make_table(account.client("dynamodb"), CATALOG)
    catalog = DynamoDBCatalog(account.session.client("dynamodb"), CATALOG)
    for number in range(50):
        folder = "even" if number % 2 == 0 else "odd"
        catalog.put(record(f"{folder}/{number}.jpg", number, "failed" if number % 10 == 0 else "done"), None)
    return catalog


def numbers(records: Iterable[Record]) -> list[int]:
    return [int(record.key.split("/")[1].removesuffix(".jpg")) for record in records]


def test_every_image_is_told_once_and_the_newest_first(
    catalog: DynamoDBCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert numbers(newest(catalog, 5)) == [49, 48, 47, 46, 45]
    monkeypatch.setattr(listing, "PAGE", 17)
    assert numbers(newest(catalog)) == list(range(49, -1, -1))
    assert numbers(newest(catalog, 40)) == list(range(49, 9, -1))


def test_prefix_status_and_time_narrow_it_together(catalog: DynamoDBCatalog) -> None:
    assert numbers(newest(catalog, since=BEGIN + 20, prefix="even/", status="failed")) == [40, 30, 20]
    assert list(newest(catalog, since=BEGIN + 50)) == []


def test_few_of_many_take_few_questions(account: Account, catalog: DynamoDBCatalog) -> None:
    account.session.calls.clear()
    assert numbers(newest(catalog, 1, prefix="even/0.")) == [0]
    assert len(account.session.calls) == 16  # one for each shard


class Lagging:
    """A feed whose second page still shows what an image of the first was before."""

    def page(self, limit: int, *, cursor: str | None = None, **_: object) -> Page:
        if cursor is None:
            return Page((record("a", 9), record("b", 8)), "more")
        return Page((record("a", 3, "failed"), record("c", 2)), None)


def test_an_image_is_not_told_again_as_it_was_before() -> None:
    assert [told.updated for told in newest(Lagging())] == [rfc3339(BEGIN + at) for at in (9, 8, 2)]
