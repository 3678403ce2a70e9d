"""`imgpipe init`, `imgpipe recipe check` and `imgpipe recipe show`."""

import json
import tomllib
from pathlib import Path

import pytest
from run_cli import imgpipe

from imgpipe.cli import run


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IMGPIPE_RECIPE", raising=False)
    return tmp_path


def shown_hash(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run(["recipe", "show", "--json", *arguments]) == 0
    value = json.loads(capsys.readouterr().out)["hash"]
    assert isinstance(value, str)
    return value


def test_init_writes_a_recipe_that_makes_what_no_recipe_makes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    without = shown_hash(capsys)
    assert run(["init"]) == 0
    assert (here / "imgpipe.toml").is_file()
    assert shown_hash(capsys) == without


def test_init_never_overwrites_unless_it_is_told_to(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = here / "imgpipe.toml"
    path.write_text("mine", encoding="utf-8")
    assert run(["init"]) == 2
    assert "--force" in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == "mine"
    assert run(["init", "--force"]) == 0
    assert "[presets.web]" in path.read_text(encoding="utf-8")


def test_check_names_the_presets_and_the_hash(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "imgpipe.toml").write_text("[presets.small]\nwidth = 10\n", encoding="utf-8")
    value = shown_hash(capsys)
    assert run(["recipe", "check"]) == 0
    assert capsys.readouterr().out == f"imgpipe.toml is right: small. Hash {value}.\n"


def test_check_lists_every_problem_with_line_and_path(here: Path) -> None:
    (here / "bad.toml").write_text(
        'metadata = "some"\n[presets.web]\nwidht = 10\nheight = "tall"\n[presets.thumb]\nfit = "cover"\nwidth = 4\n',
        encoding="utf-8",
    )
    done = imgpipe("recipe", "check", "bad.toml", cwd=here)
    assert (done.returncode, done.stdout) == (2, "")
    first, *problems, remedy = done.stderr.splitlines()
    assert first.startswith("Error: The recipe bad.toml has ")
    assert remedy.strip() == "Mend each and try again."
    starts = [line.split()[:3] for line in problems]
    assert ["line", "1", "metadata"] in starts
    assert ["line", "3", "presets.web.widht"] in starts
    assert ["line", "4", "presets.web.height"] in starts
    columns = {line.index(line.split()[2]) for line in problems if line.split()[:1] == ["line"]}
    assert len(columns) == 1


def test_show_prints_toml_that_is_the_same_recipe(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipe", "show"]) == 0
    text = capsys.readouterr().out
    assert set(tomllib.loads(text)["presets"]) == {"web", "thumb"}
    assert shown_hash(capsys) in text


def test_the_environment_names_a_recipe_and_an_argument_another(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        (here / f"{name}.toml").write_text(f"[presets.{name}]\nwidth = 10\n", encoding="utf-8")
    monkeypatch.setenv("IMGPIPE_RECIPE", "one.toml")
    assert run(["recipe", "check"]) == 0
    assert "one.toml is right: one." in capsys.readouterr().out
    assert run(["recipe", "check", "two.toml"]) == 0
    assert "two.toml is right: two." in capsys.readouterr().out
