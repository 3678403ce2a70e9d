"""Read BMP, of Windows and OS/2."""

from io import BytesIO

from PIL import BmpImagePlugin, Image

from imgpipe.core.decode.modes import plain
from imgpipe.core.decode.reader import Reader
from imgpipe.core.image import Header
from imgpipe.core.recipe import Format


class BmpReader(Reader):
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.header = Header(Format.BMP, self._open().size)

    def memory(self) -> int:
        """Measured: 4 bytes a pixel, and 4 more while a palette or alpha is converted."""
        width, height = self.header.size
        return 8 * width * height

    def still(self) -> Image.Image:
        image: Image.Image = self._open()
        image.load()
        if image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
            image = image.convert("RGB")  # 32 bits with a fourth byte that nobody filled: opaque to all viewers
        return plain(image)

    def _open(self) -> BmpImagePlugin.BmpImageFile:
        return BmpImagePlugin.BmpImageFile(BytesIO(self._data))
