"""From a source's key to the keys of its renditions.

Two sources never share a rendition key. What makes it so: a rendition's last extension names its format, and the number
of image extensions at its end tells which of the three rules made it, so the source's key can be read back.

    unchanged     one image extension at the end      a/cat.jpg   -> a/cat.jpg
    .EXT          two that differ, or three and more  IMG_1.HEIC  -> IMG_1.HEIC.jpg, cat.png.jpg -> cat.png.jpg.jpg
    .EXT.EXT      two that are alike                  photo       -> photo.jpg.jpg
"""

import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from imgpipe.core.recipe import WRITTEN, Format, Recipe
from imgpipe.errors import ImageError

LONGEST: Final = 1024
"""UTF-8 bytes of the longest key (Amazon S3, "Naming objects")."""

WRITTEN_EXTENSION: Final = {
    Format.JPEG: "jpg",
    Format.PNG: "png",
    Format.WEBP: "webp",
    Format.AVIF: "avif",
    Format.GIF: "gif",
}

# Part of every stored key: an extension added here renames renditions that exist.
_NAMED: Final = {
    "jpg": Format.JPEG,
    "jpeg": Format.JPEG,
    "jpe": Format.JPEG,
    "jfif": Format.JPEG,
    "png": Format.PNG,
    "apng": Format.PNG,
    "webp": Format.WEBP,
    "avif": Format.AVIF,
    "gif": Format.GIF,
    "heic": Format.HEIC,
    "heif": Format.HEIC,
    "hif": Format.HEIC,
    "tif": Format.TIFF,
    "tiff": Format.TIFF,
    "bmp": Format.BMP,
}


def rendition_key(preset: str, key: str, format: Format) -> str:
    """The key of `preset`'s rendition of the source `key` in `format`, which must be one of `WRITTEN`.

    Extensions are read without regard to case, so the rule commutes with `folded`. Raises ImageError: `key_too_long`
    above `LONGEST` bytes, `bad_key` where the key is not Unicode text.
    """
    made = f"{preset}/{_name(key, format)}"
    try:
        length = len(made.encode())
    except UnicodeEncodeError:
        raise ImageError("bad_key", f"The name {key!a} is not valid UTF-8.") from None
    if length > LONGEST:
        message = f"The key of its {preset} rendition is {length} bytes long; the longest that can be is {LONGEST}."
        raise ImageError("key_too_long", message)
    return made


def candidates(recipe: Recipe, key: str) -> tuple[str, ...]:
    """Every key that rendering the source `key` by `recipe` may write; those that are too long cannot be."""
    found = []
    for preset in recipe.presets:
        for format in WRITTEN if preset.format == "keep" else (Format(preset.format),):
            try:
                found.append(rendition_key(preset.name, key, format))
            except ImageError:
                continue
    return tuple(dict.fromkeys(found))


def folded(key: str) -> str:
    """What `key` is to a file system that ignores case and composition (Unicode 3.13, D145: canonical caseless)."""
    if key.isascii():
        return key.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", key).casefold())


def collisions(keys: Iterable[str], *, folding: bool) -> Iterator[tuple[str, str]]:
    """Pairs of sources whose renditions cannot lie in one folder; `folding` where its file system ignores case.

    Besides keys that fold alike: a rendition may need the name of a folder that another's lies in, as `photo` and
    `photo.jpg.jpg/1.png` do.
    """
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for key in keys:
        name = folded(key) if folding else key
        if name in seen:
            yield seen[name], key
        seen.setdefault(name, key)
        while "/" in name:
            name = name.rpartition("/")[0]
            if name in folders:
                break
            folders[name] = key
    for folder, inside in folders.items():
        for name in _sources_of(folder):
            if name in seen:
                yield seen[name], inside


def _sources_of(name: str) -> Iterator[str]:
    """The keys of which `name` may be a rendition, in some format."""
    once = _split(name)[0]
    for key in (name, once, _split(once)[0]):
        if any(name == _name(key, format) for format in WRITTEN):
            yield key


def _name(key: str, format: Format) -> str:
    extension = WRITTEN_EXTENSION[format]
    stem, named = _split(key)
    if named is None:
        return f"{key}.{extension}.{extension}"
    if named is format and _split(stem)[1] is None:
        return key
    return f"{key}.{extension}"


def _split(key: str) -> tuple[str, Format | None]:
    """`key` without the image extension at its end, and the format that this names; None where there is none."""
    stem, dot, extension = key.rpartition(".")
    named = _NAMED.get(folded(extension)) if dot else None
    return (stem, named) if named else (key, None)
