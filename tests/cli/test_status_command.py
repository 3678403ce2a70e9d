"""`imgpipe status` as a person and a program meet it."""

import json
import time
from pathlib import Path

import pytest
from stack_account import CATALOG, Account

from imgpipe.adapters.dynamodb import DynamoDBCatalog
from imgpipe.cli import run
from imgpipe.cli.status import moment, span
from imgpipe.worker.ports import Failure, Record, rfc3339


def test_a_program_gets_one_document(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = account.make_stack()
    assert run(["status", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told.keys() == {
        "stack", "outputs", "recipe", "queue", "deadLetters", "lastHour", "lastErrors", "outages", "unread",
    }  # fmt: skip
    assert told["outputs"] == outputs
    assert told["queue"] == {"waiting": 0, "inFlight": 0, "oldestSeconds": None}
    assert told["recipe"]["same"] is False
    assert told["stack"]["endpoint"] == account.url


def test_a_person_sees_state_and_what_could_not_be_read(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    account.make_stack()
    assert run(["status"]) == 0
    shown = capsys.readouterr().out
    assert "CREATE_COMPLETE" in shown
    assert "0 messages waiting" in shown
    assert "CloudWatch has no figures of this stack." in shown
    assert not any(line.endswith(" ") for line in shown.splitlines())


def test_what_failed_is_shown_with_its_words_and_nothing_that_moves_the_cursor(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.make_stack()
    failed = Record(
        key="a\x1b[2J.jpg", status="failed", error=Failure("empty", "It has no bytes."), updated=rfc3339(time.time())
    )
    DynamoDBCatalog(account.client("dynamodb"), CATALOG).put(failed, None)
    assert run(["status"]) == 0
    shown = capsys.readouterr().out
    assert "a\\x1b[2J.jpg" in shown
    assert "\x1b" not in shown
    assert "    It has no bytes." in shown.splitlines()


def test_a_stack_that_is_not_there_is_a_usage_error(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--stack", "holiday"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "no stack holiday" in shown.err
    assert "--stack" in shown.err


def test_no_region_and_no_credentials_end_with_3(
    no_aws: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["status"]) == 3
    assert "--region" in capsys.readouterr().err
    assert run(["status", "--region", "eu-central-1"]) == 3
    assert "No AWS credentials were found." in capsys.readouterr().err


@pytest.mark.parametrize("name", ["Holiday", "holi_day", "1day", "day-", "a--b", "a" * 26])
def test_a_name_that_no_bucket_could_have_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--stack", name]) == 2
    assert f"'{name}'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (200_000, "2 d")],
)
def test_a_span_is_said_in_whole_units(seconds: int, words: str) -> None:
    assert span(seconds) == words


def test_a_moment_is_told_to_the_minute() -> None:
    assert moment("2026-11-22T10:07:59.123Z") == "2026-11-22 10:07 UTC"


def test_local_and_another_place_are_one_too_many(no_aws: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--local", "--region", "eu-west-1"]) == 2
    assert "--local and --region eu-west-1 name two places." in capsys.readouterr().err


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "４５"])
def test_a_port_that_is_none_is_said(
    no_aws: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], port: str
) -> None:
    monkeypatch.setenv("IMGPIPE_PORT", port)
    assert run(["status", "--local"]) == 2
    assert f"IMGPIPE_PORT is {port!r}, which is no port." in capsys.readouterr().err
