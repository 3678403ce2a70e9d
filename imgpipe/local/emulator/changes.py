"""Which objects a request changed, told from the request and moto's answer to it.

An object that was copied or put together from parts is looked up, since its answer does not say all that an event
does; a deletion of many keys is always asked to name what it deleted.
"""

import io
from collections.abc import Callable
from typing import Final
from wsgiref.types import WSGIEnvironment
from xml.etree import ElementTree

from werkzeug.wsgi import get_input_stream

from imgpipe.local.emulator.addresses import Target
from imgpipe.local.emulator.answers import Answer
from imgpipe.local.emulator.notifications import Change
from imgpipe.local.emulator.refused import Refused

_NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
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
    """What a form created, of `size` bytes."""
    return _change("ObjectCreated:Post", target.key, size, answer) if answer.status == 200 else None


def removed(target: Target, answer: Answer) -> Change | None:
    """What a DELETE of a key removed: a version, or what was to be seen of it by a delete marker."""
    if not target.key or answer.status != 204 or target.query.keys() & {*_ABOUT, "uploadId"}:
        return None
    version = target.query.get("versionId") or answer.header("x-amz-version-id") or None
    if "versionId" not in target.query and answer.header("x-amz-delete-marker") == "true":
        return Change("ObjectRemoved:DeleteMarkerCreated", target.key, version=version)
    return Change("ObjectRemoved:Delete", target.key, version=version)


def take_removal(environ: WSGIEnvironment) -> tuple[tuple[str, ...], bool]:
    """The keys that a DeleteObjects names, and whether it wants to hear of errors alone; moto is asked to name
    everything all the same."""
    root = _parse(get_input_stream(environ).read())
    quiet = root.find("{*}Quiet")
    if quiet is not None:
        root.remove(quiet)
    data = _write(root)
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(data), str(len(data))
    keys = tuple(key.text or "" for key in root.iterfind("{*}Object/{*}Key"))
    return keys, quiet is not None and (quiet.text or "").strip().lower() == "true"


def removed_many(answer: Answer, *, quiet: bool) -> tuple[Answer, tuple[Change, ...]]:
    """What a DeleteObjects removed, with moto's answer as S3 gives it: its errors alone where it is `quiet`."""
    if answer.status != 200:
        return answer, ()
    # moto writes a key's carriage return as it is, and nothing else that has one.
    root = _parse(b"".join(answer.body).replace(b"\r", b"&#13;"))
    found = root.findall("{*}Deleted")
    changes = tuple(map(_removal, found))
    if quiet:
        for deleted in found:
            root.remove(deleted)
    root.set("xmlns", _NAMESPACE)
    body = b'<?xml version="1.0" encoding="UTF-8"?>\n' + _write(root)
    headers = answer.without("content-length").headers
    return Answer(200, (*headers, ("Content-Length", str(len(body)))), (body,)), changes


def _removal(deleted: ElementTree.Element) -> Change:
    marker, version = deleted.findtext("{*}DeleteMarkerVersionId"), deleted.findtext("{*}VersionId")
    made = marker is not None and version is None
    event = "ObjectRemoved:DeleteMarkerCreated" if made else "ObjectRemoved:Delete"
    return Change(event, deleted.findtext("{*}Key", ""), version=version or marker)


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


def _write(root: ElementTree.Element) -> bytes:
    """The document without namespaces, since moto reads no prefixes."""
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    # ElementTree leaves a text's carriage returns as they are, which are read as line feeds.
    return bytes(ElementTree.tostring(root, encoding="utf-8")).replace(b"\r", b"&#13;")
