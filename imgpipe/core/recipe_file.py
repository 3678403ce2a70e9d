"""`imgpipe.toml`: find it, load it, start one, and show what a recipe resolves to.

Without a file, the starter is the recipe: what runs then, what `imgpipe init` writes, and where every setting is
explained are one text, `starter.toml`.
"""

import codecs
import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from imgpipe.core.recipe import Recipe
from imgpipe.core.recipe_assets import default_font
from imgpipe.core.recipe_lines import lines
from imgpipe.core.recipe_reader import OF_TEXT, Reader
from imgpipe.core.recipe_setting import Place, Table, quoted
from imgpipe.errors import Problem, RecipeError, UsageError

NAME: Final = "imgpipe.toml"
BUILT_IN: Final = "built into imgpipe"
"""What stands for the path of the recipe that runs where there is no file."""
MAX_BYTES: Final = 1_000_000
_LINE: Final = re.compile(r"line (\d+)")
_BARE: Final = re.compile("[A-Za-z0-9_-]+")


def find(directory: Path) -> Path | None:
    """The recipe in `directory`, if there is one."""
    path = directory / NAME
    return path if os.path.lexists(path) else None


def load(
    path: Path | None,
    *,
    watermark_text: str | None = None,
    watermark_image: Path | None = None,
    no_watermark: bool = False,
) -> Recipe:
    """The recipe at `path`, or the one built in.

    At most one flag may be given. `watermark_text` or `watermark_image` (relative to the working directory) takes the
    place of every text and image in the recipe; a preset without a watermark stays without. Raises RecipeError with
    all problems, and UsageError for two flags.
    """
    if (watermark_text is not None) + (watermark_image is not None) + no_watermark > 1:
        flags = "--watermark-text, --watermark-image and --no-watermark"
        raise UsageError(f"More than one of {flags} is given.", "Keep one of them.")
    source = str(path or BUILT_IN)
    text = _read(path, source) if path else starter()
    tables = _parse(text, source)
    flag = None
    if no_watermark:
        _remove_marks(tables)
    elif watermark_text is not None:
        flag = "text"
        _replace_marks(tables, flag, watermark_text)
    elif watermark_image is not None:
        flag = "image"
        _replace_marks(tables, flag, str(watermark_image.absolute()))
    reader = Reader(path.parent if path else Path())
    recipe = reader.recipe(tables)
    if reader.problems:
        raise RecipeError(source, _problems(reader.problems, lines(text), flag))
    return recipe


def starter() -> str:
    """The commented recipe to begin with."""
    return Path(__file__).with_name("starter.toml").read_text(encoding="utf-8")


def document(recipe: Recipe) -> dict[str, object]:
    """The resolved recipe for JSON, its hash first; for an image or a font its name, SHA-256 and size in bytes."""
    assets = recipe.tables(lambda asset: {"name": asset.name, "sha256": asset.digest, "bytes": len(asset.data)})
    return {"hash": recipe.hash, **assets}


def to_toml(recipe: Recipe) -> str:
    """The resolved recipe as TOML, its hash in a comment. Beside the original, it loads to the same recipe."""
    tables = recipe.tables(lambda asset: None if asset.data == default_font().data else asset.name)
    for preset in tables["presets"].values():
        if preset["watermark"] and preset["watermark"]["image"]:
            for key in OF_TEXT:
                del preset["watermark"][key]
    return "\n".join([f"# Recipe {recipe.hash}, with its defaults written out.", *_written(tables, ())]) + "\n"


def _written(table: Table, place: Place) -> Iterator[str]:
    inner = {key: value for key, value in table.items() if isinstance(value, dict)}
    plain = [f"{key} = {_value(value)}" for key, value in table.items() if key not in inner and value is not None]
    if plain and place:
        yield f"\n[{'.'.join(place)}]"
    yield from plain
    for key, value in inner.items():
        yield from _written(value, (*place, key))


def _value(value: object) -> str:
    if isinstance(value, str):
        # A JSON string is a TOML string but for this one character, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower()


def _read(path: Path, source: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(source, "It does not exist. Write one with `imgpipe init`, or mend the path.") from None
    except IsADirectoryError:
        raise _unreadable(source, f"It is a folder. Give the path of a file, such as {NAME} in it.") from None
    except OSError as wrong:
        raise _unreadable(source, f"It cannot be read: {wrong.strerror}. Make it readable.") from None
    if len(data) > MAX_BYTES:
        raise _unreadable(source, "It is larger than 1 MB. Give the path of a recipe.")
    if data.startswith(codecs.BOM_UTF8):
        raise _unreadable(source, "It starts with a byte order mark. Save it as UTF-8 without one.", 1)
    try:
        return data.decode()
    except UnicodeDecodeError as wrong:
        line = data.count(b"\n", 0, wrong.start) + 1
        raise _unreadable(source, f"Byte 0x{data[wrong.start]:02x} is not UTF-8. Save it as UTF-8.", line) from None


def _parse(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        what, _, where = str(wrong).removesuffix(")").rpartition(" (at ")
        place = _LINE.match(where)
        line = int(place[1]) if place else text.count("\n") + 1
        raise _unreadable(source, f"It is not TOML: {what} (at {where}). Mend that line.", line) from None
    except ValueError:
        raise _unreadable(source, "A number in it has too many digits. Use a smaller one.") from None
    except RecursionError:
        raise _unreadable(source, "It is nested too deeply. Use tables such as [presets.web].") from None


def _unreadable(source: str, message: str, line: int | None = None) -> RecipeError:
    return RecipeError(source, (Problem("", line, message),))


def _marked(tables: dict[str, Any]) -> list[dict[str, Any]]:
    """The tables that may say `watermark`: the document's own, and each preset's."""
    presets = tables.get("presets")
    return [tables, *(t for t in presets.values() if isinstance(t, dict))] if isinstance(presets, dict) else [tables]


def _remove_marks(tables: dict[str, Any]) -> None:
    for table in _marked(tables):
        table.pop("watermark", None)


def _replace_marks(tables: dict[str, Any], key: str, value: str) -> None:
    for table in _marked(tables):
        if isinstance(mark := table.get("watermark"), dict):
            for setting in ("image", *OF_TEXT) if key == "image" else ("image", "text"):
                mark.pop(setting, None)
    if tables.get("watermark", False) is False:
        tables["watermark"] = {}
    if isinstance(tables["watermark"], dict):
        tables["watermark"][key] = value


def _problems(wrong: Iterable[tuple[Place, str]], line: Mapping[Place, int], flag: str | None) -> tuple[Problem, ...]:
    """Each problem once, in the order of the file; what is wrong with a flag's value names the flag."""

    def problem(place: Place, message: str) -> Problem:
        if flag and place[-2:] == ("watermark", flag):
            return Problem(f"--watermark-{flag}", None, message)
        nearest = next((place[:end] for end in range(len(place), 0, -1) if place[:end] in line), ())
        return Problem(_dotted(place), line.get(nearest), message)

    problems = dict.fromkeys(problem(place, message) for place, message in wrong)
    return tuple(sorted(problems, key=lambda problem: problem.line or 0))


def _dotted(place: Place) -> str:
    return ".".join(key if _BARE.fullmatch(key) else quoted(key) for key in place)
