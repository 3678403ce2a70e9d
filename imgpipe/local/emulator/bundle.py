"""The bundle of a function here: the recipe alone, since the code is this installation's.

It lies twice: as a zip in the artifact bucket, where `deploy` puts bundles, for whoever asks which recipe the stack
has; and as the folder that the functions are started in.
"""

import io
import zipfile
from pathlib import Path

from imgpipe.core.recipe import Recipe
from imgpipe.deploy import artifacts
from imgpipe.deploy.bundle_recipe import recipe_files
from imgpipe.remote.session import Session


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
