"""The HTTP API: the routes, and what each answers to an event of API Gateway (payload format 2.0).

Bytes never pass through it: it hands out presigned uploads and links. Who may call is decided before it is called.
"""

import base64
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, get_args

import msgspec

from imgpipe import __version__
from imgpipe.core.recipe import Recipe
from imgpipe.core.recipe_file import document
from imgpipe.worker.events import notification
from imgpipe.worker.ids import to_id, to_key
from imgpipe.worker.ports import Catalog, Feed, Links, Queue, Record, Settled, Store, Uploads, rfc3339
from imgpipe.worker.problems import MEDIA_TYPE, Problem
from imgpipe.worker.uploads import check, new_key, read

UPLOAD_SECONDS: Final = 300
LINK_SECONDS: Final = 900
PAGE: Final = 50
"""Records of one page."""
_CURSOR: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z#.", re.DOTALL)


@dataclass(frozen=True)
class Ports:
    """What the API needs of the world. `source_bucket` and `region` are names, for messages that look like S3's."""

    recipe: Recipe
    source_bucket: str
    region: str
    sources: Store
    catalog: Catalog
    feed: Feed
    uploads: Uploads
    source_links: Links
    rendition_links: Links
    queue: Queue


class Answer(NamedTuple):
    """A status and a document."""

    status: int
    document: dict[str, Any]


@dataclass(frozen=True)
class Request:
    """What the routes read of an event. `key` is that of the path's {id}, "" where it has none."""

    key: str
    query: Mapping[str, str]
    body: bytes


class Route(NamedTuple):
    """One line of ROUTES; `changes` where a caller needs the right to change something."""

    method: str
    path: str
    changes: bool
    answer: Callable[[Request, Ports], Answer]


def respond(event: Mapping[str, Any], ports: Ports, on_error: Callable[[Exception], None]) -> dict[str, Any]:
    """The answer to one HTTP request, in payload format 2.0; `on_error` gets what is the server's fault."""
    try:
        route, segment = _route(event)
        answer = route.answer(_request(event, segment), ports)
        return _response(answer.status, answer.document, "application/json", {})
    except Problem as problem:
        return _response(problem.status, problem.document, MEDIA_TYPE, problem.headers)
    except Exception as error:
        on_error(error)
        internal = Problem("internal", "Something went wrong on the server.", "Try again in a moment.")
        return _response(internal.status, internal.document, MEDIA_TYPE, {})


def health(_: Request, ports: Ports) -> Answer:
    return Answer(200, {"status": "ok", "version": __version__, "recipe": ports.recipe.hash})


def show_recipe(_: Request, ports: Ports) -> Answer:
    return Answer(200, document(ports.recipe))


def offer_upload(request: Request, ports: Ports) -> Answer:
    upload = read(request.body)
    check(upload, ports.recipe.limits)
    key = new_key(upload.name)
    form = ports.uploads.form(key, upload.content_type, int(upload.size), upload.checksum, UPLOAD_SECONDS)
    expires = rfc3339(time.time() + UPLOAD_SECONDS)
    return Answer(201, {"id": to_id(key), "key": key, "upload": msgspec.to_builtins(form), "expires": expires})


def list_images(request: Request, ports: Ports) -> Answer:
    """Settled images: one that is being made anew is missing until its record is settled again."""
    unknown = sorted(request.query.keys() - {"prefix", "status", "since", "cursor"})
    if unknown:
        detail = f"There is no parameter {unknown[0]!r}."
        raise Problem("bad_request", detail, "Use prefix, status, since and cursor.")
    page = ports.feed.page(
        PAGE,
        cursor=_cursor(request.query.get("cursor")),
        since=_since(request.query.get("since")),
        prefix=request.query.get("prefix"),
        status=_status(request.query.get("status")),
    )
    images = [_image(record, ports) for record in page.records]
    return Answer(200, {"images": images, "cursor": page.cursor and to_id(page.cursor)})


def show_image(request: Request, ports: Ports) -> Answer:
    """The record with links; an object that no worker has looked at yet is `queued`."""
    entry = ports.catalog.get(request.key)
    if entry and entry.record.status != "deleted":
        return Answer(200, _image(entry.record, ports))
    stat = ports.sources.stat(request.key)
    if stat:
        queued = {"id": to_id(stat.key), "key": stat.key, "status": "queued", "bytes": stat.bytes}
        return Answer(200, queued | {"version": stat.version, "modified": stat.modified})
    if entry:
        return Answer(200, _image(entry.record, ports))
    raise _not_found(f"No image lies at {request.key!r}.")


def delete_image(request: Request, ports: Ports) -> Answer:
    """The source goes at once; its renditions go when the worker hears of it."""
    _check_source(request.key, ports)
    ports.sources.delete([request.key])
    return Answer(202, {"id": to_id(request.key), "key": request.key})


def reprocess_image(request: Request, ports: Ports) -> Answer:
    _check_source(request.key, ports)
    message = notification(ports.source_bucket, request.key, region=ports.region, force=True)
    ports.queue.send(json.dumps(message))
    return Answer(202, {"id": to_id(request.key), "key": request.key})


ROUTES: Final = (
    Route("GET", "/health", False, health),
    Route("GET", "/recipe", False, show_recipe),
    Route("POST", "/images", True, offer_upload),
    Route("GET", "/images", False, list_images),
    Route("GET", "/images/{id}", False, show_image),
    Route("DELETE", "/images/{id}", True, delete_image),
    Route("POST", "/images/{id}/reprocess", True, reprocess_image),
)
"""Every route; the template's are the same."""


def _route(event: Mapping[str, Any]) -> tuple[Route, str]:
    """The route of an event, and the {id} in its path."""
    method, path = event["requestContext"]["http"]["method"], event["rawPath"]
    there = [(route, segment) for route in ROUTES if (segment := _match(route.path, path)) is not None]
    for route, segment in there:
        if route.method == method:
            return route, segment
    if there:
        allow = ", ".join(sorted(route.method for route, _ in there))
        detail = f"{path} has no method {method}."
        raise Problem("method_not_allowed", detail, f"Use {allow}.", {"allow": allow})
    raise _not_found(f"There is nothing at {path}.")


def _match(pattern: str, path: str) -> str | None:
    """The {id} in `path`, "" where `pattern` has none; None where the two differ."""
    expected, given = pattern.split("/"), path.split("/")
    if len(expected) != len(given):
        return None
    pairs = list(zip(expected, given, strict=True))
    if any(not part if name == "{id}" else name != part for name, part in pairs):
        return None
    return next((part for name, part in pairs if name == "{id}"), "")


def _request(event: Mapping[str, Any], segment: str) -> Request:
    try:
        key = to_key(segment) if segment else ""
    except ValueError:
        raise _not_found(f"{segment!r} is not the id of an image.") from None
    body = event.get("body") or ""
    data = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    return Request(key, event.get("queryStringParameters") or {}, data)


def _response(status: int, document: object, media_type: str, headers: dict[str, str]) -> dict[str, Any]:
    own = {"content-type": media_type, "cache-control": "no-store", "x-content-type-options": "nosniff"}
    return {"statusCode": int(status), "headers": own | headers, "body": msgspec.json.encode(document).decode()}


def _image(record: Record, ports: Ports) -> dict[str, Any]:
    """The record as a document, with the id and with links that work for LINK_SECONDS."""
    image: dict[str, Any] = {"id": to_id(record.key), **msgspec.to_builtins(record.public())}
    if record.format and record.status != "deleted":
        image["url"] = ports.source_links.link(record.key, f"image/{record.format}", LINK_SECONDS)
    for made in image["renditions"]:
        made["url"] = ports.rendition_links.link(made["key"], f"image/{made['format']}", LINK_SECONDS)
    return image


def _check_source(key: str, ports: Ports) -> None:
    if ports.sources.stat(key) is None:
        raise _not_found(f"No image lies at {key!r}.")


def _not_found(detail: str) -> Problem:
    return Problem("not_found", detail, "Take the id or the path from an answer of this API.")


def _cursor(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        cursor = to_key(text)
    except ValueError:
        cursor = ""
    if not _CURSOR.match(cursor):
        raise Problem("bad_request", f"The cursor {text!r} is none.", "Take it from the page before.")
    return cursor


def _since(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return rfc3339((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        remedy = "Give it as in since=2026-11-22T10:00:00Z."
        raise Problem("bad_request", f"The time {text!r} cannot be read.", remedy) from None


def _status(text: str | None) -> Settled | None:
    try:
        return None if text is None else msgspec.convert(text, Settled)
    except msgspec.ValidationError:
        *known, last = get_args(Settled)
        remedy = f"Use {', '.join(known)} or {last}."
        raise Problem("bad_request", f"No image is listed as {text!r}.", remedy) from None
