"""The bundle of a function here: the recipe alone, since the code is this installation's.

It lies twice: as a zip in the artifact bucket, where `deploy` puts bundles, for whoever asks which recipe the stack
has; and as the folder that the functions are started in.
"""

import fcntl
import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from imgpipe.core.recipe import Recipe
from imgpipe.deploy import artifacts
from imgpipe.deploy.bundle_recipe import recipe_files
from imgpipe.remote.session import Session

_PREFIX: Final = "imgpipe-emulator-"


@contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder for bundles. What an emulator has left that was killed is removed too."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError), _held(left):
            shutil.rmtree(left, ignore_errors=True)
    with ExitStack() as held:
        while True:
            made = Path(tempfile.mkdtemp(prefix=_PREFIX))
            with suppress(OSError):  # another that starts has taken it for one that was left
                held.enter_context(_held(made))
                if made.is_dir():
                    break
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Lock it until the end, or this process's. Raises OSError where another has."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def store(session: Session, recipe: Recipe) -> dict[str, str]:
    """Put the zip in its place; returns the parameters of the template that name it."""
    key = f"bundle/{recipe.hash}.zip"
    artifacts.store(session, key, lambda: _zipped(recipe))
    return {"BundleBucket": artifacts.bucket_name(session), "BundleKey": key, "RecipeHash": recipe.hash}


def unpack(recipe: Recipe, parent: Path) -> Path:
    """Write the recipe's files into a folder of their own in `parent`; returns that folder (LAMBDA_TASK_ROOT). Raises
    OSError."""
    folder = parent / recipe.hash
    for name, data in recipe_files(recipe).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def _zipped(recipe: Recipe) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in recipe_files(recipe).items():
            archive.writestr(name, data)
    return buffer.getvalue()
