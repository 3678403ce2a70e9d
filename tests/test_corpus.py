"""Every file of a folder of real and hostile images opens to a fitting picture, or fails with a fitting code.

Only where IMGPIPE_CORPUS names such a folder (`orientation`, `photos`, `pillow`, `pngsuite`); else there is nothing to
collect. Pillow's own test files have a process each, since some are there because they crashed a decoder once.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from imgpipe.core.codec import open_source
from imgpipe.core.image import Header
from imgpipe.core.recipe import Limits
from imgpipe.errors import ImageError

FAILS: Final = {
    "pillow/broken_data_stream.png": "corrupt",
    "pillow/decompression_bomb.gif": "truncated",
    "pillow/decompression_bomb.ico": "unsupported_format",
    "pillow/hopper.ico": "unsupported_format",
    "pillow/hopper_webp_bits.ppm": "unsupported_format",
    "pillow/truncated_image.png": "truncated",
    "pillow/truncated_jpeg.jpg": "truncated",
}
"""What cannot be read, and the code that fits. Of PngSuite these are all whose names begin with `x`; of the TIFFs that
crashed Pillow, most are cut off, and some are whole enough for a picture."""


def decode(path: Path) -> Header:
    """Open and decode every frame of `path`. Raises ImageError."""
    source = open_source(path.read_bytes(), Limits())
    assert source.still(None).size == source.header.size
    for frame in source.frames():
        assert frame.mode in ("L", "RGB", "RGBA", "CMYK", "LAB")
    return source.header


def code_of(path: Path) -> str | None:
    """The code that `path` fails with; None where it decodes."""
    try:
        decode(path)
    except ImageError as error:
        return error.code
    return None


if "IMGPIPE_CORPUS" in os.environ:
    CORPUS: Final = Path(os.environ["IMGPIPE_CORPUS"])
    FILES: Final = sorted(
        path.relative_to(CORPUS).as_posix()
        for path in CORPUS.rglob("*.*")
        if path.is_file() and path.suffix != ".md" and path.stem != "LICENSE"
    )

    @pytest.mark.parametrize("name", FILES)
    def test_a_file_of_the_corpus_decodes_or_fails_fittingly(name: str) -> None:
        if name.startswith("pillow/"):
            ended = subprocess.run(
                [sys.executable, __file__, CORPUS / name], capture_output=True, check=True, timeout=60
            )
            code = json.loads(ended.stdout)
        else:
            code = code_of(CORPUS / name)
        if "/crash-" in name:
            assert code in ("truncated", "corrupt", None)
        else:
            assert code == ("corrupt" if name.startswith("pngsuite/x") else FAILS.get(name))

    @pytest.mark.parametrize(("kind", "size"), [("Landscape", (1800, 1200)), ("Portrait", (1200, 1800))])
    def test_every_orientation_is_of_one_upright_size(kind: str, size: tuple[int, int]) -> None:
        assert all(decode(CORPUS / f"orientation/{kind}_{index}.jpg").upright == size for index in range(9))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(code_of(Path(sys.argv[1]))))
