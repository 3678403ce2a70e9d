import datetime
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imgpipe.core.recipe import Gravity, Limits, Preset, Recipe, Watermark
from imgpipe.core.recipe_assets import default_font
from imgpipe.core.recipe_reader import Reader


def _png(colour: str) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (2, 1), colour).save(buffer, "PNG")
    return buffer.getvalue()


PNG = _png("navy")
LOGO = {"image": "logo.png"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "logo.png").write_bytes(PNG)
    return tmp_path


def read(folder: Path, document: dict[str, Any]) -> Recipe:
    reader = Reader(folder)
    recipe = reader.recipe(document)
    assert reader.problems == {}
    return recipe


def problems(folder: Path, document: dict[str, Any]) -> list[tuple[str, str]]:
    reader = Reader(folder)
    reader.recipe(document)
    return [(".".join(place), message) for place, message in reader.problems]


def mark_of(folder: Path, shared: object, own: object) -> Watermark | None:
    document = {"watermark": shared, "presets": {"web": {"width": 1, "watermark": own}}}
    return read(folder, document).presets[0].watermark


def test_every_problem_is_reported_at_once(folder: Path) -> None:
    document = {
        "presets": {"web": {"widht": 1, "width": "1", "watermark": {"size": 2}}, "Web": {"fit": "fil"}},
        "limits": 5,
        "metadata": "nothing",
    }
    assert [path for path, _ in problems(folder, document)] == [
        "metadata",
        "limits",
        "presets.web.widht",
        "presets.web.width",
        "presets.web.watermark.size",
        "presets.web.watermark",
        "presets.Web",
        "presets.Web.fit",
        "presets.Web",
    ]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"widht": 1}, "It is unknown here. Did you mean width?"),
        ({"Format": "png"}, "It is unknown here. Did you mean format?"),
        ({"format": "JPG"}, 'Use "keep", "jpeg", "png", "webp", "avif" or "gif". Did you mean "jpeg"?'),
        ({"fit": "covered"}, 'Use "inside", "cover", "contain" or "fill". Did you mean "cover"?'),
        ({"width": 0}, "0 is not allowed. Use a whole number of pixels from 1 to 65500."),
        ({"width": 1.0}, "1.0 is not allowed. Use a whole number of pixels from 1 to 65500."),
        ({"width": True}, "true is not allowed. Use a whole number of pixels from 1 to 65500."),
        ({"width": 16**5000}, "A number beyond 64 bits is not allowed. Use a whole number of pixels from 1 to 65500."),
        ({"enlarge": 1}, "1 is not allowed. Use true or false."),
        ({"enlarge": "no"}, '"no" is not allowed. Use true or false.'),
        ({"sharpen": float("nan")}, "nan is not allowed. Use an amount from 0 (off) to 5."),
        ({"sharpen": 16**5000}, "A number beyond 64 bits is not allowed. Use an amount from 0 (off) to 5."),
        ({"quality": 101}, "101 is not allowed. Use a whole number from 1 to 100."),
        ({"background": "white"}, '"white" is not allowed. Use a colour as "#rrggbb" or "#rgb", or "transparent".'),
        ({"background": "#ffffff\n"}, '"#ffffff\\n" is not allowed.'),
        ({"max_bytes": "sauce"}, 'Use a whole number of bytes above 0 or "source". Did you mean "source"?'),
        ({"animation": datetime.date(2026, 1, 2)}, '2026-01-02 is not allowed. Use "keep" or "first".'),
        ({"gravity": ["north"]}, 'An array is not allowed. Use "center", a side, a corner'),
        ({"gravity": {}}, "A table is not allowed."),
        ({"gravity": "tile"}, '"tile" is for watermarks alone. Use "center", a side, a corner or "smart".'),
        ({"gravity": "smart", "fit": "fill"}, '"smart" is for crops, and fit = "fill" crops nothing.'),
        ({"quality": 5, "lossless": True, "format": "webp"}, "quality means nothing where lossless = true."),
        ({"max_bytes": 5, "lossless": True, "format": "webp"}, "max_bytes is met by lowering the quality, and"),
        ({"quality": 5, "format": "png"}, '"png" has no quality to choose. Leave quality out'),
        ({"max_bytes": 5, "format": "gif"}, '"gif" has no quality to choose. Leave max_bytes out'),
        ({"lossless": True, "format": "png"}, 'lossless is for format = "webp", and this is "png". Use "webp",'),
        ({"lossless": True, "format": "avif"}, 'lossless is for format = "webp", and this is "avif". Use'),
        ({"lossless": True}, 'lossless is for format = "webp", and this is "keep". Use "webp", or leave it out.'),
        ({"height": 20_000, "format": "webp"}, '20000 is more than "webp" can hold. Use at most 16383.'),
    ],
)  # fmt: skip
def test_a_problem_says_what_was_seen_and_what_is_allowed(folder: Path, setting: dict[str, Any], message: str) -> None:
    ((path, said),) = problems(folder, {"presets": {"web": {"width": 1, "height": 1, **setting}}})
    assert path == f"presets.web.{next(iter(setting))}"
    assert message in said


@pytest.mark.parametrize(
    ("preset", "missing"),
    [({}, ["Neither"]), ({"fit": "cover"}, ["width is", "height is"]), ({"fit": "fill", "width": 1}, ["height is"])],
    ids=str,
)
def test_a_box_that_is_not_whole_is_a_problem_of_the_preset(
    folder: Path, preset: dict[str, Any], missing: list[str]
) -> None:
    found = problems(folder, {"presets": {"web": preset}})
    assert [path for path, _ in found] == ["presets.web"] * len(missing)
    assert all(message.startswith(start) for (_, message), start in zip(found, missing, strict=True))


@pytest.mark.parametrize("document", [{}, {"presets": {}}, {"presets": 5}, {"presets": []}], ids=str)
def test_a_recipe_without_presets_is_one_problem(folder: Path, document: dict[str, Any]) -> None:
    ((path, _),) = problems(folder, document)
    assert path == "presets"


@pytest.mark.parametrize("name", ["", "Web", "-web", "web_2", "wéb", "web\n", "a/b", ".."])
def test_a_preset_is_named_in_small_letters_digits_and_hyphens(folder: Path, name: str) -> None:
    ((path, message),) = problems(folder, {"presets": {name: {"width": 1}}})
    assert path == f"presets.{name}"
    assert "is no name for a preset" in message


def test_numbers_and_colours_are_taken_however_toml_writes_them(folder: Path) -> None:
    preset = {"width": 1, "sharpen": 1, "background": "#AbC"}
    said = read(folder, {"presets": {"web": preset}})
    plain = read(folder, {"presets": {"web": {"width": 1, "sharpen": 1.0, "background": "#aabbcc"}}})
    assert said == plain
    assert said.hash == plain.hash


def test_a_default_said_or_unsaid_makes_the_same_hash(folder: Path) -> None:
    spoken = {"presets": {"web": {"width": 1, "sharpen": 0}}, "limits": {"max_megapixels": 256}}
    assert read(folder, spoken).hash == read(folder, {"presets": {"web": {"width": 1}}}).hash


# --- watermarks


def test_a_preset_changes_the_shared_mark_key_by_key(folder: Path) -> None:
    font = default_font()
    assert mark_of(folder, {"text": "A", "size": 0.1}, {"opacity": 1}) == Watermark(
        text="A", size=0.1, opacity=1.0, font=font
    )
    assert mark_of(folder, {"text": "A", "size": 0.1}, False) is None
    assert mark_of(folder, False, {"text": "B"}) == Watermark(text="B", font=font)


def test_text_and_image_take_each_others_place(folder: Path) -> None:
    text = mark_of(folder, {**LOGO, "gravity": "tile"}, {"text": "B", "color": "#000"})
    assert text == Watermark(text="B", color="#000000", gravity=Gravity.TILE, font=default_font())
    image = mark_of(folder, {"text": "A", "color": "#000", "contrast": "auto", "size": 0.5}, LOGO)
    assert image
    assert image.image
    assert (image.text, image.image.data, image.color, image.contrast, image.size) == (None, PNG, "#ffffff", "off", 0.5)


@pytest.mark.parametrize(
    ("shared", "own", "place", "message"),
    [
        (True, {"text": "A"}, "watermark", "true is not allowed. Use false, or a table of settings."),
        ({"size": 0.1}, {}, "presets.web.watermark", "Neither text nor image is set."),
        ({"text": "A"}, {"text": "A", **LOGO}, "presets.web.watermark", "Both text and image are set."),
        ({"text": "A", **LOGO}, False, "watermark", "Both text and image are set."),
        (LOGO, {"color": "#fff"}, "presets.web.watermark.color", "color is for text, and this mark is an image."),
        ({**LOGO, "contrast": "auto"}, {}, "watermark.contrast", "contrast is for text, and this mark is an image."),
        ({"text": "A"}, {"gravity": "smart"}, "presets.web.watermark.gravity", '"smart" is for crops alone.'),
        ({"text": "A", "gravity": "top"}, {}, "watermark.gravity", '"top" is not allowed. Use "center", a side'),
        ({"text": " \n"}, {}, "watermark.text", '" \\n" has no letters.'),
        ({"text": "A" * 201}, {}, "watermark.text", "has 201 characters. Use at most 200."),
        ({"text": "A\tB"}, {}, "watermark.text", '"A\\tB" has control characters.'),
        ({"text": "A漢字"}, {}, "watermark.text", "lacks 漢 (U+6F22), 字 (U+5B57). Use another font"),
        ({"text": "\ue000"}, {}, "watermark.text", "lacks U+E000."),
        ({"text": "سلام"}, {}, "watermark.text", "س (U+0633), ل (U+0644), ا (U+0627), م (U+0645) cannot be drawn"),
        ({"text": 5}, {}, "watermark.text", "5 is not allowed. Use a text in quotes."),
        ({"image": {"name": "a", "data": ""}}, {}, "watermark.image", "A table is not allowed. Use a text in quotes."),
        ({"text": "A", "colour": "#fff"}, {}, "watermark.colour", "It is unknown here. Did you mean color?"),
    ],
)  # fmt: skip
def test_an_impossible_mark_is_one_problem_where_it_is_said(
    folder: Path, shared: object, own: object, place: str, message: str
) -> None:
    presets = {name: {"width": 1, "watermark": own} for name in ("web",)} | {"other": {"width": 1, "watermark": False}}
    ((path, said),) = problems(folder, {"watermark": shared, "presets": presets})
    assert path == place
    assert message in said


@pytest.mark.parametrize(("said", "kept"), [("e\u0301", "é"), ("\nA\nB\n", "A\nB"), (" A ", " A ")])
def test_text_is_kept_as_whole_letters_without_outer_line_breaks(folder: Path, said: str, kept: str) -> None:
    mark = mark_of(folder, False, {"text": said})
    assert mark
    assert mark.text == kept


# --- files


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("gone.png", None, '"gone.png" does not exist.'),
        ("https://example.com/logo.png", None, '"https://example.com/logo.png" is a URL.'),
        ("file:logo.png", None, "is a URL."),
        ("", None, '"" is not a file.'),
        ("\0", None, "is not a file."),
        (".", None, '"." is not a file.'),
        ("a" * 5000, None, "cannot be read: File name too long."),
        ("x.png", b"", '"x.png" is empty.'),
        ("x.png", b"GIF", "cannot be a watermark. The file is not an image that imgpipe knows"),
        ("x.png", b"<?xml?><svg>", "The file is SVG, XML or HTML, which imgpipe does not read. Use a PNG"),
        ("x.png", PNG[:-20], "cannot be a watermark. The PNG is cut off"),
        ("x.png", PNG + bytes(20_000_000), "is larger than 20 MB."),
    ],
    ids=["gone", "url", "scheme", "no name", "nul", "folder", "long", "empty", "short", "svg", "cut off", "large"],
)
def test_a_watermark_image_that_cannot_be_used_is_a_problem(
    folder: Path, name: str, data: bytes | None, message: str
) -> None:
    if data is not None:
        (folder / name).write_bytes(data)
    ((path, said),) = problems(folder, {"watermark": {"image": name}, "presets": {"web": {"width": 1}}})
    assert path == "watermark.image"
    assert message in said


def test_a_pipe_is_no_file_and_holds_nothing_up(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    ((_, said),) = problems(folder, {"watermark": {"image": "pipe.png"}, "presets": {"web": {"width": 1}}})
    assert said.startswith('"pipe.png" is not a file.')


def test_a_font_that_is_none_is_a_problem_and_a_good_one_is_taken(folder: Path) -> None:
    (folder / "bad.ttf").write_bytes(b"wOF2 and so on")
    ((path, said),) = problems(
        folder, {"watermark": {"text": "漢", "font": "bad.ttf"}, "presets": {"web": {"width": 1}}}
    )
    assert path == "watermark.font"
    assert "cannot be used as a font. It is no TrueType or OpenType font. Use a .ttf" in said
    (folder / "good.ttf").write_bytes(default_font().data)
    mark = mark_of(folder, {"text": "A"}, {"font": "good.ttf"})
    assert mark
    assert mark.font.name == "good.ttf"


# --- anything

names = st.sampled_from(
    [
        *("presets", "limits", "watermark", "metadata", "web", "name"),
        *(field for kind in (Preset, Watermark, Limits) for field in kind.__struct_fields__),
    ]
)
scalars = (
    st.booleans()
    | st.integers()
    | st.just(2**100)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["cover", "smart", "tile", "png", "keep", "source", "#fff", "logo.png", "PROOF"])
    | st.dates()
    | st.datetimes()
    | st.times()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names | st.text(max_size=3), inner, max_size=5),
    max_leaves=12,
)
marks = st.booleans() | st.dictionaries(st.sampled_from(Watermark.__struct_fields__), values, max_size=5) | values
documents = st.fixed_dictionaries(
    {},
    optional={
        "presets": st.dictionaries(
            st.text(max_size=3),
            st.fixed_dictionaries({}, optional={**dict.fromkeys(Preset.__struct_fields__, values), "watermark": marks}),
            max_size=3,
        ),
        "watermark": marks,
        "limits": st.dictionaries(names, values, max_size=3),
        "metadata": values,
    },
)


@given(documents | st.dictionaries(names, values, max_size=5))
def test_any_document_is_read_or_has_problems(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "logo.png").write_bytes(PNG)
    reader = Reader(folder)
    recipe = reader.recipe(document)
    for _, message in reader.problems:
        assert message.endswith((".", "?"))
    if not reader.problems:
        assert msgspec.convert(msgspec.to_builtins(recipe), Recipe) == recipe
