"""`imgpipe show` as a person and a program meet it."""

import json
import re
import urllib.request
from pathlib import Path

import pytest
from run_cli import photo
from running_stack import Running

from imgpipe.cli import run


def test_one_image_is_shown_with_what_became_of_it_and_what_to_do(
    running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = photo(tmp_path / "photo.jpg").read_bytes()
    running.put("a/done.jpg", data)
    running.put("broken.jpg", data[:300])
    running.work()
    running.put("queued.jpg", data)

    assert run(["show", f"s3://{running.pipeline.source_bucket}/a/done.jpg"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^Status +done +\d{4}-\d\d-\d\d \d\d:\d\d UTC$", shown, re.MULTILINE)
    assert re.search(r"^Source +JPEG, 320×240, ", shown, re.MULTILINE)
    assert re.search(r"^  web +320×240 +\S+ kB +web/a/done.jpg$", shown, re.MULTILINE)
    links = re.findall(r"^  (\w+) +(http\S+)$", shown, re.MULTILINE)
    assert [label for label, _ in links] == ["web", "thumb", "source"]
    with urllib.request.urlopen(links[-1][1]) as answer:  # noqa: S310 - an http URL of our own
        assert answer.read() == data

    assert run(["show", "broken.jpg"]) == 0
    shown = capsys.readouterr().out
    assert "cut off" in shown
    assert "its end is missing" in shown

    assert run(["show", "queued.jpg"]) == 0
    shown = capsys.readouterr().out
    assert "queued" in shown
    assert "imgpipe reprocess --stack imgpipe queued.jpg" in shown

    assert run(["show", "a/done.jpg", "--json", "--expires", "2d"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["key"], told["status"], told["current"]) == ("a/done.jpg", "done", True)
    assert all("X-Amz-Expires=172800" in made["url"] for made in told["renditions"])

    assert run(["show", "/a/done.jpg"]) == 1
    refused = capsys.readouterr()
    assert refused.out == ""
    assert "There is no image /a/done.jpg." in refused.err
    assert "There is a/done.jpg" in refused.err


@pytest.mark.parametrize("expires", ["8d", "0s", "1", "soon"])
def test_links_that_cannot_be_are_refused(expires: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "a.jpg", "--expires", expires]) == 2
    assert f"'{expires}'" in capsys.readouterr().err
