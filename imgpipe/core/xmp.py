"""XMP packets: read the rights, take out what a rendition makes untrue, write the rights afresh.

Packets come from strangers, so `_parse` is the only door: it refuses, before they cost anything, document types (and so
entities, in every encoding), and sizes, depths and namespaces that no packet needs.
Specification: ISO 16684-1 (XMP data model and RDF serialisation).
"""

from typing import Final
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from imgpipe.core.rights import Rights, clean

_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DC: Final = "http://purl.org/dc/elements/1.1/"
_RIGHTS: Final = "http://ns.adobe.com/xap/1.0/rights/"
_CC: Final = "http://creativecommons.org/ns#"
_TIFF: Final = "http://ns.adobe.com/tiff/1.0/"
_EXIF: Final = "http://ns.adobe.com/exif/1.0/"
_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"

_STALE: Final = frozenset(
    {
        *(
            f"{{{_TIFF}}}{name}"
            for name in ("Orientation", "ImageWidth", "ImageLength", "BitsPerSample", "Compression")
        ),
        *(f"{{{_EXIF}}}{name}" for name in ("PixelXDimension", "PixelYDimension", "ColorSpace")),
        "{http://ns.adobe.com/xap/1.0/}Thumbnails",
        "{http://ns.adobe.com/photoshop/1.0/}ICCProfile",
    }
)
_STALE_NAMESPACES: Final = (
    # Parts that lay behind the image in its file: the rest of a long packet, gain maps, motion photos.
    "{http://ns.adobe.com/xmp/note/}",
    "{http://ns.adobe.com/hdr-gain-map/1.0/}",
    "{http://ns.google.com/photos/1.0/camera/}",
    "{http://ns.google.com/photos/1.0/container/}",
)

_MAX_BYTES: Final = 1_000_000
_MAX_DEPTH: Final = 100
_MAX_NAMESPACES: Final = 200
_MAX_ADDRESS: Final = 200


class _Refused(Exception):
    """The packet is not what a packet needs to be."""


class _Builder(ElementTree.TreeBuilder):
    """Builds the tree as long as it is a harmless one."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0
        self._namespaces = 0

    def doctype(self, *_: object) -> None:
        raise _Refused

    def start_ns(self, _prefix: str, address: str) -> None:
        # Each name holds its namespace's address: a long one, used often, would fill the memory.
        self._namespaces += 1
        if self._namespaces > _MAX_NAMESPACES or len(address) > _MAX_ADDRESS:
            raise _Refused

    def start(self, tag: str, attributes: dict[str, str]) -> ElementTree.Element:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _Refused
        return super().start(tag, attributes)

    def end(self, tag: str) -> ElementTree.Element:
        self._depth -= 1
        return super().end(tag)


def _parse(packet: bytes) -> ElementTree.Element | None:
    if len(packet) > _MAX_BYTES:
        return None
    parser = ElementTree.XMLParser(target=_Builder())  # noqa: S314 - the builder refuses what is dangerous
    try:
        parser.feed(packet)
        return parser.close()
    # ValueError and LookupError: an encoding that is declared but not known.
    except (ElementTree.ParseError, _Refused, ValueError, LookupError):
        return None


def rights(packet: bytes) -> Rights:
    """Creators, notice and licence of the packet; nothing of a packet that is refused or malformed. Never raises."""
    root = _parse(packet)
    if root is None:
        return Rights()
    descriptions = [node for rdf in root.iter(f"{{{_RDF}}}RDF") for node in rdf.findall(f"{{{_RDF}}}Description")]

    def texts(namespace: str, name: str) -> tuple[str, ...]:
        found = (text for node in descriptions for text in _values(node, f"{{{namespace}}}{name}"))
        return tuple(filter(None, map(clean, found)))

    def first(namespace: str, name: str) -> str:
        return next(iter(texts(namespace, name)), "")

    return Rights(
        artists=texts(_DC, "creator"),
        notice=first(_DC, "rights"),
        terms=first(_RIGHTS, "UsageTerms"),
        statement=first(_RIGHTS, "WebStatement"),
        license=first(_CC, "license"),
    )


def _values(description: ElementTree.Element, name: str) -> list[str]:
    """A property's values: an attribute, an element's text or address, or a list's items, default language first."""
    values = [description.attrib[name]] if name in description.attrib else []
    for element in description.findall(name):
        items = sorted(element.iter(f"{{{_RDF}}}li"), key=lambda item: item.get(_LANG) not in (None, "x-default"))
        values += [item.text or "" for item in items] or [element.get(f"{{{_RDF}}}resource", element.text or "")]
    return values


def without_stale(packet: bytes) -> bytes | None:
    """The packet, in UTF-8, without what a rendition makes untrue: orientation, thumbnails, pixel dimensions, colour
    space and parts that lay elsewhere in the file. None where it is refused or malformed."""
    root = _parse(packet)
    if root is None:
        return None
    names = {name for element in root.iter() for name in (element.tag, *element.attrib)}
    stale = _STALE | {name for name in names if name.startswith(_STALE_NAMESPACES)}
    kept = ElementTree.canonicalize(packet, exclude_attrs=stale, exclude_tags=stale).encode()
    # Namespaces are declared where they are used, which in a packet made to do so adds up.
    return kept if len(kept) <= _MAX_BYTES else None


def written(rights: Rights) -> bytes:
    """A fresh packet that says `rights` and nothing else."""
    creators = "".join(f"<rdf:li>{escape(artist)}</rdf:li>" for artist in rights.artists)
    properties = (
        f"<dc:creator><rdf:Seq>{creators}</rdf:Seq></dc:creator>" if creators else "",
        _alternative("dc:rights", rights.notice),
        _alternative("xmpRights:UsageTerms", rights.terms),
        f"<xmpRights:WebStatement>{escape(rights.statement)}</xmpRights:WebStatement>" if rights.statement else "",
        f"<cc:license rdf:resource={quoteattr(rights.license)}/>" if rights.license else "",
    )
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"><rdf:Description rdf:about=""'
        f' xmlns:dc="{_DC}" xmlns:xmpRights="{_RIGHTS}" xmlns:cc="{_CC}">{"".join(properties)}'
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def _alternative(name: str, text: str) -> str:
    return f'<{name}><rdf:Alt><rdf:li xml:lang="x-default">{escape(text)}</rdf:li></rdf:Alt></{name}>' if text else ""
