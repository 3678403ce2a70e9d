"""A function as Lambda runs it: each invocation in an execution environment of its own, warm ones first.

Environments are made when they are needed and kept for the next invocation; one that is lost, or overdue and therefore
killed, costs its invocation and no other. `log` gets the lines of an invocation, and the name of its environment's log
stream, when that is over.
"""

import json
import math
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from imgpipe.local.emulator.environment import Deployment, Environment, FunctionError
from imgpipe.worker.ports import rfc3339

ACCOUNT: Final = "123456789012"
"""moto's account."""
PAYLOAD_BYTES: Final = 6_291_556
"""The most that an event or an answer may have ("Lambda quotas": 6 MB, and what surrounds it)."""
_NO_STREAM: Final = "none"
"""The log stream of invocations for which there was no environment."""
_STATUS: Final = {"timeout": "timeout", "died": "failure", "raised": "error", "init": "error"}
"""How Lambda's own line on an invocation names its end ("Lambda Telemetry API event schema")."""


class Function:
    """The handler (`package.module.name`) as a function called `name`; `timeout` is in seconds, `memory` in MB.

    `environment` is all that the template, the endpoint and the credentials need: what Lambda itself sets is added.
    `code` is the folder of the bundle's recipe. At most `concurrency` invocations run at once, others wait their turn.
    """

    def __init__(
        self,
        name: str,
        handler: str,
        environment: Mapping[str, str],
        code: Path,
        timeout: float,
        memory: int,
        log: Callable[[str, Sequence[str]], None],
        *,
        concurrency: int,
    ) -> None:
        self.name: Final = name
        self._handler = handler
        self._timeout = timeout
        self._memory = memory
        self._log = log
        self._room = threading.Semaphore(concurrency)
        self._lock = threading.Lock()
        self._idle: list[Environment] = []
        self._busy: set[Environment] = set()
        self._closed = False
        self._deployment = self._deploy(code, environment)

    def invoke(self, event: object, request_id: str | None = None) -> Any:
        """The handler's answer to `event`, both as JSON can say them. Raises FunctionError."""
        request_id = request_id or str(uuid.uuid4())
        said: list[str] = []
        with self._room:
            environment = None
            began = time.monotonic()
            try:
                environment = self._take()
                answer = environment.invoke(request_id, json.dumps(event).encode(), self._timeout)
                if len(answer) > PAYLOAD_BYTES:
                    message = f"Response payload size exceeded maximum allowed payload size ({PAYLOAD_BYTES} bytes)."
                    raise FunctionError("raised", "Function.ResponseSizeTooLarge", message)
            except FunctionError as error:
                said.append(_report(error, request_id, time.monotonic() - began, self._memory))
                raise
            finally:
                if environment is not None:
                    said[:0] = self._give_back(environment)
                if said and not self._closed:
                    self._log(_NO_STREAM if environment is None else environment.stream, said)
        return json.loads(answer)

    def replace(self, code: Path, environment: Mapping[str, str]) -> None:
        """Deploy in place: what is invoked from now on sees this; invocations under way end with what they have."""
        deployment = self._deploy(code, environment)
        with self._lock:
            self._deployment = deployment
            old, self._idle = self._idle, []
        for each in old:
            each.close()

    def close(self) -> None:
        """End every environment at once, whatever it is doing; invocations under way raise FunctionError."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for each in idle + busy:
            each.kill()
        for each in idle:
            each.close()

    def _deploy(self, code: Path, environment: Mapping[str, str]) -> Deployment:
        region = environment["AWS_REGION"]
        arn = f"arn:aws:lambda:{region}:{ACCOUNT}:function:{self.name}"
        reserved = {
            "_HANDLER": self._handler,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self._memory),
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_LEVEL": "INFO",
            "LAMBDA_TASK_ROOT": str(code),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
        }
        return Deployment(arn, code, reserved | dict(environment))

    def _take(self) -> Environment:
        """A warm environment, or else a new one. Raises FunctionError where there can be none."""
        while environment := self._warm():
            if environment.alive:
                return environment
            self._give_back(environment)
        try:
            environment = Environment(self._deployment)
        except OSError as error:
            message = f"No process can be started for it: {error.strerror}."
            raise FunctionError("init", type(error).__name__, message) from error
        with self._lock:
            self._busy.add(environment)
            closed = self._closed
        if closed:
            self._give_back(environment)
            raise _closed()
        return environment

    def _warm(self) -> Environment | None:
        with self._lock:
            if self._closed:
                raise _closed()
            if not self._idle:
                return None
            environment = self._idle.pop()
            self._busy.add(environment)
        return environment

    def _give_back(self, environment: Environment) -> list[str]:
        """Keep it warm, or be done with it where it is dead or outdated; what it has printed."""
        lines = environment.said()
        with self._lock:
            self._busy.remove(environment)
            kept = environment.alive and environment.deployment is self._deployment and not self._closed
            if kept:
                self._idle.append(environment)
        return lines if kept else lines + environment.close()


def _closed() -> FunctionError:
    return FunctionError("died", "Runtime.ExitError", "The function is closed.")


def _report(error: FunctionError, request_id: str, seconds: float, memory: int) -> str:
    """Lambda's own line on an invocation that went wrong, which it writes at log level WARN and below."""
    milliseconds = round(seconds * 1000, 2)
    metrics = {"durationMs": milliseconds, "billedDurationMs": math.ceil(milliseconds), "memorySizeMB": memory}
    status = {"requestId": request_id, "metrics": metrics, "status": _STATUS[error.kind], "errorType": error.error_type}
    return json.dumps({"time": rfc3339(time.time()), "type": "platform.report", "record": status})
