"""`imgpipe destroy`: nothing goes without the stack's name, and a program learns how it ended."""

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from run_cli import PROGRAM, environment
from stack_account import CATALOG, DESTINATION, SOURCE, Account

from imgpipe.cli import run
from imgpipe.cli.destroy_screen import amount, losses
from imgpipe.deploy import artifacts
from imgpipe.errors import AwsError
from imgpipe.remote.destroy import Plan
from imgpipe.remote.holdings import Holding, Size, to_delete
from imgpipe.worker.ports import rfc3339


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def is_there(account: Account) -> bool:
    pages = account.client("cloudformation").describe_stacks()["Stacks"]
    return any(stack["StackName"] == "imgpipe" for stack in pages)


def typed(keys: bytes | None, *arguments: str, cwd: Path) -> tuple[int, str]:
    """(exit code, what was shown) of a run on a terminal where `keys` are typed at the question; None is Ctrl-C."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "destroy", *arguments],
        cwd=cwd,
        env=environment(TERM="xterm-256color", COLUMNS="80"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
            if b"to go on: " in shown and keys != b"":
                if keys is None:
                    # What reads the line has to be reading it.
                    time.sleep(0.1)
                    process.send_signal(signal.SIGINT)
                else:
                    os.write(ours, keys)
                keys = b""
    except OSError:
        pass  # Linux reports the other end's going as an error.
    os.close(ours)
    return process.wait(30), shown.decode()


def test_without_a_terminal_the_name_has_to_be_given(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    account.make_small_stack()
    assert run(["destroy"]) == 2
    assert "--confirm imgpipe" in capsys.readouterr().err
    assert run(["destroy", "--confirm", "impgipe"]) == 2
    assert "impgipe" in capsys.readouterr().err
    assert is_there(account)
    assert run(["destroy", "--confirm", "imgpipe"]) == 0
    assert not is_there(account)


def test_the_name_typed_is_a_yes_and_anything_else_a_no(account: Account, tmp_path: Path) -> None:
    account.make_small_stack()
    code, shown = typed(b"yes\n", cwd=tmp_path)
    assert (code, is_there(account)) == (1, True)
    assert "nothing was changed" in shown
    code, shown = typed(b"imgpipe\n", cwd=tmp_path)
    assert (code, is_there(account)) == (0, False)
    assert "The stack is gone." in shown


def test_ctrl_c_at_the_question_changes_nothing(account: Account, tmp_path: Path) -> None:
    account.make_small_stack()
    code, shown = typed(None, cwd=tmp_path)
    assert (code, is_there(account)) == (130, True)
    assert "nothing was changed" in shown
    assert "Traceback" not in shown


def test_a_program_sees_the_plan_each_step_and_how_it_ended(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.make_small_stack()
    account.make_bucket(SOURCE)
    account.client("s3").put_object(Bucket=SOURCE, Key="a.jpg", Body=b"123")
    assert run(["destroy", "--json", "--confirm", "imgpipe", "--delete-data"]) == 0
    plan, *steps, result = lines(capsys)
    assert (plan["type"], plan["deleteData"], plan["data"][0]["size"]["bytes"]) == ("plan", True, 3)
    assert [step["type"] for step in steps] == ["deleting", "event", "event", "deleted", "emptied", "deleted"]
    assert {"time", "resource", "resourceType", "status", "reason"} <= steps[1].keys()
    assert result == {"type": "result", "status": "destroyed", "kept": [], "artifacts": None, "error": None}
    assert account.buckets() == set()


def test_what_is_kept_is_told(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    account.make_small_stack()
    account.make_bucket(DESTINATION)
    assert run(["destroy", "--json", "--confirm", "imgpipe"]) == 0
    assert lines(capsys)[-1]["kept"] == [DESTINATION]
    assert run(["destroy"]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert DESTINATION in shown.err
    assert "imgpipe destroy --delete-data" in shown.err
    assert account.buckets() == {DESTINATION}


def test_the_command_that_deletes_what_is_kept_works_as_it_is_told() -> None:
    free = Holding(kind="source", name="pictures", size=Size(items=0, older=0, bytes=0, counted=None))
    catalog = Holding(kind="catalog", name="records", size=free.size, protected=True)
    assert to_delete([free]) == ("--delete-data",)
    assert to_delete([free, catalog]) == ("--delete-data", "--lift-protection")


def test_the_bundles_that_are_left_are_told_with_the_way_to_remove_them(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = artifacts.bucket_name(account.session)
    account.make_bucket(bucket)
    account.make_small_stack()
    assert run(["destroy", "--confirm", "imgpipe"]) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert bucket in last
    assert "delete it" in last
    account.make_small_stack()
    assert run(["destroy", "--json", "--confirm", "imgpipe"]) == 0
    assert lines(capsys)[-1]["artifacts"] == bucket


def test_nothing_to_do_is_no_error(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["destroy", "--json"]) == 0
    assert lines(capsys)[-1]["status"] == "nothing"
    assert run(["destroy"]) == 0
    assert "no stack imgpipe" in capsys.readouterr().err


def test_protection_is_lifted_only_when_told(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    account.make_stack()
    command = ["destroy", "--json", "--confirm", "imgpipe", "--delete-data"]
    assert run(command) == 1
    shown = capsys.readouterr()
    assert f"Protected from deletion: {CATALOG}." in shown.err
    assert "--lift-protection" in shown.err
    result = json.loads(shown.out.splitlines()[-1])
    assert (result["status"], result["error"]["code"]) == ("failed", "stack")
    assert is_there(account)
    assert run([*command, "--lift-protection"]) == 0
    assert not is_there(account)
    assert account.buckets() == set()


def test_a_program_is_told_of_an_outage_too(
    no_aws: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["destroy", "--json", "--region", "eu-central-1"]) == 3
    shown = capsys.readouterr()
    assert json.loads(shown.out)["error"]["code"] == "no_credentials"
    assert "No AWS credentials" in shown.err


def test_ctrl_c_on_the_way_says_that_it_goes_on(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    account.make_small_stack()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("imgpipe.remote.destroy.follow", interrupted)
    flags = ["--region", "eu-central-1", "--delete-data", "--lift-protection"]
    assert run(["destroy", "--confirm", "imgpipe", *flags]) == 130
    assert "goes on without you" in (shown := capsys.readouterr().err)
    assert "imgpipe destroy --region eu-central-1 --delete-data --lift-protection" in shown


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), AwsError("denied", "AWS refused DeleteStack.", "Have it allowed.")]
)
def test_where_nothing_was_begun_nothing_is_said_to_go_on(
    error: BaseException, account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    account.make_small_stack()

    def refused(*_: object) -> None:
        raise error

    monkeypatch.setattr("imgpipe.remote.destroy.last_rest", refused)
    assert run(["destroy", "--confirm", "imgpipe"]) in {3, 130}
    assert "goes on" not in capsys.readouterr().err


def test_ctrl_c_while_data_is_deleted_says_that_not_all_is(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    account.make_small_stack()
    account.make_bucket(SOURCE)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("imgpipe.remote.destroy._delete_bucket", interrupted)
    assert run(["destroy", "--confirm", "imgpipe", "--delete-data"]) == 130
    shown = capsys.readouterr().err
    assert "goes on" not in shown
    assert "Not all is deleted. Take it up again with:\nimgpipe destroy --delete-data" in shown


def test_an_outage_on_the_way_says_that_it_goes_on(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    account.make_small_stack()

    def expired(*_: object) -> None:
        raise AwsError("expired", "The AWS credentials have expired.", "Sign in again.")

    monkeypatch.setattr("imgpipe.remote.destroy.follow", expired)
    assert run(["destroy", "--json", "--confirm", "imgpipe"]) == 3
    shown = capsys.readouterr()
    assert json.loads(shown.out.splitlines()[-1])["error"]["code"] == "expired"
    assert "goes on without you" in shown.err


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (Size(items=1, older=0, bytes=3, counted=None), "1 object, 3 bytes, as of some hours ago"),
        (
            Size(items=2_000_000, older=0, bytes=4 * 10**12, counted="2026-11-21T00:00:00.000Z"),
            "2,000,000 objects, 4.0 TB, counted 2026-11-21 00:00 UTC",
        ),
        (
            Size(items=5000, older=2, bytes=7, counted=rfc3339(time.time() + 86_400), at_least=True),
            "more than 5,000 objects, 2 older versions, 7 bytes, counted just now",
        ),
    ],
)
def test_how_much_there_is_is_told_with_when_it_was_counted(size: Size, words: str) -> None:
    assert amount(Holding(kind="source", name="pictures", size=size)) == words


def test_a_narrow_terminal_cuts_no_name_of_what_would_be_lost() -> None:
    held = Holding(kind="source", name=SOURCE, size=Size(items=0, older=0, bytes=0, counted=None))
    told = Plan(name="imgpipe", stack=None, messages=None, holdings=(held,), delete_data=True)
    narrow = Console(width=40)
    with narrow.capture() as shown:
        narrow.print(losses(told))
    assert "…" not in shown.get()
