"""Whose an image is and what may be done with it: the few words that every rendition carries by default.

EXIF, XMP and IPTC can each hold them, and may disagree. `Rights | Rights` settles it: field by
field, the left one wins.
"""

import re
from dataclasses import dataclass
from typing import Final

_LONGEST: Final = 10_000
# XML 1.0, production 2 (Char): what no XMP packet can hold.
_UNWRITABLE: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Rights:
    """Who made an image, the copyright notice, and the licence: its `terms` in words, the addresses of a `statement`
    about it and of a standard `license`. Texts are as `clean` returns them; "" where nothing is said."""

    artists: tuple[str, ...] = ()
    notice: str = ""
    terms: str = ""
    statement: str = ""
    license: str = ""

    def __or__(self, other: "Rights") -> "Rights":
        return Rights(
            self.artists or other.artists,
            self.notice or other.notice,
            self.terms or other.terms,
            self.statement or other.statement,
            self.license or other.license,
        )

    def __bool__(self) -> bool:
        return self != Rights()


def clean(text: str) -> str:
    """`text` trimmed, with line feeds for line ends and without what XML cannot hold; "" if longer than 10,000
    characters, which is no name and no notice but would weigh on every rendition."""
    trimmed = _UNWRITABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    return trimmed if len(trimmed) <= _LONGEST else ""


def decoded(data: bytes) -> str:
    """Text of no declared encoding: UTF-8 where it is that, else Latin-1."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
