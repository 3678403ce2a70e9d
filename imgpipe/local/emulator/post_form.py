"""A browser's upload: the form that was posted to a bucket, read, held against its policy, and turned into a PUT.

Fields come before the file and are bounded; of the file nothing is read before they are found right, and what follows
it is ignored ("POST Object").
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, quote, urlencode, urlsplit
from wsgiref.types import WSGIEnvironment

from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import NEED_DATA, Data, Epilogue, Event, Field, File, MultipartDecoder
from werkzeug.urls import iri_to_uri
from werkzeug.wsgi import get_input_stream

from imgpipe.local.emulator import form_signature
from imgpipe.local.emulator.addresses import Target, point
from imgpipe.local.emulator.answers import Answer, document
from imgpipe.local.emulator.post_policy import Policy
from imgpipe.local.emulator.refused import Refused, too_large

_PIECE: Final = 1 << 16
_BEFORE: Final = 20_480
"""Bytes that may come before the file ("MaxPostPreDataLengthExceeded")."""
_PASSED: Final = ("cache-control", "content-disposition", "content-encoding", "content-md5", "content-type", "expires")
"""Fields that become the object's headers, besides those that start with x-amz-."""
Events = Iterator[tuple[Event, int]]
"""What comes, each with how many bytes of the body came until it."""


@dataclass(frozen=True)
class Form:
    """A form that may be carried out: the PUT that it stands for, where to, the file, and what is answered then."""

    environ: WSGIEnvironment
    target: Target
    pieces: Iterator[bytes]
    redirect: SplitResult | None
    status: int


def is_form(method: str, target: Target) -> bool:
    """Whether the request is an upload from a browser: anything that is posted to a bucket and names no action."""
    return method == "POST" and bool(target.bucket) and not target.key and not target.query


def read(environ: WSGIEnvironment, target: Target, keys: Mapping[str, str]) -> Form:
    """The form in the body, of which the file's bytes are read as `pieces` are taken.

    Raises Refused where the form, its signature or its policy does not allow it; so do the `pieces`, where there are
    too many bytes or too few.
    """
    events = _events(environ)
    fields, name = _fields(events)
    form_signature.check(fields, keys)
    form_signature.require(fields, ("key",))
    if name is not None:
        # Before the policy is looked at: conditions are of what the variables became.
        fields = {field: value.replace("${filename}", name) for field, value in fields.items()}
    policy = Policy.read(fields["policy"])
    policy.check(target.bucket, fields)
    target = Target(target.bucket, fields["key"], base=target.base)
    put = _put(environ, fields)
    point(put, target)
    status = {"200": 200, "201": 201}.get(fields.get("success_action_status", ""), 204)
    return Form(put, target, _file(events, *policy.lengths), _redirect(fields), status)


def answer(form: Form, stored: Answer) -> Answer:
    """What the browser is told once S3 has `stored` its file ("POST Object", responses)."""
    target, etag = form.target, stored.header("etag")
    location = ("Location", target.base + quote(target.key, safe=""))
    about = stored.without("content-", "location").headers
    if form.redirect:
        query = urlencode({"bucket": target.bucket, "key": target.key, "etag": etag})
        url = form.redirect._replace(query="&".join(filter(None, (form.redirect.query, query)))).geturl()
        return Answer(303, (*about, ("Location", iri_to_uri(url)), ("Content-Length", "0")))
    if form.status == 201:
        elements = {"Location": location[1], "Bucket": target.bucket, "Key": target.key, "ETag": etag}
        return document(201, "PostResponse", elements, *about, location)
    return Answer(form.status, (*about, location))


def _events(environ: WSGIEnvironment) -> Events:
    """The body's parts; NEED_DATA stands for bytes of which nothing can be said yet."""
    kind, options = parse_options_header(environ.get("CONTENT_TYPE"))
    if kind != "multipart/form-data":
        raise Refused(
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
            Condition="Bucket POST must be of the enclosure-type multipart/form-data",
        )
    if not options.get("boundary"):
        raise _malformed()
    decoder, stream, read = MultipartDecoder(options["boundary"].encode()), get_input_stream(environ), 0
    try:
        while True:
            piece = stream.read(_PIECE)
            read += len(piece)
            decoder.receive_data(piece or None)
            while (event := decoder.next_event()) is not NEED_DATA:
                yield event, read - len(decoder.buffer)
                if isinstance(event, Epilogue):
                    return
            yield NEED_DATA, read
    except ValueError:
        raise _malformed() from None


def _fields(events: Events) -> tuple[dict[str, str], str | None]:
    """The fields before the file, under lower-case names, and the name that the file has itself."""
    fields: dict[str, str] = {}
    part, data = "", bytearray()
    for event, before in events:
        if before > _BEFORE:
            raise Refused(
                "MaxPostPreDataLengthExceeded",
                "Your POST request fields preceeding the upload file was too large.",
                MaxPostPreDataLengthBytes=str(_BEFORE),
            )
        match event:
            case Field(name=name) | File(name=name):
                part = (name or "").lower()
                data.clear()
                if part == "file":
                    return fields, _base(event.filename) if isinstance(event, File) else None
            case Data(data=piece, more_data=more):
                data += piece
                if not more:
                    value = _text(data)
                    fields[part] = f"{fields[part]},{value}" if part in fields else value
    raise Refused("InvalidArgument", "POST requires exactly one file upload per request.", ArgumentName="file")


def _file(events: Events, least: int, most: int) -> Iterator[bytes]:
    size = 0
    for event, _ in events:
        if isinstance(event, Data):
            size += len(event.data)
            if size > most:
                raise too_large(size, most)
            yield event.data
            if not event.more_data:
                break
    if size < least:
        raise Refused(
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size",
            ProposedSize=str(size),
            MinSizeAllowed=str(least),
        )


def _text(data: bytearray) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _malformed() from None


def _base(filename: str) -> str:
    """Some browsers send the whole path on the person's machine."""
    return filename.replace("\\", "/").rpartition("/")[2]


def _put(environ: WSGIEnvironment, fields: Mapping[str, str]) -> WSGIEnvironment:
    """A PUT whose headers are the fields': those of the browser's POST are of the form, not of the object."""
    put = {name: value for name, value in environ.items() if not name.startswith(("HTTP_", "CONTENT_", "moto."))}
    put |= {"REQUEST_METHOD": "PUT", "CONTENT_TYPE": "binary/octet-stream", "moto.preserved_header_names": {}}
    for name, value in fields.items():
        if name not in _PASSED and (not name.startswith("x-amz-") or name in form_signature.FIELDS):
            continue
        if any(ord(character) < 32 for character in value):
            raise Refused("InvalidArgument", "A header's value holds no control characters.", ArgumentName=name)
        header = f"HTTP_{name.upper().replace('-', '_')}".replace("HTTP_CONTENT_TYPE", "CONTENT_TYPE")
        put[header] = value.encode().decode("latin-1")
        put["moto.preserved_header_names"][header] = name
    if algorithm := put.pop("HTTP_X_AMZ_CHECKSUM_ALGORITHM", None):
        put["HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM"] = algorithm
    return put


def _redirect(fields: Mapping[str, str]) -> SplitResult | None:
    """Where the browser is led on; what is no such URL counts as not given ("POST Object", success_action_redirect)."""
    try:
        split = urlsplit(fields.get("success_action_redirect") or fields.get("redirect") or "")
    except ValueError:
        return None
    return split if split.scheme in ("http", "https") else None


def _malformed() -> Refused:
    return Refused("MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.")
