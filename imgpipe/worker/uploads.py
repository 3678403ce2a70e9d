"""What may be uploaded, and the key that it gets: one that nobody can guess, and that no name can lead elsewhere."""

import re
import reprlib
import secrets
import unicodedata
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from imgpipe.core.recipe import Format, Limits
from imgpipe.errors import IMAGE_ERRORS
from imgpipe.worker.problems import Problem

MEDIA_TYPES: Final = frozenset({*(f"image/{format}" for format in Format), "image/apng", "image/heif"})
"""Nothing that a browser could run, as it runs SVG."""
LARGEST: Final = 5 * 2**30
"""Bytes of one POST ("Amazon S3 multipart upload limits")."""
_LONGEST_NAME: Final = 100
_SHA256: Final = re.compile("[A-Za-z0-9+/]{43}=")
"""In base64."""
_WRONG: Final = {
    "name": "no name of 1 to 1024 characters",
    "content_type": "no media type",
    "size": "no whole number of bytes",
    "checksum": "no SHA-256",
}
"""Field -> what a value is that cannot be one."""


class Upload(Struct, frozen=True, forbid_unknown_fields=True):
    """A file that somebody wants to upload: `size` in bytes, `checksum` its SHA-256 in base64.

    A whole number may be written as 5.0 too (JSON Schema, "integer").
    """

    name: Annotated[str, Meta(min_length=1, max_length=1024)]
    content_type: str
    size: Annotated[float, Meta(ge=0)]
    checksum: str | None = None


def read(body: bytes) -> Upload:
    """The upload that a request's JSON asks for. Raises Problem where it asks for none."""
    document: object = None
    try:
        document = msgspec.json.decode(body)
        return msgspec.convert(document, Upload)
    except msgspec.DecodeError as error:
        field = re.search(r"`\$\.(\w+)`$", str(error))
        detail = f"The body cannot be read: {error}."
        if field and isinstance(document, dict):
            detail = f"The {field[1]} {reprlib.repr(document[field[1]])} is {_WRONG[field[1]]}."
        remedy = "Send a JSON object with name, content_type, size and, if you like, checksum (SHA-256 in base64)."
        raise Problem("bad_request", detail, remedy) from None


def check(upload: Upload, limits: Limits) -> None:
    """Raise Problem where it is no image that is opened, beyond the recipe's `limits`, or its checksum is none."""
    if upload.content_type not in MEDIA_TYPES:
        allowed = ", ".join(sorted(MEDIA_TYPES))
        detail = f"The content type {upload.content_type!r} is none that is opened."
        raise Problem("unsupported_format", detail, f"Upload one of {allowed}.")
    if upload.size == 0:
        raise Problem("empty", "The file has no bytes.", IMAGE_ERRORS["empty"])
    if upload.size % 1:
        raise Problem("bad_request", f"The size {upload.size} is {_WRONG['size']}.", "Send a whole number.")
    limit = min(limits.max_megabytes * 1e6, LARGEST)
    if upload.size > limit:
        detail = f"The file has {upload.size:,.0f} bytes; the limit is {limit:,.0f}."
        raise Problem("too_many_bytes", detail, IMAGE_ERRORS["too_many_bytes"])
    if upload.checksum is not None and not _SHA256.fullmatch(upload.checksum):
        remedy = "Send the file's 32 bytes of SHA-256 in base64, or none."
        raise Problem("bad_request", f"The checksum {upload.checksum!r} is {_WRONG['checksum']}.", remedy)


def new_key(name: str) -> str:
    """A key of its own for a file that somebody calls `name`."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    plain = re.sub(r"[^\w.-]+", "-", last)[-_LONGEST_NAME:].lstrip(".-")
    return f"{secrets.token_hex(16)}/{plain or 'image'}"
