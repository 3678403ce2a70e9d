"""Run the real program, and make real images for it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from PIL import Image

PROGRAM = (sys.executable, "-m", "imgpipe")


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what would steer the program or its colours."""
    steering = ("IMGPIPE_", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_")
    return {name: value for name, value in os.environ.items() if not name.startswith(steering)} | more


def imgpipe(*arguments: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """One run of the program in `cwd`, without a terminal."""
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


def started(*arguments: str, cwd: Path, stdin: int = subprocess.DEVNULL, **env: str) -> "subprocess.Popen[str]":
    """The program at work in a process group of its own, without a terminal, which Ctrl-C (SIGINT) reaches."""
    return subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=cwd,
        env=environment(**env),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
        # Whoever runs the tests in the background had it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def photo(path: Path, size: tuple[int, int] = (320, 240)) -> Path:
    """A small JPEG with something to see in every part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.radial_gradient("L").resize(size).convert("RGB").save(path, quality=90)
    return path
