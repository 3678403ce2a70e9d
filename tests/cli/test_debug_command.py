"""`imgpipe debug` as a person and a program meet it."""

import io
import json
import resource
from pathlib import Path

import pytest
from deployed_bundle import store_bundle
from PIL import Image
from running_stack import Running

from imgpipe.cli import run


def jpeg() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(data, "JPEG")
    return data.getvalue()


def test_a_person_sees_what_was_made_here_and_where_the_stack_differs(
    running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_bundle(running, running.recipe)
    running.put("a.jpg", jpeg())
    running.work()
    assert run(["debug", "a.jpg", "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "a.jpg" in shown
    assert "Its record says the same." in shown
    assert all(str(path) in shown for path in (tmp_path / "out").rglob("*.*"))
    running.put("a.jpg", b"no image", told=False)
    assert run(["debug", "a.jpg"]) == 1
    shown = capsys.readouterr().out
    assert "unsupported_format: " in shown
    assert [line.split() for line in shown.splitlines() if "status" in line] == [["status", "failed", "done"]]


def test_a_program_gets_one_document_and_an_image_that_is_not_there_is_an_error(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    store_bundle(running, running.recipe)
    running.put("a.jpg", jpeg(), told=False)
    assert run(["debug", f"s3://{running.pipeline.source_bucket}/a.jpg", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["here"]["status"] == "done"
    assert (told["stack"], told["differences"], told["files"]) == (None, [], {})
    assert run(["debug", "b.jpg"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "There is no image b.jpg." in shown.err


def test_ctrl_c_ends_it_and_gives_the_process_its_memory_back(
    running: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store_bundle(running, running.recipe)
    running.put("a.jpg", jpeg(), told=False)
    before = resource.getrlimit(resource.RLIMIT_DATA)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("imgpipe.worker.memory.Memory.render", interrupt)
    assert run(["debug", "a.jpg"]) == 130
    assert capsys.readouterr().out == ""
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
