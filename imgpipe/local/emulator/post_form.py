"""A browser's upload: the form that was posted to a bucket, read, held against its policy, and turned into a PUT.

Fields come before the file and are bounded; the file is spooled, and what follows it is ignored ("POST Object").
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Final
from urllib.parse import quote, urlencode, urlsplit
from wsgiref.types import WSGIEnvironment

from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import NEED_DATA, Data, Epilogue, Event, Field, File, MultipartDecoder
from werkzeug.wsgi import get_input_stream

from imgpipe.local.emulator import form_signature
from imgpipe.local.emulator.addresses import Target, point
from imgpipe.local.emulator.answers import Answer, document
from imgpipe.local.emulator.body import MEMORY
from imgpipe.local.emulator.post_policy import Policy
from imgpipe.local.emulator.signature import Refused

_PIECE: Final = 1 << 16
_FIELDS: Final = 20_480
"""Bytes that the fields may have ("MaxPostPreDataLengthExceeded")."""
_PASSED: Final = ("cache-control", "content-disposition", "content-encoding", "content-md5", "content-type", "expires")
"""Fields that become the object's headers, besides those that start with x-amz-."""


@dataclass
class Form:
    """What was posted: each field under its name as it came, the file, its name and its size in bytes."""

    fields: dict[str, str] = field(default_factory=dict)
    file: IO[bytes] | None = None
    name: str | None = None
    size: int = 0

    @property
    def values(self) -> dict[str, str]:
        """The fields under lower-case names."""
        return {name.lower(): value for name, value in self.fields.items()}


def is_form(environ: WSGIEnvironment, target: Target) -> bool:
    """Whether the request is an upload from a browser: anything that is posted to a bucket and names no action."""
    return environ["REQUEST_METHOD"] == "POST" and bool(target.bucket) and not target.key and not target.query


def put(environ: WSGIEnvironment, target: Target, keys: Mapping[str, str]) -> tuple[Form, Target]:
    """Make `environ` the PUT that the form stands for; the form, and where its object goes.

    Raises Refused where the form, its signature or its policy does not allow it.
    """
    form = _read(environ)
    values = form.values
    form_signature.check(values, keys)
    form_signature.require(values, ("key",))
    if form.file is None:
        raise Refused("InvalidArgument", "POST requires exactly one file upload per request.", ArgumentName="file")
    if form.name is not None:
        # Before the policy is looked at: conditions are of what the variables became.
        form.fields = {name: value.replace("${filename}", form.name) for name, value in form.fields.items()}
        values = form.values
    Policy.read(values["policy"]).check(target.bucket, form.fields, form.size)
    _become_put(environ, form, values)
    target = Target(target.bucket, values["key"], base=target.base)
    point(environ, target)
    return form, target


def answer(form: Form, target: Target, stored: Answer) -> Answer:
    """What the browser is told once S3 has `stored` its file ("POST Object", responses)."""
    values, etag = form.values, stored.header("etag")
    location = ("Location", target.base + quote(target.key, safe=""))
    about = stored.without("content-", "location").headers
    redirect = values.get("success_action_redirect") or values.get("redirect") or ""
    if urlsplit(redirect).scheme in ("http", "https"):
        query = urlencode({"bucket": target.bucket, "key": target.key, "etag": etag})
        url = f"{redirect}{'&' if urlsplit(redirect).query else '?'}{query}"
        return Answer(303, (*about, ("Location", url), ("Content-Length", "0")))
    status = values.get("success_action_status")
    if status == "201":
        elements = {"Location": location[1], "Bucket": target.bucket, "Key": target.key, "ETag": etag}
        return document(201, "PostResponse", elements, *about, location)
    return Answer(200 if status == "200" else 204, (*about, location))


def _read(environ: WSGIEnvironment) -> Form:
    kind, options = parse_options_header(environ.get("CONTENT_TYPE"))
    if kind != "multipart/form-data":
        raise Refused(
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
            Condition="Bucket POST must be of the enclosure-type multipart/form-data",
        )
    if not options.get("boundary"):
        raise _malformed()
    form, part, data = Form(), "", bytearray()
    before = 0
    try:
        for event in _events(environ, options["boundary"]):
            match event:
                case Field(name=name) | File(name=name) if form.file is None:
                    part = name or ""
                    data.clear()
                    if part.lower() == "file":
                        form.file = tempfile.SpooledTemporaryFile(MEMORY)  # noqa: SIM115 - it lives as long as the request
                        form.name = _base(event.filename) if isinstance(event, File) else None
                case Data(data=piece, more_data=more):
                    if form.file is not None:
                        form.size += form.file.write(piece)
                        if not more:
                            form.file.seek(0)
                            return form
                        continue
                    before += len(piece)
                    if before > _FIELDS:
                        raise Refused(
                            "MaxPostPreDataLengthExceeded",
                            "Your POST request fields preceeding the upload file was too large.",
                            MaxPostPreDataLengthBytes=str(_FIELDS),
                        )
                    data += piece
                    if not more:
                        _add(form, part, data.decode())
    except ValueError:
        raise _malformed() from None
    return form


def _events(environ: WSGIEnvironment, boundary: str) -> Iterator[Event]:
    decoder = MultipartDecoder(boundary.encode())
    stream = get_input_stream(environ)
    while True:
        decoder.receive_data(stream.read(_PIECE) or None)
        while (event := decoder.next_event()) is not NEED_DATA:
            yield event
            if isinstance(event, Epilogue):
                return


def _add(form: Form, name: str, value: str) -> None:
    known = next((other for other in form.fields if other.lower() == name.lower()), None)
    form.fields[known or name] = f"{form.fields[known]},{value}" if known else value


def _base(filename: str) -> str:
    """Some browsers send the whole path on the person's machine."""
    return filename.replace("\\", "/").rpartition("/")[2]


def _become_put(environ: WSGIEnvironment, form: Form, values: Mapping[str, str]) -> None:
    for name in [name for name in environ if name.startswith("HTTP_X_AMZ_") or name == "CONTENT_TYPE"]:
        del environ[name]
    for name, value in values.items():
        if name in _PASSED or (name.startswith("x-amz-") and name not in form_signature.FIELDS):
            header = name.upper().replace("-", "_")
            environ[header if header == "CONTENT_TYPE" else f"HTTP_{header}"] = value.encode().decode("latin-1")
    if algorithm := environ.pop("HTTP_X_AMZ_CHECKSUM_ALGORITHM", None):
        environ["HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM"] = algorithm
    environ.setdefault("CONTENT_TYPE", "binary/octet-stream")
    environ.update(REQUEST_METHOD="PUT", CONTENT_LENGTH=str(form.size))
    environ["wsgi.input"] = form.file
    environ.pop("HTTP_TRANSFER_ENCODING", None)


def _malformed() -> Refused:
    return Refused("MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.")
