"""`imgpipe verify` as a person and a program meet it."""

import io
import json

import pytest
from deployed_bundle import store_bundle
from PIL import Image
from running_stack import Running

from imgpipe.cli import run


def jpeg() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(data, "JPEG")
    return data.getvalue()


def test_what_is_the_same_passes_and_what_is_gone_does_not(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    store_bundle(running, running.recipe)
    for key in ("a/1.jpg", "a/2.jpg", "b.jpg"):
        running.put(key, jpeg())
    running.put("notes.txt", b"text", told=False)
    running.work()
    assert run(["verify"]) == 0
    shown = capsys.readouterr()
    assert "3 images: 3 same" in shown.err
    assert len(shown.out.splitlines()) == 3
    entry = running.pipeline.catalog.get("a/2.jpg")
    assert entry
    gone = entry.record.renditions[0].key
    running.client("s3").delete_object(Bucket=running.pipeline.destination_bucket, Key=gone)
    assert run(["verify", "--prefix", "a/", "--json"]) == 1
    *verdicts, summary = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {verdict["key"]: verdict["verdict"] for verdict in verdicts} == {"a/1.jpg": "same", "a/2.jpg": "different"}
    assert (summary["type"], summary["same"], summary["different"], summary["builds"]) == ("summary", 1, 1, {})
    assert run(["verify", "a/2.jpg"]) == 1
    assert f"{gone}  It is missing; imgpipe reprocess KEY makes it again." in capsys.readouterr().out


def test_two_ways_to_name_images_and_a_missing_one_are_refused(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    store_bundle(running, running.recipe)
    assert run(["verify", "a.jpg", "--sample", "3"]) == 2
    assert run(["verify", "a.jpg"]) == 1
    assert "There is no image a.jpg." in capsys.readouterr().err
    assert run(["verify"]) == 0
    assert "There is no image to verify." in capsys.readouterr().err
    assert run(["verify", "--sample", "0"]) == 2
    assert "'0' is not a whole number from 1 on." in capsys.readouterr().err


def test_interrupted_it_says_how_far_it_came(
    running: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store_bundle(running, running.recipe)
    running.put("a.jpg", jpeg())
    running.work()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("imgpipe.local.pool.Pool.wait", interrupt)
    assert run(["verify"]) == 130
    assert "Interrupted: 0 images looked at." in capsys.readouterr().err
    assert run(["verify", "--json"]) == 130
    (summary,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert summary["status"] == "interrupted"
