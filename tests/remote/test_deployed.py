"""The deployed recipe is read from the stack's bundle, and what keeps it from being read is said."""

import io
import os
import zipfile
from pathlib import Path

import pytest
from deployed_bundle import store_bundle
from PIL import Image
from running_stack import Running
from stack_account import Account

from imgpipe.core import recipe_file
from imgpipe.core.recipe import Recipe
from imgpipe.errors import AwsError, StackError
from imgpipe.remote.deployed import deployed_recipe
from imgpipe.remote.pipeline import open_pipeline


def marked(folder: Path) -> Recipe:
    """A recipe with an image of its own for a mark."""
    Image.new("RGB", (40, 20), "red").save(folder / "mark.png")
    path = folder / "imgpipe.toml"
    path.write_text('[watermark]\nimage = "mark.png"\n[presets.web]\nwidth = 100\n')
    return recipe_file.load(path)


def test_the_recipe_comes_with_its_images_and_without_the_libraries(account: Account, tmp_path: Path) -> None:
    recipe = marked(tmp_path)
    running = Running(account, recipe)
    libraries = os.urandom(2_000_000)
    store_bundle(running, recipe, libraries)
    fetched: list[int] = []
    events = running.pipeline.session.client("s3").meta.events
    events.register("after-call.s3.GetObject", lambda parsed, **_: fetched.append(parsed["ContentLength"]))
    found = deployed_recipe(running.pipeline)
    assert found.hash == recipe.hash
    assert found.presets[0].watermark
    assert sum(fetched) < len(libraries) / 4
    assert running.account.session.changing == []


def test_a_bundle_that_is_gone_is_said_with_its_place(running: Running) -> None:
    running.client("s3").delete_object(Bucket="bundles", Key="0.zip")
    with pytest.raises(StackError, match=r"s3://bundles/0\.zip, is no longer there.*imgpipe deploy"):
        deployed_recipe(running.pipeline)


@pytest.mark.parametrize("content", [b"", b"no zip", None])
def test_a_bundle_without_a_recipe_is_said(content: bytes | None, running: Running) -> None:
    if content is None:
        empty = io.BytesIO()
        zipfile.ZipFile(empty, "w").close()
        content = empty.getvalue()
    running.client("s3").put_object(Bucket="bundles", Key="0.zip", Body=content)
    with pytest.raises(StackError, match="holds no recipe"):
        deployed_recipe(running.pipeline)


def test_a_recipe_that_this_version_cannot_read_is_said(running: Running) -> None:
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("imgpipe.toml", "[presets.web]\nwidth = 9\nlater = 1\n")
    running.client("s3").put_object(Bucket="bundles", Key="0.zip", Body=bundle.getvalue())
    with pytest.raises(StackError, match="later"):
        deployed_recipe(running.pipeline)


def test_a_bundle_of_another_recipe_than_the_stack_tells_is_refused(running: Running, tmp_path: Path) -> None:
    store_bundle(running, marked(tmp_path))
    with pytest.raises(StackError, match=running.recipe.hash):
        deployed_recipe(running.pipeline)


def test_a_stack_that_does_not_tell_its_recipe_is_believed_its_bundle(running: Running, tmp_path: Path) -> None:
    recipe = marked(tmp_path)
    store_bundle(running, recipe)
    running.pipeline.stack.outputs["RecipeHash"] = "unknown"
    assert deployed_recipe(running.pipeline).hash == recipe.hash


def test_a_missing_permission_is_no_missing_bundle(running: Running) -> None:
    def refuse(params: object, model: object, **_: object) -> None:
        from botocore.exceptions import ClientError

        answer = {"Error": {"Code": "403", "Message": "Forbidden"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        raise ClientError(answer, "HeadObject")

    running.pipeline.session.client("s3").meta.events.register("before-call.s3.HeadObject", refuse)
    with pytest.raises(AwsError, match="refused HeadObject"):
        deployed_recipe(open_pipeline(running.account.session, "imgpipe"))
