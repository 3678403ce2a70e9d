"""A stack opened to be worked with."""

import io

import pytest
from PIL import Image
from running_stack import Running
from stack_account import CATALOG, DESTINATION, SOURCE, Account

from imgpipe.errors import NoStackError, StackError
from imgpipe.remote import pipeline
from imgpipe.remote.pipeline import open_pipeline
from imgpipe.remote.session import Session


def test_the_parts_are_those_of_the_stack(running: Running) -> None:
    there = running.pipeline
    assert (there.source_bucket, there.destination_bucket, there.table) == (SOURCE, DESTINATION, CATALOG)
    assert there.recipe_hash == running.recipe.hash


def test_what_is_put_is_made(running: Running) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(picture, "png")
    version = running.put("a/b.png", picture.getvalue())
    (record,) = running.work()
    assert (record.key, record.status, record.version) == ("a/b.png", "done", version)
    assert all(running.pipeline.renditions.stat(made.key) for made in record.renditions)


def test_no_stack_is_said(account: Account) -> None:
    with pytest.raises(NoStackError):
        open_pipeline(Session(), "imgpipe")


def test_a_stack_without_outputs_is_not_whole(account: Account) -> None:
    account.make_small_stack()
    with pytest.raises(StackError, match=r"not whole.*imgpipe deploy --stack imgpipe"):
        open_pipeline(Session(), "imgpipe")


def test_a_stack_of_another_version_is_left_alone(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "__version__", "7.0.0")
    with pytest.raises(StackError, match=r"this is 7\.0\.0"):
        open_pipeline(Session(), "imgpipe")
    monkeypatch.setattr(pipeline, "__version__", "0.1.9")
    assert open_pipeline(Session(), "imgpipe").stack.version == "0.1.0"
