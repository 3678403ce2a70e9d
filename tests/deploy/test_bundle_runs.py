"""The proof of the bundle: Lambda's own runtime client calls it, away from the checkout, with S3, SQS and DynamoDB in
moto's server, and what it makes is what process-local makes."""

import base64
import io
import json
import platform
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from lambda_host import FunctionError, Host, environment, of_the_runtime
from moto.server import ThreadedMotoServer
from PIL import Image

from imgpipe.cli import run
from imgpipe.core import recipe_file
from imgpipe.core.recipe_assets import default_font
from imgpipe.deploy.bundle import build
from imgpipe.deploy.bundle_machine import Architecture
from imgpipe.worker import events

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="the runtime client runs under Linux alone")

SOURCE, DESTINATION, TABLE, QUEUE = "stack-source", "stack-destination", "stack-catalog", "stack-queue"
RECIPE = """
metadata = "none"
[watermark]
text = "Ωmega é"
font = "own.ttf"
[presets.web]
width = 320
height = 320
[presets.logo]
fit = "cover"
width = 96
height = 96
format = "webp"
watermark = { image = "logo.png", size = 0.3 }
"""


@pytest.fixture(scope="module")
def recipe_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    Image.radial_gradient("L").save(folder / "logo.png")
    (folder / "own.ttf").write_bytes(default_font().data + b"\0")
    path = folder / "own.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo on its side, a PNG with alpha in a folder, a HEIC by another name, and what is no image."""
    from pillow_heif import HeifImagePlugin  # noqa: F401 - which opens and writes HEIC

    folder = tmp_path_factory.mktemp("in")
    (folder / "a b").mkdir()
    plane = Image.radial_gradient("L").resize((640, 480))
    photo = Image.merge("RGB", (plane, plane.rotate(90), plane.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(folder / "photo.jpg", exif=exif)
    alpha = photo.copy()
    alpha.putalpha(plane)
    alpha.save(folder / "a b" / "é+.png")
    photo.save(folder / "phone.jpg", "HEIF")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    return folder


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Cloud:
    """The resources of a stack, as the template describes them."""

    def __init__(self, endpoint: str) -> None:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
        self.s3, dynamodb, sqs = (
            boto3.client(name, endpoint_url=endpoint, **keys) for name in ("s3", "dynamodb", "sqs")
        )
        for bucket in (SOURCE, DESTINATION):
            self.s3.create_bucket(Bucket=bucket)
        self.s3.put_bucket_versioning(Bucket=SOURCE, VersioningConfiguration={"Status": "Enabled"})
        text = ("key", "shard", "feed")
        dynamodb.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in text],
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "feed",
                    "KeySchema": [
                        {"AttributeName": "shard", "KeyType": "HASH"},
                        {"AttributeName": "feed", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )
        self.queue = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
        self.dynamodb = dynamodb

    def item(self, key: str) -> dict[str, Any]:
        """The record of `key` as the table holds it."""
        item: dict[str, Any] = self.dynamodb.get_item(TableName=TABLE, Key={"key": {"S": key}})["Item"]
        return item

    def renditions(self) -> dict[str, bytes]:
        """All that lies in the destination bucket, by key."""
        listed = self.s3.list_objects_v2(Bucket=DESTINATION).get("Contents", [])
        keys = [each["Key"] for each in listed]
        return {key: self.s3.get_object(Bucket=DESTINATION, Key=key)["Body"].read() for key in keys}


@pytest.fixture(scope="module")
def cloud(endpoint: str) -> Cloud:
    return Cloud(endpoint)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, recipe_path: Path, endpoint: str, cloud: Cloud) -> Host:
    """The real bundle for this machine and this Python, unpacked into an empty folder."""
    architecture: Architecture = "arm64" if platform.machine() == "aarch64" else "x86_64"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    root = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(io.BytesIO(build(recipe_file.load(recipe_path), architecture, python).data)) as archive:
        archive.extractall(root)
    variables = environment(
        AWS_ENDPOINT_URL=endpoint,
        IMGPIPE_STACK="stack",
        IMGPIPE_SOURCE_BUCKET=SOURCE,
        IMGPIPE_DESTINATION_BUCKET=DESTINATION,
        IMGPIPE_CATALOG_TABLE=TABLE,
        IMGPIPE_QUEUE_URL=cloud.queue,
    )
    return Host(root, of_the_runtime(tmp_path_factory.mktemp("runtime")), variables)


def request(method: str, path: str, **parameters: str) -> dict[str, Any]:
    """What an HTTP API sends to its function ("Working with AWS Lambda proxy integrations", payload format 2.0)."""
    route = path
    for name, value in parameters.items():
        path = path.replace(f"{{{name}}}", value)
    return {
        "version": "2.0",
        "routeKey": f"{method} {route}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"accept": "application/json", "host": "example.execute-api.us-east-1.amazonaws.com"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "example",
            "domainName": "example.execute-api.us-east-1.amazonaws.com",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": ""},
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": f"{method} {route}",
            "stage": "$default",
            "time": "22/Nov/2026:10:00:00 +0000",
            "timeEpoch": 1795341600000,
        },
        "pathParameters": parameters,
        "isBase64Encoded": False,
    }


def test_nothing_of_the_checkout_can_be_imported(host: Host) -> None:
    probe = """
import importlib.util, json
def origin(name):
    found = importlib.util.find_spec(name)
    return found and found.origin
names = ("imgpipe", "PIL", "msgspec", "pi_heif", "boto3", "imgpipe.cli", "imgpipe.deploy", "typer", "rich", "pytest")
print(json.dumps({name: origin(name) for name in names}))
"""
    found = json.loads(host.run(probe))
    assert {name for name, origin in found.items() if origin and Path(origin).is_relative_to(host.root)} == {
        "imgpipe",
        "PIL",
        "msgspec",
        "pi_heif",
    }
    assert Path(found["boto3"]).is_relative_to(host.libraries)
    assert [name for name, origin in found.items() if not origin] == [
        "imgpipe.cli",
        "imgpipe.deploy",
        "typer",
        "rich",
        "pytest",
    ]


def test_the_bundle_makes_of_every_image_what_process_local_makes(
    host: Host,
    cloud: Cloud,
    pictures: Path,
    recipe_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["process-local", str(pictures), str(tmp_path / "out"), "--recipe", str(recipe_path), "--json"]) == 1
    told = map(json.loads, capsys.readouterr().out.splitlines())
    here = {record["key"]: record for record in told if record.get("type") != "summary"}
    assert set(here) == {"photo.jpg", "a b/é+.png", "phone.jpg", "broken.png"}

    with host.start("imgpipe.lambda_function.process") as function:
        for key in here:
            cloud.s3.put_object(Bucket=SOURCE, Key=key, Body=(pictures / key).read_bytes())
            assert function.call(events.envelope(SOURCE, key)) == {"batchItemFailures": []}, function.log

    there = cloud.renditions()
    assert set(there) == {made["key"] for record in here.values() for made in record["renditions"]}
    assert len(there) == 6
    for key, record in here.items():
        item = cloud.item(key)
        assert item["status"] == {"S": record["status"]}
        assert item["recipe"] == {"S": record["recipe"]}
        same_builds = {name: value["S"] for name, value in item["builds"]["M"].items()} == record["builds"]
        for made in record["renditions"]:
            local = (tmp_path / "out" / made["key"]).read_bytes()
            assert Image.open(io.BytesIO(there[made["key"]])).size == (made["width"], made["height"])
            assert not same_builds or there[made["key"]] == local, made["key"]
    assert cloud.item("broken.png")["error"]["M"]["code"] == {"S": here["broken.png"]["error"]["code"]}

    lines = [json.loads(line) for line in function.log]
    results = {line["key"]: line["status"] for line in lines if "key" in line and "status" in line}
    assert results == {key: record["status"] for key, record in here.items()}


def test_the_bundle_answers_the_api(host: Host, cloud: Cloud, pictures: Path) -> None:
    cloud.s3.put_object(Bucket=SOURCE, Key="api/photo.jpg", Body=(pictures / "photo.jpg").read_bytes())
    with host.start("imgpipe.lambda_function.process") as function:
        assert function.call(events.envelope(SOURCE, "api/photo.jpg")) == {"batchItemFailures": []}, function.log

    image_id = base64.urlsafe_b64encode(b"api/photo.jpg").decode().rstrip("=")
    missing = base64.urlsafe_b64encode(b"nowhere.jpg").decode().rstrip("=")
    with host.start("imgpipe.lambda_function.api") as function:
        assert function.call(request("GET", "/health"))["statusCode"] == 200
        found = function.call(request("GET", "/images/{id}", id=image_id))
        absent = function.call(request("GET", "/images/{id}", id=missing))
    assert found["statusCode"] == 200
    record = json.loads(found["body"])
    assert (record["key"], record["status"]) == ("api/photo.jpg", "done")
    assert absent["statusCode"] == 404


def test_a_function_that_cannot_start_says_why(host: Host) -> None:
    """So that the other tests would see it."""
    with host.start("imgpipe.lambda_function.absent") as function, pytest.raises(FunctionError, match="absent"):
        function.call({})
