import hashlib
import re
import tomllib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imgpipe.core import recipe_file
from imgpipe.core.recipe import Limits, Preset, Recipe, Watermark
from imgpipe.core.recipe_assets import default_font
from imgpipe.core.recipe_reader import Reader
from imgpipe.errors import Problem, RecipeError, UsageError


def _png(colour: str) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (2, 1), colour).save(buffer, "PNG")
    return buffer.getvalue()


PNG = _png("navy")
OTHER_PNG = _png("gold")

ISSUED = """
metadata = "copyright"
[presets.web]
width = 1600
height = 1600
[presets.thumb]
fit = "cover"
width = 400
height = 400
animation = "first"
watermark = false
[watermark]
text = "PROOF"
gravity = "southeast"
size = 0.05
opacity = 0.6
"""

MARKED = """
[watermark]
image = "logo.png"
size = 0.2
[presets.plain]
width = 1
[presets.own]
width = 1
watermark = { text = "own", color = "#123" }
[presets.bare]
width = 1
watermark = false
"""


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "imgpipe.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def problems(path: Path, **flags: Any) -> tuple[Problem, ...]:
    with pytest.raises(RecipeError) as caught:
        recipe_file.load(path, **flags)
    assert caught.value.source == str(path)
    return caught.value.problems


def marks(recipe: Recipe) -> dict[str, Watermark | None]:
    return {preset.name: preset.watermark for preset in recipe.presets}


# --- without a file, and starting one


def test_without_a_file_the_default_is_what_was_promised(tmp_path: Path) -> None:
    assert recipe_file.load(None).hash == recipe_file.load(write(tmp_path, ISSUED)).hash


def test_the_starter_loads_to_the_default(tmp_path: Path) -> None:
    assert recipe_file.load(write(tmp_path, recipe_file.starter())) == recipe_file.load(None)


def test_the_starter_shows_every_setting() -> None:
    shown = set(re.findall(r"^(?:# )?([a-z_]+) = ", recipe_file.starter(), re.MULTILINE))
    settings = {name for kind in (Recipe, Limits, Preset, Watermark) for name in kind.__struct_fields__}
    assert shown == settings - {"name", "presets", "limits", "image"}


def test_to_take_a_default_that_the_starter_shows_changes_nothing(tmp_path: Path) -> None:
    without_one_default = "quality|max_bytes|font"
    text = re.sub(rf"^# (?!{without_one_default})(?=[a-z_]+ = )", "", recipe_file.starter(), flags=re.MULTILINE)
    assert tomllib.loads(text) != tomllib.loads(recipe_file.starter())
    assert recipe_file.load(write(tmp_path, text)) == recipe_file.load(None)


def test_every_line_that_the_starter_offers_can_be_taken(tmp_path: Path) -> None:
    (tmp_path / "my-font.ttf").write_bytes(default_font().data)
    text = re.sub(r"^# (?=[a-z_]+ = )", "", recipe_file.starter(), flags=re.MULTILINE)
    assert recipe_file.load(write(tmp_path, text)).presets[0].max_bytes == 500_000


def test_only_a_file_of_that_name_is_found(tmp_path: Path) -> None:
    assert recipe_file.find(tmp_path) is None
    path = write(tmp_path, ISSUED)
    assert recipe_file.find(tmp_path) == path


def test_a_link_to_nowhere_is_a_problem_and_not_the_default(tmp_path: Path) -> None:
    (tmp_path / "imgpipe.toml").symlink_to("gone.toml")
    found = recipe_file.find(tmp_path)
    assert found
    assert "does not exist" in problems(found)[0].message


# --- files that cannot be read


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (b"\n\nmetadata == 5\n", 3, "not TOML"),
        (b"\n[presets.web", 2, "not TOML"),
        (b"[presets.web]\nwidth = 1\nwidth = 2\n", 3, "not TOML"),
        (b"a = 1\r\n\r\nb = \xff\r\n", 3, "Byte 0xff is not UTF-8"),
        ("metadata = 'all'".encode("utf-16"), 1, "not UTF-8"),
        (b"\xef\xbb\xbfmetadata = 'all'", 1, "byte order mark"),
        (b"a = " + b"9" * 5000, None, "too many digits"),
        (b"a = " + b"[" * 100_000, None, "nested too deeply"),
        (b"# " + b"x" * 1_000_000, None, "larger than 1 MB"),
    ],
    ids=["syntax", "cut off", "twice", "utf-8", "utf-16", "bom", "digits", "depth", "size"],
)
def test_what_is_no_toml_is_one_problem(tmp_path: Path, text: bytes, line: int | None, message: str) -> None:
    (problem,) = problems(write(tmp_path, text))
    assert (problem.path, problem.line) == ("", line)
    assert message in problem.message


def test_a_missing_file_and_a_folder_are_one_problem_each(tmp_path: Path) -> None:
    assert "does not exist" in problems(tmp_path / "recipe.toml")[0].message
    assert "folder" in problems(tmp_path)[0].message


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_raise_anything_but_a_recipe_error(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    path = write(tmp_path_factory.getbasetemp(), text)
    assert problems(path)


def test_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    text = ISSUED.replace("\n", "\r\n")
    assert recipe_file.load(write(tmp_path, text)) == recipe_file.load(write(tmp_path, ISSUED))
    (problem,) = problems(write(tmp_path, text.replace('"cover"', '"cower"')))
    assert problem.line == ISSUED[: ISSUED.index('"cover"')].count("\n") + 1


def test_each_problem_names_its_path_and_line_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = '''colour = 1
[limits]
max_side = 0
[presets."my preset"]
width = 9

[presets.web]
width = 9
# a gap
watermark = { text = """
a
b""", size = 2 }
[presets.thumb]
'''
    assert [(problem.line, problem.path) for problem in problems(write(tmp_path, text))] == [
        (1, "colour"),
        (3, "limits.max_side"),
        (4, 'presets."my preset"'),
        (10, "presets.web.watermark.size"),
        (13, "presets.thumb"),
    ]


# --- flags


def test_a_text_takes_the_place_of_every_mark_but_where_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(PNG)
    found = marks(recipe_file.load(write(tmp_path, MARKED), watermark_text="flag"))
    font = default_font()
    assert found == {
        "plain": Watermark(text="flag", size=0.2, font=font),
        "own": Watermark(text="flag", size=0.2, color="#112233", font=font),
        "bare": None,
    }


def test_an_image_takes_the_place_of_every_mark_and_comes_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "logo.png").write_bytes(PNG)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "logo.png").write_bytes(OTHER_PNG)
    monkeypatch.chdir(tmp_path / "here")
    found = marks(recipe_file.load(write(tmp_path, MARKED), watermark_image=Path("logo.png")))
    for name in ("plain", "own"):
        mark = found[name]
        assert mark
        assert mark.image
        assert (mark.text, mark.image.data, mark.size, mark.color) == (None, OTHER_PNG, 0.2, "#ffffff")
    assert found["bare"] is None


def test_no_watermark_means_none_anywhere(tmp_path: Path) -> None:
    found = marks(recipe_file.load(write(tmp_path, MARKED), no_watermark=True))
    assert found == {"plain": None, "own": None, "bare": None}


def test_a_flag_gives_a_mark_to_a_recipe_without_one(tmp_path: Path) -> None:
    path = write(tmp_path, "watermark = false\n[presets.web]\nwidth = 1")
    mark = marks(recipe_file.load(path, watermark_text="flag"))["web"]
    assert mark
    assert mark.text == "flag"


def test_a_problem_of_a_flag_names_the_flag_once_and_no_line(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(PNG)
    path = write(tmp_path, MARKED)
    for flags, name, message in (
        ({"watermark_text": "漢"}, "--watermark-text", "漢 (U+6F22)"),
        ({"watermark_text": " "}, "--watermark-text", "no letters"),
        ({"watermark_image": tmp_path / "gone.png"}, "--watermark-image", "does not exist"),
    ):
        (problem,) = problems(path, **flags)
        assert (problem.path, problem.line) == (name, None)
        assert message in problem.message


def test_two_flags_are_refused() -> None:
    with pytest.raises(UsageError, match="More than one"):
        recipe_file.load(None, watermark_text="", no_watermark=True)


# --- showing


def test_the_document_starts_with_the_hash_and_describes_assets(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(PNG)
    recipe = recipe_file.load(write(tmp_path, MARKED))
    document: dict[str, Any] = recipe_file.document(recipe)
    assert next(iter(document.items())) == ("hash", recipe.hash)
    image = document["presets"]["plain"]["watermark"]["image"]
    assert image == {"name": "logo.png", "sha256": hashlib.sha256(PNG).hexdigest(), "bytes": len(PNG)}
    assert document["presets"]["bare"]["watermark"] is False


sides = st.integers(1, 16383)
either = st.sampled_from
mark_settings = st.fixed_dictionaries(
    {},
    optional={
        "gravity": either(["north", "tile", "center"]),
        "size": st.floats(0.001, 1),
        "margin": st.floats(0, 0.49),
        "opacity": either([1, 0.3, 1e-9]),
        "rotation": st.integers(-360, 360) | st.floats(-360, 360),
        "min_size": st.integers(0, 100),
    },
)
text_marks = st.fixed_dictionaries(
    {"text": either(["PROOF", 'two\nlines "quoted" \\', "é Ω Ж"])},
    optional={"color": either(["#fff", "#ABCDEF"]), "contrast": either(["off", "auto"]), "font": st.just("my.ttf")},
)
image_marks = st.fixed_dictionaries({"image": either(["logo.png", "a b.png"])})
table_of_marks = st.builds(lambda a, b: {**a, **b}, text_marks | image_marks, mark_settings)
presets = st.fixed_dictionaries(
    {"width": sides, "height": sides},
    optional={
        "fit": either(["inside", "cover", "contain", "fill"]),
        "format": either(["keep", "webp", "jpeg"]),
        "quality": st.integers(1, 100),
        "background": either(["#FFF", "transparent"]),
        "enlarge": st.booleans(),
        "sharpen": st.floats(0, 5),
        "max_bytes": st.integers(1, 2**40) | st.just("source"),
        "watermark": st.just(False) | mark_settings | table_of_marks,
    },
)
recipes = st.fixed_dictionaries(
    {"presets": st.dictionaries(st.from_regex("[a-z0-9][a-z0-9-]*", fullmatch=True), presets, min_size=1, max_size=3)},
    optional={
        "metadata": either(["none", "copyright", "all"]),
        "limits": st.fixed_dictionaries(
            {}, optional={"max_side": st.integers(1, 10**6), "max_megabytes": either([1, 0.5])}
        ),
    },
)


@given(recipes, table_of_marks)
def test_a_shown_recipe_loads_to_the_same_recipe(
    tmp_path_factory: pytest.TempPathFactory, tables: dict[str, Any], mark: dict[str, Any]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    for name, data in (("logo.png", PNG), ("a b.png", OTHER_PNG), ("my.ttf", default_font().data + b"\0")):
        (folder / name).write_bytes(data)
    reader = Reader(folder)
    recipe = reader.recipe({**tables, "watermark": mark})
    assert not reader.problems
    again = recipe_file.load(write(folder, recipe_file.to_toml(recipe)))
    assert again == recipe
    assert again.hash == recipe.hash
    assert recipe.hash in recipe_file.to_toml(recipe).splitlines()[0]
