"""Read AVIF, still or a sequence, through libavif in Pillow.

Orientation comes from the `irot` and `imir` properties alone: Pillow writes it into the EXIF that it answers, over what
the EXIF said (MIAF, ISO/IEC 23000-22, has it so). AVIF's own loop count is not read: sequences play for ever.
"""

import re
from collections.abc import Iterator
from io import BytesIO

from PIL import AvifImagePlugin, Image

from imgpipe.core import bmff
from imgpipe.core.decode.modes import plain
from imgpipe.core.decode.reader import Reader, check_frames, timing
from imgpipe.core.decode.tiff_tags import orientation
from imgpipe.core.image import Header, Metadata
from imgpipe.core.recipe import Format

AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # the cores are for other sources


class AvifReader(Reader):
    def __init__(self, data: bytes) -> None:
        bmff.check_end(data)
        by_number = bmff.profile("AVIF", data)
        self._data = data
        image = self._open()
        count = image.n_frames
        check_frames("AVIF", count)
        exif = image.info.get("exif", b"").removeprefix(b"Exif\0\0") or None
        self.header = Header(
            Format.AVIF,
            image.size,
            orientation(exif),
            timing(bmff.durations(data, count), plays=0) if count > 1 else None,
            image.info.get("icc_profile") or by_number,
            Metadata(exif, image.info.get("xmp")),
        )

    def memory(self) -> int:
        """Measured 12 bytes a pixel for 8 bits, 4:2:0 with alpha; 10 bits at 4:4:4 take 8 more."""
        width, height = self.header.size
        return 20 * width * height

    def still(self) -> Image.Image:
        return next(self.frames())

    def frames(self) -> Iterator[Image.Image]:
        image = self._open()
        for index in range(len(self.header.timing.durations) if self.header.timing else 1):
            image.seek(index)
            image.load()
            yield plain(image)

    def _open(self) -> AvifImagePlugin.AvifImageFile:
        try:
            return AvifImagePlugin.AvifImageFile(BytesIO(self._data))
        except (SyntaxError, ValueError):
            # Broken EXIF, perhaps, over which Pillow and libavif stumble; an item of another type they leave alone.
            hidden = re.sub(rb"(infe.{8})Exif", rb"\1free", self._data, flags=re.DOTALL)
            return AvifImagePlugin.AvifImageFile(BytesIO(hidden))
