"""`imgpipe dashboard` prints the page's link, serves until Ctrl-C, and says what is in its way."""

import os
import signal
from pathlib import Path
from urllib.request import Request, urlopen

from page_case import lay_bundle
from run_cli import imgpipe, started
from running_stack import Running


def test_the_link_that_it_prints_works_until_ctrl_c(running: Running, tmp_path: Path) -> None:
    lay_bundle(running, running.recipe)
    program = started("dashboard", cwd=tmp_path)
    assert program.stdout
    url, _, token = program.stdout.readline().strip().partition("#")
    asked = Request(f"{url}api/recipe", headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - our own
    with urlopen(asked) as answer:  # noqa: S310 - our own
        assert running.recipe.hash.encode() in answer.read()
    program.send_signal(signal.SIGINT)
    rest, talk = program.communicate(timeout=30)
    assert (program.returncode, rest) == (130, "")
    assert talk.splitlines() == ["The page runs until Ctrl-C:", "Interrupted."]


def test_the_browser_is_shown_no_secret_that_others_can_read(running: Running, tmp_path: Path) -> None:
    lay_bundle(running, running.recipe)
    told = tmp_path / "told"
    os.mkfifo(told)
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$@" > {told}\n')
    browser.chmod(0o755)
    program = started("dashboard", "--open", cwd=tmp_path, BROWSER=str(browser))
    assert program.stdout
    url = program.stdout.readline().strip()
    given = told.read_text().strip()
    assert url.partition("#")[2] not in given
    way = Path(given.removeprefix("file://"))
    assert f'content="0; url={url}"' in way.read_text()
    assert way.parent.stat().st_mode & 0o777 == 0o700
    program.send_signal(signal.SIGINT)
    program.communicate(timeout=30)
    assert not way.parent.exists()


def test_without_an_emulator_nothing_is_served(no_aws: Path, tmp_path: Path) -> None:
    done = imgpipe("dashboard", "--local", cwd=tmp_path, IMGPIPE_PORT="9")
    assert (done.returncode, done.stdout) == (3, "")
    assert "127.0.0.1:9" in done.stderr
