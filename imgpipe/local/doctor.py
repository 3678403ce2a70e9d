"""What imgpipe needs of this machine and of AWS, looked at one by one.

Only what every command needs can fail; what one kind of work needs, a missing account for one who works locally, warns.
"""

import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct

from imgpipe import __version__
from imgpipe.errors import AwsError, ImgpipeError, UsageError
from imgpipe.remote.session import Session

OLDEST_PYTHON: Final = (3, 11)
LEAST_FREE: Final = 1_000_000_000
"""Bytes of the temporary folder: what a bundle and its libraries take while they are built, and some more."""
CODECS: Final = {
    "jpeg": "JPEG",
    "zlib": "PNG",
    "webp": "WebP",
    "avif": "AVIF",
    "heif": "HEIC",
    "tiff": "TIFF",
    "freetype": "text marks",
    "lcms": "colour profiles",
}
"""A part of `builds` -> what cannot be done without it."""
REINSTALL: Final = "Install the makers' wheels: pip install --force-reinstall --only-binary :all: pillow pi-heif"


class Check(Struct, frozen=True):
    """One thing that was looked at: what was found and, unless it is ok, what to do."""

    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    remedy: str = ""


def doctor(session: Session) -> Iterator[Check]:
    """Every check in turn; those of AWS take a moment each."""
    yield _python()
    yield Check("imgpipe", "ok", f"{__version__} on {platform.platform(terse=True)}, {platform.machine()}")
    yield from _images()
    yield _encoding()
    yield _disk()
    yield _uv()
    yield from _aws(session)


def _python() -> Check:
    found = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        return Check("Python", "fail", found, "Install Python 3.11 or newer.")
    return Check("Python", "ok", found)


def _images() -> Iterator[Check]:
    """The libraries that read, make and write images: loaded, not only found."""
    try:
        from imgpipe.core import codec  # noqa: F401 - it loads every library that reads or writes images
        from imgpipe.core.builds import builds

        parts = builds()
    except ImportError as error:
        yield Check("Codecs", "fail", f"cannot be loaded: {error}", REINSTALL)
        return
    missing = [purpose for part, purpose in CODECS.items() if part not in parts]
    if missing:
        yield Check("Codecs", "fail", f"Pillow {parts['pillow']} lacks: {', '.join(missing)}", REINSTALL)
    else:
        yield Check("Codecs", "ok", f"Pillow {parts['pillow']}: {', '.join(CODECS.values())}")
    kernel = parts["kernel"]
    if kernel.startswith("pillow"):
        yield Check("Kernel", "warn", f"{kernel}: right, but slower", "Install cykooz-resizer where it has a wheel.")
    else:
        yield Check("Kernel", "ok", kernel)


def _encoding() -> Check:
    found = sys.stdout.encoding or "none"
    if found.lower().replace("-", "") != "utf8":
        return Check("Terminal", "warn", f"its encoding is {found}", "Set PYTHONUTF8=1, or LANG=C.UTF-8.")
    return Check("Terminal", "ok", f"{found}, {shutil.get_terminal_size().columns} columns")


def _disk() -> Check:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free in {folder}"
    if free < LEAST_FREE:
        return Check("Disk", "warn", found, "Make room there, or name another folder with TMPDIR.")
    return Check("Disk", "ok", found)


def _uv() -> Check:
    from imgpipe.deploy.bundle_wheels import find_uv

    try:
        told = subprocess.run([find_uv(), "--version"], capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
    except (ImgpipeError, OSError, subprocess.SubprocessError):
        return Check("uv", "warn", "not found: nothing can be deployed", "Install it: pip install uv")
    return Check("uv", "ok", told.stdout.strip().removeprefix("uv "))


def _aws(session: Session) -> Iterator[Check]:
    """Region, credentials, endpoint; who works locally needs none of them."""
    try:
        yield _region(session.region)
        yield Check("Endpoint", "ok", session.endpoint)
        yield Check("Account", "ok", session.account)
        yield _concurrency(session)
    except ImgpipeError as error:
        name = "Region" if isinstance(error, AwsError) and error.code == "no_region" else "Account"
        yield Check(name, "warn", error.message.rstrip("."), f"{error.remedy} Only what runs in AWS needs it.")


def _region(region: str) -> Check:
    from imgpipe.deploy.limits import check_region

    try:
        check_region(region)
    except UsageError as error:
        return Check("Region", "warn", f"{region}: {error.message.rstrip('.')}", error.remedy)
    return Check("Region", "ok", region)


def _concurrency(session: Session) -> Check:
    """How many images the account can work on at once, against what a first deployment would ask for."""
    from imgpipe.deploy import limits, template

    wanted = int(template.load().parameters["MaxConcurrency"].default or 0)
    try:
        free = limits.unreserved_concurrency(session)
    except ImgpipeError as error:
        why = error.message.rstrip(".") if isinstance(error, AwsError) else "this endpoint does not tell"
        remedy = f"A new stack takes it that {wanted} calls at once are allowed; --max-concurrency sets another."
        return Check("Lambda", "warn", f"calls at once are not known: {why}", remedy)
    if free < wanted:
        fitting = limits.fitting_concurrency(free)
        remedy = f"A new stack gets MaxConcurrency={fitting} instead of {wanted}; for more have the quota raised."
        return Check("Lambda", "warn", f"{free:,} calls at once", remedy)
    return Check("Lambda", "ok", f"{free:,} calls at once")
