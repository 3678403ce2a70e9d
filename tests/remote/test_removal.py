"""Sources are removed, in batches, and what became of each is told; the pipeline does the rest."""

from typing import Any

import pytest
from image_case import jpeg
from moto_cases import answer
from running_stack import Running

from imgpipe.errors import AwsError
from imgpipe.remote import removal
from imgpipe.remote.failed import Failed
from imgpipe.remote.objects import objects
from imgpipe.remote.removal import Removed, missing, remove


def sources(running: Running) -> list[str]:
    return [found.key for found in objects(running.account.session, running.pipeline.source_bucket)]


def test_sources_go_under_a_delete_marker_and_renditions_are_left_to_the_pipeline(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "BATCH", 2)
    keys = ["1.jpg", "a b/+%\u00e9.jpg", "a\x01.jpg", "3.jpg", "4.jpg"]
    versions = {key: running.put(key, jpeg(), told=key == "1.jpg") for key in (*keys, "kept.jpg")}
    running.work()
    made = [found.key for found in objects(running.account.session, running.pipeline.destination_bucket)]
    assert missing(running.pipeline, [*keys, "nothing"]) == [
        Failed(
            "nothing", "no_image", "There is no image nothing.", "See what there is with: imgpipe list --stack imgpipe"
        )
    ]

    running.account.session.calls.clear()
    assert list(remove(running.pipeline, keys)) == [Removed(key) for key in keys]
    assert set(running.account.session.changing) == {"DeleteObjects", "DeleteObject"}
    assert running.account.session.calls.count("DeleteObjects") == 3
    assert sources(running) == ["kept.jpg"]
    assert [found.key for found in objects(running.account.session, running.pipeline.destination_bucket)] == made
    for key, version in versions.items():
        bucket = running.pipeline.source_bucket
        running.client("s3").head_object(Bucket=bucket, Key=key, VersionId=version)


def refuse(running: Running, *codes: str | None) -> None:
    """Let S3 refuse the key `no.jpg` by each of `codes` in turn, or nothing for None; then as it is asked."""
    left = list(codes)

    def respond(request: Any, **_: object) -> Any:
        code = left.pop(0) if left else None
        if code is None:
            return None
        error = f"<Error><Key>no.jpg</Key><Code>{code}</Code><Message>Not now</Message></Error>"
        return answer(request, 200, f"<DeleteResult>{error}</DeleteResult>".encode())

    running.account.session.client("s3").meta.events.register("before-send.s3.DeleteObjects", respond)


def test_what_s3_refuses_of_a_batch_is_tried_again_after_a_pause_or_told_by_its_key(running: Running) -> None:
    running.put("no.jpg", jpeg())
    refuse(running, "InternalError", "SlowDown")
    pauses: list[float] = []
    told = list(remove(running.pipeline, ["no.jpg", "yes.jpg"], pauses.append))
    assert told == [Removed("yes.jpg"), Removed("no.jpg")]
    assert sources(running) == []
    assert 0.5 <= pauses[0] <= 1 <= pauses[1] <= 2

    refuse(running, "SlowDown", "AccessDenied")
    removed, refused = remove(running.pipeline, ["no.jpg", "yes.jpg"], pauses.append)
    assert isinstance(refused, Failed)
    assert (refused.key, refused.code) == ("no.jpg", "denied")
    assert removed == Removed("yes.jpg")


@pytest.mark.parametrize(
    ("code", "told"),
    [("InternalError", "unavailable"), ("ServiceUnavailable", "unavailable"), ("SlowDown", "throttled")],
)
def test_an_outage_of_one_key_is_called_one(running: Running, code: str, told: str) -> None:
    refuse(running, *[code] * 3)
    _, refused = remove(running.pipeline, ["no.jpg", "yes.jpg"], lambda _: None)
    assert isinstance(refused, Failed)
    assert refused.code == told


def test_what_is_gone_is_told_before_the_rest_is_asked_for_again(running: Running) -> None:
    refuse(running, "SlowDown")

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    results = remove(running.pipeline, ["no.jpg", "yes.jpg"], interrupt)
    assert next(results) == Removed("yes.jpg")
    with pytest.raises(KeyboardInterrupt):
        next(results)


def test_of_many_keys_that_are_not_there_few_are_looked_for(running: Running) -> None:
    running.account.session.calls.clear()
    absent = missing(running.pipeline, [f"nothing/{number}.jpg" for number in range(40)])
    assert len(absent) == 40
    assert {failure.remedy for failure in absent} == {"See what there is with: imgpipe list --stack imgpipe"}
    assert len(running.account.session.calls) < 40 * 2 + 50


def test_where_nothing_may_be_removed_the_right_is_named(running: Running) -> None:
    refuse(running, "AccessDenied")
    with pytest.raises(AwsError, match="AWS refused DeleteObject") as refused:
        list(remove(running.pipeline, ["no.jpg"]))
    assert refused.value.code == "denied"
