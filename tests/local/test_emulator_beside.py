"""A command beside the emulator: it finds its way there alone, and its end is told as a shell tells it."""

import fcntl
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import termios
import textwrap
from contextlib import suppress
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
def test_an_interrupted_run_leaves_no_process_of_the_command_s(fifo: Path, ignoring: str) -> None:
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
    process = in_background(program, f"{ignoring} (sleep 600 >{fifo}) & exec sleep 600")
    with fifo.open("rb") as end:
        process.send_signal(signal.SIGINT)
        assert end.read() == b""
    assert process.wait(30) == 130


def in_background(program: str, line: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", program, line],
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def test_what_a_command_leaves_running_ends_with_it(fifo: Path) -> None:
    go = fifo.with_name("go")
    os.mkfifo(go)
    process = in_background(RUN, f"trap '' INT; (sleep 600 >{fifo}) & read word <{go}; exit 3")
    with fifo.open("rb") as end:
        go.open("wb").close()
        assert end.read() == b""
    assert process.wait(30) == 0


def test_a_command_ends_also_where_the_emulator_is_killed(fifo: Path) -> None:
    process = in_background(RUN, f"(sleep 600 >{fifo}) & exec sleep 600")
    with fifo.open("rb") as end:
        process.kill()
        assert end.read() == b""
    process.wait(30)


RUN = """
import sys
from imgpipe.local.emulator import beside
print("code", beside.run(["sh", "-c", sys.argv[1]], {}), flush=True)
"""


class Terminal:
    """A terminal whose session is led by a program; what is shown there can be waited for."""

    def __init__(self, *command: str, stdin: int | None = None) -> None:
        self._keys, theirs = pty.openpty()
        self.process = subprocess.Popen(
            command,
            stdin=theirs if stdin is None else stdin,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self._shown = b""

    def press(self, keys: bytes) -> None:
        os.write(self._keys, keys)

    def until(self, words: bytes) -> None:
        """Wait until that is shown."""
        while words not in self._shown:
            assert select.select([self._keys], [], [], 30)[0], self._shown
            self._shown += os.read(self._keys, 4096)

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
        os.close(self._keys)


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def test_a_command_on_a_terminal_reads_it_and_hears_ctrl_c_alone_and_what_it_started_ends(fifo: Path) -> None:
    line = f"trap '' INT; (sleep 600 >{fifo}) & read word; echo got $word; trap 'exit 9' INT; echo on; sleep 600"
    terminal = Terminal(sys.executable, "-c", RUN, line)
    with fifo.open("rb") as end:
        terminal.press(b"hello\n")
        terminal.until(b"got hello")
        terminal.until(b"on\r\n")
        terminal.press(b"\x03")
        terminal.until(b"code 9")
        assert end.read() == b""
    assert terminal.process.wait(30) == 0
    terminal.close()


def test_a_terminal_is_the_command_s_also_where_stdin_is_another_file() -> None:
    terminal = Terminal(sys.executable, "-c", RUN, "read word </dev/tty; echo got $word", stdin=subprocess.DEVNULL)
    terminal.press(b"hello\n")
    terminal.until(b"got hello")
    terminal.until(b"code 0")
    terminal.close()


def test_ctrl_z_stops_both_and_the_shell_goes_on_with_both() -> None:
    shell = f"set -m; {shlex.join([sys.executable, '-c', RUN, 'echo on; read word; echo got $word'])}; echo back; fg"
    terminal = Terminal("sh", "-c", shell)
    terminal.until(b"on\r\n")
    terminal.press(b"\x1a")
    terminal.until(b"back")
    terminal.press(b"hello\n")
    terminal.until(b"got hello")
    terminal.until(b"code 0")
    terminal.close()
