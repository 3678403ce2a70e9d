"""The HTTP API, as the emulator serves it, held against its schema with requests that fit it and that do not."""

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from function_case import Logged
from hypothesis import HealthCheck, settings
from moto.core.base_backend import BackendDict
from PIL import Image
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig

from imgpipe.core import recipe_file
from imgpipe.errors import IMAGE_ERRORS
from imgpipe.local import openapi
from imgpipe.local.emulator.emulator import Emulator, Options
from imgpipe.local.emulator.gateway import BODY_BYTES, Gateway
from imgpipe.local.emulator.server import HOST, serve
from imgpipe.remote.emulated import KEY, REGION, EmulatedSession
from imgpipe.worker.ids import to_id
from imgpipe.worker.problems import STATUS

KEYS = {"done": "a/ü b.png", "failed": "broken.jpg"}
REMOVED = {"done": "fuzz/ü b.png", "failed": "fuzz/broken.jpg"}
"""Those that may be removed by whatever is asked for."""
OPAQUE = {
    "operations": [
        {
            # No schema tells which cursors there have been.
            "include-name": "GET /images",
            "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "400"]}},
        },
        {
            # Nor the limits of a recipe.
            "include-name": "POST /images",
            "checks": {
                "positive_data_acceptance": {"expected-statuses": ["2xx", "413"]},
                "negative_data_rejection": {"expected-statuses": ["4xx"]},
            },
        },
    ],
    # An HTTP API answers 404 to a method without a route, and never asks the function.
    "checks": {"unsupported_method": {"enabled": False}},
}

load_all_checks()


class Signed(requests.auth.AuthBase):
    """Signs for the emulator's API with botocore."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        kept = {name: value for name, value in request.headers.items() if name.lower() == "content-type"}
        # A plus is a space to AWS, but not to botocore.
        request.url = str(request.url).replace("+", "%20")
        signed = AWSRequest(request.method, request.url, data=request.body, headers=kept)
        SigV4Auth(Credentials(KEY, KEY), "execute-api", REGION).add_auth(signed)
        request.headers.update(dict(signed.headers))
        return request


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    """An emulator's API that knows an image that is done, one that failed and one that is gone."""
    BackendDict.reset()
    with Emulator(Options(recipe_file.load(None), port=0), lambda *_: None) as emulator:
        s3 = EmulatedSession(int(emulator.endpoint.rpartition(":")[2])).client("s3")
        picture = io.BytesIO()
        Image.new("RGB", (64, 48), "teal").save(picture, "png")
        for keys in (KEYS, REMOVED):
            for key, data in zip(keys.values(), (picture.getvalue(), b"GIF89a"), strict=True):
                s3.put_object(Bucket=emulator.source_bucket, Key=key, Body=data)
        for status, key in REMOVED.items():
            ask(emulator.api, f"/images/{to_id(key)}", status)
        settled = {status: ask(emulator.api, f"/images/{to_id(key)}", status) for status, key in KEYS.items()}
        assert settled["done"]["renditions"]
        assert settled["failed"]["error"]
        yield emulator.api


def ask(api: str, path: str, status: str) -> dict[str, Any]:
    """The image at `path` as soon as it has that status."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = requests.get(f"{api}{path}", auth=Signed(), timeout=10).json()
        if answer.get("status") == status:
            return dict(answer)
        time.sleep(0.05)
    raise AssertionError(f"{path} is still {answer}")


def document() -> dict[str, Any]:
    """The schema, closed to what it does not tell, with images that are there and one that is not as examples."""
    told = openapi.schema()
    for about in told["components"]["schemas"].values():
        if "properties" in about:
            about["additionalProperties"] = False
    told["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] = sorted(STATUS)
    told["components"]["schemas"]["ImageFailure"]["properties"]["code"]["enum"] = sorted(IMAGE_ERRORS)
    ids = [*map(to_id, REMOVED.values()), to_id("nothing.jpg")]
    told["components"]["parameters"]["id"]["examples"] = {id_: {"value": id_} for id_ in ids}
    return told


SCHEMA = schemathesis.openapi.from_dict(document(), config=SchemathesisConfig.from_dict(OPAQUE))


@pytest.mark.parametrize("status", KEYS)
def test_an_image_that_is_there_is_as_the_schema_says(api: str, status: str) -> None:
    operation = SCHEMA["/images/{id}"]["GET"]
    answer = requests.get(f"{api}/images/{to_id(KEYS[status])}", auth=Signed(), timeout=10)
    operation.validate_response(answer)
    assert answer.json()["status"] == status


def test_a_list_that_holds_images_is_as_the_schema_says(api: str) -> None:
    answer = requests.get(f"{api}/images", auth=Signed(), timeout=10)
    SCHEMA["/images"]["GET"].validate_response(answer)
    assert {image["key"] for image in answer.json()["images"]} >= set(KEYS.values())


def test_what_nobody_signed_is_refused_as_the_schema_says(api: str) -> None:
    answer = requests.get(f"{api}/health", timeout=10)
    SCHEMA["/health"]["GET"].validate_response(answer)
    assert answer.status_code == 403


def test_what_is_too_long_for_the_gateway_is_refused_as_the_schema_says(api: str) -> None:
    answer = requests.post(f"{api}/images", auth=Signed(), data=b"x" * (BODY_BYTES + 1), timeout=30)
    SCHEMA["/images"]["POST"].validate_response(answer)
    assert (answer.status_code, answer.headers["Content-Type"]) == (413, "application/json")


def test_a_function_that_fails_is_told_as_the_schema_says(tmp_path: Path) -> None:
    failing = Logged(tmp_path, "def handler(event, context):\n    raise ValueError")
    server = serve(Gateway(["GET /health"], failing.function, {KEY: KEY}), 0)
    answer = requests.get(f"http://{HOST}:{server.port}/health", auth=Signed(), timeout=30)
    server.close()
    failing.function.close()
    SCHEMA["/health"]["GET"].validate_response(answer)
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/json")


def test_the_recipe_in_full_is_as_the_schema_says(api: str) -> None:
    answer = requests.get(f"{api}/recipe", auth=Signed(), timeout=10)
    SCHEMA["/recipe"]["GET"].validate_response(answer)
    assert answer.json()["hash"] == recipe_file.load(None).hash


@SCHEMA.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_the_schema_says(case: schemathesis.Case[Any], api: str) -> None:
    case.call_and_validate(base_url=api, auth=Signed())
