"""What every Store and every Catalog promises, whatever lies behind it. A test class for each inherits these."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from imgpipe.errors import Conflict, ImageError
from imgpipe.worker.ports import Catalog, Claim, Failure, Milliseconds, Record, Rendition, Store

KEYS = ("cat.jpg", "a/cat.jpg", "a/b/c/déjà vu + 1 %20.jpg", "Ж/.jpg", "name with \\ and : and *.jpg")


class StoreContract:
    """`store` is an empty store."""

    @pytest.mark.parametrize("key", KEYS)
    def test_what_is_written_is_read(self, store: Store, key: str) -> None:
        store.write(key, b"\xff\xd8 bytes", "image/jpeg")
        blob = store.read(key, 100)
        assert blob is not None
        assert blob.data == b"\xff\xd8 bytes"
        assert (blob.stat.key, blob.stat.bytes) == (key, 8)
        assert blob.stat == store.stat(key)

    def test_where_nothing_lies_is_none(self, store: Store) -> None:
        assert store.stat("a/cat.jpg") is None
        assert store.read("a/cat.jpg", 100) is None
        assert store.stat("n" * 2000) is None

    def test_no_more_than_the_limit_is_read_and_the_whole_is_told(self, store: Store) -> None:
        store.write("cat.jpg", b"123456", "image/jpeg")
        blob = store.read("cat.jpg", 4)
        assert blob is not None
        assert blob.data == b"1234"
        assert blob.stat == store.stat("cat.jpg")
        assert blob.stat.bytes == 6

    def test_an_overwrite_has_another_version(self, store: Store) -> None:
        store.write("cat.jpg", b"123456", "image/jpeg")
        before = store.stat("cat.jpg")
        store.write("cat.jpg", b"654321", "image/jpeg")
        after = store.stat("cat.jpg")
        assert before is not None
        assert after is not None
        assert before.version != after.version
        blob = store.read("cat.jpg", 100, before.version)
        assert blob is not None
        assert (blob.data, blob.stat.version) == (b"654321", after.version)

    def test_times_are_rfc_3339_in_utc(self, store: Store) -> None:
        store.write("cat.jpg", b"1", "image/jpeg")
        stat = store.stat("cat.jpg")
        assert stat is not None
        assert len(stat.modified) == len("2026-11-22T10:00:00.000Z")
        assert stat.modified[10] == "T"
        assert stat.modified.endswith("Z")

    def test_what_is_deleted_is_gone_and_what_is_not_there_is_no_error(self, store: Store) -> None:
        for key in ("a/1.jpg", "a/b/2.jpg", "a/b/3.jpg"):
            store.write(key, b"1", "image/jpeg")
        store.delete(["a/1.jpg", "a/b/2.jpg", "a/1.jpg", "never/there.jpg", "a/b", "n" * 2000])
        assert store.stat("a/1.jpg") is None
        assert store.stat("a/b/2.jpg") is None
        assert store.stat("a/b/3.jpg") is not None

    def test_what_lies_there_is_not_gone(self, store: Store) -> None:
        store.write("cat.jpg", b"1", "image/jpeg")
        assert not store.is_gone("cat.jpg")

    def test_a_key_that_cannot_be_is_an_answer(self, store: Store) -> None:
        with pytest.raises(ImageError) as caught:
            store.write("n" * 1100 + ".jpg", b"1", "image/jpeg")
        assert caught.value.code == "key_too_long"

    def test_a_reader_sees_one_whole_write_or_another(self, store: Store) -> None:
        whole = [bytes([value]) * 300_000 for value in range(4)]
        store.write("cat.jpg", whole[0], "image/jpeg")

        def write(data: bytes) -> None:
            for _ in range(5):
                store.write("cat.jpg", data, "image/jpeg")

        with ThreadPoolExecutor(len(whole)) as pool:
            writers = [pool.submit(write, data) for data in whole]
            while not all(writer.done() for writer in writers):
                blob = store.read("cat.jpg", 1_000_000)
                assert blob is not None
                assert blob.data in whole
            for writer in writers:
                writer.result()


def record(key: str = "a/cat.jpg", status: str = "done") -> Record:
    """A record with every field in use."""
    full = Record(
        key=key,
        status="done",
        version="5-1",
        modified="2026-11-22T10:00:00.000Z",
        bytes=5,
        width=4032,
        height=3024,
        format="jpeg",
        recipe="0123456789abcdef",
        renditions=(
            Rendition(
                preset="web", key=f"web/{key}", width=1600, height=1200, bytes=9, format="jpeg", watermark=False,
                notes=("watermark_too_small",),
            ),
        ),
        milliseconds=Milliseconds(1, 2, 3, 6),
        builds={"pillow": "13.0.0"},
        updated="2026-11-22T10:00:00.000Z",
    )  # fmt: skip
    match status:
        case "processing":
            claim = Claim(attempt="a1", ends=1_763_805_600.25, keys=(f"web/{key}", "ü"), strikes=1)
            return replace(full, status="processing", renditions=(), claim=claim)
        case "failed":
            return replace(full, status="failed", renditions=(), error=Failure("corrupt", "It is torn – “here”."))
        case "deleted":
            return Record(key=key, status="deleted", updated="2026-11-22T10:00:00.000Z")
    return full


class CatalogContract:
    """`catalog` is an empty catalog."""

    def test_what_is_not_known_is_none(self, catalog: Catalog) -> None:
        assert catalog.get("a/cat.jpg") is None

    @pytest.mark.parametrize("status", ["processing", "done", "failed", "deleted"])
    def test_a_record_comes_back_as_it_was_put(self, catalog: Catalog, status: str) -> None:
        put = record("Ж/déjà vu.jpg", status)
        revision = catalog.put(put, None)
        assert catalog.get(put.key) == (put, revision)

    def test_a_put_at_the_revision_read_succeeds(self, catalog: Catalog) -> None:
        first = catalog.put(record(status="processing"), None)
        second = catalog.put(record(), first)
        assert second != first
        assert catalog.get("a/cat.jpg") == (record(), second)

    def test_a_put_at_another_revision_changes_nothing(self, catalog: Catalog) -> None:
        first = catalog.put(record(status="processing"), None)
        second = catalog.put(record(), first)
        for revision in (None, first, second + 1):
            with pytest.raises(Conflict):
                catalog.put(record(status="failed"), revision)
        assert catalog.get("a/cat.jpg") == (record(), second)

    def test_a_put_of_what_is_not_there_needs_no_revision(self, catalog: Catalog) -> None:
        with pytest.raises(Conflict):
            catalog.put(record(), 1)
        assert catalog.get("a/cat.jpg") is None

    def test_a_put_whose_answer_was_lost_succeeds_again(self, catalog: Catalog) -> None:
        first = catalog.put(record(status="processing"), None)
        assert catalog.put(record(status="processing"), None) == first
        second = catalog.put(record(), first)
        assert catalog.put(record(), first) == second
        assert catalog.get("a/cat.jpg") == (record(), second)

    def test_keys_do_not_touch_each_other(self, catalog: Catalog) -> None:
        revisions = {key: catalog.put(record(key), None) for key in ("a", "A", "a/b", "é", "e\u0301")}
        for key, revision in revisions.items():
            assert catalog.get(key) == (record(key), revision)

    def test_of_many_claims_one_succeeds(self, catalog: Catalog) -> None:
        def claim(number: int) -> bool:
            mine = record(status="processing")
            assert isinstance(mine.claim, Claim)
            try:
                catalog.put(replace(mine, claim=replace(mine.claim, attempt=str(number))), None)
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(claim, range(16))) == 1
