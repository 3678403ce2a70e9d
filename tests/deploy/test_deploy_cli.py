"""`imgpipe deploy` as a person on a terminal sees it, and as a program without one."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from deploy_account import ACCOUNT, REGION, moto_server
from rich.console import Console

from imgpipe import cli
from imgpipe.cli import deploy_screen, deploy_words
from imgpipe.deploy.change_set import Change
from imgpipe.deploy.events import Caution, Event, Executing, Finished, Proposed, Step, Target, Waiting
from imgpipe.errors import AwsError

PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from deploy_account import small_bundle; from imgpipe.deploy import bundle; bundle.build = small_bundle; "
    "from imgpipe.cli import main; main()"
)
"""imgpipe with a bundle that needs no package index."""
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def aws(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """CloudFormation of an empty account, which the environment names."""
    requests.post(f"{url}/moto-api/reset", timeout=10)
    for name in [name for name in os.environ if name.startswith(("AWS_", "IMGPIPE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    return boto3.client("cloudformation", region_name=REGION)


def stacks(aws: Any) -> list[str]:
    return [stack["StackStatus"] for stack in aws.describe_stacks()["Stacks"]]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), "deploy", *arguments]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One deployment without a terminal."""
    return subprocess.run(
        command(*arguments), stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=60
    )


def on_terminal(answer: bytes | None) -> tuple[str, int]:
    """What a deployment shows on a terminal of 80 columns where its question is answered so, None being Ctrl-C; and
    its exit code."""
    ours, theirs = pty.openpty()
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80"}
    process = subprocess.Popen(command(), env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown = bytearray()
    asked = False
    try:
        while part := os.read(ours, 65536):
            shown += part
            if b"[y/N]" in shown and not asked:
                asked = True
                if answer is None:
                    process.send_signal(signal.SIGINT)
                else:
                    os.write(ours, answer)
    except OSError:
        pass  # Linux reports the other end's going as an error.
    os.close(ours)
    return COLOURS.sub("", shown.decode()).replace("\r", "\n"), process.wait(30)


def documents(stdout: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stdout.splitlines()]


def test_without_a_terminal_it_tells_where_it_goes_before_all_and_moves_nothing(aws: Any, url: str) -> None:
    done = run("--yes")
    assert done.returncode == 0, done.stderr
    assert stacks(aws) == ["CREATE_COMPLETE"]
    head, _, rest = done.stderr.partition("Building the bundle")
    assert all(told in head for told in (ACCOUNT, REGION, url))
    assert "CREATE_COMPLETE" in rest
    assert "Next: imgpipe status" in rest
    assert not COLOURS.search(done.stdout + done.stderr)

    again = run()
    assert again.returncode == 0
    assert "Nothing has changed" in again.stderr
    assert "Uploading" not in again.stderr


def test_without_a_terminal_and_without_yes_it_names_the_flag_and_stops(aws: Any) -> None:
    done = run()
    assert (done.returncode, stacks(aws)) == (2, [])
    assert "--yes" in done.stderr


def test_json_is_a_document_a_line_and_a_result_at_last(aws: Any) -> None:
    planned = run("--json", "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert [told["type"] for told in documents(planned.stdout)] == ["target", "step", "preview", "result"]
    assert (documents(planned.stdout)[-1]["status"], stacks(aws)) == ("planned", [])

    done = run("--json", "--yes")
    told = documents(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert [each for each in told if each["type"] == "event"][-1]["status"] == "CREATE_COMPLETE"
    assert told[-1] == {"type": "result", "status": "deployed", "outputs": {}, "error": None}
    assert documents(run("--json").stdout)[-1]["status"] == "unchanged"


def test_json_ends_with_a_result_where_it_fails_too(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("--json", "--yes", "--endpoint-url", "http://127.0.0.1:1")
    assert done.returncode == 3
    (result,) = documents(done.stdout)
    assert (result["type"], result["status"], result["error"]["code"]) == ("result", "failed", "unreachable")
    assert "http://127.0.0.1:1" in done.stderr


@pytest.mark.parametrize(
    ("missing", "told"), [("AWS_REGION", "--region"), ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
)
def test_what_aws_needs_and_does_not_have_is_one_sentence(
    aws: Any, missing: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(missing)
    done = run("--dry-run")
    assert done.returncode == 3
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_every_flag_reaches_its_parameter(aws: Any) -> None:
    flags = (
        "--arch=arm64 --memory=3008 --max-concurrency=7 --alarm-email=a@example.com --auth=jwt "
        "--jwt-issuer=https://id.example.com --jwt-audience=app --jwt-scope=write --param=LogRetentionDays=90"
    )
    done = run("--json", "--dry-run", *flags.split())
    changed = documents(done.stdout)[-2]["changed"]
    assert {name: wanted for name, (_, wanted) in changed.items()}.items() >= {
        "Architecture": "arm64",
        "ProcessorMemory": "3008",
        "MaxConcurrency": "7",
        "AlarmEmail": "a@example.com",
        "ApiAuth": "jwt",
        "JwtIssuer": "https://id.example.com",
        "JwtAudience": "app",
        "JwtScope": "write",
        "LogRetentionDays": "90",
    }.items()


def test_a_mistyped_parameter_is_told_before_aws_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["deploy", "--param", "ProcesorMemory=3008", "--endpoint-url", "http://127.0.0.1:1"]) == 2
    assert "Did you mean ProcessorMemory?" in capsys.readouterr().err


def test_a_terminal_sees_the_changes_and_is_asked(aws: Any) -> None:
    shown, code = on_terminal(b"y\n")
    assert (code, stacks(aws)) == (0, ["CREATE_COMPLETE"])
    assert (
        shown.index(" to add.")
        < shown.index(f"Make the stack imgpipe in account {ACCOUNT}, {REGION}? [y/N]")
        < shown.index("Deployed.")
    )
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 80


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 1), (b"\n", 1), (None, 130)])
def test_all_but_a_yes_leaves_nothing_behind(aws: Any, answer: bytes | None, code: int) -> None:
    shown, ended = on_terminal(answer)
    assert ended == code, shown
    assert stacks(aws) == []
    assert ("Interrupted" if answer is None else "Cancelled: no stack was made.") in shown


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("underway", [Executing("deploy"), Executing("delete"), Waiting("UPDATE_IN_PROGRESS")])
def test_an_interruption_tells_how_to_look_on_again(
    underway: Event, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    def events() -> Iterator[Event]:
        yield Target("pictures", ACCOUNT, REGION, "https://cloudformation")
        yield underway
        raise KeyboardInterrupt

    where = {"--stack": "pictures", "--profile": None, "--region": "eu-west-1"}
    screen = deploy_screen.Screen(where, {"--recipe": "my recipe.toml"}, json=as_json)
    assert screen.show(events()) == 130
    out, err = capsys.readouterr()
    assert "goes on" in err
    assert "imgpipe deploy --stack pictures --region eu-west-1 --recipe 'my recipe.toml'" in err
    if as_json:
        assert documents(out)[-1]["status"] == "in_progress"


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_no_after_a_deletion_does_not_say_that_the_stack_is_as_it_was(
    interrupted: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    def events() -> Iterator[Event]:
        yield Step("delete")
        yield Executing("delete")
        yield Step("bundle")
        yield Proposed(())
        if interrupted:
            raise KeyboardInterrupt
        yield Finished(status="cancelled")

    assert deploy_screen.Screen({}, {}, json=False).show(events()) == (130 if interrupted else 1)
    shown = capsys.readouterr().err
    assert "the stack that had failed is deleted, and no other was made" in shown
    assert "as it was" not in shown
    assert "goes on" not in shown


def test_a_new_recipe_is_told_with_the_way_to_take_it_to_old_images(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Finished(status="deployed", outputs={"ApiEndpoint": "https://api"}, new_recipe=True)
    deploy_screen.Screen({}, {}, json=False).show(iter([Caution("Mind that.", "Do this."), ended]))
    shown = capsys.readouterr().err
    assert "Note: Mind that. Do this." in shown
    assert "POST /images/{id}/reprocess" in shown


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--param", "Nothing=1"], "usage"), (["--recipe", "nowhere.toml"], "recipe")]
)
def test_json_ends_with_a_result_also_where_it_never_began(
    arguments: list[str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["deploy", "--json", *arguments]) == 2
    (result,) = documents(capsys.readouterr().out)
    assert (result["type"], result["status"], result["error"]["code"]) == ("result", "failed", code)


def test_losing_sight_of_a_deployment_is_no_failure_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    def events() -> Iterator[Event]:
        yield Executing("deploy")
        raise AwsError("expired", "The AWS credentials have expired.", "Sign in again.")

    with pytest.raises(AwsError):
        deploy_screen.Screen({}, {}, json=True).show(events())
    out, err = capsys.readouterr()
    assert documents(out)[-1]["status"] == "in_progress"
    assert documents(out)[-1]["error"]["code"] == "expired"
    assert "goes on without you. Look on again with:\nimgpipe deploy" in err


def test_what_loses_data_is_red_said_in_words_and_next_to_the_question() -> None:
    lost = Change(action="Modify", resource="Catalog", type="AWS::DynamoDB::Table", replacement="True")
    added = Change(action="Add", resource="Queue", type="AWS::SQS::Queue")
    console = Console(force_terminal=True, color_system="standard", width=80)
    with console.capture() as capture:
        console.print(*deploy_words.changes((lost, added)), sep="\n")
    lines = capture.get().splitlines()
    (row,) = (number for number, line in enumerate(lines) if "Catalog" in line)
    assert "\x1b[31m" in lines[row]
    assert "yes, losing records" in lines[row]
    assert row > next(number for number, line in enumerate(lines) if "Queue" in line)
    assert "1 resource in red" in lines[-1]
