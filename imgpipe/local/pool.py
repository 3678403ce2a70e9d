"""The worker processes of a folder run: each takes one job at a time, and each can be lost without losing the run.

Everything happens inside `wait`: it answers what workers ask of the catalog, ends those that are past their deadline,
and hands out what came of the jobs. A lost worker is replaced with the next job.
"""

import errno
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe, connection
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from imgpipe.errors import Conflict, ImgpipeError
from imgpipe.local import wire
from imgpipe.worker.ports import Catalog

STARTUP: Final = 60.0
"""Seconds in which a worker must have imported what it needs."""
HUNG_UP: Final = 5.0
"""Seconds in which a worker that closed its connection must have ended."""
KILLED: Final = 0.5
"""Seconds in which killed workers must have ended. What a dead network disk keeps from it is left behind."""
STARTS: Final = 3
"""How many workers in a row may die before they are ready."""
_PROGRAM: Final = "import sys; sys.path[:] = {path}; from imgpipe.local.worker_process import main; main({fd}, {setup})"


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Settled(NamedTuple):
    """A job came to its end. `wrote` tells whether the catalog was changed on the way."""

    job: wire.Job
    ended: wire.Ended
    wrote: bool


class Lost(NamedTuple):
    """A job took its worker with it: an error code of `IMAGE_ERRORS` and a sentence."""

    job: wire.Job
    code: str
    message: str


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    parent: connection.Connection
    job: wire.Job
    ready: bool = False
    seconds: float = 0.0
    wrote: bool = False


class Pool:
    """Up to `size` worker processes, started as jobs come. `deadline` is seconds a job; `hold` is a file descriptor
    that every worker keeps open as long as it lives; with `debug` workers may write to standard error.

    Raises ImgpipeError from `wait` where workers cannot start at all.
    """

    def __init__(
        self,
        setup: wire.Setup,
        staging: Path,
        catalog: Catalog,
        size: int,
        *,
        deadline: float,
        hold: int,
        debug: bool = False,
    ) -> None:
        self._setup = staging / "setup"
        self._setup.write_bytes(msgspec.msgpack.encode(setup))
        self._catalog = catalog
        self._size = size
        self._deadline = deadline
        self._hold = hold
        self._debug = debug
        self._busy: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._starts_lost = 0
        self._looked = time.monotonic()

    @property
    def busy(self) -> bool:
        """Whether any job is under way."""
        return bool(self._busy)

    @property
    def free(self) -> bool:
        """Whether a job can be submitted."""
        return len(self._busy) < self._size

    def submit(self, job: wire.Job) -> None:
        """Give `job` to a worker; one must be free."""
        if not self._idle:
            self._busy.append(self._start(job))
            return
        worker = self._idle.pop()
        worker.job = job
        try:
            self._give(worker)
        except OSError:  # it died while it had nothing to do
            _bury(worker)
            worker = self._start(job)
        self._busy.append(worker)

    def wait(self, seconds: float) -> list[Settled | Lost]:
        """What came of jobs, after at most `seconds`; the list may be empty."""
        came: list[Settled | Lost] = []
        end = time.monotonic() + seconds
        while not came and self._busy and (left := end - time.monotonic()) > 0:
            workers = {worker.parent: worker for worker in self._busy}
            for ready in connection.wait(list(workers), left):
                worker = workers[ready]  # type: ignore[index] # a connection is what was waited for
                try:
                    came += self._hear(worker)
                except (EOFError, OSError):
                    came += self._lose(worker)
            came += self._overdue()
        return came

    def close(self) -> None:
        """End every worker at once, whatever it is doing."""
        for worker in self._busy + self._idle:
            worker.process.kill()
        end = time.monotonic() + KILLED
        for worker in self._busy + self._idle:
            _bury(worker, end - time.monotonic())
        self._busy, self._idle = [], []

    def _start(self, job: wire.Job) -> _Worker:
        ours, theirs = Pipe()
        fd = theirs.fileno()
        program = _PROGRAM.format(path=ascii(sys.path), fd=fd, setup=ascii(str(self._setup)))
        with theirs:
            process = subprocess.Popen(  # noqa: S603  our own interpreter and program
                [sys.executable, "-c", program],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=None if self._debug else subprocess.DEVNULL,
                pass_fds=(fd, self._hold),
            )
        return _Worker(process, ours, job)

    def _give(self, worker: _Worker) -> None:
        worker.seconds, worker.wrote = 0.0, False
        wire.send(worker.parent, worker.job)

    def _hear(self, worker: _Worker) -> list[Settled | Lost]:
        match wire.heard(worker.parent):
            case wire.Get() | wire.Put() as question:
                worker.wrote = worker.wrote or isinstance(question, wire.Put)
                wire.send(worker.parent, self._answer(question))
            case wire.Ready():
                worker.ready, self._starts_lost = True, 0
                self._give(worker)
            case wire.Ended() as ended:
                if not worker.ready:
                    raise _no_start(ended.trouble.message if ended.trouble else "")
                self._busy.remove(worker)
                self._idle.append(worker)
                if ended.out_of_memory:
                    return [Lost(worker.job, "out_of_memory", "Rendering it took more memory than a job may take.")]
                return [Settled(worker.job, ended, worker.wrote)]
        return []

    def _answer(self, question: wire.Get | wire.Put) -> wire.Answer:
        try:
            if isinstance(question, wire.Get):
                return wire.Answer(entry=self._catalog.get(question.key))
            return wire.Answer(revision=self._catalog.put(question.record, question.revision))
        except Conflict:
            return wire.Answer(conflict=True)
        except OSError as error:
            return wire.Answer(errno=error.errno or errno.EIO, message=error.strerror or str(error))

    def _overdue(self) -> list[Lost]:
        """End what is past its deadline. A second at most is counted for each look, whatever the clock says: that a
        run was stopped and continued, or had to wait for its terminal, is not the job's fault."""
        now = time.monotonic()
        passed, self._looked = min(1.0, now - self._looked), now
        late = []
        for worker in self._busy:
            worker.seconds += passed
            if worker.seconds > (self._deadline if worker.ready else STARTUP):
                late.append(worker)
        for worker in late:
            worker.process.kill()
            _bury(worker, KILLED)
            self._busy.remove(worker)
            if not worker.ready:
                self._pass_on(worker.job, f"It was not ready after {STARTUP:.0f} seconds.")
        message = f"Reading and rendering it took longer than the {self._deadline:g} seconds that a job may take."
        return [Lost(worker.job, "deadline", message) for worker in late if worker.ready]

    def _lose(self, worker: _Worker) -> list[Lost]:
        """Bury a worker that hung up; one that never came to its job leaves that to another."""
        status = _bury(worker)
        self._busy.remove(worker)
        if worker.ready:
            return [Lost(worker.job, *_cause(status))]
        self._pass_on(worker.job, f"It ended with status {status}.")
        return []

    def _pass_on(self, job: wire.Job, reason: str) -> None:
        """Give the job of a worker that did not come to it to another, unless none ever comes to one."""
        self._starts_lost += 1
        if self._starts_lost > STARTS and not any(worker.ready for worker in self._busy + self._idle):
            raise _no_start(reason)
        self.submit(job)


def _bury(worker: _Worker, seconds: float = HUNG_UP) -> int | None:
    """Wait for the end of a worker that was killed or has hung up; its exit status, or None where it does not end."""
    worker.parent.close()
    worker.process.stdin.close()  # type: ignore[union-attr] # a pipe, as started
    with suppress(subprocess.TimeoutExpired):
        return worker.process.wait(max(seconds, 0))
    worker.process.kill()
    return None


def _cause(status: int | None) -> tuple[str, str]:
    """Error code and sentence for a worker that ended with `status` of itself, or None where it does not end."""
    if status is None:
        return "decoder_crashed", "The process that rendered it hung up and does not end."
    if status == -signal.SIGKILL:
        return (
            "out_of_memory",
            "The system killed the process that rendered it (SIGKILL), as it does when memory runs out.",
        )
    if status < 0:
        return "decoder_crashed", f"The process that rendered it crashed ({signal.Signals(-status).name})."
    return "decoder_crashed", f"The process that rendered it ended with status {status}."


def _no_start(reason: str) -> ImgpipeError:
    return ImgpipeError(
        f"A worker process could not start. {reason}",
        "Install imgpipe again, or run the command with --debug to see more.",
    )
