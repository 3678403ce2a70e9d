"""What runs inside an execution environment: it imports the function's handler, and calls it for one event at a time.

It is what Lambda's own runtime client is to a handler ("Lambda execution environment", "Using the Lambda context object
in Python", "Using structured JSON logs"), except that events come over a connection to its parent, with which it ends.
"""

import importlib
import json
import logging
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Final

from msgspec import Struct, msgpack

Handler = Callable[[Any, Any], Any]


class Invocation(Struct, frozen=True):
    """An event as JSON, and when its time is over, in seconds since the epoch."""

    request_id: str
    event: bytes
    deadline: float


class Reply(Struct, frozen=True):
    """What the handler answered, as JSON, or why it did not; neither where it is ready for its first event."""

    answer: bytes | None = None
    error_type: str = ""
    error_message: str = ""


@dataclass(frozen=True)
class Context:
    """What a handler is told of its invocation."""

    aws_request_id: str
    deadline: float
    invoked_function_arn: str
    function_name: str = field(default_factory=lambda: os.environ["AWS_LAMBDA_FUNCTION_NAME"])
    function_version: str = field(default_factory=lambda: os.environ["AWS_LAMBDA_FUNCTION_VERSION"])
    memory_limit_in_mb: str = field(default_factory=lambda: os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])
    log_group_name: str = field(default_factory=lambda: os.environ["AWS_LAMBDA_LOG_GROUP_NAME"])
    log_stream_name: str = field(default_factory=lambda: os.environ["AWS_LAMBDA_LOG_STREAM_NAME"])
    identity: None = None
    client_context: None = None

    def get_remaining_time_in_millis(self) -> int:
        return max(int((self.deadline - time.time()) * 1000), 0)


class JsonLog(logging.Formatter):
    """A line of JSON, with the extra fields beside the message, as Lambda's log format JSON has it."""

    known: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"}

    def __init__(self) -> None:
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%SZ")
        self.request_id: str | None = None

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": self.formatTime(record, self.datefmt),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": self.request_id,
        }
        if record.exc_info and record.exc_info[0]:
            kind, error, trace = record.exc_info
            line["stackTrace"] = traceback.format_tb(trace)  # type: ignore[assignment] # a list, as Lambda has it
            line["errorType"], line["errorMessage"] = kind.__name__, str(error)
            line["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        line |= {name: value for name, value in vars(record).items() if name not in self.known}
        said = {name: value for name, value in line.items() if value is not None}
        return json.dumps(said, ensure_ascii=False, default=str)


def main(descriptor: int, arn: str) -> None:
    """Serve until the parent hangs up. `descriptor` is the connection to it, inherited open."""
    os.set_inheritable(descriptor, False)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    log = _begin_log()
    parent = Connection(descriptor)
    try:
        handler = _load(os.environ["_HANDLER"])
    except Exception as error:
        parent.send_bytes(msgpack.encode(_failed(error)))
        sys.exit(1)
    parent.send_bytes(msgpack.encode(Reply()))
    with suppress(EOFError, OSError):
        while True:
            invocation = msgpack.decode(parent.recv_bytes(), type=Invocation)
            log.request_id = invocation.request_id
            reply = _reply(handler, invocation, arn)
            sys.stdout.flush()
            sys.stderr.flush()
            parent.send_bytes(msgpack.encode(reply))


def _end_with_parent() -> None:
    """Standard input is a pipe that nobody writes to: it ends when the parent does, and so does this group."""
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)


def _begin_log() -> JsonLog:
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    formatter = JsonLog()
    writer = logging.StreamHandler(sys.stdout)
    writer.setFormatter(formatter)
    logging.getLogger().addHandler(writer)
    logging.getLogger().setLevel(os.environ["AWS_LAMBDA_LOG_LEVEL"])
    # Its news, that there is an endpoint, is the emulator's own doing.
    logging.getLogger("botocore.configprovider").setLevel(logging.WARNING)
    return formatter


def _load(path: str) -> Handler:
    module, _, name = path.rpartition(".")
    handler: Handler = getattr(importlib.import_module(module), name)
    return handler


def _reply(handler: Handler, invocation: Invocation, arn: str) -> Reply:
    try:
        context = Context(invocation.request_id, invocation.deadline, arn)
        answer = handler(json.loads(invocation.event), context)
        return Reply(answer=json.dumps(answer).encode())
    except Exception as error:
        return _failed(error, invocation.request_id)


def _failed(error: Exception, request_id: str = "") -> Reply:
    """The error as a reply and, with its traceback from the handler on, as a line of the log."""
    line = {
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "level": "ERROR",
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_tb(error.__traceback__)[1:],
    }
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    return Reply(error_type=type(error).__name__, error_message=str(error))
