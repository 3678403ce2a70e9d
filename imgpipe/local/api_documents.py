"""The documents that the HTTP API answers with, as types: what its schema is made from.

The API itself writes them as it goes; that both agree, the tests of the schema hold.
"""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct
from msgspec.structs import fields

from imgpipe.core.recipe import Format, Limits, Preset, Watermark
from imgpipe.errors import IMAGE_ERRORS
from imgpipe.worker.api import LINK_SECONDS
from imgpipe.worker.ports import Failure, Form, Record, Rendition
from imgpipe.worker.problems import STATUS
from imgpipe.worker.uploads import LARGEST, MEDIA_TYPES

Id = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]+$", description="base64url of the image's key, without padding")]
Url = Annotated[
    str, Meta(description=f"a link that works for {LINK_SECONDS // 60} minutes", extra_json_schema={"format": "uri"})
]
Time = Annotated[str, Meta(description="RFC 3339, UTC", extra_json_schema={"format": "date-time"})]


class LinkedRendition(Rendition, frozen=True, kw_only=True):
    """One output file, with a link to it."""

    url: Url


class ImageFailure(Failure, frozen=True):
    """Why an image failed: a stable code, and a sentence."""

    code: Annotated[str, Meta(description="there may be others", examples=sorted(IMAGE_ERRORS))]


class Image(Record, frozen=True, kw_only=True):
    """What is known of one source. `width` and `height` are upright pixels; `url` is a link to the source itself, where
    it is an image."""

    id: Id
    url: Url | UnsetType = UNSET
    modified: Time | None = None
    updated: Time
    format: Annotated[str, Meta(description="there may be others", examples=sorted(Format))] | None = None
    error: ImageFailure | None = None
    renditions: tuple[LinkedRendition, ...] = ()


class Queued(Struct, frozen=True):
    """A source that no worker has looked at yet."""

    id: Id
    key: str
    status: Literal["queued"]
    bytes: int
    version: str
    modified: Time


class Listing(Struct, frozen=True):
    """Images, newest first, and the `cursor` of the next page; null where there is none."""

    images: tuple[Image, ...]
    cursor: str | None


class Offer(Struct, frozen=True):
    """Where and how to upload: a POST of `upload.fields`, and the file last, as multipart/form-data to `upload.url`."""

    id: Id
    key: str
    upload: Form
    expires: Time


class Accepted(Struct, frozen=True):
    """What was asked for will be done; GET /images/{id} tells when."""

    id: Id
    key: str


class Health(Struct, frozen=True):
    """That the API answers, by which version, and with which recipe images are made."""

    status: Literal["ok"]
    version: str
    recipe: str


class Problem(Struct, frozen=True):
    """Why a request was refused (RFC 9457): `detail` is a sentence, and `remedy` another, on what to do."""

    type: str
    title: str
    status: int
    detail: str
    code: Annotated[str, Meta(description="there may be others", examples=sorted(STATUS))]
    remedy: str


class GatewayMessage(Struct, frozen=True):
    """What API Gateway answers itself, before the API is asked."""

    message: str


class Asset(Struct, frozen=True):
    """An image or a font that the recipe names, with its size in bytes."""

    name: str
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    bytes: int


class Mark(Watermark, frozen=True, kw_only=True):
    """The watermark of a preset, nothing left to defaults."""

    image: Asset | None = None  # type: ignore[assignment]  # told by its name and hash, without its bytes
    font: Asset  # type: ignore[assignment]


NamedPreset: Final = defstruct(
    "NamedPreset",
    [
        (field.name, Mark | Literal[False] if field.name == "watermark" else field.type)
        for field in fields(Preset)
        if field.name != "name"
    ],
    namespace={"__doc__": "The settings of a preset, nothing left to defaults."},
)


class Recipe(Struct, frozen=True):
    """What is made of every image, nothing left to defaults; presets by name."""

    hash: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
    metadata: Literal["none", "copyright", "all"]
    limits: Limits
    presets: dict[str, NamedPreset]  # type: ignore[valid-type]  # made at run time, of Preset's own fields


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """A file to be uploaded: `size` in bytes, at most the recipe's max_megabytes."""

    name: Annotated[str, Meta(min_length=1, max_length=1024, description="its name, which the key will end with")]
    content_type: Annotated[str, Meta(extra_json_schema={"enum": sorted(MEDIA_TYPES)})]
    size: Annotated[int, Meta(ge=1, le=LARGEST)]
    checksum: (
        Annotated[str, Meta(pattern="^[A-Za-z0-9+/]{43}=$", description="its SHA-256, in base64: S3 compares")] | None
    ) = None
