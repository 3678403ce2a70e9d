"""Small real images for the tests of a running stack."""

import io

from PIL import Image


def jpeg(turn: int = 0, size: tuple[int, int] = (96, 64)) -> bytes:
    """A JPEG; each `turn` (degrees) is another picture."""
    file = io.BytesIO()
    Image.linear_gradient("L").rotate(turn).resize(size).convert("RGB").save(file, "JPEG")
    return file.getvalue()
