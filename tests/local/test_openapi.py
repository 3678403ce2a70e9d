"""The HTTP API's schema, held against the routes and against what they answer."""

import json

import msgspec
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from imgpipe.cli import run
from imgpipe.core.recipe import Limits
from imgpipe.local.openapi import OPERATIONS, schema
from imgpipe.worker.api import ROUTES
from imgpipe.worker.problems import Problem
from imgpipe.worker.uploads import LARGEST, MEDIA_TYPES, Upload, check


def test_it_is_an_openapi_document() -> None:
    OpenAPIV31SpecValidator(schema()).validate()


def test_it_tells_every_route_and_no_other() -> None:
    told = {
        (method.upper(), path) for path, item in schema()["paths"].items() for method in item.keys() - {"parameters"}
    }
    assert told == {(route.method, route.path) for route in ROUTES}
    assert OPERATIONS.keys() == {route.answer.__name__ for route in ROUTES}


def test_nothing_is_told_that_no_operation_uses() -> None:
    document = schema()
    text = json.dumps(document)
    assert all(f'"#/components/schemas/{name}"' in text for name in document["components"]["schemas"])


FILE = {"name": "cat.jpg", "content_type": "image/jpeg", "size": 5}


@pytest.mark.parametrize(
    ("field", "value", "taken"),
    [
        ("name", "", False), ("name", "x", True), ("name", "x" * 1024, True), ("name", "x" * 1025, False),
        *(("content_type", media_type, True) for media_type in sorted(MEDIA_TYPES)),
        ("content_type", "image/svg+xml", False), ("content_type", "", False),
        ("size", 0, False), ("size", 1, True), ("size", 5.0, True), ("size", 5.5, False), ("size", -1, False),
        ("size", LARGEST, True), ("size", LARGEST + 1, False), ("size", "5", False),
        ("checksum", None, True), ("checksum", "A" * 43 + "=", True), ("checksum", "A" * 44, False),
        ("checksum", "A" * 42 + "=", False),
        ("other", 1, False),
    ],
)  # fmt: skip
def test_what_may_be_uploaded_is_what_the_api_takes(field: str, value: object, taken: bool) -> None:
    wanted = FILE | {field: value}
    assert OAS31Validator(schema()["components"]["schemas"]["Wanted"]).is_valid(wanted) is taken
    try:
        check(msgspec.convert(wanted, Upload), Limits(max_megabytes=1e6))
    except (msgspec.ValidationError, Problem):
        assert not taken
    else:
        assert taken


def test_answers_may_come_to_tell_more() -> None:
    told = schema()["components"]["schemas"]
    assert [name for name, about in told.items() if about.get("additionalProperties") is False] == ["Wanted"]
    assert "enum" not in told["Problem"]["properties"]["code"]


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["api", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(schema()))
