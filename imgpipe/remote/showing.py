"""One image as it is now: its record, what lies at its key, and links to it and to its renditions.

The document has the shape of the HTTP API's. The record may be behind: an image that no worker has looked at yet is
`queued`, and one whose source was overwritten or removed meanwhile is not `current`.
"""

import time
from typing import Any

import msgspec
from msgspec import Struct

from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.session import aws_errors
from imgpipe.remote.source_keys import no_image
from imgpipe.worker.ids import to_id
from imgpipe.worker.ports import Record, Stat, rfc3339


class Shown(Struct, frozen=True, kw_only=True):
    """An image. `record` is None where no worker has looked at what lies there, `source` where nothing lies there.

    `links` are those of the record's renditions, in their order, and `url` is the source's; they work until `expires`
    (RFC 3339, UTC), or as long as the credentials that made them.
    """

    key: str
    record: Record | None
    source: Stat | None
    url: str | None
    links: tuple[str, ...]
    expires: str

    @property
    def status(self) -> str:
        return self.record.status if self.record else "queued"

    @property
    def is_current(self) -> bool:
        """Whether the record tells what became of what lies there now."""
        if self.status in ("queued", "processing"):
            return False
        return (self.source.version if self.source else None) == (self.record.version if self.record else None)

    def document(self) -> dict[str, Any]:
        """The image for a program."""
        told: dict[str, Any] = {"id": to_id(self.key)}
        if self.record:
            told |= msgspec.to_builtins(self.record)
            for made, url in zip(told["renditions"], self.links, strict=True):
                made["url"] = url
        else:
            told |= {"key": self.key, "status": self.status}
        source = msgspec.to_builtins(self.source) if self.source else None
        return told | {"url": self.url, "source": source, "current": self.is_current, "expires": self.expires}


def look(pipeline: Pipeline, key: str, seconds: int) -> Shown:
    """The image at `key`, with links that work for `seconds`. Raises NoImageError where there is none and never was,
    AwsError."""
    with aws_errors():
        entry = pipeline.catalog.get(key)
        source = pipeline.sources.stat(key)
        record = entry.record.public() if entry else None
        if source is None and record is None:
            raise no_image(pipeline, key)
        if source and record and record.status == "deleted":
            record = None
        url = None
        if source:
            media_type = f"image/{record.format}" if record and record.format else "application/octet-stream"
            url = pipeline.source_links.link(key, media_type, seconds)
        made = record.renditions if record else ()
        links = tuple(pipeline.rendition_links.link(it.key, f"image/{it.format}", seconds) for it in made)
    expires = rfc3339(time.time() + seconds)
    return Shown(key=key, record=record, source=source, url=url, links=links, expires=expires)
