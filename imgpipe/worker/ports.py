"""What the worker needs of the world: a store for bytes, a catalog for records.

Adapters fill these protocols for memory, folders, S3 and DynamoDB; one contract suite holds them to what is said here.
Every method may raise what its medium raises (network, throttling, permissions): that is an outage, and the message
comes again.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Literal, NamedTuple, Protocol

import msgspec
from msgspec import UNSET, Struct, UnsetType


def rfc3339(seconds: float) -> str:
    """The time `seconds` after the epoch as RFC 3339 in UTC, to the millisecond: how records write times."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Settled = Literal["done", "failed", "deleted"]
Status = Literal["processing", Settled]


class Rendition(Struct, frozen=True, kw_only=True):
    """One output file. `notes` says what the preset asked for and could not have: `watermark_too_small`,
    `over_max_bytes`."""

    preset: str
    key: str
    width: int
    height: int
    bytes: int
    format: str
    watermark: bool
    notes: tuple[str, ...] | UnsetType = UNSET


class Failure(Struct, frozen=True):
    """Why a source failed: a code of `errors.IMAGE_ERRORS` and a sentence."""

    code: str
    message: str


class Milliseconds(Struct, frozen=True):
    """Where the time of one job went."""

    read: int = 0
    render: int = 0
    store: int = 0
    total: int = 0


class Claim(Struct, frozen=True, kw_only=True):
    """A worker's hold on a source, kept in its record while it is `processing`.

    `ends` is in seconds since the epoch, None once released; `keys` holds every rendition key that this attempt, or a
    lost one before it, may have written; `strikes` counts the workers that died on this version and recipe.
    """

    attempt: str
    ends: float | None
    keys: tuple[str, ...]
    strikes: int = 0


class Record(Struct, frozen=True, kw_only=True):
    """What is known of one source. `width` and `height` are upright pixels; `modified` and `updated` RFC 3339, UTC."""

    key: str
    status: Status
    version: str | None = None
    modified: str | None = None
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    recipe: str | None = None
    renditions: tuple[Rendition, ...] = ()
    error: Failure | None = None
    milliseconds: Milliseconds | None = None
    builds: dict[str, str] = {}
    updated: str
    claim: Claim | UnsetType = UNSET

    def public(self) -> "Record":
        """The record as a person sees it: without the claim."""
        return msgspec.structs.replace(self, claim=UNSET)


class Stat(Struct, frozen=True, kw_only=True):
    """A stored object without its bytes. Equal versions mean equal bytes."""

    key: str
    version: str
    bytes: int
    modified: str


class Blob(NamedTuple):
    """An object's bytes, with the `Stat` of exactly these bytes."""

    stat: Stat
    data: bytes


class Entry(NamedTuple):
    """A record, with the revision that a compare-and-set of it names."""

    record: Record
    revision: int


class Store(Protocol):
    """Where bytes live."""

    def stat(self, key: str, known: str | None = None) -> Stat | None:
        """What lies at `key` now; None where nothing does. Where a store has more than one kind of version, it answers
        in the kind of `known`, so that the two can be compared."""

    def read(self, key: str, limit: int, known: str | None = None) -> Blob | None:
        """The bytes at `key`, at most the first `limit` of them (`stat.bytes` tells the whole); None where nothing
        lies. `known` is as for `stat`."""

    def write(self, key: str, data: bytes, media_type: str) -> None:
        """Store `data` at `key`, whole or not at all. Raises ImageError (`key_too_long`) where no such key can be."""

    def delete(self, keys: Collection[str]) -> None:
        """Remove what lies at `keys`; what does not is no error."""

    def is_gone(self, key: str) -> bool:
        """Whether it is certain that nothing lies at `key`. A store whose "nothing" may be from before a write is
        certain only of a removal that it knows of."""


class Catalog(Protocol):
    """Where records live."""

    def get(self, key: str) -> Entry | None:
        """The record of `key` as it is now: strongly consistent."""

    def put(self, record: Record, revision: int | None) -> int:
        """Write `record` if the stored one is still at `revision` (None: there is none), and return its new revision.
        Raises Conflict otherwise; but where the stored record equals `record`, an earlier answer was lost, and the put
        succeeds."""


class Form(Struct, frozen=True):
    """A presigned upload: a POST of `fields`, and the file last, as multipart/form-data to `url`."""

    url: str
    fields: dict[str, str]


class Uploads(Protocol):
    """Lets a stranger store one object, once asked and for `seconds`, without the bytes passing through here."""

    def form(self, key: str, media_type: str, size: int, checksum: str | None, seconds: int) -> Form:
        """The upload of exactly `size` bytes of `media_type` to `key`; `checksum` is their SHA-256 in base64."""


class Links(Protocol):
    """Lets a stranger fetch one object for a while."""

    def link(self, key: str, media_type: str, seconds: int) -> str:
        """A URL under which the object at `key` is served as `media_type`, under its own name, for `seconds`."""


class Queue(Protocol):
    """Where messages wait for a worker."""

    def send(self, body: str) -> None:
        """Put one message at its end."""


class Page(NamedTuple):
    """Records, newest first, and the cursor ("UPDATED#KEY") after which the next page begins; None where there is no
    more."""

    records: tuple[Record, ...]
    cursor: str | None


class Feed(Protocol):
    """The catalog's settled records in the order of their `updated`, newest first."""

    def page(
        self,
        limit: int,
        *,
        cursor: str | None = None,
        since: str | None = None,
        prefix: str | None = None,
        status: Settled | None = None,
    ) -> Page:
        """At most `limit` records, updated at `since` (RFC 3339, UTC) or later, of keys that begin with `prefix`, of
        one `status`. A page may hold fewer, even none, and still have a next."""
