"""The S3 store keeps the contract, with versions and without, and takes no outage for an absence."""

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from contract import StoreContract
from moto_cases import answer, aws, client, make_bucket, server

from imgpipe.adapters.s3 import S3Presigner, S3Store

BUCKET = "photos"


class TestS3Store(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[S3Store]:
        with aws():
            s3 = client("s3")
            make_bucket(s3, BUCKET)
            yield S3Store(s3, BUCKET)

    # moto closes an overwritten object under whoever reads it. With versions it overwrites none.
    test_a_reader_sees_one_whole_write_or_another = None  # type: ignore[assignment]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with server() as endpoint:
        yield endpoint


class TestS3StoreWithVersionsBehindAServer(StoreContract):
    @pytest.fixture
    def store(self, endpoint: str, request: pytest.FixtureRequest) -> S3Store:
        s3 = client("s3", endpoint)
        name = f"photos-{hashlib.sha256(request.node.name.encode()).hexdigest()[:16]}"
        make_bucket(s3, name, versions=True)
        return S3Store(s3, name)


@pytest.fixture
def s3() -> Iterator[Any]:
    with aws():
        s3 = client("s3", retries={"mode": "standard", "total_max_attempts": 2})
        make_bucket(s3, BUCKET, versions=True)
        yield s3


@pytest.fixture
def store(s3: Any) -> S3Store:
    return S3Store(s3, BUCKET)


class Calls:
    """Every request to S3, by operation; `answers` takes the place of S3's own."""

    def __init__(self, s3: Any) -> None:
        self.made: list[str] = []
        self.headers: dict[str, str] = {}
        self.answer: tuple[int, bytes] | None = None
        s3.meta.events.register("before-send.s3", self._note)

    def _note(self, request: Any, event_name: str, **_: Any) -> Any:
        self.made.append(event_name.rpartition(".")[2])
        self.headers = {
            name: value if isinstance(value, str) else value.decode() for name, value in request.headers.items()
        }
        if self.answer is None:
            return None
        return answer(request, *self.answer)


def test_the_version_is_s3s_own(store: S3Store, s3: Any) -> None:
    store.write("cat.jpg", b"1", "image/jpeg")
    stat = store.stat("cat.jpg")
    assert stat
    assert stat.version == s3.head_object(Bucket=BUCKET, Key="cat.jpg")["VersionId"]
    store.write("cat.jpg", b"1", "image/jpeg")
    again = store.stat("cat.jpg")
    assert again
    assert again.version != stat.version


def test_without_versions_the_etag_is_the_version(s3: Any) -> None:
    make_bucket(s3, "plain")
    store = S3Store(s3, "plain")
    store.write("cat.jpg", b"1", "image/jpeg")
    stat = store.stat("cat.jpg")
    assert stat
    assert stat.version == hashlib.md5(b"1").hexdigest()  # noqa: S324 - what S3 makes it of


def test_a_read_is_one_request(store: S3Store, s3: Any) -> None:
    store.write("cat.jpg", b"1" * 100_000, "image/jpeg")
    calls = Calls(s3)
    store.read("cat.jpg", 1_000_000)
    store.read("cat.jpg", 10)
    assert calls.made == ["GetObject", "GetObject"]


def test_what_is_written_says_its_type_and_its_checksum(store: S3Store, s3: Any) -> None:
    calls = Calls(s3)
    store.write("cat.webp", b"bytes", "image/webp")
    assert calls.headers["x-amz-checksum-sha256"] == base64.b64encode(hashlib.sha256(b"bytes").digest()).decode()
    assert s3.head_object(Bucket=BUCKET, Key="cat.webp")["ContentType"] == "image/webp"


@pytest.mark.parametrize("status", [403, 500, 503])
def test_an_outage_is_no_absence(store: S3Store, s3: Any, status: int) -> None:
    Calls(s3).answer = (status, b"")
    for call in (store.stat, store.is_gone, lambda key: store.read(key, 1), lambda key: store.delete([key])):
        with pytest.raises(s3.exceptions.ClientError):
            call("cat.jpg")


def test_a_missing_bucket_is_no_absence(s3: Any) -> None:
    store = S3Store(s3, "nowhere")
    for call in (store.stat, lambda key: store.read(key, 1)):
        with pytest.raises(s3.exceptions.NoSuchBucket):
            call("cat.jpg")


def test_only_a_removal_that_s3_knows_of_is_certain(store: S3Store) -> None:
    assert not store.is_gone("cat.jpg")
    store.write("cat.jpg", b"1", "image/jpeg")
    assert not store.is_gone("cat.jpg")
    store.delete(["cat.jpg"])
    assert store.is_gone("cat.jpg")


def test_many_keys_are_deleted_in_batches_of_a_thousand(store: S3Store, s3: Any) -> None:
    store.write("cat-1000.jpg", b"1", "image/jpeg")
    calls = Calls(s3)
    store.delete([f"cat-{number}.jpg" for number in range(1001)])
    assert calls.made == ["DeleteObjects", "DeleteObjects"]
    assert store.stat("cat-1000.jpg") is None


def test_a_key_that_could_not_be_deleted_is_told(store: S3Store, s3: Any) -> None:
    Calls(s3).answer = (
        200,
        b"<DeleteResult><Error><Key>cat.jpg</Key><Code>AccessDenied</Code></Error></DeleteResult>",
    )
    with pytest.raises(OSError, match=": AccessDenied"):
        store.delete(["cat.jpg"])


def test_a_key_that_xml_cannot_say_is_deleted_all_the_same(store: S3Store, s3: Any) -> None:
    calls = Calls(s3)
    store.delete(["a\x01.jpg", "b\r.jpg"])
    assert calls.made == ["DeleteObject", "DeleteObjects"]


def test_a_read_that_ends_early_is_an_outage(store: S3Store, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write("cat.jpg", b"1" * 100, "image/jpeg")
    whole = s3.get_object

    def cut(**asked: Any) -> Any:
        return whole(**asked) | {"ContentLength": 200}

    monkeypatch.setattr(s3, "get_object", cut)
    for limit in (150, 1000):
        with pytest.raises(OSError, match="100 of"):
            store.read("cat.jpg", limit)


def test_an_upload_is_pinned_to_its_key_type_and_size_at_the_regional_host() -> None:
    s3 = client("s3", signature_version="s3v4", s3={"addressing_style": "virtual"})
    form = S3Presigner(s3, BUCKET).form("ab/${filename}", "image/jpeg", 1234, "c2hh", 300)
    assert form.url == "https://photos.s3.eu-west-1.amazonaws.com/"
    assert form.fields["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
    policy = json.loads(base64.b64decode(form.fields["policy"]))
    pinned = {name: value for rule in policy["conditions"] if isinstance(rule, dict) for name, value in rule.items()}
    assert pinned["key"] == form.fields["key"] == "ab/${filename}"
    assert pinned["bucket"] == BUCKET
    assert ["content-length-range", 1234, 1234] in policy["conditions"]
    unpinned = form.fields.keys() - pinned.keys()
    assert unpinned == {"policy", "x-amz-signature"}
    assert all(form.fields[name] == pinned[name] for name in form.fields.keys() - unpinned)


def test_a_link_serves_an_image_under_its_name(store: S3Store, s3: Any) -> None:
    url = S3Presigner(client("s3", signature_version="s3v4"), BUCKET).link('web/a/caf\u00e9 "1".jpg', "image/jpeg", 300)
    assert "X-Amz-Expires=300" in url
    assert "response-content-type=image%2Fjpeg" in url
    assert "response-content-disposition=inline%3B%20filename%2A%3DUTF-8%27%27caf%25C3%25A9%2520%25221%2522.jpg" in url
