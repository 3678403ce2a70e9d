"""One execution environment of a function: a child process that is given one invocation at a time, and can be lost.

What the child prints is read by whoever waits for its answer, so that an answer never comes before the lines of its
invocation. The child is a process group of its own: a terminal's Ctrl-C does not reach it, and its end is its group's.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import Pipe, connection
from pathlib import Path
from typing import Final, Literal

from msgspec import msgpack

from imgpipe.local.emulator.runtime import Invocation, Reply

INIT_SECONDS: Final = 60.0
"""In which the handler must have been imported. Lambda allows 10, of a machine that does nothing else."""
_KILLED: Final = 0.5
"""Seconds in which a killed process must have ended. What a dead network disk keeps from it is left behind."""
_PIECE: Final = 1 << 16
"""Bytes that are read at once, and that an unfinished line may have."""
_READS: Final = 16
"""After which the clock is looked at again: more than a pipe holds, and no handler can print so fast as to go on."""
_LINES: Final = 10_000
"""Of one invocation. What it prints beyond is dropped."""
_PROGRAM: Final = "import sys; sys.path[:] = {path}; from imgpipe.local.emulator.runtime import main; main({fd}, {arn})"
_OURS: Final = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Of this process's variables: what Python itself may need. Another's proxy or profile would lead elsewhere."""

Kind = Literal["timeout", "died", "raised", "init"]


class FunctionError(Exception):
    """An invocation without an answer: `kind` is how it ended, `error_type` and `message` are Lambda's words for it."""

    def __init__(self, kind: Kind, error_type: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.error_type = error_type
        self.message = message


@dataclass(frozen=True)
class Deployment:
    """What an environment is made of: the folder that is LAMBDA_TASK_ROOT, and all variables that it sees."""

    arn: str
    code: Path
    variables: Mapping[str, str]


class Environment:
    """A child process that imports the handler of `deployment`. For one thread at a time, except `kill`."""

    def __init__(self, deployment: Deployment) -> None:
        """Raises OSError where no process can be started."""
        self.deployment: Final = deployment
        self._rest = b""
        self._lines: list[str] = []
        self._ready = self._killed = False
        self._killing = threading.Lock()
        path = [str(deployment.code), *map(os.path.abspath, sys.path)]
        self.stream: Final = f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}"
        """The log stream of what it prints."""
        self._connection, theirs = Pipe()
        with theirs:
            fd = theirs.fileno()
            program = _PROGRAM.format(path=ascii(path), fd=fd, arn=ascii(deployment.arn))
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and program
                [sys.executable, "-c", program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                cwd=deployment.code,
                env=_ours() | dict(deployment.variables) | {"AWS_LAMBDA_LOG_STREAM_NAME": self.stream},
                pass_fds=(fd,),
                process_group=0,
            )
        self._output: int | None = self._process.stdout.fileno()  # type: ignore[union-attr] # a pipe, as started
        os.set_blocking(self._output, False)

    @property
    def alive(self) -> bool:
        """Whether it can be given an invocation: before one it says nothing, except by its end."""
        return not self._killed and not self._connection.poll()

    def invoke(self, request_id: str, event: bytes, timeout: float) -> bytes:
        """The handler's answer to `event`, both JSON, within `timeout` seconds once it is imported.

        Raises FunctionError; the process has ended then, unless it was the handler that raised.
        """
        if not self._ready:
            self._init()
        try:
            reply = self._reply(timeout, Invocation(request_id, event, time.time() + timeout))
        except (EOFError, OSError):
            message = f"RequestId: {request_id} Error: {self._end_as_said()}"
            raise FunctionError("died", "Runtime.ExitError", message) from None
        if reply is None:
            self.kill()
            message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
            raise FunctionError("timeout", "Sandbox.Timedout", message)
        if reply.answer is None:
            raise FunctionError("raised", reply.error_type, reply.error_message)
        return reply.answer

    def said(self) -> list[str]:
        """The lines that were printed since the last call."""
        self._read()
        lines, self._lines = self._lines, []
        return lines

    def close(self) -> list[str]:
        """End it, and be done with it: what it printed since `said`, an unfinished line too."""
        self.kill()
        lines = self.said() + ([self._rest.decode(errors="replace")] if self._rest else [])
        self._output = None
        self._connection.close()
        self._process.stdout.close()  # type: ignore[union-attr] # a pipe, as started
        return lines

    def kill(self) -> int | None:
        """End the process and its whole group at once, from any thread; its exit status, None where it does not end."""
        with self._killing:
            if not self._killed:
                self._killed = True
                with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group that is dead
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.stdin.close()  # type: ignore[union-attr] # a pipe, as started
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(_KILLED)
        return None

    def _init(self) -> None:
        try:
            reply = self._reply(INIT_SECONDS)
        except (EOFError, OSError):
            raise FunctionError("init", "Runtime.ExitError", f"Error: {self._end_as_said()}") from None
        if reply == Reply():
            self._ready = True
            return
        self.kill()
        if reply is None:
            message = f"The handler was not imported after {INIT_SECONDS:.0f} seconds."
            raise FunctionError("init", "Sandbox.Timedout", message)
        raise FunctionError("init", reply.error_type, reply.error_message)

    def _end_as_said(self) -> str:
        """What ended the process, in the words of Lambda's runtime interface."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILLED)  # it has hung up: the status is to be its own
        status = self.kill()
        if status is None or status == 0:
            return "Runtime exited without providing a reason"
        ended = f"signal: {signal.strsignal(-status)}".lower() if status < 0 else f"exit status {status}"
        return f"Runtime exited with error: {ended}"

    def _reply(self, seconds: float, invocation: Invocation | None = None) -> Reply | None:
        """What the child says within `seconds`, to `invocation` if there is one; None if nothing.

        Raises EOFError or OSError where it is gone.
        """
        ends = time.monotonic() + seconds
        # What is larger than the connection's buffer goes no further than the other side takes it, either way.
        overdue = threading.Timer(seconds, self.kill)
        overdue.start()
        try:
            if invocation:
                self._connection.send_bytes(msgpack.encode(invocation))
            while (left := ends - time.monotonic()) > 0:
                output = [] if self._output is None else [self._output]
                ready = connection.wait([self._connection, *output], left)
                if self._output in ready:
                    self._read()
                if self._connection in ready:
                    return msgpack.decode(self._connection.recv_bytes(), type=Reply)
        except (EOFError, OSError):
            if time.monotonic() < ends:
                raise
        finally:
            overdue.cancel()
            overdue.join()
        return None

    def _read(self) -> None:
        """Take what the child has printed so far."""
        for _ in range(_READS):
            if self._output is None:
                return
            try:
                data = os.read(self._output, _PIECE)
            except BlockingIOError:
                return
            if not data:
                self._output = None
            *lines, rest = (self._rest + data).split(b"\n")
            self._rest = rest[:_PIECE]
            self._lines += [line.decode(errors="replace") for line in lines]
            del self._lines[_LINES:]


def _ours() -> dict[str, str]:
    return {name: os.environ[name] for name in _OURS if name in os.environ}
