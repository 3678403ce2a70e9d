"""`imgpipe emulate` as a person, a CI file and foreign clients meet it."""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from run_cli import environment, imgpipe, photo, started
from uv import find_uv_bin

SECONDS: Final = 60
RECIPE: Final = '[presets.{name}]\nwidth = 32\nheight = 32\nformat = "jpeg"\n'


class Emulating:
    """An `imgpipe emulate --json` at work in a folder with a recipe; what it prints can be waited for."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        (folder / "imgpipe.toml").write_text(RECIPE.format(name="small"))
        self.process = started("emulate", "--port", "0", "--json", *options, cwd=folder)
        self._told: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        ready = self.next()
        assert ready["type"] == "ready"
        self.variables: dict[str, str] = ready["environment"]
        self.page: str = ready["page"]
        self.port = self.variables["IMGPIPE_PORT"]

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._told.put(json.loads(line))
        self._told.put(None)

    def next(self) -> dict[str, Any]:
        """The next document."""
        told = self._told.get(timeout=SECONDS)
        assert told, self.process.communicate()[1]
        return told

    def end(self, number: int) -> tuple[int, list[dict[str, Any]]]:
        """Send a signal; returns the exit code, and what was said until then."""
        self.process.send_signal(number)
        code = self.process.wait(SECONDS)
        return code, list(iter(lambda: self._told.get(timeout=SECONDS), None))


@pytest.fixture(scope="module")
def emulating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulating]:
    running = Emulating(tmp_path_factory.mktemp("emulating"))
    yield running
    assert running.end(signal.SIGTERM)[0] == 143


def test_a_command_beside_it_has_stdout_an_address_and_the_last_word(tmp_path: Path) -> None:
    photo(tmp_path / "cat.jpg", (40, 30))
    program = """if True:
        import os, sys, time, boto3
        bucket = "holiday-{}-123456789012-us-east-1-an"
        s3 = boto3.client("s3")
        s3.upload_file("cat.jpg", bucket.format("source"), "cat.jpg")
        s3.get_waiter("object_exists").config.delay = 0.1
        waiter = s3.get_waiter("object_exists")
        waiter.config.delay = 0.1
        waiter.config.max_attempts = 600
        waiter.wait(Bucket=bucket.format("dest"), Key="thumb/cat.jpg")
        print(os.environ["IMGPIPE_STACK"], flush=True)
        sys.stdin.readline()
        s3.put_object(Bucket=bucket.format("source"), Key="bad.jpg", Body=b"no image")
        sys.stdin.readline()
        sys.exit(7)
    """
    arguments = ("emulate", "--port", "0", "--stack", "holiday", "--", sys.executable, "-c", program)
    running = started(*arguments, cwd=tmp_path, stdin=subprocess.PIPE, AWS_PROFILE="nobody's")
    assert running.stdin
    assert running.stdout
    assert running.stderr
    assert "ready: AWS at http://127.0.0.1:" in running.stderr.readline()
    assert running.stdout.readline() == "holiday\n"
    (tmp_path / "imgpipe.toml").write_text(RECIPE.format(name="other"))
    assert re.fullmatch(r"Recipe \w{16} is deployed: other.\n", running.stderr.readline())
    running.stdin.write("\n")
    running.stdin.flush()
    lines = iter(running.stderr.readline, "")
    assert next(line for line in lines if "bad.jpg" in line)
    _, rest = running.communicate("\n", timeout=SECONDS)
    assert running.returncode == 7
    assert rest.splitlines()[-1].startswith("Ended: 1 image done, 1 failed")


def test_the_aws_cli_puts_lists_fetches_presigns_and_removes(emulating: Emulating, tmp_path: Path) -> None:
    def aws(*arguments: str) -> str:
        # From PyPI, in an environment of its own: it pins another botocore than boto3 has.
        command = [find_uv_bin(), "tool", "run", "--quiet", "--from", "awscli", "aws", *arguments]
        variables = environment(**emulating.variables)
        return subprocess.run(command, env=variables, check=True, capture_output=True, encoding="utf-8").stdout

    source, renditions = (f"s3://imgpipe-{name}-123456789012-us-east-1-an" for name in ("source", "dest"))
    aws("s3", "cp", str(photo(tmp_path / "cat.jpg")), f"{source}/a b/ü+cat.jpg")
    record = emulating.next()
    assert (record["key"], record["status"]) == ("a b/ü+cat.jpg", "done")
    aws("s3", "sync", renditions, str(tmp_path / "out"))
    data = (tmp_path / "out" / record["renditions"][0]["key"]).read_bytes()
    assert len(data) == record["renditions"][0]["bytes"]
    link = aws("s3", "presign", f"{renditions}/{record['renditions'][0]['key']}").strip()
    with urllib.request.urlopen(link) as answer:  # noqa: S310 - of this machine
        assert answer.read() == data
    aws("s3", "rm", f"{source}/a b/ü+cat.jpg")
    assert emulating.next()["status"] == "deleted"


def test_another_recipe_is_deployed_when_its_file_changes_and_a_broken_one_is_not(emulating: Emulating) -> None:
    file = emulating.folder / "imgpipe.toml"
    file.write_text("[presets.small]\nwidth = 0\n")
    assert emulating.process.stderr
    assert "has 1 problem" in "".join(iter(emulating.process.stderr.readline, "The recipe before it stays deployed.\n"))
    file.write_text(RECIPE.format(name="other"))
    deployed = emulating.next()
    shown = imgpipe("status", "--local", "--json", cwd=emulating.folder, IMGPIPE_PORT=emulating.port)
    assert deployed == {"type": "deployed", "recipe": json.loads(shown.stdout)["recipe"]["deployed"]}


def test_the_page_is_served(emulating: Emulating) -> None:
    with urllib.request.urlopen(emulating.page) as answer:  # noqa: S310 - of this machine
        assert answer.headers["content-type"].startswith("text/html")


def test_a_port_that_another_emulator_has_is_said_to_be_its(emulating: Emulating, tmp_path: Path) -> None:
    refused = imgpipe("emulate", "--port", emulating.port, cwd=tmp_path)
    assert refused.returncode == 2
    assert f"Port {emulating.port} of 127.0.0.1 is taken: another emulator" in refused.stderr
    assert "--port" in refused.stderr


def test_ctrl_c_ends_it_at_once_with_hanging_workers_and_a_summary(tmp_path: Path) -> None:
    running = Emulating(tmp_path)
    put(running, photo(tmp_path / "cat.jpg"), "cat.jpg")
    assert running.next()["status"] == "done"
    listed = subprocess.run(["pgrep", "-P", str(running.process.pid)], capture_output=True, text=True, check=True)
    workers = [int(number) for number in listed.stdout.split()]
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    put(running, tmp_path / "cat.jpg", "in a hanging worker's hands.jpg")
    until_in_hand(running)
    code, told = running.end(signal.SIGINT)
    assert code == 130
    assert told[-1] | {"seconds": 0} == {
        "type": "summary", "done": 1, "failed": 0, "deleted": 0, "trouble": 0, "parked": 0, "seconds": 0,
    }  # fmt: skip
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)


def put(running: Emulating, file: Path, key: str) -> None:
    from imgpipe.remote.emulated import EmulatedSession

    bucket = "imgpipe-source-123456789012-us-east-1-an"
    EmulatedSession(int(running.port)).client("s3").upload_file(str(file), bucket, key)


def until_in_hand(running: Emulating) -> None:
    """Wait until a worker has what was put."""
    from imgpipe.remote.emulated import EmulatedSession
    from imgpipe.remote.pipeline import open_pipeline

    session = EmulatedSession(int(running.port))
    url, name = open_pipeline(session, "imgpipe").queue_url, "ApproximateNumberOfMessagesNotVisible"
    while session.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name] != "1":
        assert running.process.poll() is None


def test_a_file_that_is_no_program_is_told_from_one_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("no program")
    refused = imgpipe("emulate", "--", "./notes", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (126, "")
    assert "'./notes' is not a program that may be run." in refused.stderr


def test_a_command_that_is_not_there_is_said_before_anything_starts(tmp_path: Path) -> None:
    refused = imgpipe("emulate", "--", "no-such-program", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (127, "")
    assert "There is no command 'no-such-program'." in refused.stderr
    assert "ready" not in refused.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--port", "65534"), "'65534' is not a number from 1 to 65533"),
        (("--port", "-1"), "'-1' is not a number from 1 to 65533"),
        (("--timeout", "0.5"), "'0.5' is not a whole number of seconds"),
        (("--max-concurrency", "0"), "--max-concurrency takes no '0'. Give a whole number from 2 to 1000."),
        (("--param", "CorsOrigins=everybody"), "CorsOrigins of --param takes no 'everybody'. Give origins such as"),
        (("--param", "ProcessorTimeout=30", "--timeout", "4"), "--timeout and ProcessorTimeout are the same thing."),
        (("--param", "JwtScope=write"), "--jwt-scope counts only where the API takes JWTs."),
        (
            ("--param", "ApiAuth=jwt", "--param", "JwtIssuer=https://a.test", "--param", "JwtAudience=a"),
            "plays no AuthorizationType JWT",
        ),
        (("--",), "There is no command after --."),
        (("--json", "--", "true"), "--json and a COMMAND both want stdout."),
    ],
)
def test_a_bad_value_is_said_with_what_to_do(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    refused = imgpipe("emulate", *options, cwd=tmp_path)
    assert refused.returncode == 2
    assert words in " ".join(refused.stderr.split())


def test_without_its_extra_it_says_how_to_get_it(tmp_path: Path) -> None:
    program = "import sys; sys.modules['moto'] = None; from imgpipe.cli import run; sys.exit(run(['emulate']))"
    refused = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert refused.returncode == 2
    assert "The emulator needs moto, which is not installed." in refused.stderr
    assert "pip install 'imgpipe[emulator]'" in refused.stderr
