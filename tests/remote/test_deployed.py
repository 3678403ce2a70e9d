"""The deployed recipe is read from the stack's bundle, and what keeps it from being read is said."""

import io
import os
import zipfile
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from deployed_bundle import store_bundle
from PIL import Image
from running_stack import Running
from stack_account import Account

from imgpipe.core import recipe_file
from imgpipe.core.recipe import Recipe
from imgpipe.errors import AwsError, StackError
from imgpipe.remote.deployed import deployed_hash, deployed_recipe


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


def zipped(text: str | None) -> bytes:
    """A zip with `text` for its recipe, or with none."""
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w") as archive:
        if text is not None:
            archive.writestr("imgpipe.toml", text)
    return bundle.getvalue()


def test_what_keeps_the_recipe_from_being_read_is_said(running: Running) -> None:
    s3 = running.client("s3")
    for content, words in (
        (b"", "holds no recipe"),
        (b"no zip", "holds no recipe"),
        (zipped(None), "holds no recipe"),
        (zipped("[presets.web]\nwidth = 9\nlater = 1\n"), "later"),
    ):
        s3.put_object(Bucket="bundles", Key="0.zip", Body=content)
        with pytest.raises(StackError, match=words):
            deployed_recipe(running.pipeline)
    s3.delete_object(Bucket="bundles", Key="0.zip")
    with pytest.raises(StackError, match=r"s3://bundles/0\.zip, is no longer there.*imgpipe deploy"):
        deployed_recipe(running.pipeline)

    def refuse(**_: object) -> None:
        answer = {"Error": {"Code": "403", "Message": "Forbidden"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        raise ClientError(answer, "HeadObject")

    running.pipeline.session.client("s3").meta.events.register("before-call.s3.HeadObject", refuse)
    with pytest.raises(AwsError, match="refused HeadObject"):
        deployed_recipe(running.pipeline)


def test_a_bundle_is_believed_only_where_the_stack_does_not_tell_another_recipe(
    running: Running, tmp_path: Path
) -> None:
    recipe = marked(tmp_path)
    store_bundle(running, recipe)
    assert deployed_hash(running.pipeline) == running.recipe.hash
    with pytest.raises(StackError, match=running.recipe.hash):
        deployed_recipe(running.pipeline)
    running.pipeline.stack.outputs["RecipeHash"] = "unknown"
    assert deployed_recipe(running.pipeline).hash == deployed_hash(running.pipeline) == recipe.hash
