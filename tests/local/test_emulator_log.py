"""What functions print is in their log group, also after somebody has deleted what it was in."""

from collections.abc import Sequence
from typing import Any

from moto.core.base_backend import BackendDict
from moto.logs.models import logs_backends

from imgpipe.local.emulator.function import ACCOUNT
from imgpipe.local.emulator.heard import Told
from imgpipe.local.emulator.log import Log

REGION = "us-east-1"
GROUP = "/aws/lambda/imgpipe-processor"


def kept(backend: Any) -> dict[str, list[str]]:
    """The lines of each stream."""
    streams = backend.groups[GROUP].streams
    return {name: [event.message for event in stream.events] for name, stream in streams.items()}


def test_lines_are_kept_in_the_streams_of_their_environments_and_no_later_one_is_lost() -> None:
    BackendDict.reset()
    backend: Any = logs_backends[ACCOUNT][REGION]
    backend.create_log_group(GROUP, {})
    heard: list[Sequence[Told]] = []
    log = Log(REGION, GROUP, heard.append)
    log.write("a", ["1"])
    log.write("b", ["2", "3"])
    assert kept(backend) == {"a": ["1"], "b": ["2", "3"]}
    backend.delete_log_stream(GROUP, "a")
    log.write("a", ["4"])
    assert kept(backend) == {"a": ["4"], "b": ["2", "3"]}
    backend.delete_log_group(GROUP)
    log.write("a", ["5"])
    backend.create_log_group(GROUP, {})
    log.write("a", ["6"])
    assert kept(backend) == {"a": ["6"]}
    assert heard == [["1"], ["2", "3"], ["4"], ["5"], ["6"]]
