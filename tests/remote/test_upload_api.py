"""Uploads by the HTTP API: its real routes behind signatures, and a bucket behind policies, that are checked."""

import dataclasses
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from stack_account import CATALOG, SOURCE, Account
from upload_case import Place, kinds, photo, sent, unheard

from imgpipe.adapters.dynamodb import DynamoDBCatalog
from imgpipe.adapters.s3 import S3Presigner, S3Store
from imgpipe.adapters.sqs import SqsQueue
from imgpipe.core import recipe_file
from imgpipe.errors import AwsError, UsageError
from imgpipe.local.emulator.front import Front
from imgpipe.local.emulator.gateway import Gateway
from imgpipe.local.emulator.server import serve
from imgpipe.remote import emulated
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.session import Session
from imgpipe.remote.upload.choose import choose
from imgpipe.remote.upload.digest import PART
from imgpipe.remote.upload.events import Failed, Uploaded, Would
from imgpipe.remote.upload.run import Options, upload
from imgpipe.remote.upload.transfer import Meter
from imgpipe.worker.api import ROUTES, UPLOAD_SECONDS, Ports, respond

AtForm = Callable[[], tuple[int, bytes] | None]
BY_API = Options(by_api=True)
KEYS = {"testing": "testing"}


class Routes:
    """The function behind the API, without its process."""

    def __init__(self, session: Session) -> None:
        s3 = session.client("s3")
        links = S3Presigner(s3, SOURCE)
        catalog = DynamoDBCatalog(session.client("dynamodb"), CATALOG)
        queue = SqsQueue(session.client("sqs"), "none")
        recipe = recipe_file.load(None)
        self._ports = Ports(
            recipe, SOURCE, session.region, S3Store(s3, SOURCE), catalog, catalog, links, links, links, queue
        )

    def invoke(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        return respond(event, self._ports, lambda error: None)


class Api:
    """The API of a stack, with what it was asked. While `refusals` lasts, its numbers are answered instead. Each form
    goes through `at_form`, which may answer it with a status and a body."""

    def __init__(self, session: Session) -> None:
        self.asked: list[WSGIEnvironment] = []
        self.refusals: list[int] = []
        self.at_form: AtForm = lambda: None
        keys = [f"{route.method} {route.path}" for route in ROUTES]
        gateway = Gateway(keys, Routes(session), KEYS)  # type: ignore[arg-type]

        def application(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
            self.asked.append(environ)
            if not self.refusals:
                return gateway(environ, start_response)
            start_response(f"{self.refusals.pop()} Refused", [("Content-Length", "0")])
            return []

        server = serve(application, 0)
        self.url = f"http://127.0.0.1:{server.port}"
        self.close: Callable[[], None] = server.close
        self.pipeline: Pipeline


@pytest.fixture
def api(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """An API and a bucket that holds forms to their policies, as S3 does."""
    monkeypatch.setattr("imgpipe.remote.upload.api.random.random", lambda: 0.0)
    # The emulator's front and gateway take signatures for its own region alone.
    monkeypatch.setenv("AWS_REGION", emulated.REGION)
    bucket = Front(DomainDispatcherApplication(create_backend_app), KEYS, lambda queue, body: None)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        if environ.get("CONTENT_TYPE", "").startswith("multipart/form-data") and (told := made.at_form()):
            environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            start_response(f"{told[0]} Refused", [("Content-Length", str(len(told[1])))])
            return [told[1]]
        return bucket(environ, start_response)

    front = serve(application, 0)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{front.port}")
    made = Api(account.session)
    made.pipeline = Place(account, ApiEndpoint=made.url).pipeline
    yield made
    made.close()
    front.close()


def stored(account: Account, event: Uploaded) -> Any:
    return account.client("s3").get_object(Bucket=SOURCE, Key=event.key, VersionId=event.version)


def test_files_go_by_a_form_to_keys_of_the_api_s(account: Account, api: Api, tmp_path: Path) -> None:
    photo(tmp_path / "in/a/cat.jpg")
    photo(tmp_path / "in/b/cat.jpg", 30)
    events = [event for event in sent(api.pipeline, tmp_path / "in", options=BY_API) if isinstance(event, Uploaded)]
    assert len({event.key for event in events}) == 2
    for event in events:
        assert re.fullmatch(r"[0-9a-f]{32}/cat\.jpg", event.key)
        assert stored(account, event)["ContentType"] == "image/jpeg"
        assert stored(account, event)["Body"].read() == Path(event.path).read_bytes()


def test_a_large_file_streams_and_is_counted(account: Account, api: Api, tmp_path: Path) -> None:
    path = photo(tmp_path / "large.jpg")
    path.write_bytes(path.read_bytes() + bytes(2 * PART))
    choice = choose([str(path)])
    meter = Meter(path.stat().st_size)
    (event,) = upload(api.pipeline, choice, BY_API, meter, unheard)
    assert isinstance(event, Uploaded)
    assert stored(account, event)["ContentLength"] == meter.sent == meter.total == path.stat().st_size


def test_what_the_api_refuses_fails_with_its_code_and_the_rest_goes_on(api: Api, tmp_path: Path) -> None:
    photo(tmp_path / "in/cat.jpg")
    (tmp_path / "in/notes.txt").write_text("no image")
    events = sent(api.pipeline, tmp_path / "in", options=BY_API)
    assert kinds(events) == {"Uploaded": 1, "Failed": 1}
    (failure,) = (event for event in events if isinstance(event, Failed))
    assert failure.code == "unsupported_format"
    assert "application/octet-stream" in failure.message


def test_throttling_and_failures_of_the_api_are_outlasted(api: Api, tmp_path: Path) -> None:
    api.refusals += [429, 503, 500]
    assert kinds(sent(api.pipeline, photo(tmp_path / "cat.jpg"), options=BY_API)) == {"Uploaded": 1}
    assert len(api.asked) == 4
    api.refusals += [503] * 10
    (failure,) = sent(api.pipeline, tmp_path / "cat.jpg", options=BY_API)
    assert isinstance(failure, Failed)
    assert (failure.code, failure.outage) == ("unavailable", True)


def once(*answers: tuple[int, bytes] | None) -> AtForm:
    """Each of `answers` once, then none."""
    left = list(answers)
    return lambda: left.pop(0) if left else None


def refusal(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode()


@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (400, "RequestTimeout"), (400, "BadDigest")])
def test_a_form_that_s3_does_not_take_at_once_is_sent_again(
    account: Account, api: Api, tmp_path: Path, status: int, code: str
) -> None:
    api.at_form = once((status, refusal(code)))
    path = photo(tmp_path / "cat.jpg")
    meter = Meter(path.stat().st_size)
    (event,) = upload(api.pipeline, choose([str(path)]), BY_API, meter, unheard)
    assert isinstance(event, Uploaded)
    assert stored(account, event)["Body"].read() == path.read_bytes()
    assert (meter.sent, len(api.asked)) == (meter.total, 1)


def test_no_try_begins_with_a_form_that_is_near_its_end(
    account: Account, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = account.session.now

    def refuse() -> tuple[int, bytes] | None:
        if len(api.asked) > 1:
            return None
        monkeypatch.setattr(account.session, "now", lambda: now() + UPLOAD_SECONDS - 30)
        return 503, refusal("SlowDown")

    api.at_form = refuse
    path = photo(tmp_path / "cat.jpg")
    meter = Meter(path.stat().st_size)
    (event,) = upload(api.pipeline, choose([str(path)]), BY_API, meter, unheard)
    assert isinstance(event, Uploaded)
    assert stored(account, event)["Body"].read() == path.read_bytes()
    assert (meter.sent, len(api.asked)) == (meter.total, 2)


@pytest.mark.parametrize("change", ["grows", "is touched"])
def test_a_file_that_is_sent_whole_as_it_was_is_uploaded_though_it(
    account: Account, api: Api, tmp_path: Path, change: str
) -> None:
    path = photo(tmp_path / "large.jpg")
    path.write_bytes(path.read_bytes() + bytes(2 * PART))
    before = path.read_bytes()

    def meanwhile() -> None:
        with path.open("ab") as file:
            file.write(b"more" if change == "grows" else b"")
        os.utime(path, (0, 0))

    api.at_form = meanwhile
    (event,) = sent(api.pipeline, path, options=BY_API)
    assert isinstance(event, Uploaded)
    assert stored(account, event)["Body"].read() == before


@pytest.mark.parametrize("change", ["shrinks", "becomes another"])
def test_a_file_fails_alone_that_on_its_way(account: Account, api: Api, tmp_path: Path, change: str) -> None:
    path = photo(tmp_path / "large.jpg")
    path.write_bytes(path.read_bytes() + bytes(2 * PART))

    def meanwhile() -> tuple[int, bytes] | None:
        if change == "shrinks":
            os.truncate(path, PART)
            return None
        os.utime(path, (0, 0))
        return 400, refusal("BadDigest")

    api.at_form = meanwhile
    (event,) = sent(api.pipeline, path, options=BY_API)
    assert isinstance(event, Failed)
    assert (event.code, event.outage) == ("changed", False)
    assert "Contents" not in account.client("s3").list_objects_v2(Bucket=SOURCE)


def test_tries_are_as_many_as_the_environment_says(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    api.refusals += [503] * 10
    (failure,) = sent(Pipeline(Session(), api.pipeline.stack), photo(tmp_path / "cat.jpg"), options=BY_API)
    assert isinstance(failure, Failed)
    assert len(api.asked) == 2


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [(400, refusal("ExpiredToken"), "expired"), (403, refusal("RequestTimeTooSkewed"), "clock"),
     (403, refusal("AccessDenied"), "denied"), (404, refusal("NoSuchBucket"), "no_bucket")],
)  # fmt: skip
def test_what_s3_refuses_is_told_as_of_every_other_call(
    api: Api, tmp_path: Path, status: int, body: bytes, error: str
) -> None:
    api.at_form = once((status, body))
    with pytest.raises(AwsError) as raised:
        sent(api.pipeline, photo(tmp_path / "cat.jpg"), options=BY_API)
    assert raised.value.code == error


def test_credentials_that_the_api_does_not_take_end_it(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(AwsError, match="AWS refused POST /images of the HTTP API") as raised:
        sent(Pipeline(Session(), api.pipeline.stack), photo(tmp_path / "cat.jpg"), options=BY_API)
    assert raised.value.code == "denied"


def test_an_api_that_cannot_be_reached_ends_it(api: Api, tmp_path: Path) -> None:
    api.close()
    with pytest.raises(AwsError, match="cannot be reached") as raised:
        sent(api.pipeline, photo(tmp_path / "cat.jpg"), options=BY_API)
    assert raised.value.code == "unreachable"


def test_an_answer_that_is_no_api_s_ends_it(api: Api, tmp_path: Path) -> None:
    api.refusals += [200]
    with pytest.raises(AwsError, match="no HTTP API of imgpipe's"):
        sent(api.pipeline, photo(tmp_path / "cat.jpg"), options=BY_API)


def test_an_api_of_tokens_needs_one_and_gets_it(api: Api, tmp_path: Path) -> None:
    api.pipeline.stack.parameters["ApiAuth"] = "jwt"
    photo(tmp_path / "cat.jpg")
    with pytest.raises(UsageError, match="--token or IMGPIPE_TOKEN"):
        sent(api.pipeline, tmp_path / "cat.jpg", options=BY_API)
    with pytest.raises(AwsError, match="does not take the token"):
        sent(api.pipeline, tmp_path / "cat.jpg", options=dataclasses.replace(BY_API, token="abc"))  # noqa: S106
    assert api.asked[-1]["HTTP_AUTHORIZATION"] == "Bearer abc"


def test_a_dry_run_asks_the_api_nothing(api: Api, tmp_path: Path) -> None:
    (event,) = sent(api.pipeline, photo(tmp_path / "cat.jpg"), options=dataclasses.replace(BY_API, dry_run=True))
    assert isinstance(event, Would)
    assert (event.key, event.action, api.asked) == (None, "new", [])
