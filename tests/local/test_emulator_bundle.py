"""The folders that the functions are started in go with their emulator, also with one that was killed."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from imgpipe.local.emulator import bundle

KILLED = """
import os, signal
from imgpipe.local.emulator import bundle
with bundle.folder() as folder:
    (folder / "recipe").write_text("")
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_emulator_left_goes_at_the_next_start_and_a_living_one_keeps_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    program = [sys.executable, "-c", KILLED]
    left = subprocess.run(program, env={"TMPDIR": str(tmp_path)}, capture_output=True, text=True)
    assert (Path(left.stdout.strip()) / "recipe").is_file()
    with bundle.folder() as first, bundle.folder() as second:
        assert set(tmp_path.iterdir()) == {first, second}
    assert not list(tmp_path.iterdir())
