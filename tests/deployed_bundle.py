"""A bundle where the tests' stack says that its bundle lies."""

import io
import zipfile

from running_stack import Running

from imgpipe.core.recipe import Recipe
from imgpipe.deploy.bundle_recipe import recipe_files


def store_bundle(running: Running, recipe: Recipe, libraries: bytes = b"") -> None:
    """Lay down a bundle with `recipe`, and beside it what `libraries` would be."""
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {"PIL/libs.so": libraries, **recipe_files(recipe), "zlib/more.so": libraries}.items():
            archive.writestr(name, data)
    running.client("s3").put_object(Bucket="bundles", Key="0.zip", Body=bundle.getvalue())
