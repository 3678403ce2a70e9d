"""The HTTP API's schema, held against the routes and against what they answer."""

import json

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from imgpipe.cli import run
from imgpipe.local import api_documents
from imgpipe.local.openapi import OPERATIONS, schema
from imgpipe.worker.api import ROUTES
from imgpipe.worker.uploads import Upload


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


def test_what_may_be_uploaded_is_what_the_api_reads() -> None:
    assert api_documents.Wanted.__struct_fields__ == Upload.__struct_fields__


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["api", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(schema()))
