"""`imgpipe samples`."""

from pathlib import Path

from run_cli import imgpipe


def test_samples_prints_what_it_drew_and_never_overwrites(tmp_path: Path) -> None:
    done = imgpipe("samples", "a folder", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    drawn = [tmp_path / line for line in done.stdout.splitlines()]
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(drawn)
    assert "imgpipe process-local 'a folder' ./out" in done.stderr

    drawn[-1].write_bytes(b"mine")
    drawn[0].unlink()
    again = imgpipe("samples", "a folder", cwd=tmp_path)
    assert (again.returncode, [tmp_path / line for line in again.stdout.splitlines()]) == (0, drawn[:1])
    assert drawn[-1].read_bytes() == b"mine"
    assert "All samples are there already." in imgpipe("samples", "a folder", cwd=tmp_path).stderr
