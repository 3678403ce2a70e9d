"""The function as Lambda calls it, with moto's S3, SQS and DynamoDB behind it: from a put to its record, and back."""

import importlib
import io
import json
import logging
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from moto_cases import REGION, answer, client, make_bucket, make_table, server
from PIL import Image

from imgpipe.adapters.dynamodb import DynamoDBCatalog
from imgpipe.adapters.s3 import S3Presigner
from imgpipe.core import recipe_file
from imgpipe.core.pipeline import render
from imgpipe.worker.events import envelope
from imgpipe.worker.ids import to_id
from imgpipe.worker.ports import Claim, Record

KEY = "holiday/d\u00e9j\u00e0 vu + 1.jpg"
RECIPE = """
[presets.web]
width = 60
[presets.thumb]
fit = "cover"
width = 16
height = 16
format = "webp"
watermark = false
[watermark]
text = "PROOF"
min_size = 0
"""


@dataclass
class Context:
    """What Lambda tells of a request."""

    seconds: float = 60.0
    aws_request_id: str = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


class Stack:
    """Buckets, a queue that hears of the source, a table, and the environment that names them."""

    def __init__(self, endpoint: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        name = uuid.uuid4().hex[:12]
        self.source, self.destination, self.table = f"{name}-source", f"{name}-destination", name
        self.s3, self.sqs, self.dynamodb = (client(service, endpoint) for service in ("s3", "sqs", "dynamodb"))
        make_bucket(self.s3, self.source, versions=True)
        make_bucket(self.s3, self.destination)
        make_table(self.dynamodb, self.table)
        self.queue = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]
        self.s3.put_bucket_notification_configuration(
            Bucket=self.source,
            NotificationConfiguration={
                "QueueConfigurations": [{"QueueArn": attributes["QueueArn"], "Events": ["s3:ObjectCreated:*"]}]
            },
        )
        self.sqs.purge_queue(QueueUrl=self.queue)  # of the test event
        self.catalog = DynamoDBCatalog(self.dynamodb, self.table)
        (root / "imgpipe.toml").write_text(RECIPE)
        self.recipe = recipe_file.load(root / "imgpipe.toml")
        self.environment = {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": endpoint,
            "IMGPIPE_STACK": "photos",
            "IMGPIPE_SOURCE_BUCKET": self.source,
            "IMGPIPE_DESTINATION_BUCKET": self.destination,
            "IMGPIPE_CATALOG_TABLE": self.table,
            "IMGPIPE_QUEUE_URL": self.queue,
            "LAMBDA_TASK_ROOT": str(root),
        }
        for variable, value in self.environment.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.delitem(sys.modules, "imgpipe.lambda_function", raising=False)
        self.function: ModuleType = importlib.import_module("imgpipe.lambda_function")

    def put(self, data: bytes, key: str = KEY) -> None:
        self.s3.put_object(Bucket=self.source, Key=key, Body=data)

    def event(self) -> dict[str, Any]:
        """What Lambda makes of the queue's messages."""
        received = self.sqs.receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=10, AttributeNames=["All"], WaitTimeSeconds=1
        )
        return {
            "Records": [
                {"messageId": message["MessageId"], "body": message["Body"], "attributes": message["Attributes"]}
                for message in received["Messages"]
            ]
        }

    def process(self, event: dict[str, Any], seconds: float = 60) -> list[str]:
        """The ids of the messages that come again."""
        made = self.function.process(event, Context(seconds))
        return [item["itemIdentifier"] for item in made["batchItemFailures"]]

    def record(self, key: str = KEY) -> Record:
        entry = self.catalog.get(key)
        assert entry
        return entry.record

    def renditions(self) -> dict[str, bytes]:
        listed = self.s3.list_objects_v2(Bucket=self.destination).get("Contents", [])
        return {
            found["Key"]: self.s3.get_object(Bucket=self.destination, Key=found["Key"])["Body"].read()
            for found in listed
        }

    def expected(self, data: bytes) -> list[bytes]:
        return sorted(output.data for output in render(data, self.recipe).outputs)

    def interfere(self, event: str, handler: Any) -> None:
        """Let `handler` answer requests in the place of AWS, once the function starts."""
        self.function._session.register(event, handler)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with server() as endpoint:
        yield endpoint


@pytest.fixture
def stack(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    return Stack(endpoint, tmp_path, monkeypatch)


def photo(width: int = 120, height: int = 80, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.radial_gradient("L").resize((width, height)).convert("RGB").save(file, **{"format": "JPEG"} | options)
    return file.getvalue()


def test_what_is_put_ends_as_the_renditions_that_the_recipe_asks_for(
    stack: Stack, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    stack.put(data := photo())
    event = stack.event()
    with caplog.at_level(logging.INFO, "imgpipe"):
        assert stack.process(event) == []
    assert sorted(stack.renditions().values()) == stack.expected(data)
    record = stack.record()
    assert (record.status, record.recipe, record.bytes) == ("done", stack.recipe.hash, len(data))
    assert record.version == stack.s3.head_object(Bucket=stack.source, Key=KEY)["VersionId"]
    assert {made.key for made in record.renditions} == stack.renditions().keys()
    web = stack.s3.head_object(Bucket=stack.destination, Key=f"web/{KEY}")
    assert web["ContentType"] == "image/jpeg"

    (line,) = [vars(line) for line in caplog.records if line.name == "imgpipe"]
    assert (line["levelname"], line["key"], line["status"], line["requestId"]) == ("INFO", KEY, "done", "request-1")
    assert line["milliseconds"]["total"] >= 0
    metrics = json.loads(capsys.readouterr().out)
    (described,) = metrics["_aws"]["CloudWatchMetrics"]
    assert (described["Namespace"], described["Dimensions"], metrics["Stack"]) == ("imgpipe", [["Stack"]], "photos")
    assert all(isinstance(metrics[metric["Name"]], int) for metric in described["Metrics"])
    assert (metrics["Images"], metrics["Failures"], metrics["SourceBytes"]) == (1, 0, len(data))
    assert metrics["RenditionBytes"] == sum(map(len, stack.renditions().values()))


def test_a_duplicate_is_looked_at_and_neither_rendered_nor_counted_again(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.put(photo())
    event = stack.event()
    stack.process(event)
    first = stack.record()
    capsys.readouterr()
    time.sleep(0.002)
    assert stack.process(event) == []
    assert stack.record() == first
    assert capsys.readouterr().out == ""


def test_an_overwrite_replaces_and_a_removal_removes(stack: Stack) -> None:
    stack.put(photo())
    stack.process(stack.event())
    stack.put(data := photo(100, 100, format="PNG"))
    stack.process(stack.event())
    assert sorted(stack.renditions().values()) == stack.expected(data)
    stack.s3.delete_object(Bucket=stack.source, Key=KEY)
    assert stack.process(envelope(stack.source, KEY, removed=True)) == []
    assert stack.record().status == "deleted"
    assert stack.renditions() == {}


def test_a_put_that_was_removed_is_believed_at_once_by_its_delete_marker(stack: Stack) -> None:
    stack.put(photo())
    event = stack.event()
    stack.process(event)
    stack.s3.delete_object(Bucket=stack.source, Key=KEY)
    assert stack.process(event) == []
    assert stack.record().status == "deleted"


def test_a_put_that_is_not_to_be_seen_is_believed_gone_from_the_third_receive(
    stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    event = envelope(stack.source, "never.jpg", message_id="m1")
    attributes = event["Records"][0]["attributes"]
    for receives, failed in ((1, ["m1"]), (2, ["m1"]), (3, []), (4, [])):
        caplog.clear()
        attributes["ApproximateReceiveCount"] = str(receives)
        with caplog.at_level(logging.INFO, "imgpipe"):
            assert stack.process(event) == failed
        (line,) = [vars(line) for line in caplog.records if line.name == "imgpipe"]
        assert ("never.jpg" in line["message"], line["receives"]) == (True, receives)


def test_the_sdk_is_heard_from_its_warnings_on(stack: Stack, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert not logging.getLogger("botocore.credentials").isEnabledFor(logging.INFO)
        assert logging.getLogger("botocore.credentials").isEnabledFor(logging.WARNING)


def test_a_folder_made_in_the_console_is_ignored(stack: Stack) -> None:
    stack.put(b"", "holiday/")
    assert stack.process(stack.event()) == []
    assert stack.catalog.get("holiday/") is None


def test_a_bad_image_is_an_answer(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.put(b"no image")
    assert stack.process(stack.event()) == []
    record = stack.record()
    assert record.error
    assert (record.status, record.error.code) == ("failed", "unsupported_format")
    assert json.loads(capsys.readouterr().out)["Failures"] == 1


def test_an_image_that_killed_three_workers_fails(stack: Stack) -> None:
    stack.put(photo())
    version = stack.s3.head_object(Bucket=stack.source, Key=KEY)["VersionId"]
    claim = Claim(attempt="dead", ends=time.time() - 1, keys=(f"web/{KEY}",), strikes=2)
    stack.catalog.put(
        Record(key=KEY, status="processing", version=version, recipe=stack.recipe.hash, updated="", claim=claim), None
    )
    stack.s3.put_object(Bucket=stack.destination, Key=f"web/{KEY}", Body=b"half")
    assert stack.process(stack.event()) == []
    record = stack.record()
    assert record.error
    assert record.error.code == "decoder_crashed"
    assert stack.renditions() == {}


def test_what_a_crashed_worker_left_is_made_anew(stack: Stack) -> None:
    crash = """
import json, os
from imgpipe.core import pipeline
real = pipeline.render
def render(data, recipe):
    rendering = real(data, recipe)
    def outputs():
        yield next(rendering.outputs)
        os._exit(9)
    import dataclasses
    return dataclasses.replace(rendering, outputs=outputs())
pipeline.render = render
function._LEASE_AFTER = -59.9
class Context:
    aws_request_id = "r"
    def get_remaining_time_in_millis(self):
        return 60_000
function.process(json.loads(sys.stdin.read()), Context())
"""
    stack.put(data := photo())
    event = stack.event()
    died = subprocess.run(
        [sys.executable, "-c", f"import sys, imgpipe.lambda_function as function{crash}"],
        env=stack.environment, input=json.dumps(event), text=True, timeout=60,
    )  # fmt: skip
    assert died.returncode == 9
    assert stack.renditions().keys() == {f"web/{KEY}"}
    claim = stack.record().claim
    assert isinstance(claim, Claim)
    assert f"web/{KEY}" in claim.keys
    time.sleep(0.2)
    assert stack.process(event) == []
    assert sorted(stack.renditions().values()) == stack.expected(data)


def test_a_worker_that_still_works_is_left_alone(stack: Stack) -> None:
    stack.put(photo())
    claim = Claim(attempt="other", ends=time.time() + 60, keys=())
    stack.catalog.put(Record(key=KEY, status="processing", updated="", claim=claim), None)
    event = stack.event()
    assert stack.process(event) == [event["Records"][0]["messageId"]]
    assert stack.record().claim == claim


def test_what_cannot_be_rendered_in_time_fails_with_a_code(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgpipe.core.pipeline.render", lambda data, recipe: time.sleep(60))
    stack.put(photo())
    assert stack.process(stack.event(), seconds=9.5) == []
    record = stack.record()
    assert record.error
    assert (record.status, record.error.code) == ("failed", "deadline")
    assert stack.renditions() == {}


def test_an_image_that_no_time_was_left_for_comes_again_and_is_no_strike(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack.function, "_SHORT", 1)
    stack.put(photo(3000, 2000))
    event = stack.event()
    assert stack.process(event, seconds=5) == [event["Records"][0]["messageId"]]
    claim = stack.record().claim
    assert isinstance(claim, Claim)
    assert (claim.ends, claim.strikes) == (None, 0)


def test_an_invocation_of_two_seconds_leaves_time_to_render_and_to_store(stack: Stack) -> None:
    stack.put(photo())
    assert stack.process(stack.event(), seconds=2) == []
    assert stack.record().status == "done"


def test_what_s3_delays_until_the_deadline_comes_again_and_is_no_strike(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack.function, "_SHORT", 1)
    monkeypatch.setattr(stack.function, "_STORE", 0.2)
    began = time.monotonic()
    stack.interfere("before-send.s3.PutObject", lambda **_: time.sleep(30))
    stack.put(photo())
    event = stack.event()
    assert stack.process(event, seconds=4) == [event["Records"][0]["messageId"]]
    assert time.monotonic() - began < 4
    claim = stack.record().claim
    assert isinstance(claim, Claim)
    assert (claim.ends, claim.strikes) == (None, 0)
    time.sleep(0.01)  # an alarm that was left would ring now


def test_throttling_is_retried_then_an_outage_then_over(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    slow_down = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"
    refused: list[str] = []
    limit = 4

    def throttle(request: Any, **_: Any) -> Any:
        if len(refused) < limit:
            refused.append(request.url)
            return answer(request, 503, slow_down)
        return None

    stack.interfere("before-send.s3.PutObject", throttle)
    stack.put(data := photo())
    event = stack.event()
    assert len(stack.process(event)) == 1
    assert len(refused) == 4
    (line,) = [vars(line) for line in caplog.records if line.name == "imgpipe"]
    assert (line["levelname"], line["reason"], line["requestId"]) == ("ERROR", "ClientError", "request-1")
    limit = 6
    assert stack.process(event) == []
    assert sorted(stack.renditions().values()) == stack.expected(data)


def start(stack: Stack, program: str, **environment: str) -> str:
    made = subprocess.run(
        [sys.executable, "-c", f"import sys, imgpipe.lambda_function as function\n{program}"],
        env=stack.environment | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return made.stdout.strip()


def test_each_handler_loads_what_it_needs_when_it_starts(stack: Stack) -> None:
    loaded = "print([name in sys.modules for name in ('PIL', 'boto3', 'imgpipe.worker.api')])"
    assert start(stack, loaded, _HANDLER="imgpipe.lambda_function.api") == "[False, False, True]"
    assert start(stack, loaded, _HANDLER="imgpipe.lambda_function.process") == "[True, False, False]"


def test_memory_is_bounded_by_what_the_function_has(stack: Stack) -> None:
    program = """
try:
    bytearray(300_000_000)
except MemoryError:
    print("refused")
bytearray(20_000_000)
"""
    function = {"_HANDLER": "imgpipe.lambda_function.process", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "320"}
    assert start(stack, program, **function) == "refused"


def request(method: str, path: str, body: object = None) -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": path,
        "requestContext": {"http": {"method": method}},
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


def test_the_api_leads_from_an_upload_to_the_renditions(stack: Stack) -> None:
    def ask(method: str, path: str, body: object = None) -> Any:
        made = stack.function.api(request(method, path, body), Context())
        assert made["statusCode"] < 300, made
        return json.loads(made["body"])

    data = photo()
    offer = ask("POST", "/images", {"name": "../My cat.jpg", "content_type": "image/jpeg", "size": len(data)})
    image = f"/images/{offer['id']}"
    assert stack.function.api(request("GET", image), Context())["statusCode"] == 404
    assert post(offer["upload"], data) == 204
    assert ask("GET", image)["status"] == "queued"
    assert stack.s3.head_object(Bucket=stack.source, Key=offer["key"])["ContentType"] == "image/jpeg"
    assert stack.process(stack.event()) == []
    done = ask("GET", image)
    assert (done["status"], done["id"]) == ("done", offer["id"])
    assert sorted(fetch(made["url"]) for made in done["renditions"]) == stack.expected(data)
    assert fetch(done["url"]) == data
    assert ask("GET", "/images")["images"][0]["id"] == done["id"]

    ask("POST", f"{image}/reprocess")
    stack.s3.delete_object(Bucket=stack.destination, Key=done["renditions"][0]["key"])
    assert stack.process(stack.event()) == []
    assert sorted(stack.renditions().values()) == stack.expected(data)

    ask("DELETE", image)
    stack.process(envelope(stack.source, offer["key"], removed=True))
    assert ask("GET", image)["status"] == "deleted"


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-southeast-4"])
def test_uploads_and_links_go_to_the_regions_own_host(
    stack: Stack, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    presigner = S3Presigner(stack.function._s3({}), "photos")
    host = f"https://photos.s3.{region}.amazonaws.com/"
    assert presigner.form("a.jpg", "image/jpeg", 1, None, 60).url == host
    assert presigner.link("a.jpg", "image/jpeg", 60).startswith(f"{host}a.jpg?")


def post(form: dict[str, Any], data: bytes) -> int:
    from urllib3 import request

    return request("POST", form["url"], fields={**form["fields"], "file": ("cat.jpg", data)}).status


def fetch(url: str) -> bytes:
    from urllib3 import request

    answer = request("GET", url)
    assert answer.status == 200
    return answer.data


def test_an_outage_of_the_table_is_the_servers_fault(stack: Stack, caplog: pytest.LogCaptureFixture) -> None:
    stack.interfere(
        "before-send.dynamodb.GetItem", lambda request, **_: answer(request, 400, b'{"__type": "x#Denied"}')
    )
    made = stack.function.api(request("GET", f"/images/{to_id(KEY)}"), Context())
    assert made["statusCode"] == 500
    assert json.loads(made["body"])["code"] == "internal"
    assert "Denied" not in made["body"]
    (line,) = [line for line in caplog.records if line.name == "imgpipe"]
    assert line.exc_info


def test_the_api_is_prompt_with_every_service(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = []
    create = stack.function._session.create_client

    def note(service: str, config: Any) -> Any:
        waits.append({name: getattr(config, name) for name in stack.function._PROMPT})
        return create(service, config=config)

    monkeypatch.setattr(stack.function._session, "create_client", note)
    stack.function._api.__wrapped__()
    assert waits == [stack.function._PROMPT] * 3
