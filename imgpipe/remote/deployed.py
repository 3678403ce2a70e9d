"""The recipe that a stack makes renditions by, read out of the bundle that the stack was deployed from.

A bundle is some twenty megabytes of libraries around a few kilobytes of recipe, so only the parts of the zip that hold
these are fetched.
"""

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final

from imgpipe.core import recipe_file
from imgpipe.core.recipe import Recipe
from imgpipe.errors import RecipeError, StackError
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.session import aws_errors

ASSETS: Final = "assets/"
"""Where the images and fonts that a recipe names lie beside it in the bundle."""
_BLOCK: Final = 1 << 16
"""Bytes of one read: a zip's directory and a recipe's text come in a handful."""
_UNKNOWN: Final = "unknown"


def deployed_recipe(pipeline: Pipeline) -> Recipe:
    """The recipe in the bundle of the stack. Raises StackError where it cannot be had, and AwsError."""
    bucket, key = (pipeline.stack.parameters.get(name, "") for name in ("BundleBucket", "BundleKey"))
    again = f"the stack again: {pipeline.session.command('deploy', pipeline.stack.name)}"
    bundle = f"The bundle of the stack, s3://{bucket}/{key},"
    client = pipeline.session.client("s3")
    with aws_errors():
        try:
            recipe = _read(_Object(client, bucket, key))
        except client.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            raise StackError(f"{bundle} is no longer there.", f"Deploy {again}") from error
        except RecipeError as error:
            problem = f"The recipe in the bundle cannot be read by this imgpipe: {error.problems[0]}"
            raise StackError(problem, f"Use the imgpipe that deployed it, or deploy {again}") from error
        except (zipfile.BadZipFile, KeyError) as error:
            raise StackError(f"{bundle} holds no recipe.", f"Deploy {again}") from error
    if recipe.hash != pipeline.recipe_hash != _UNKNOWN:
        raise StackError(
            f"The stack is deployed with the recipe {pipeline.recipe_hash}, and its bundle holds {recipe.hash}.",
            f"Deploy {again}",
        )
    return recipe


def deployed_hash(pipeline: Pipeline) -> str:
    """The hash of the deployed recipe, from the bundle only where the stack itself does not tell it."""
    told = pipeline.recipe_hash
    return deployed_recipe(pipeline).hash if told == _UNKNOWN else told


def _read(bundle: "_Object") -> Recipe:
    with zipfile.ZipFile(io.BufferedReader(bundle, _BLOCK)) as archive, tempfile.TemporaryDirectory() as folder:
        archive.extract(recipe_file.NAME, folder)
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(ASSETS)])
        return recipe_file.load(Path(folder, recipe_file.NAME))


class _Object(io.RawIOBase):
    """An object of S3 as a file: a read is a GET of a range."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client = client
        self._place = {"Bucket": bucket, "Key": key}
        self._size = client.head_object(**self._place)["ContentLength"]
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(start + offset, 0)
        return self._at

    def readinto(self, buffer: Any) -> int:
        end = min(self._at + len(buffer), self._size)
        if self._at >= end:
            return 0
        with self._client.get_object(**self._place, Range=f"bytes={self._at}-{end - 1}")["Body"] as body:
            data = body.read()
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
