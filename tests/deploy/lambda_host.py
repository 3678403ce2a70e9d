"""What Lambda is to a bundle: a folder, the real runtime client, and the Runtime API over loopback.

The runtime client is a process of its own that can import the bundle, boto3 and itself: neither the checkout nor what
else is installed here.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

PREFIX: Final = "/2018-06-01/runtime/"
SECONDS: Final = 60
ALONE: Final = "import sys; sys.path[:0] = [sys.argv[1]]; sys.path.append(sys.argv[2]); "
"""Begins every program: with -I and -S the path is the standard library's, to which Lambda adds /var/task in front and
/var/runtime behind."""


def of_the_runtime(folder: Path) -> Path:
    """`folder`, with links to what Lambda's own runtime brings: boto3, the runtime client, and what they need."""
    wanted, done = ["boto3", "awslambdaric"], set()
    while wanted:
        if (name := wanted.pop()) in done:
            continue
        done.add(name)
        library = distribution(name)
        for top in {path.parts[0] for path in library.files or ()} - {"..", "__pycache__"}:
            (folder / top).symlink_to(Path(str(library.locate_file(top))))
        asked = map(Requirement, library.requires or ())
        wanted += [each.name for each in asked if not each.marker or each.marker.evaluate({"extra": ""})]
    return folder


class FunctionError(Exception):
    """What came in place of an answer: errorType, errorMessage and stackTrace, or the log of a process that ended."""


@dataclass(frozen=True)
class Host:
    """Where a bundle is unpacked, what the runtime brings, and the function's environment."""

    root: Path
    libraries: Path
    environment: Mapping[str, str]

    def run(self, program: str) -> str:
        """What `program` prints, run as the function would be."""
        done = subprocess.run(self._command(program), env=dict(self.environment), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def start(self, handler: str) -> Iterator["Function"]:
        """The function with `handler`, such as `package.module.name`, as long as the context lasts."""
        function = Function()
        server = _server(function)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {
            **self.environment,
            "AWS_LAMBDA_RUNTIME_API": "{}:{}".format(*server.server_address[:2]),
            "LAMBDA_TASK_ROOT": str(self.root),
            "_HANDLER": handler,
        }
        program = "from awslambdaric.__main__ import main; main(['awslambdaric', sys.argv[3]])"
        function.started = time.perf_counter()
        with subprocess.Popen(
            [*self._command(program), handler],
            env=environment,
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            reader = threading.Thread(target=function.read_log, args=(process,), daemon=True)
            reader.start()
            try:
                yield function
            finally:
                process.kill()
                reader.join()
                server.shutdown()
                server.server_close()

    def _command(self, program: str) -> list[str]:
        return [sys.executable, "-I", "-S", "-B", "-c", ALONE + program, str(self.root), str(self.libraries)]


class Function:
    """A running function: call it, and read what it printed."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.started = 0.0
        self.initialised: float | None = None
        """Seconds from the process's start to its first question for an event."""
        self.events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.answers: queue.Queue[tuple[str, Any]] = queue.Queue()

    def call(self, event: Any) -> Any:
        """The function's answer to `event`. Raises FunctionError where it raised, at its start or now."""
        self.events.put((str(uuid.uuid4()), event))
        try:
            kind, answer = self.answers.get(timeout=SECONDS)
        except queue.Empty:
            raise TimeoutError("\n".join(self.log)) from None
        if kind != "response":
            raise FunctionError(answer)
        return answer

    def read_log(self, process: "subprocess.Popen[str]") -> None:
        """Gather the lines that `process` prints; whoever waits for an answer then gets its end instead."""
        assert process.stdout
        self.log.extend(line.rstrip("\n") for line in process.stdout)
        self.answers.put(("exit", self.log))


def _server(function: Function) -> ThreadingHTTPServer:
    """The Runtime API (AWS Lambda, "Using the Lambda runtime API for custom runtimes")."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            assert self.path == f"{PREFIX}invocation/next", self.path
            if function.initialised is None:
                function.initialised = time.perf_counter() - function.started
            request, event = function.events.get()
            self._answer(
                200,
                json.dumps(event).encode(),
                {
                    "Lambda-Runtime-Aws-Request-Id": request,
                    "Lambda-Runtime-Deadline-Ms": str(int((time.time() + SECONDS) * 1000)),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:imgpipe",
                    "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
                },
            )

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            function.answers.put((self.path.rpartition("/")[2], json.loads(body)))
            self._answer(202, b'{"status": "OK"}', {})

        def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return _Server(("127.0.0.1", 0), Handler)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """The runtime client is killed while it asks for the next event."""


def environment(**more: str) -> dict[str, str]:
    """The reserved variables of a function ("Defined runtime environment variables"), and `more`."""
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_SESSION_TOKEN": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_NAME": "imgpipe",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": os.defpath,
        **more,
    }
