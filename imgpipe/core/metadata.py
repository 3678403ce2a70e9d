"""Which metadata a rendition carries: nothing, the rights alone, or all that is still true of it.

Metadata comes from strangers and is never a reason to fail: what is damaged is left out. What each format can carry is
decided where it is written, in `encode`.
"""

from dataclasses import dataclass
from typing import Literal

from imgpipe.core import exif, iptc, xmp
from imgpipe.core.image import Metadata
from imgpipe.core.rights import Rights


@dataclass(frozen=True)
class Tags:
    """The packets of a rendition, in the form of `Metadata`."""

    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None


def tags(metadata: Metadata, policy: Literal["none", "copyright", "all"]) -> Tags:
    """What a rendition of a source with `metadata` carries. Never raises.

    `copyright`: artist, copyright and licence, written afresh as EXIF and XMP. `all`: the source's own packets without
    orientation, thumbnail, pixel dimensions and colour space, which a rendition makes untrue.
    """
    if policy == "none":
        return Tags()
    if policy == "all":
        return Tags(
            exif=exif.without_stale(metadata.exif) if metadata.exif else None,
            xmp=xmp.without_stale(metadata.xmp) if metadata.xmp else None,
            iptc=metadata.iptc,
        )
    rights = _rights(metadata)
    return Tags(exif=exif.written(rights), xmp=xmp.written(rights)) if rights else Tags()


def _rights(metadata: Metadata) -> Rights:
    """EXIF before XMP before IPTC, each filling what those before it lack: the order of the Metadata Working Group's
    Guidelines for Handling Image Metadata 2.0 (2010), where no IPTC digest tells that the IPTC is newer."""
    return exif.rights(metadata.exif or b"") | xmp.rights(metadata.xmp or b"") | iptc.rights(metadata.iptc or b"")
