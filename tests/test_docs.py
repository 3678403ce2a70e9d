"""What the documents say is what the program does."""

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from imgpipe.core import recipe_file
from imgpipe.core.recipe import Limits, Preset, Watermark
from imgpipe.errors import IMAGE_ERRORS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "make_commands.py"))
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == script["page"](), (
        "run: python docs/make_commands.py"
    )


def table(mark: str) -> list[list[str]]:
    """The cells of README's table under the comment `mark`, without its head."""
    lines = README.split(f"<!-- {mark} -->\n", 1)[1].splitlines()
    rows = [line.strip("|").split("|") for line in lines[: lines.index("") if "" in lines else None]]
    return [[cell.strip() for cell in row] for row in rows[2:]]


@pytest.mark.parametrize(("part", "unsaid"), [(Preset, {"name"}), (Watermark, set()), (Limits, set())])
def test_readme_tells_every_setting_with_its_default(part: type[Any], unsaid: set[str]) -> None:
    told = {
        name: default
        for names, default, _ in table(f"settings: {part.__name__}")
        for name in re.findall(r"`(\w+)`", names)
    }
    defaults = {field.name: field.default for field in msgspec.structs.fields(part)}
    assert set(told) == set(defaults) - unsaid
    for name, default in told.items():
        if code := re.match(r"`([^`]*)`", default):
            assert tomllib.loads(f"value = {code[1]}")["value"] == defaults[name], name
        else:
            assert defaults[name] in (None, msgspec.NODEFAULT), name


def test_readme_tells_every_error_code() -> None:
    told = {code for codes, _ in table("codes") for code in re.findall(r"`(\w+)`", codes)}
    assert told == set(IMAGE_ERRORS)


def test_readme_s_recipe_is_a_right_one(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
    assert example
    path = tmp_path / "imgpipe.toml"
    path.write_text(example[1], encoding="utf-8")
    assert [preset.name for preset in recipe_file.load(path).presets] == ["web", "thumb", "print"]


def test_every_file_that_readme_links_to_is_there() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", README)
    assert linked
    assert [path for path in linked if not (ROOT / path).exists()] == []
