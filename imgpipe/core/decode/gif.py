"""Read GIF (GIF89a), animated or not.

The canvas is the logical screen, grown to the first frame where that sticks out, as in browsers; of later frames what
sticks out is cut off. NETSCAPE2.0 counts repeats: a GIF without it plays once, with 2 three times, with 0 for ever.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import GifImagePlugin, Image

from imgpipe.core.decode.compose import Leave, Patch, compose
from imgpipe.core.decode.modes import plain
from imgpipe.core.decode.reader import Reader, check_frames, corrupt, cut_off, timing
from imgpipe.core.image import Header, Metadata, Size
from imgpipe.core.recipe import Format

_LEAVE: Final = {2: Leave.NOTHING, 3: Leave.WHAT_WAS}


class GifReader(Reader):
    def __init__(self, data: bytes) -> None:
        walk = _Walk(data)
        self._patches = walk.patches
        if not self._patches:
            raise corrupt("GIF", "it holds no frame")
        first = self._patches[0]
        size = tuple(max(walk.screen[axis], first.offset[axis] + first.size[axis]) for axis in (0, 1))
        clock = timing([patch.milliseconds for patch in self._patches], walk.plays)
        self.header = Header(Format.GIF, (size[0], size[1]), timing=clock, metadata=Metadata(xmp=walk.xmp))

    @property
    def pixels(self) -> int:
        """Patches are decoded whole, however little of them the canvas shows."""
        return max(super().pixels, sum(patch.size[0] * patch.size[1] for patch in self._patches))

    def memory(self) -> int:
        """Measured: the canvas and three copies at 4 bytes a pixel; the patch at 4, and its indices."""
        width, height = self.header.size
        return 16 * width * height + 5 * max(patch.size[0] * patch.size[1] for patch in self._patches)

    def still(self) -> Image.Image:
        return next(self.frames())

    def frames(self) -> Iterator[Image.Image]:
        return compose(self.header.size, self._patches)


@dataclass(frozen=True)
class _Control:
    """A graphic control extension: flags, and the index that is transparent."""

    leave: Leave = Leave.IT
    milliseconds: int = 0
    transparent: int | None = None


class _Walk:
    """One walk over the blocks: nothing is decoded."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 13
        self.screen: Size = (self._short(6), self._short(8))
        self.plays = 1
        self.xmp: bytes | None = None
        self.patches: list[Patch] = []
        self._colours = self._table(data[10]) if len(data) > 10 else b""
        control = _Control()
        while (kind := self._take(1)) != b";":
            if kind == b"!":
                control = self._extension() or control
            elif kind == b",":
                self.patches.append(self._patch(control))
                check_frames("GIF", len(self.patches))
                control = _Control()
            elif kind != b"\0":
                raise corrupt("GIF", f"a block at byte {self._at - 1} begins with {kind.hex()}")

    def _extension(self) -> _Control | None:
        label = self._take(1)
        blocks = self._blocks()
        if label == b"\xf9" and len(blocks) >= 5:
            flags = blocks[1]
            shown = 10 * int.from_bytes(blocks[2:4], "little")
            return _Control(_LEAVE.get(flags >> 2 & 7, Leave.IT), shown, blocks[4] if flags & 1 else None)
        if label == b"\xff" and blocks[1:12] == b"XMP DataXMP":
            # The packet is no chain of blocks; what ends it makes a walk over its characters end with it.
            self.xmp = blocks[12:].rpartition(b"\x01\xff\xfe")[0] or None
        if label == b"\xff" and blocks[1:12] in (b"NETSCAPE2.0", b"ANIMEXTS1.0") and blocks[12:14] == b"\x03\x01":
            repeats = int.from_bytes(blocks[14:16], "little")
            self.plays = repeats + 1 if repeats else 0
        return None

    def _patch(self, control: _Control) -> Patch:
        place = self._take(9)
        left, top, width, height = (int.from_bytes(place[at : at + 2], "little") for at in (0, 2, 4, 6))
        colours = self._table(place[8]) or self._colours
        pixels = self._take(1) + self._blocks()
        if not width or not height:
            raise corrupt("GIF", f"frame {len(self.patches) + 1} is {width}×{height} pixels")

        def decode() -> Image.Image:
            flags = 0x80 | (len(colours) // 3).bit_length() - 2 if colours else 0
            size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
            head = b"GIF89a" + size + bytes((flags, 0, 0)) + colours
            if control.transparent is not None:
                head += bytes((0x21, 0xF9, 4, 1, 0, 0, control.transparent, 0))
            frame = b"," + bytes(4) + size + bytes((place[8] & 0x40,)) + pixels + b";"
            image = GifImagePlugin.GifImageFile(BytesIO(head + frame))
            image.load()
            return plain(image)

        return Patch((left, top), (width, height), control.milliseconds, control.leave, True, decode)

    def _table(self, flags: int) -> bytes:
        """The colour table that may follow, by the flags before it."""
        return self._take(3 << (flags & 7) + 1) if flags & 0x80 else b""

    def _blocks(self) -> bytes:
        """A chain of sub-blocks with their lengths, up to and with its terminator."""
        start = self._at
        while length := self._take(1)[0]:
            self._take(length)
        return self._data[start : self._at]

    def _take(self, length: int) -> bytes:
        self._at += length
        if self._at > len(self._data):
            raise cut_off("GIF", self._data, "a trailer")
        return self._data[self._at - length : self._at]

    def _short(self, at: int) -> int:
        return int.from_bytes(self._data[at : at + 2], "little")
