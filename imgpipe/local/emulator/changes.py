"""Which objects a request changed, told from the request and moto's answer to it.

An object that was copied or put together from parts is looked up, since its answer does not say all that an event
does; a deletion of many keys is always asked to name what it deleted.
"""

import io
from collections.abc import Callable, Iterator
from typing import Final
from wsgiref.types import WSGIEnvironment
from xml.etree import ElementTree

from werkzeug.wsgi import get_input_stream

from imgpipe.local.emulator.addresses import Target
from imgpipe.local.emulator.answers import Answer
from imgpipe.local.emulator.notifications import Change
from imgpipe.local.emulator.signature import Refused

# moto reads no prefixes.
ElementTree.register_namespace("", "http://s3.amazonaws.com/doc/2006-03-01/")

_ABOUT: Final = frozenset({"acl", "tagging", "retention", "legal-hold", "partNumber", "torrent", "restore"})
"""Parameters of requests for something about an object, or for a part of one."""
Look = Callable[[Target, str | None], Answer]
"""HEAD of a target, in a version."""


def created(environ: WSGIEnvironment, target: Target, size: int, answer: Answer, look: Look) -> Change | None:
    """What a PUT, or a POST to a key, created; `size` is of the body, in bytes."""
    if not target.key or answer.status != 200 or target.query.keys() & _ABOUT:
        return None
    if environ["REQUEST_METHOD"] == "PUT":
        if "HTTP_X_AMZ_COPY_SOURCE" not in environ:
            return _change("ObjectCreated:Put", target.key, size, answer)
        event = "ObjectCreated:Copy"
    elif environ["REQUEST_METHOD"] == "POST" and "uploadId" in target.query:
        event = "ObjectCreated:CompleteMultipartUpload"
    else:
        return None
    found = look(target, answer.header("x-amz-version-id") or None)
    return _change(event, target.key, int(found.header("content-length") or 0), found)


def posted(target: Target, size: int, answer: Answer) -> Change | None:
    """What a form created."""
    return _change("ObjectCreated:Post", target.key, size, answer) if answer.status == 200 else None


def removed(target: Target, answer: Answer) -> Change | None:
    """What a DELETE of a key removed: a version, or what was to be seen of it by a delete marker."""
    if not target.key or answer.status != 204 or target.query.keys() & {*_ABOUT, "uploadId"}:
        return None
    version = target.query.get("versionId") or answer.header("x-amz-version-id") or None
    if "versionId" not in target.query and answer.header("x-amz-delete-marker") == "true":
        return Change("ObjectRemoved:DeleteMarkerCreated", target.key, version=version)
    return Change("ObjectRemoved:Delete", target.key, version=version)


def take_quiet(environ: WSGIEnvironment) -> bool:
    """Whether a DeleteObjects wants to hear of errors alone; it is asked to name everything all the same."""
    data = get_input_stream(environ).read()
    root = _parse(data)
    quiet = root.find("{*}Quiet")
    if quiet is not None:
        root.remove(quiet)
        data = ElementTree.tostring(root, encoding="utf-8")
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(data), str(len(data))
    return quiet is not None and (quiet.text or "").strip().lower() == "true"


def removed_many(answer: Answer) -> Iterator[Change]:
    """What a DeleteObjects removed."""
    if answer.status != 200:
        return
    for deleted in _parse(b"".join(answer.body)).iterfind("{*}Deleted"):
        marker = deleted.findtext("{*}DeleteMarkerVersionId")
        version = deleted.findtext("{*}VersionId")
        made = marker is not None and version is None
        event = "ObjectRemoved:DeleteMarkerCreated" if made else "ObjectRemoved:Delete"
        yield Change(event, deleted.findtext("{*}Key", ""), version=version or marker)


def quietly(answer: Answer) -> Answer:
    """The answer to a DeleteObjects with its errors alone."""
    root = _parse(b"".join(answer.body))
    for deleted in root.findall("{*}Deleted"):
        root.remove(deleted)
    body = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    headers = answer.without("content-length").headers
    return Answer(answer.status, (*headers, ("Content-Length", str(len(body)))), (body,))


def _change(event: str, key: str, size: int, answer: Answer) -> Change:
    version = answer.header("x-amz-version-id")
    return Change(event, key, size, answer.header("etag").strip('"'), version if version != "null" else None)


def _parse(data: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(data)  # noqa: S314 - expat itself bounds what entities may grow to
    except ElementTree.ParseError:
        raise Refused(
            "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
        ) from None
