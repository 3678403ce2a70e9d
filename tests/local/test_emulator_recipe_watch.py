"""When a recipe has become another: seen once, whole, and not where it cannot be used."""

from pathlib import Path

import pytest
from PIL import Image

from imgpipe.core import recipe_file
from imgpipe.core.recipe import Recipe
from imgpipe.errors import RecipeError, StackError
from imgpipe.local.emulator.recipe_watch import RecipeWatch

MARKED = '[presets.web]\nwidth = 64\nheight = 64\n[watermark]\nimage = "logo.png"\n'


def logo(folder: Path, shade: int) -> None:
    Image.new("RGBA", (16, 16), (shade, 0, 0, 255)).save(folder / "logo.png")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    logo(tmp_path, 0)
    path = tmp_path / "imgpipe.toml"
    path.write_text(MARKED)
    return path


def deploy(_: Recipe) -> None:
    """A deployment that succeeds."""


def looked(watch: RecipeWatch) -> Recipe | None:
    """What two looks see: a change counts at the second."""
    assert watch.look() is None
    return watch.look()


def test_a_changed_image_of_the_recipe_is_another_recipe_once(file: Path) -> None:
    before = recipe_file.load(file)
    watch = RecipeWatch(file, before, deploy)
    assert looked(watch) is None
    logo(file.parent, 200)
    after = looked(watch)
    assert after is not None
    assert after.hash == recipe_file.load(file).hash != before.hash
    assert looked(watch) is None


def test_a_file_that_says_the_same_in_other_words_is_no_other_recipe(file: Path) -> None:
    watch = RecipeWatch(file, recipe_file.load(file), deploy)
    file.write_text(f"# a comment\n{MARKED}")
    assert looked(watch) is None


def test_a_broken_recipe_is_said_once_and_read_again_when_what_it_lacked_is_there(file: Path) -> None:
    watch = RecipeWatch(file, recipe_file.load(file), deploy)
    file.write_text(MARKED.replace("logo", "other"))
    assert watch.look() is None
    with pytest.raises(RecipeError):
        watch.look()
    assert watch.look() is None
    logo(file.parent, 200)
    (file.parent / "logo.png").rename(file.parent / "other.png")
    watch.look()
    mended = watch.look()
    assert mended is not None
    assert mended.hash == recipe_file.load(file).hash


def test_without_a_path_the_recipe_of_the_working_directory_is_found_when_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    watch = RecipeWatch(None, recipe_file.load(None), deploy)
    assert looked(watch) is None
    (tmp_path / "imgpipe.toml").write_text("[presets.tiny]\nwidth = 16\nheight = 16\n")
    found = looked(watch)
    assert found is not None
    assert [preset.name for preset in found.presets] == ["tiny"]


def test_what_was_saved_before_the_first_look_is_deployed(file: Path) -> None:
    watch = RecipeWatch(file, recipe_file.load(None), deploy)
    assert looked(watch) == recipe_file.load(file)


def test_a_recipe_that_could_not_be_deployed_is_tried_again_and_said_once(file: Path) -> None:
    tried: list[Recipe] = []

    def deploy(recipe: Recipe) -> None:
        tried.append(recipe)
        if len(tried) < 3:
            raise StackError("There is no room.", "Make some.")

    watch = RecipeWatch(file, recipe_file.load(None), deploy)
    watch.look()
    with pytest.raises(StackError):
        watch.look()
    assert watch.look() is None
    assert watch.look() == recipe_file.load(file) == tried[0]
    assert looked(watch) is None
    assert len(tried) == 3
