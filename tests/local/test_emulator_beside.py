"""A command beside the emulator: it finds its way there alone, and its end is told as a shell tells it."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from imgpipe.local.emulator import beside

VARIABLES = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "imgpipe"}


def test_nothing_that_leads_to_aws_or_through_a_proxy_is_left() -> None:
    ours = {"AWS_PROFILE": "work", "AWS_SESSION_TOKEN": "secret", "PATH": "/bin", "no_proxy": "intern"}
    told = beside.environment(ours, VARIABLES)
    assert "AWS_PROFILE" not in told
    assert "AWS_SESSION_TOKEN" not in told
    assert told.items() >= (VARIABLES | {"PATH": "/bin", "NO_PROXY": "intern,127.0.0.1,localhost"}).items()
    assert (told["AWS_CONFIG_FILE"], told["AWS_SHARED_CREDENTIALS_FILE"]) == (os.devnull, os.devnull)


@pytest.mark.parametrize(("line", "code"), [("exit 7", 7), ("kill -9 $$", 137), ("true", 0)])
def test_the_exit_code_is_the_command_s(line: str, code: int) -> None:
    assert beside.run(["sh", "-c", line], {}) == code


@pytest.mark.parametrize("ignoring", ["", "trap '' TERM;"])
def test_an_interrupted_run_leaves_no_process_of_the_command_s(tmp_path: Path, ignoring: str) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    program = textwrap.dedent(
        """
        import sys
        from imgpipe.local.emulator import beside
        try:
            beside.run(["sh", "-c", sys.argv[1]], {})
        except KeyboardInterrupt:
            sys.exit(130)
        """
    )
    # A grandchild holds the other end of the fifo until it is ended.
    line = f"{ignoring} (sleep 600 >{fifo}) & exec sleep 600"
    process = subprocess.Popen(
        [sys.executable, "-c", program, line],
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    with fifo.open("rb") as end:
        process.send_signal(signal.SIGINT)
        assert end.read() == b""
    assert process.wait(30) == 130
