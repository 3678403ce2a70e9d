"""What is shipped: the built wheel holds all that it needs, and runs away from the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from PIL import Image

import imgpipe

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a wheel and an sdist, the wheel being built from the sdist, without a network."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment with the wheel installed in it, and the libraries of this one behind it."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, symlinks=os.name != "nt")
    scripts, site = (
        Path(sysconfig.get_path(name, "venv", vars={"base": str(home), "platbase": str(home)}))
        for name in ("scripts", "purelib")
    )
    install = ["--python", str(scripts / "python"), "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True)
    (site / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return scripts


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    here = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "imgpipe").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    template = {f"imgpipe/cloudformation/{path.name}" for path in (ROOT / "cloudformation").iterdir()}
    assert {name for name in names(wheel) if ".dist-info/" not in name} == here | template
    assert "imgpipe/py.typed" in here
    assert template


def test_the_wheel_names_its_licences_and_its_command(wheel: Path) -> None:
    info = f"imgpipe-{imgpipe.__version__}.dist-info"
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/imgpipe/core/assets/OpenSans-LICENSE.txt"} <= names(wheel)
    with zipfile.ZipFile(wheel) as archive:
        assert b"imgpipe = imgpipe.__main__:main" in archive.read(f"{info}/entry_points.txt")


def test_the_sdist_brings_tests_and_documents_and_no_environment(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        inside = {name.split("/", 1)[1] for name in archive.getnames()}
    assert {"README.md", "CHANGELOG.md", "LICENSE", "tests/test_wheel.py", "docs/commands.md"} <= inside
    assert not [name for name in inside if "__pycache__" in name or ".venv" in name]


def test_the_built_package_runs_away_from_the_checkout(programs: Path, tmp_path: Path) -> None:
    def run(program: str, *arguments: str) -> str:
        done = subprocess.run(
            [programs / program, *arguments],
            cwd=tmp_path,
            env={name: value for name, value in os.environ.items() if not name.startswith(("IMGPIPE_", "PYTHON"))},
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("imgpipe", "--version") == f"imgpipe {imgpipe.__version__}\n"
    where = "import imgpipe, imgpipe.deploy.template as t; print(imgpipe.__file__); print(t.folder())"
    package, template = map(Path, run("python", "-c", where).splitlines())
    assert ROOT not in package.parents
    assert template == package.parent / "cloudformation"
    assert template.is_dir()

    (tmp_path / "in").mkdir()
    Image.radial_gradient("L").resize((640, 480)).save(tmp_path / "in" / "sun.png")
    record, summary = map(json.loads, run("imgpipe", "process-local", "in", "out", "--json").splitlines())
    assert record["status"] == "done"
    assert summary["type"] == "summary"
    assert [Image.open(tmp_path / "out" / made["key"]).size for made in record["renditions"]] == [
        (640, 480),
        (400, 400),
    ]
