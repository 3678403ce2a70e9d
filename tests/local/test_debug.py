"""Debugging makes here what the stack makes, says where the two differ, and writes nothing to the stack."""

import io
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from msgspec.structs import replace
from PIL import Image
from running_stack import Running

from imgpipe.errors import AwsError, NoImageError, UsageError
from imgpipe.local.debug import debug, differences


def jpeg(colour: str = "red") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(data, "JPEG")
    return data.getvalue()


def test_the_record_made_here_is_the_stack_s_and_the_files_are_its_renditions(running: Running, tmp_path: Path) -> None:
    running.put("b/ä.jpg", jpeg())
    (there,) = running.work()
    running.account.session.calls.clear()
    told = debug(running.pipeline, running.recipe, "b/ä.jpg", tmp_path / "out")
    assert told.stack == there.public()
    assert told.differences == ()
    assert told.here.milliseconds
    for made in there.renditions:
        blob = running.pipeline.renditions.read(made.key, made.bytes)
        assert blob
        assert Path(told.files[made.preset]).read_bytes() == blob.data
    assert running.account.session.changing == []


def test_where_the_two_differ_is_told_field_by_field(running: Running) -> None:
    running.put("a.jpg", jpeg())
    (there,) = running.work()
    other = replace(there, recipe="1", renditions=there.renditions[1:], builds=there.builds | {"webp": "0.1"})
    told = {difference.field: (difference.here, difference.stack) for difference in differences(there, other)}
    gone = there.renditions[0].preset
    assert told["recipe"] == (there.recipe, "1")
    assert told[f"renditions.{gone}.bytes"] == (there.renditions[0].bytes, None)
    assert told["builds.webp"][1] == "0.1"
    assert {field.split(".")[0] for field in told} == {"recipe", "renditions", "builds"}


def test_a_bad_image_fails_here_too_and_an_image_never_made_has_no_record_to_compare(running: Running) -> None:
    running.put("a.jpg", b"no image", told=False)
    told = debug(running.pipeline, running.recipe, "a.jpg")
    assert told.here.error
    assert told.here.error.code == "unsupported_format"
    assert (told.stack, told.differences, told.files) == (None, (), {})
    with pytest.raises(NoImageError):
        debug(running.pipeline, running.recipe, "b.jpg")


def test_a_key_that_no_folder_can_hold_is_made_and_only_not_written(running: Running, tmp_path: Path) -> None:
    running.put("a/../b.jpg", jpeg(), told=False)
    assert debug(running.pipeline, running.recipe, "a/../b.jpg").here.status == "done"
    with pytest.raises(UsageError, match="--out"):
        debug(running.pipeline, running.recipe, "a/../b.jpg", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_would_let_the_message_come_again_is_an_error(running: Running) -> None:
    running.put("a.jpg", jpeg(), told=False)

    def refuse(**_: object) -> None:
        answer = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        raise ClientError(answer, "GetObject")

    running.pipeline.session.client("s3").meta.events.register("before-call.s3.GetObject", refuse)
    with pytest.raises(AwsError, match="GetObject"):
        debug(running.pipeline, running.recipe, "a.jpg")
