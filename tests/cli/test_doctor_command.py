"""`imgpipe doctor`: only what every command needs fails it, and whatever is not well has a remedy."""

import json
from pathlib import Path
from typing import Any

import pytest
from stack_account import NUMBER, Account

from imgpipe.cli import run
from imgpipe.core.builds import builds
from imgpipe.deploy import template
from imgpipe.errors import AwsError, ImgpipeError, StackError
from imgpipe.remote.session import Session

DEFAULT = template.load().parameters["MaxConcurrency"].default


def checks(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """(exit code, name -> check)"""
    code = run(["doctor", "--json", *arguments])
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] == (code == 0)
    return code, {check["name"]: check for check in told["checks"]}


def test_a_machine_that_has_all_is_well(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = checks(capsys)
    assert code == 0
    assert found["Account"]["found"] == NUMBER
    assert found["Endpoint"]["found"] == account.url
    assert {name for name, check in found.items() if check["state"] != "ok"} <= {"Kernel", "Terminal", "Disk", "Lambda"}
    assert "HEIC" in found["Codecs"]["found"]


@pytest.mark.parametrize(
    ("free", "state", "found", "remedy"),
    [
        (1000, "ok", "1,000 calls at once", ""),
        (4, "warn", "4 calls at once", f"MaxConcurrency=3 instead of {DEFAULT}"),
        (
            AwsError("denied", "AWS refused GetAccountSettings.", "Have it allowed."),
            "warn",
            "AWS refused",
            f"{DEFAULT} calls",
        ),
        (StackError("No such call.", "Mend that."), "warn", "this endpoint does not tell", f"{DEFAULT} calls"),
    ],
)
def test_what_the_account_can_run_at_once_is_told(
    free: int | ImgpipeError,
    state: str,
    found: str,
    remedy: str,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def read(session: Session) -> int:
        if isinstance(free, ImgpipeError):
            raise free
        return free

    monkeypatch.setattr("imgpipe.deploy.limits.unreserved_concurrency", read)
    code, checked = checks(capsys)
    assert (code, checked["Lambda"]["state"]) == (0, state)
    assert found in checked["Lambda"]["found"]
    assert remedy in checked["Lambda"]["remedy"]


def test_a_region_that_cannot_hold_the_buckets_is_told(no_aws: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, found = checks(capsys, "--region", "me-central-1")
    assert found["Region"]["state"] == "warn"
    assert "--region" in found["Region"]["remedy"]


def test_who_works_locally_needs_no_account(no_aws: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = checks(capsys)
    assert code == 0
    assert found["Region"]["state"] == "warn"
    assert "--region" in found["Region"]["remedy"]
    code, found = checks(capsys, "--region", "eu-central-1")
    assert code == 0
    assert found["Account"]["state"] == "warn"
    assert "--profile" in found["Account"]["remedy"]


@pytest.mark.parametrize(("part", "purpose"), [("avif", "AVIF"), ("freetype", "text marks")])
def test_a_missing_codec_fails_and_names_what_is_lost(
    part: str, purpose: str, no_aws: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left = {name: build for name, build in builds().items() if name != part}
    monkeypatch.setattr("imgpipe.core.builds.builds", lambda: left)
    code, found = checks(capsys)
    assert (code, found["Codecs"]["state"]) == (1, "fail")
    assert found["Codecs"]["found"].endswith(f"lacks: {purpose}")
    assert found["Codecs"]["remedy"]


def test_a_library_that_cannot_be_loaded_fails_and_keeps_nothing_back(
    no_aws: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> dict[str, str]:
        raise ImportError("cannot import name '_imaging'")

    monkeypatch.setattr("imgpipe.core.builds.builds", broken)
    code, found = checks(capsys)
    assert (code, found["Codecs"]["state"]) == (1, "fail")
    assert "_imaging" in found["Codecs"]["found"]
    assert "Disk" in found


def test_without_uv_nothing_can_be_deployed_but_all_else_goes(
    no_aws: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("imgpipe.deploy.bundle_wheels.find_uv", lambda: "/nowhere/uv")
    code, found = checks(capsys)
    assert (code, found["uv"]["state"]) == (0, "warn")
    assert "pip install uv" in found["uv"]["remedy"]


def test_a_person_reads_a_line_for_each_and_the_remedy_below(no_aws: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert any(line.startswith("ok    Python") for line in shown)
    below = next(number for number, line in enumerate(shown) if line.startswith("warn  Region")) + 1
    assert shown[below].startswith(" " * 16)
    assert "--region" in shown[below]
