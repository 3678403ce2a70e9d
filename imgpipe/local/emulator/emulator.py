"""The emulator: the stack of the template in this process, on three neighbouring ports of loopback.

The first port answers as AWS, the second as the stack's HTTP API, the third serves the page. It is ready when it is
entered, and nothing of it is left when it is closed. moto's state belongs to the process: there can be one at a time.
"""

import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from wsgiref.types import WSGIApplication

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sqs.models import sqs_backends

from imgpipe.core.recipe import Recipe
from imgpipe.deploy import template
from imgpipe.local.dashboard.server import Dashboard
from imgpipe.local.emulator import bundle
from imgpipe.local.emulator.front import Front
from imgpipe.local.emulator.function import Function
from imgpipe.local.emulator.gateway import Gateway
from imgpipe.local.emulator.log import Hear, Log
from imgpipe.local.emulator.mapping import Mapping as EventSourceMapping
from imgpipe.local.emulator.moto_repairs import repair_moto
from imgpipe.local.emulator.ports import open_ports
from imgpipe.local.emulator.server import HOST, Server, serve
from imgpipe.local.emulator.stack import EmulatedStack
from imgpipe.remote.emulated import KEY, PORT, REGION, EmulatedSession
from imgpipe.remote.pipeline import open_pipeline
from imgpipe.remote.session import Session, aws_errors
from imgpipe.remote.stack import find

_KEYS: Final = {KEY: KEY}
_CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": KEY,
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}


def fitting_concurrency() -> int:
    """The template's MaxConcurrency, or as many as there are cores where these are fewer, but 2 at least."""
    declared = int(template.load().parameters["MaxConcurrency"].default or 0)
    return min(declared, max(2, os.cpu_count() or 1))


@dataclass(frozen=True)
class Options:
    """What can be chosen. `port` 0 takes any three; `timeout`, in seconds, is the processor's, None the template's."""

    recipe: Recipe
    stack: str = "imgpipe"
    port: int = PORT
    max_concurrency: int = field(default_factory=fitting_concurrency)
    timeout: int | None = None


class Emulator:
    """To be entered once. `hear` gets what the functions print, in whichever thread that happens."""

    endpoint: str
    """The URL that answers as AWS; `api` is the HTTP API's, and `page` the link to the page."""
    api: str
    page: str
    source_bucket: str

    def __init__(self, options: Options, hear: Hear) -> None:
        self.options: Final = options
        self._hear = hear
        self._closing = ExitStack()
        self._functions: list[tuple[Function, dict[str, str]]] = []

    def __enter__(self) -> Self:
        """Raises UsageError where a port is taken."""
        with ExitStack() as parts:
            self._start(parts)
            self._closing = parts.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.close()

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which any AWS client, and imgpipe, finds its way here."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            **_CREDENTIALS,
            "IMGPIPE_STACK": self.options.stack,
            "IMGPIPE_PORT": self.endpoint.rpartition(":")[2],
            "IMGPIPE_API": self.api,
        }

    @aws_errors()
    def deploy(self, recipe: Recipe) -> None:
        """Put another recipe in the place of the one before; what is being processed ends with the old one. Raises
        AwsError where somebody has deleted the stack."""
        self._stack.update(self._session, self._parameters(self._session, recipe))
        code = bundle.unpack(recipe, self._folder)
        for function, variables in self._functions:
            function.replace(code, variables)

    def _start(self, parts: ExitStack) -> None:
        recipe, name, first = self.options.recipe, self.options.stack, self.options.port
        aws, api = map(parts.enter_context, open_ports(first))
        port = aws.getsockname()[1]
        self.endpoint, self.api = f"http://{HOST}:{port}", f"http://{HOST}:{api.getsockname()[1]}"
        self._session = EmulatedSession(port)
        self._folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="imgpipe-")))
        self._stack = EmulatedStack(name, self.endpoint, self.api, self.options.timeout)
        repair_moto()
        moto = DomainDispatcherApplication(create_backend_app)
        front = Front(moto, _KEYS, _send)
        self._provision(moto, front)
        parts.callback(Server(front, aws).close)
        code = bundle.unpack(recipe, self._folder)
        functions = {
            properties["FunctionName"]: self._function(properties, code, parts)
            for properties in self._stack.properties("AWS::Lambda::Function").values()
        }
        self._map(functions, parts)
        parts.callback(Server(self._gateway(functions), api).close)
        self.source_bucket = find(self._session, name).output("SourceBucket")
        page = Dashboard(lambda: open_pipeline(self._session, name), first and first + 2)
        self.page = parts.enter_context(page).url

    def _provision(self, moto: WSGIApplication, front: Front) -> None:
        """Make the stack, through a port of its own: at the others nobody is answered before it is there."""
        server = serve(moto, 0)
        try:
            session = EmulatedSession(server.port)
            self._stack.create(session, self._parameters(session, self.options.recipe))
        finally:
            server.close()
        for properties in self._stack.properties("AWS::S3::Bucket").values():
            front.realise(properties["BucketName"], properties)

    def _parameters(self, session: Session, recipe: Recipe) -> dict[str, str]:
        return {
            **bundle.store(session, recipe),
            "DeploymentHash": template.load().digest,
            "MaxConcurrency": str(self.options.max_concurrency),
        }

    def _function(self, properties: Mapping[str, Any], code: Path, parts: ExitStack) -> Function:
        variables = {**properties["Environment"]["Variables"], **_CREDENTIALS, "AWS_ENDPOINT_URL": self.endpoint}
        function = Function(
            properties["FunctionName"],
            properties["Handler"],
            variables,
            code,
            float(properties["Timeout"]),
            int(properties["MemorySize"]),
            Log(REGION, properties["LoggingConfig"]["LogGroup"], self._hear).write,
            concurrency=self.options.max_concurrency,
        )
        parts.callback(function.close)
        self._functions.append((function, variables))
        return function

    def _map(self, functions: Mapping[str, Function], parts: ExitStack) -> None:
        declared = self._stack.only("AWS::Lambda::EventSourceMapping")
        sqs = self._session.client("sqs")
        mapping = EventSourceMapping(
            sqs,
            sqs.get_queue_url(QueueName=declared["EventSourceArn"].rpartition(":")[2])["QueueUrl"],
            functions[declared["FunctionName"]],
            declared["BatchSize"],
            declared["ScalingConfig"]["MaximumConcurrency"],
            declared.get("MaximumBatchingWindowInSeconds", 0),
        )
        mapping.start()
        parts.callback(mapping.close)

    def _gateway(self, functions: Mapping[str, Function]) -> Gateway:
        routes = self._stack.properties("AWS::ApiGatewayV2::Route").values()
        called = self._stack.only("AWS::ApiGatewayV2::Integration")["IntegrationUri"].rpartition(":")[2]
        cors = self._stack.only("AWS::ApiGatewayV2::Api").get("CorsConfiguration", {})
        return Gateway([route["RouteKey"] for route in routes], functions[called], _KEYS, cors)


def _send(queue: str, body: str) -> None:
    """Put a message on the queue of that ARN, as moto's own notifications do."""
    account, region, name = queue.split(":")[4], queue.split(":")[3], queue.rpartition(":")[2]
    sqs_backends[account][region].send_message(name, body)
