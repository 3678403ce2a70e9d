"""What a stack made is held against what is made here, and each kind of difference is told as what it is."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from msgspec.structs import replace
from PIL import Image
from running_stack import Running

from imgpipe.local.stored import Stored
from imgpipe.local.verify import Verdict, Verifier, compare, sample
from imgpipe.worker.ports import Failure, Record, Rendition


def jpeg(colour: str = "red") -> bytes:
    data = io.BytesIO()
    Image.radial_gradient("L").resize((200, 150)).convert("RGB").save(data, "JPEG")
    return data.getvalue()


@contextmanager
def changed(running: Running, key: str) -> Iterator[list[Record]]:
    """Put whatever the body leaves in the list as the record of `key`."""
    entry = running.pipeline.catalog.get(key)
    assert entry
    records = [entry.record]
    yield records
    running.pipeline.catalog.put(records[-1], entry.revision)


def verified(running: Running, *keys: str) -> dict[str, Verdict]:
    with Verifier(running.pipeline, running.recipe) as verifier:
        return {verdict.key: verdict for verdict in verifier.verify(keys)}


def test_every_kind_of_difference_is_told(running: Running) -> None:
    bucket = running.pipeline.destination_bucket
    names = ("same", "builds", "tampered", "missing", "orphan", "recipe", "changed", "failing")
    for name in names:
        running.put(f"{name}/a b.jpg", jpeg())
    running.put("bad", b"no image")
    running.work()
    running.put("never", jpeg(), told=False)
    s3 = running.client("s3")
    made: dict[str, tuple[Rendition, ...]] = {}
    for name in names:
        entry = running.pipeline.catalog.get(f"{name}/a b.jpg")
        assert entry
        made[name] = entry.record.renditions
    other = Image.open(io.BytesIO(s3.get_object(Bucket=bucket, Key=made["builds"][0].key)["Body"].read()))
    data = io.BytesIO()
    other.save(data, other.format, quality=70)
    s3.put_object(Bucket=bucket, Key=made["builds"][0].key, Body=data.getvalue())
    with changed(running, "builds/a b.jpg") as records:
        first = replace(records[0].renditions[0], bytes=len(data.getvalue()))
        renditions = (first, *records[0].renditions[1:])
        records.append(replace(records[0], renditions=renditions, builds=records[0].builds | {"webp": "0.1"}))
    s3.put_object(Bucket=bucket, Key=made["tampered"][0].key, Body=b"something else")
    s3.delete_object(Bucket=bucket, Key=made["missing"][0].key)
    stray = f"{made['orphan'][0].key}.gif" if made["orphan"][0].format != "gif" else ""
    s3.put_object(Bucket=bucket, Key=stray, Body=b"stray")
    with changed(running, "recipe/a b.jpg") as records:
        records.append(replace(records[0], recipe="0" * 16))
    running.put("changed/a b.jpg", jpeg(), told=False)
    running.put("failing/a b.jpg", b"no image", told=False)
    with changed(running, "failing/a b.jpg") as records:
        stat = running.pipeline.sources.stat("failing/a b.jpg")
        assert stat
        records.append(replace(records[0], version=stat.version))
    keys = [*(f"{name}/a b.jpg" for name in names), "bad", "never"]
    running.account.session.calls.clear()
    told = verified(running, *keys)
    assert {key.split("/")[0]: verdict.verdict for key, verdict in told.items()} == {
        "same": "same",
        "builds": "alike",
        "tampered": "different",
        "missing": "different",
        "orphan": "different",
        "recipe": "stale",
        "changed": "stale",
        "failing": "different",
        "bad": "same",
        "never": "unmade",
    }
    assert told["builds/a b.jpg"].builds.keys() == {"webp"}
    assert "missing" in told["missing/a b.jpg"].renditions[0].message
    assert "overwritten" in told["tampered/a b.jpg"].renditions[0].message
    assert stray in {it.key for it in told["orphan/a b.jpg"].renditions}
    assert running.account.session.changing == []


def test_what_failed_for_want_of_memory_or_time_is_no_difference(running: Running) -> None:
    for key in ("memory.jpg", "other.jpg"):
        running.put(key, jpeg())
    running.work()
    for key, code in (("memory.jpg", "out_of_memory"), ("other.jpg", "corrupt")):
        with changed(running, key) as records:
            records.append(replace(records[0], status="failed", renditions=(), error=Failure(code, "So it was.")))
    told = verified(running, "memory.jpg", "other.jpg")
    assert {key: verdict.verdict for key, verdict in told.items()} == {"memory.jpg": "limits", "other.jpg": "different"}
    assert told["memory.jpg"].message == "Here it is done; in the stack it is failed (out_of_memory)."


def test_a_source_that_goes_while_it_is_fetched_is_no_difference(running: Running) -> None:
    running.put("a.jpg", jpeg())
    running.work()
    there = running.client("s3")

    def remove(**_: object) -> None:
        there.delete_object(Bucket=running.pipeline.source_bucket, Key="a.jpg")

    running.pipeline.session.client("s3").meta.events.register("before-call.s3.GetObject", remove)
    verdict = verified(running, "a.jpg")["a.jpg"]
    assert (verdict.verdict, verdict.message) == ("stale", "The source is gone.")


def encoded(level: int) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 8), (level, level, level)).save(data, "PNG")
    return data.getvalue()


HERE = Rendition(preset="web", key="web/a.png", width=8, height=8, bytes=5, format="png", watermark=False)


@pytest.mark.parametrize(
    ("stored", "explained", "verdict"),
    [
        (Stored(5, None), False, "same"),
        (Stored(5, encoded(101)), True, "alike"),
        (Stored(5, encoded(101)), False, "different"),
        (Stored(5, encoded(200)), True, "different"),
        (Stored(6, encoded(101)), True, "different"),
        (Stored(5, b"no image"), True, "different"),
        (None, True, "different"),
    ],
)
def test_builds_explain_other_bytes_and_no_other_picture(stored: Stored | None, explained: bool, verdict: str) -> None:
    assert compare(HERE, HERE, encoded(100), stored, explained=explained).verdict == verdict


def test_a_sample_has_each_once_and_no_more_than_there_are() -> None:
    assert sorted(sample(range(5), 9)) == [0, 1, 2, 3, 4]
    picked = sample(range(1000), 10)
    assert len(set(picked)) == 10
    assert {tuple(sample(range(10), 3)) for _ in range(50)} != {(0, 1, 2)}
