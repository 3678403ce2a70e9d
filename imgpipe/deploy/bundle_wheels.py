"""The pinned libraries of the bundle, fetched by uv for Lambda's machine whatever this one is.

`locks/` names exact releases by hash, and so holds for every Python that they have wheels for. To renew a lock, run the
command at its top with `--upgrade`.
"""

import csv
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from shutil import which
from typing import Final

from imgpipe.deploy.bundle_index import index_settings
from imgpipe.deploy.bundle_machine import PLATFORMS, Architecture
from imgpipe.errors import BundleError

LOCKS: Final = Path(__file__).with_name("locks")
_HEEDED: Final = (
    "UV_INDEX", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX", "UV_FIND_LINKS", "UV_KEYRING", "UV_CACHE", "UV_NO_CACHE",
    "UV_OFFLINE", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS", "UV_HTTP", "UV_REQUEST", "UV_INSECURE",
)  # fmt: skip
"""The settings of uv that say where releases come from. Others are for people's own installations: what is installed
here, and how, is fixed."""
_FAILURES: Final = (
    (r"Because (\S+) has no (?:usable )?wheels", "{} has no wheel for {where}.",
     "Use a Python that Lambda has: 3.13 or 3.14."),
    (r"Hash mismatch for `(\S+)`", "{}, as the index has it, is not the release that was pinned.",
     "Ask who keeps the index why it differs, or name another by UV_DEFAULT_INDEX."),
    (r"Because (\S+) was not found in the cache", "{} is not in uv's cache, and uv may not use the network.",
     "Unset UV_OFFLINE for one build: the next finds everything in the cache."),
    (r"(?:there is no version of|Because) (\S+) (?:was not found|and you require)", "The index has no {}.",
     "Let it mirror that release, or name another by UV_DEFAULT_INDEX."),
    (r"(?:Failed to fetch|Failed to download|error sending request)[^`\n]*?[:`(]+\s*`?([^\s`)]+)",
     "The index could not be read: {}.",
     "Check the network, or name an index that can be reached by UV_DEFAULT_INDEX."),
)  # fmt: skip
"""What uv says, what that means, and what to do. The first that matches counts."""


@dataclass(frozen=True)
class Wheel:
    """One library: its name, version, and files by their path in the bundle."""

    name: str
    version: str
    files: dict[str, bytes]


def find_uv() -> str:
    """The path of uv: the one installed with imgpipe, or else of the PATH. Raises BundleError where there is none."""
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError):
        if found := which("uv"):
            return found
    raise BundleError("uv, which fetches the libraries, is not installed.", "Install it: pip install uv")


def wheels(architecture: Architecture, python: str) -> list[Wheel]:
    """The pinned libraries for `python`, such as 3.13, by name. Raises BundleError where they cannot be had."""
    with tempfile.TemporaryDirectory(prefix="imgpipe-bundle-") as folder:
        _install(architecture, python, Path(folder))
        return sorted((_wheel(info) for info in Path(folder).glob("*.dist-info")), key=lambda wheel: wheel.name)


def _install(architecture: Architecture, python: str, target: Path) -> None:
    command = [
        find_uv(), "pip", "install", "--quiet", "--color", "never", "--python", sys.executable, "--target", str(target),
        "--python-version", python, "--python-platform", PLATFORMS[architecture], "--only-binary", ":all:", "--no-deps",
        "--no-compile-bytecode", "--require-hashes", "--requirements", str(LOCKS / f"{architecture}.txt"),
    ]  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.startswith("UV_") or name.startswith(_HEEDED)}
    done = subprocess.run(  # noqa: S603 - a fixed command, without a shell
        command,
        env={**kept, **index_settings(os.environ)},
        cwd=target,  # a project's own settings, in the folder where the person stands, are not for this
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise _failure(done.stderr, f"Python {python} on {architecture}")


def _failure(said: str, where: str) -> BundleError:
    for pattern, message, remedy in _FAILURES:
        if found := re.search(pattern, said):
            return BundleError(message.format(found[1], where=where), remedy)
    reason = " ".join(said.split())[:300].removeprefix("error: ")
    return BundleError(f"uv failed: {reason.rstrip('.')}.", "Mend that, and build again.")


def _wheel(info: Path) -> Wheel:
    name, version = info.stem.rsplit("-", 1)
    return Wheel(name, version, {path: (info.parent / path).read_bytes() for path in _kept(info)})


def _kept(info: Path) -> Iterator[str]:
    """What the wheel's RECORD lists ("Recording installed projects") and Lambda needs: no types and no scripts; of its
    own description the version, which is read at run time, and the licences."""
    with (info / "RECORD").open(encoding="utf-8", newline="") as record:
        for row in csv.reader(record):
            path = PurePosixPath(row[0])
            described = path.parts[0] == info.name and path.name != "METADATA" and "licenses" not in path.parts
            if not (described or path.suffix == ".pyi" or path.name == "py.typed" or path.parts[0] in {"..", "bin"}):
                yield str(path)
