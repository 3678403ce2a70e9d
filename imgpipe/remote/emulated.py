"""The session of `--local`: the emulator of this machine, with credentials that open nothing else.

Neither a profile nor any AWS_* variable nor a proxy is read, so that no call can reach an account.
"""

import os
import shlex
from functools import cached_property
from typing import Any, Final

from imgpipe.remote.session import Session, aws_errors

PORT: Final = 4566
REGION: Final = "us-east-1"
KEY: Final = "imgpipe"
"""Access key and secret of the emulator."""


class EmulatedSession(Session):
    """A session with what listens at `port` of this machine."""

    def __init__(self, port: int = PORT) -> None:
        super().__init__(None, REGION, f"http://127.0.0.1:{port}")

    def command(self, name: str, stack: str, *flags: str) -> str:
        if name == "deploy":  # which the emulator does itself, when it starts
            return shlex.join(["imgpipe", "emulate", "--stack", stack])
        return shlex.join(["imgpipe", name, "--stack", stack, *flags, "--local"])

    @cached_property
    def _boto(self) -> Any:
        import boto3
        import botocore.session

        unread: dict[str, Any] = {
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
            "ca_bundle": (None, None, None, None),
            "use_fips_endpoint": (None, None, False, None),
            "use_dualstack_endpoint": (None, None, False, None),
        }
        with aws_errors():
            core = botocore.session.Session(session_vars=unread | self._patience)
            return boto3.Session(KEY, KEY, botocore_session=core, region_name=REGION)

    def _proxies(self, _: str) -> dict[str, str]:
        return {}

    def _make(self, service: str, **settings: object) -> Any:
        return super()._make(service, proxies={}, **settings)
