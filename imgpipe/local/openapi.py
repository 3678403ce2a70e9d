"""The HTTP API as an OpenAPI 3.1 document, for other applications and their generators of clients.

Routes come from the API's own table, and schemas from the types of its documents; what is said about them stands here.
"""

from dataclasses import dataclass
from typing import Any, Final, get_args

import msgspec
from msgspec import Struct

from imgpipe import __version__
from imgpipe.local import api_documents as documents
from imgpipe.worker.api import PAGE, ROUTES, UPLOAD_SECONDS, Route
from imgpipe.worker.ports import Settled
from imgpipe.worker.problems import MEDIA_TYPE, STATUS

_SCHEMA: Final = "#/components/schemas/{name}"


@dataclass(frozen=True)
class Operation:
    """What the document says about one route; `refusals` are codes beside `internal`."""

    id: str
    summary: str
    status: int
    answers: tuple[type[Struct], ...]
    description: str = ""
    body: type[Struct] | None = None
    query: tuple[dict[str, Any], ...] = ()
    refusals: tuple[str, ...] = ()


_GATEWAYS: Final = {
    401: "No valid token, where ApiAuth is jwt.",
    403: "Not signed, or not allowed.",
    413: "More than API Gateway passes on.",
    429: "Too many requests.",
    500: "The function failed.",
    503: "The function did not answer in time.",
}
"""What API Gateway answers itself: status -> what it means."""

_LIST_QUERY: Final[tuple[dict[str, Any], ...]] = (
    {"name": "prefix", "description": "Only keys that begin with this.", "schema": {"type": "string"}},
    {"name": "status", "description": "Only these.", "schema": {"enum": list(get_args(Settled))}},
    {
        "name": "since",
        "description": "Only what was updated at this time (RFC 3339) or later.",
        "schema": {"type": "string", "format": "date-time"},
    },
    {
        "name": "cursor",
        "description": "Of the page before, for the one behind it.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    },
)

OPERATIONS: Final = {
    "health": Operation("health", "Whether the API answers.", 200, (documents.Health,)),
    "show_recipe": Operation("showRecipe", "The recipe that renditions are made by.", 200, (documents.Recipe,)),
    "offer_upload": Operation(
        "offerUpload",
        "Ask for an upload.",
        201,
        (documents.Offer,),
        f"The answer is a presigned POST for exactly that size and type, good for {UPLOAD_SECONDS // 60} minutes. The "
        "key is the server's, and new: nothing is overwritten.",
        body=documents.Wanted,
        refusals=("bad_request", "empty", "too_many_bytes", "unsupported_format"),
    ),
    "list_images": Operation(
        "listImages",
        "Images, newest first.",
        200,
        (documents.Listing,),
        f"Pages of at most {PAGE}; one may hold fewer, even none, and still have a cursor. An image that is being made "
        "anew is missing until that is settled.",
        query=_LIST_QUERY,
        refusals=("bad_request",),
    ),
    "show_image": Operation(
        "showImage",
        "What became of an image.",
        200,
        (documents.Image, documents.Queued),
        "There is nothing until the upload is complete; then the image is `queued` until a worker looks at it.",
        refusals=("not_found",),
    ),
    "delete_image": Operation(
        "deleteImage",
        "Remove an image.",
        202,
        (documents.Accepted,),
        "The source goes at once, its renditions a moment later.",
        refusals=("not_found",),
    ),
    "reprocess_image": Operation(
        "reprocessImage",
        "Make an image's renditions again.",
        202,
        (documents.Accepted,),
        refusals=("not_found",),
    ),
}
"""By the name of the function that answers."""

_DESCRIPTION: Final = """\
Upload images and learn what became of them. An image is addressed by its id, base64url of its key without padding, so \
that every key works. Bytes go to and come from S3 by the presigned forms and links that the answers hold.

A refusal is a problem document (RFC 9457) with a stable `code`; where an image could have failed for the same reason, \
it is the code of its record. What API Gateway refuses itself has its own shape, a `message`."""


def schema() -> dict[str, Any]:
    """The document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "imgpipe",
            "version": __version__,
            "summary": "The HTTP API of an image pipeline.",
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [
            {
                "url": "{endpoint}",
                "variables": {
                    "endpoint": {
                        "default": "http://127.0.0.1:4567",
                        "description": "The output ApiEndpoint of the stack; by default that of the emulator.",
                    }
                },
            }
        ],
        "security": [{"iam": []}, {"jwt": []}],
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "parameters": {
                "id": {
                    "name": "id",
                    "in": "path",
                    "required": True,
                    "description": "Of an answer, or base64url of the image's key, without padding.",
                    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
                }
            },
            "securitySchemes": {
                "iam": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "AWS Signature Version 4 for the service `execute-api`, where ApiAuth is iam.",
                    # How API Gateway itself marks it ("x-amazon-apigateway-authtype property").
                    "x-amazon-apigateway-authtype": "awsSigv4",
                },
                "jwt": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of your identity provider, where ApiAuth is jwt.",
                },
            },
        },
    }


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for route in ROUTES:
        item = paths.setdefault(route.path, {})
        if "{id}" in route.path:
            item["parameters"] = [{"$ref": "#/components/parameters/id"}]
        item[route.method.lower()] = _operation(OPERATIONS[route.answer.__name__], route)
    return paths


def _operation(about: Operation, route: Route) -> dict[str, Any]:
    told: dict[str, Any] = {"operationId": about.id, "summary": about.summary}
    if about.description:
        told["description"] = about.description
    if about.query:
        told["parameters"] = [{"in": "query", **parameter} for parameter in about.query]
    if about.body:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": _reference(about.body)}}}
    refusals: dict[int, list[str]] = {}
    for code in (*about.refusals, "internal"):
        refusals.setdefault(STATUS[code].value, []).append(code)
    told["responses"] = {
        str(about.status): _response("As asked.", {"application/json": _any_of(about.answers)}),
        **{str(status): _refusal(status, refusals.get(status, [])) for status in sorted({*_GATEWAYS, *refusals})},
    }
    if route.changes:
        told["description"] = f"{told.get('description', '')} Needs the right to change something.".strip()
    return told


def _refusal(status: int, codes: list[str]) -> dict[str, Any]:
    """What the API says with one of `codes`, or API Gateway before it or in its place."""
    content, described = {}, []
    if codes:
        content[MEDIA_TYPE] = _reference(documents.Problem)
        described.append(f"Code: {', '.join(codes)}.")
    if status in _GATEWAYS:
        content["application/json"] = _reference(documents.GatewayMessage)
        described.append(_GATEWAYS[status])
    return _response(" ".join(described), content)


def _response(description: str, schemas: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {"description": description, "content": {kind: {"schema": schema} for kind, schema in schemas.items()}}


def _any_of(kinds: tuple[type[Struct], ...]) -> dict[str, Any]:
    one, *more = map(_reference, kinds)
    return {"oneOf": [one, *more]} if more else one


def _reference(kind: type[Struct]) -> dict[str, Any]:
    return {"$ref": _SCHEMA.format(name=kind.__name__)}


def _schemas() -> dict[str, Any]:
    """Every document's schema. Answers leave no field out but those without a value, and may come to have others."""
    kinds = [
        documents.GatewayMessage,
        documents.Problem,
        documents.Wanted,
        *(kind for operation in OPERATIONS.values() for kind in operation.answers),
    ]
    schemas: dict[str, Any] = _portable(msgspec.json.schema_components(kinds, ref_template=_SCHEMA)[1])
    del schemas["Claim"]
    for name, told in schemas.items():
        told["description"] = " ".join(told["description"].split())
        if "enum" in told:
            continue
        told["properties"].pop("claim", None)
        if name != documents.Wanted.__name__:
            told["required"] = [
                field for field, about in told["properties"].items() if field in told["required"] or "default" in about
            ]
            for about in told["properties"].values():
                about.pop("default", None)
    return schemas


def _portable(schema: Any) -> Any:
    """`schema` with Python's own anchor of its patterns as ECMAScript has it (JSON Schema, "Regular Expressions")."""
    match schema:
        case dict():
            return {
                name: about.replace(r"\Z", "$") if name == "pattern" else _portable(about)
                for name, about in schema.items()
            }
        case list():
            return list(map(_portable, schema))
        case _:
            return schema
