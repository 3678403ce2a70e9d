"""The bundle: what is in it, and that it is always the same."""

import io
import json
import os
import platform
import stat
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import pytest
from packaging.requirements import Requirement
from PIL import Image

import imgpipe
from imgpipe.cli import run
from imgpipe.core import recipe_file
from imgpipe.core.recipe import Recipe
from imgpipe.core.recipe_assets import default_font
from imgpipe.deploy import bundle, bundle_wheels
from imgpipe.deploy import bundle as bundle_module
from imgpipe.deploy.bundle import Bundle, build
from imgpipe.deploy.bundle_index import index_settings
from imgpipe.deploy.bundle_machine import Architecture, machine
from imgpipe.deploy.bundle_recipe import recipe_files
from imgpipe.deploy.bundle_wheels import LOCKS, find_uv, wheels
from imgpipe.errors import BundleError, UsageError

ROOT = Path(__file__).parents[2]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
LIBRARIES = {"cykooz-resizer", "msgspec", "pi-heif", "pillow"}


def recipe_in(folder: Path) -> Recipe:
    """A recipe with an image and a font of its own, which are named differently in each folder."""
    logo, font = f"{folder.name} logo.png", f"{folder.name}.ttf"
    Image.radial_gradient("L").save(folder / logo)
    (folder / font).write_bytes(default_font().data + b"\0")
    path = folder / "own.toml"
    path.write_text(
        f"""
        [watermark]
        text = "© \\"Ada\\"\\nLovelace"
        [presets.web]
        width = 320
        [presets.logo]
        width = 160
        watermark = {{ image = "{logo}", gravity = "tile" }}
        [presets.font]
        height = 160
        watermark = {{ font = "{font}", rotation = -30.5 }}
        [presets.bare]
        width = 80
        watermark = false
        """,
        encoding="utf-8",
    )
    return recipe_file.load(path)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return recipe_in(tmp_path_factory.mktemp("recipe"))


@pytest.fixture(scope="module", params=ARCHITECTURES)
def built(request: pytest.FixtureRequest, recipe: Recipe) -> Bundle:
    return build(recipe, request.param, "3.13")


def test_it_holds_what_lambda_runs_and_nothing_else(built: Bundle) -> None:
    package = {name for name in built.files if name.startswith("imgpipe/")}
    rooms = {name.split("/")[1] for name in package}
    assert rooms == {"__init__.py", "errors.py", "lambda_function.py", "core", "worker", "adapters"}
    assert {"imgpipe/core/assets/OpenSans-SemiBold.ttf", "imgpipe/core/assets/cmyk.icc"} <= package
    libraries = LIBRARIES if built.architecture == "x86_64" else LIBRARIES - {"cykooz-resizer"}
    assert {part.name.split()[0].replace("_", "-") for part in built.parts} == libraries | {"imgpipe", "recipe"}
    assert {Path(name).suffix for name in built.files}.isdisjoint({".pyc", ".pyi", ".typed"})
    info = {Path(name).name for name in built.files if ".dist-info/" in name}
    assert "METADATA" in info
    assert {name for name in info - {"METADATA"} if "LICENSE" not in name} == set()


def test_every_library_in_it_is_for_its_machine(built: Bundle) -> None:
    machines = {name: machine(data) for name, data in built.files.items() if ".so" in name}
    assert len(machines) > 10
    assert set(machines.values()) == {built.architecture}


def test_it_is_small(built: Bundle) -> None:
    assert built.size < 15_000_000
    assert built.unpacked < 40_000_000


def test_its_zip_unpacks_to_its_files_with_one_time_and_one_mode(built: Bundle) -> None:
    with zipfile.ZipFile(io.BytesIO(built.data)) as archive:
        assert archive.testzip() is None
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted(built.files)
    assert sum(entry.file_size for entry in entries) == built.unpacked
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {stat.filemode(entry.external_attr >> 16) for entry in entries} == {"-rw-r--r--"}
    assert {entry.create_system for entry in entries} == {3}


def test_the_same_input_gives_the_same_bytes(built: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From another folder, under another mask and clock, and with a cache that is empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    mask = os.umask(0o077)
    try:
        again = build(recipe_in(tmp_path), built.architecture, "3.13")
    finally:
        os.umask(mask)
    assert again.digest == built.digest
    assert again.data == built.data


def test_what_uv_is_told_for_other_installations_changes_nothing(
    built: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "uv.toml").write_text("not toml at all [")
    monkeypatch.setenv("UV_COMPILE_BYTECODE", "1")
    monkeypatch.setenv("UV_EXCLUDE_NEWER", "2020-01-01")
    monkeypatch.setenv("UV_CONSTRAINT", "missing.txt")
    assert build(recipe_in(tmp_path), built.architecture, "3.13").digest == built.digest


def test_what_an_editor_or_a_desktop_leaves_beside_the_code_is_not_bundled(built: Bundle) -> None:
    room = Path(bundle.__file__).parents[1] / "worker"
    strays = [room / name for name in (".DS_Store", "process.py~", "process.py.orig")]
    try:
        for stray in strays:
            stray.write_text("left behind")
        assert dict(bundle._sources()) == {
            name: data for name, data in built.files.items() if name.startswith("imgpipe/")
        }
    finally:
        for stray in strays:
            stray.unlink()


def test_whatever_differs_changes_the_digest(built: Bundle) -> None:
    other_recipe = build(recipe_file.load(None), built.architecture, "3.13")
    other_python = build(recipe_file.load(None), built.architecture, "3.14")
    assert len({built.digest, other_recipe.digest, other_python.digest}) == 3


def test_the_recipe_in_it_is_the_recipe(built: Bundle, recipe: Recipe, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(built.data)) as archive:
        archive.extractall(tmp_path)
    assert recipe_file.load(tmp_path / "imgpipe.toml").hash == recipe.hash == built.recipe
    assert len(list((tmp_path / "assets").iterdir())) == 2


def test_the_built_in_recipe_needs_no_assets(tmp_path: Path) -> None:
    recipe = recipe_file.load(None)
    files = recipe_files(recipe)
    assert list(files) == ["imgpipe.toml"]
    (tmp_path / "imgpipe.toml").write_bytes(files["imgpipe.toml"])
    assert recipe_file.load(tmp_path / "imgpipe.toml").hash == recipe.hash


def test_the_wheels_are_fetched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wheels("x86_64", "3.13")
    monkeypatch.setenv("UV_OFFLINE", "1")
    assert {wheel.name for wheel in wheels("x86_64", "3.13")} == {name.replace("-", "_") for name in LIBRARIES}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("python", ["3.11", "3.14"])
def test_a_lock_holds_for_every_python_that_runs_imgpipe(architecture: Architecture, python: str) -> None:
    assert len(wheels(architecture, python)) == len(LIBRARIES) - (architecture == "arm64")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_lock_pins_what_the_project_asks_for(architecture: Architecture) -> None:
    lines = (LOCKS / f"{architecture}.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.removesuffix(" \\").split("==") for line in lines if "==" in line)
    assert set(pinned) == LIBRARIES - ({"cykooz-resizer"} if architecture == "arm64" else set())
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    for requirement in map(Requirement, asked):
        if requirement.name in pinned:
            assert requirement.specifier.contains(pinned[requirement.name]), requirement


def test_a_wheel_of_the_wrong_machine_is_named(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_module, "wheels", lambda _, python: wheels("x86_64", python))
    named = r"^cykooz_resizer/\S+\.so of cykooz_resizer \S+ is made for x86_64, and the bundle for arm64\."
    with pytest.raises(BundleError, match=named):
        build(recipe, "arm64", "3.13")


@pytest.mark.parametrize(
    ("data", "made_for"),
    [
        (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\x3e\x00", "x86_64"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\xb7\x00", "arm64"),
        (b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x03\x00\x28\x00", "arm"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\xf3\x00", "ELF machine 243"),
        (b"\xcf\xfa\xed\xfe\x0c\x00\x00\x01", "macOS"),
        (b"MZ\x90\x00", "Windows"),
        (b"import json\n", None),
        (b"", None),
    ],
)
def test_a_file_tells_what_it_is_made_for(data: bytes, made_for: str | None) -> None:
    assert machine(data) == made_for


@pytest.mark.skipif(platform.system() != "Linux", reason="only there is Python's own program an ELF file")
def test_a_real_program_tells_what_it_is_made_for() -> None:
    names = {"x86_64": "x86_64", "aarch64": "arm64"}
    assert machine(Path(sys.executable).read_bytes()) == names[platform.machine()]


@pytest.mark.parametrize("python", ["3.10", "3", "4.1", "python3.13", "3.13.1", ""])
def test_a_python_that_is_none_is_refused(recipe: Recipe, python: str) -> None:
    with pytest.raises(UsageError, match=r"3\.13 or 3\.14"):
        build(recipe, "x86_64", python)


def test_a_python_without_wheels_is_told() -> None:
    with pytest.raises(BundleError) as caught:
        wheels("arm64", "3.98")
    assert caught.value.message.endswith(" has no wheel for Python 3.98 on arm64.")
    assert "3.13" in caught.value.remedy


def test_without_uv_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BundleError, match="pip install uv"):
        find_uv()


def test_an_index_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    with pytest.raises(BundleError) as caught:
        wheels("arm64", "3.13")
    assert caught.value.message.startswith("The index could not be read: http://127.0.0.1:9/simple/")


def test_an_index_is_taken_from_pip_where_uv_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/of-pip")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "http://127.0.0.1:9/of-pip-too")
    with pytest.raises(BundleError, match=r"http://127\.0\.0\.1:9/of-pip"):
        wheels("arm64", "3.13")


def test_without_network_and_cache_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("UV_OFFLINE", "1")
    with pytest.raises(BundleError, match="UV_OFFLINE"):
        wheels("arm64", "3.13")


def test_a_wheel_with_another_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = f"msgspec=={version('msgspec')} --hash=sha256:{'0' * 64}\n"
    (tmp_path / "arm64.txt").write_text(lock, encoding="utf-8")
    monkeypatch.setattr(bundle_wheels, "LOCKS", tmp_path)
    with pytest.raises(BundleError, match="not the release that was pinned"):
        wheels("arm64", "3.13")


def test_a_release_that_the_index_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "arm64.txt").write_text(f"msgspec==0.0.77 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    monkeypatch.setattr(bundle_wheels, "LOCKS", tmp_path)
    with pytest.raises(BundleError, match=r"The index has no msgspec==0\.0\.77\."):
        wheels("arm64", "3.13")


def test_what_pip_is_told_reaches_uv_and_what_uv_is_told_counts_more(tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://one/simple\nextra-index-url =\n  https://two/simple\n  https://three/simple\n"
        "[install]\nindex-url = https://four/simple\n",
        encoding="utf-8",
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    environment |= {"PIP_CONFIG_FILE": str(config)}
    told = index_settings(environment)
    assert told["UV_DEFAULT_INDEX"] == "https://four/simple"
    assert told["UV_INDEX"] == "https://two/simple https://three/simple"
    assert index_settings(environment | {"PIP_INDEX_URL": "https://five"})["UV_DEFAULT_INDEX"] == "https://five"
    assert index_settings(environment | {"UV_INDEX_URL": "https://mine"}) == {}


def test_the_command_writes_the_zip_and_says_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["bundle", "--arch", "arm64", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (path,) = tmp_path.iterdir()
    assert path.name == told["path"] == "imgpipe-arm64-python3.13.zip"
    assert told["bytes"] == path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        assert told["files"] == len(archive.namelist())
        assert told["unpacked"] == sum(entry.file_size for entry in archive.infolist())
    assert told["recipe"] == recipe_file.load(None).hash
    assert sum(part["unpacked"] for part in told["parts"]) == told["unpacked"]

    assert run(["bundle", "--arch", "arm64", "--output", "other.zip"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["part", "zipped", "unpacked"]
    assert lines[1].startswith("pillow ")
    assert any(line.startswith(f"imgpipe {imgpipe.__version__} ") for line in lines)
    assert lines[-1] == told["digest"]
    assert (tmp_path / "other.zip").read_bytes() == path.read_bytes()
