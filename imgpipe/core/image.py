"""What the parts of the image path say to each other: a source's header, its timing, its raw metadata."""

from dataclasses import dataclass, field

from imgpipe.core.recipe import Format

Size = tuple[int, int]
"""(width, height) in pixels."""


@dataclass(frozen=True)
class Metadata:
    """The packets as the file holds them: EXIF without the `Exif\\0\\0` prefix, XMP as XML bytes, IPTC-IIM datasets."""

    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None


@dataclass(frozen=True)
class Timing:
    """An animation's clock: milliseconds for each frame, and how often it plays (0: for ever)."""

    durations: tuple[int, ...]
    plays: int


@dataclass(frozen=True)
class Header:
    """A source before its pixels are decoded. `size` is as stored; `orientation` is EXIF's, 1 to 8."""

    format: Format
    size: Size
    orientation: int = 1
    timing: Timing | None = None
    icc: bytes | None = None
    metadata: Metadata = field(default_factory=Metadata)

    @property
    def upright(self) -> Size:
        """The size after orientation: 5 to 8 lie on their side."""
        width, height = self.size
        return (height, width) if self.orientation >= 5 else (width, height)
