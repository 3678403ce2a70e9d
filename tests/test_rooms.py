"""Every import of the package, also one inside a function, is held against DESIGN's table of rooms."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import imgpipe

PACKAGE = Path(imgpipe.__file__).parent

EVERYWHERE = ("imgpipe.errors", "imgpipe.__version__")
RECIPES = ("imgpipe.core.recipe", "imgpipe.core.recipe_file")
ROOMS = ("core", "worker", "adapters", "lambda_function", "deploy", "remote", "local", "cli")

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "errors": (),
    "files": (),
    "core": ("imgpipe.core", "PIL", "cykooz_resizer", "pi_heif", "msgspec"),
    "worker": ("imgpipe.worker", "imgpipe.core", "msgspec"),
    "adapters": ("imgpipe.worker.ports", "msgspec"),
    "adapters.s3": ("imgpipe.worker.ports", "msgspec", "boto3", "botocore"),
    "adapters.dynamodb": ("imgpipe.worker.ports", "msgspec", "boto3", "botocore"),
    "lambda_function": ("imgpipe.worker", "imgpipe.adapters", "imgpipe.core", "boto3", "botocore"),
    "deploy": (
        "imgpipe.deploy", "imgpipe.remote", "imgpipe.worker.ports", "imgpipe.adapters", "msgspec", "boto3", "botocore",
        "uv", "yaml", *RECIPES,
    ),
    "remote": (
        "imgpipe.remote", "imgpipe.worker.ports", "imgpipe.worker.events", "imgpipe.worker.ids", "imgpipe.worker.keys",
        "imgpipe.adapters", "imgpipe.core.containers", "imgpipe.files", "msgspec", "boto3", "botocore", *RECIPES,
    ),
    "local": (
        "imgpipe.local", "imgpipe.worker", "imgpipe.adapters", "imgpipe.deploy", "imgpipe.remote", "imgpipe.core",
        "imgpipe.files", "msgspec", "PIL", "boto3", "botocore", "moto", "werkzeug",
    ),
    "cli": ("typer", "click", "rich", "msgspec", *(f"imgpipe.{room}" for room in ROOMS)),
    "__main__": ("imgpipe.cli",),
    "__init__": (),
}  # fmt: skip
"""Room, or one module of it -> what it may import besides the standard library and `EVERYWHERE`."""


def imports(source: str, module: str) -> Iterator[str]:
    """The dotted names that `source`, a module of the package, imports at any depth."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names):
                yield from (name.name for name in names)
            case ast.ImportFrom(origin, names, level):
                parts = module.split(".")[:-level] if level else []
                base = ".".join([*parts, *([origin] if origin else [])])
                yield from (f"{base}.{name.name}" for name in names)
            case ast.Call(ast.Name("__import__") | ast.Attribute(attr="import_module"), [ast.Constant(str(name)), *_]):
                yield name
            case ast.Call(ast.Name("import_module"), [ast.Constant(str(name)), *_]):
                yield name


def strays(source: str, module: str) -> list[str]:
    """What `module`, as `imgpipe.room.module`, imports and may not."""
    _, room, *rest = module.split(".")
    allowed = MAY_IMPORT.get(".".join((room, *rest[:1])), MAY_IMPORT[room]) + EVERYWHERE
    return [
        name
        for name in imports(source, module)
        if name.split(".")[0] not in sys.stdlib_module_names
        and not any(name == prefix or name.startswith(f"{prefix}.") for prefix in allowed)
    ]


@pytest.mark.parametrize("path", sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")), ids=str)
def test_a_room_imports_what_its_table_allows(path: Path) -> None:
    module = ".".join(("imgpipe", *path.with_suffix("").parts))
    assert strays((PACKAGE / path).read_text(), module) == []


@pytest.mark.parametrize(
    ("module", "source", "stray"),
    [
        ("imgpipe.core.steps", "import boto3", "boto3"),
        ("imgpipe.core.steps", "from imgpipe.worker import ports", "imgpipe.worker.ports"),
        ("imgpipe.core.steps", "from imgpipe import worker", "imgpipe.worker"),
        ("imgpipe.core.steps", "from ..worker import ports", "imgpipe.worker.ports"),
        ("imgpipe.worker.process", "def f():\n    from imgpipe.adapters.memory import MemoryStore",
         "imgpipe.adapters.memory.MemoryStore"),
        ("imgpipe.adapters.folder", "import boto3.session", "boto3.session"),
        ("imgpipe.adapters.folder", "from imgpipe.adapters.memory import MemoryStore",
         "imgpipe.adapters.memory.MemoryStore"),
        ("imgpipe.deploy.bundle", "import importlib\nimportlib.import_module('rich')", "rich"),
        ("imgpipe.local.run", "if True:\n    import rich.progress", "rich.progress"),
        ("imgpipe.cli.main", "from PIL import Image", "PIL.Image"),
    ],
)  # fmt: skip
def test_a_stray_import_is_found_wherever_it_stands(module: str, source: str, stray: str) -> None:
    assert strays(source, module) == [stray]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("imgpipe.core.steps", "import os.path\nfrom PIL import Image\nfrom imgpipe.errors import ImageError"),
        ("imgpipe.adapters.s3", "import boto3\nfrom imgpipe.worker.ports import Stat"),
        ("imgpipe.cli.main", "def run():\n    from imgpipe.local import run"),
    ],
)
def test_an_allowed_import_is_let_through(module: str, source: str) -> None:
    assert strays(source, module) == []
