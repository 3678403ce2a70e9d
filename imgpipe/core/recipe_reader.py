"""From TOML tables to a recipe, or to everything that is wrong with them.

Reading goes on after a problem, so that one run shows all. Each setting is converted by itself, by the type that its
field has in `recipe`; what settings say together is checked afterwards, on values that were fine alone.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from imgpipe.core import fontfile
from imgpipe.core.recipe import LONGEST_SIDE, LOSSY, Asset, Fit, Format, Gravity, Limits, Preset, Recipe, Watermark
from imgpipe.core.recipe_assets import default_font, read_font, read_image
from imgpipe.core.recipe_setting import Place, Table, convert, fields, quoted, seen, unknown

OF_TEXT: Final = ("text", "color", "contrast", "font")
"""The settings of a watermark that mean nothing to an image."""
MAX_TEXT: Final = 200
_PRESET_NAME: Final = re.compile("[a-z0-9][a-z0-9-]*")
_COLOUR: Final = re.compile("#([0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)


@dataclass(frozen=True)
class _Mark:
    """A watermark as far as it is said: where it stands, the good values, and the place of each key, good or not."""

    place: Place
    values: Table
    places: Mapping[str, Place]

    def over(self, base: "_Mark") -> "_Mark":
        """This mark's settings, and those of `base` that it leaves open; text and image take each other's place."""
        replaced = {"text": ("image",), "image": OF_TEXT}
        gone = {other for key, others in replaced.items() if key in self.places for other in others}
        places = {key: place for key, place in base.places.items() if key not in gone} | dict(self.places)
        values = {key: value for key, value in {**base.values, **self.values}.items() if key in places}
        return _Mark(self.place, values, places)


class Reader:
    """Reads one document. Paths in it are relative to `folder`; what is wrong gathers in `problems`, each once."""

    def __init__(self, folder: Path) -> None:
        self.problems: dict[tuple[Place, str], None] = {}
        self._folder = folder

    def recipe(self, document: Table) -> Recipe:
        """The recipe of `document`; where there are `problems` it is not to be used."""
        settings = self._settings(Recipe, document, (), nested=("presets", "limits", "watermark"))
        limits = self._table(document.get("limits", {}), ("limits",))
        mark = self._mark(document.get("watermark", False), ("watermark",), None)
        if mark and mark.places.keys() & {"text", "image"}:
            self._watermark(mark)
        presets = self._table(document.get("presets", {}), ("presets",))
        if presets == {}:
            self._wrong(("presets",), "There is no preset. Add one, such as [presets.web] with width = 1600.")
        return Recipe(
            presets=tuple(self._preset(name, table, mark) for name, table in (presets or {}).items()),
            limits=Limits(**self._settings(Limits, limits or {}, ("limits",))),
            **settings,
        )

    def _preset(self, name: str, said: object, inherited: _Mark | None) -> Preset:
        place = ("presets", name)
        if not _PRESET_NAME.fullmatch(name):
            self._wrong(
                place,
                f"{quoted(name)} is no name for a preset. Use small letters, digits and hyphens, no hyphen first.",
            )
        table = self._table(said, place)
        if table is None:
            return Preset(name=name)
        settings = self._settings(Preset, table, place, nested=("watermark",))
        mark = self._mark(table["watermark"], (*place, "watermark"), inherited) if "watermark" in table else inherited
        preset = Preset(name=name, watermark=self._watermark(mark) if mark else None, **settings)
        for key, message in _conflicts(preset, table):
            self._wrong((*place, key) if key else place, message)
        return preset

    def _mark(self, said: object, place: Place, inherited: _Mark | None) -> _Mark | None:
        if said is False:
            return None
        if not isinstance(said, dict):
            self._wrong(place, f"{seen(said)} is not allowed. Use false, or a table of settings.")
            return None
        mark = _Mark(place, self._settings(Watermark, said, place), {key: (*place, key) for key in said})
        return mark.over(inherited) if inherited else mark

    def _watermark(self, mark: _Mark) -> Watermark:
        values, places = mark.values, mark.places
        if "text" in places and "image" in places:
            self._wrong(mark.place, "Both text and image are set. Leave one of them out.")
        elif "image" in places:
            for key in places.keys() & set(OF_TEXT):
                self._wrong(places[key], f"{key} is for text, and this mark is an image. Leave it out.")
        elif "text" not in places:
            self._wrong(mark.place, "Neither text nor image is set. Set one of them, or say watermark = false.")
        if values.get("gravity") is Gravity.SMART:
            self._wrong(places["gravity"], '"smart" is for crops alone. Use "center", a side, a corner or "tile".')
        if "text" in values and ("font" in values or "font" not in places):
            for message in _undrawable(values["text"], values.get("font", default_font())):
                self._wrong(places["text"], message)
        return Watermark(**{"font": default_font(), **values})

    def _settings(self, kind: type[Struct], table: Table, place: Place, nested: Place = ()) -> dict[str, Any]:
        """The good values of `table`, by the fields of `kind`; those that are `nested` are left to others."""
        types = fields(kind)
        known = [*types, *(key for key in nested if key not in types)]
        values = {}
        for key, value in table.items():
            if key not in known:
                self._wrong((*place, key), unknown(key, known))
            elif key not in nested:
                try:
                    values[key] = self._setting(key, types[key], value)
                except ValueError as wrong:
                    self._wrong((*place, key), str(wrong))
        return values

    def _setting(self, key: str, kind: object, value: object) -> object:
        match key:
            case "text":
                return _text(convert(value, str))
            case "image":
                return read_image(self._folder, convert(value, str))
            case "font":
                return read_font(self._folder, convert(value, str))
            case "color" | "background":
                return convert(_colour(value), kind)
        return convert(value, kind)

    def _table(self, value: object, place: Place) -> Table | None:
        if isinstance(value, dict):
            return value
        self._wrong(place, f"{seen(value)} is not allowed. Use a table: [{'.'.join(place)}].")
        return None

    def _wrong(self, place: Place, message: str) -> None:
        self.problems[place, message] = None


def _conflicts(preset: Preset, said: Table) -> Iterator[tuple[str, str]]:
    """What the settings of `preset` cannot mean together: (key, or none for the preset itself; message)."""
    if preset.fit is Fit.INSIDE and not said.keys() & {"width", "height"}:
        yield "", "Neither width nor height is set. Set one of them, or both."
    for side in ("width", "height"):
        if preset.fit is not Fit.INSIDE and side not in said:
            yield "", f'{side} is not set, and fit = "{preset.fit}" needs it. Set it, or use fit = "inside".'
    if preset.gravity is Gravity.TILE:
        yield "gravity", '"tile" is for watermarks alone. Use "center", a side, a corner or "smart".'
    if preset.gravity is Gravity.SMART and preset.fit is not Fit.COVER and preset.fit == said.get("fit", preset.fit):
        yield "gravity", f'"smart" is for crops, and fit = "{preset.fit}" crops nothing. Use fit = "cover".'
    if preset.quality is not None and preset.lossless:
        yield "quality", "quality means nothing where lossless = true. Leave one of them out."
    if preset.max_bytes is not None and preset.lossless:
        yield (
            "max_bytes",
            "max_bytes is met by lowering the quality, and lossless = true has none. Leave one of them out.",
        )
    if preset.lossless and preset.format != "webp":
        yield (
            "lossless",
            f'lossless is for format = "webp", and this is "{preset.format}". Use "webp", or leave it out.',
        )
    if preset.format == "keep":
        return
    written = Format(preset.format)
    for side, pixels in (("width", preset.width), ("height", preset.height)):
        if pixels and pixels > LONGEST_SIDE[written]:
            yield side, f'{pixels} is more than "{written}" can hold. Use at most {LONGEST_SIDE[written]}.'
    for key in ("quality", "max_bytes"):
        if getattr(preset, key) is not None and written not in LOSSY:
            yield key, f'"{written}" has no quality to choose. Leave {key} out, or use "jpeg", "webp" or "avif".'


def _text(value: str) -> str:
    # A last line break, as a text of several lines in TOML leaves one, is no line to draw.
    text = unicodedata.normalize("NFC", value).strip("\n")
    if not text.strip():
        raise ValueError(f"{quoted(value)} has no letters. Give it some, or leave the mark out.")
    if len(text) > MAX_TEXT:
        raise ValueError(f"{quoted(value)} has {len(text)} characters. Use at most {MAX_TEXT}.")
    if any(unicodedata.category(character) == "Cc" for character in text.replace("\n", "")):
        raise ValueError(f"{quoted(value)} has control characters. Leave them out; a new line is \\n.")
    return text


def _undrawable(text: str, font: Asset) -> Iterator[str]:
    """What keeps `text` from being drawn one glyph after the other with `font`."""
    if shaped := fontfile.needs_shaping(text):
        yield f"{_named(shaped)} cannot be drawn letter by letter. Use an image of the text."
    try:
        if lacking := "".join(c for c in fontfile.missing(font.data, text) if c not in shaped):
            yield f"The font {quoted(font.name)} lacks {_named(lacking)}. Use another font, or other text."
    except ValueError as wrong:
        yield f"The font {quoted(font.name)} cannot be used. {wrong} Use another."


def _named(characters: str) -> str:
    names = [f"{c} (U+{ord(c):04X})" if c.isprintable() else f"U+{ord(c):04X}" for c in characters[:10]]
    return ", ".join(names) + (f" and {len(characters) - 10} more" if len(characters) > 10 else "")


def _colour(value: object) -> object:
    """A colour in small letters with all six digits; anything else as it is."""
    if not isinstance(value, str) or not _COLOUR.fullmatch(value):
        return value
    digits = value[1:].lower()
    return "#" + (digits if len(digits) == 6 else "".join(digit * 2 for digit in digits))
