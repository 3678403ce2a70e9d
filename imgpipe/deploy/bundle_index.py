"""Where uv is to find wheels: what the person has told uv itself, or else what pip has been told.

uv reads nothing of pip's. Who can `pip install imgpipe` behind a company's index should be able to bundle as well.
"""

import ast
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

_OF_UV: Final = (
    "UV_CONFIG_FILE", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INDEX", "UV_INDEX_URL",
    "UV_NO_INDEX", "UV_OFFLINE",
)  # fmt: skip
_FROM_PIP: Final = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "cert": "SSL_CERT_FILE"}
_WEAKEST_FIRST: Final = ("global", "install", ":env:")


def index_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables to add to `environment` for uv; none where it names an index for uv, or pip has no settings."""
    if any(environment.get(name) for name in _OF_UV):
        return {}
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(  # noqa: S603 - a fixed command, without a shell
        command, env=dict(environment), capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    told = _settings(listed.stdout) if listed.returncode == 0 else {}
    settings = {
        name: told[f"{where}.{key}"]
        for where in _WEAKEST_FIRST
        for key, name in _FROM_PIP.items()
        if f"{where}.{key}" in told and name not in environment
    }
    if "UV_INDEX" in settings:
        # As pip does, look into every index for the release: what comes is known by its hash, so none can slip in.
        settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return settings


def _settings(listed: str) -> dict[str, str]:
    """pip's `section.key='value'` lines; values of several lines become one, parted by spaces as uv wants them."""
    pairs = (line.partition("=") for line in listed.splitlines())
    return {key: " ".join(str(ast.literal_eval(value)).split()) for key, _, value in pairs if value}
