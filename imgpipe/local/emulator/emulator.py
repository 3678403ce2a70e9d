"""The emulator: the stack of the template in this process, on three neighbouring ports of loopback.

The first port answers as AWS, the second as the stack's HTTP API, the third serves the page. It is ready when it is
entered, and nothing of it is left when it is closed. moto's state belongs to the process: there can be one at a time.
"""

import os
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
from imgpipe.errors import StackError
from imgpipe.local.dashboard.server import Dashboard
from imgpipe.local.emulator import bundle
from imgpipe.local.emulator.front import Front
from imgpipe.local.emulator.function import Function
from imgpipe.local.emulator.gateway import CONCURRENCY, Gateway
from imgpipe.local.emulator.heard import Hear, Trouble
from imgpipe.local.emulator.invocations import answer_invocations
from imgpipe.local.emulator.log import Log
from imgpipe.local.emulator.mapping import Mapping as EventSourceMapping
from imgpipe.local.emulator.moto_repairs import repair_moto
from imgpipe.local.emulator.open_files import make_room
from imgpipe.local.emulator.ports import open_ports, wanted
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
    """What can be chosen. `port` 0 takes any three; `parameters` are the template's; `timeout`, in seconds, is the
    processor's, and takes any number where ProcessorTimeout takes few."""

    recipe: Recipe
    stack: str = "imgpipe"
    port: int = PORT
    parameters: Mapping[str, str] = field(default_factory=lambda: {"MaxConcurrency": str(fitting_concurrency())})
    timeout: int | None = None


class Emulator:
    """To be entered once. `hear` gets what the functions print, and what goes wrong, in whichever thread it happens."""

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
        """Raises UsageError where a port is taken, or so many workers cannot be had."""
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
        AwsError where somebody has deleted the stack, and StackError where the disk does not take the bundle."""
        try:
            code = bundle.unpack(recipe, self._folder)
        except OSError as error:
            raise StackError(
                f"The bundle cannot be written to {self._folder}: {error.strerror}.", "Make room."
            ) from error
        self._stack.update(self._session, self._parameters(self._session, recipe))
        for function, variables in self._functions:
            function.replace(code, variables)

    def _start(self, parts: ExitStack) -> None:
        recipe, name, first = self.options.recipe, self.options.stack, self.options.port
        aws, api = map(parts.enter_context, open_ports(first))
        port = aws.getsockname()[1]
        self.endpoint, self.api = f"http://{HOST}:{port}", f"http://{HOST}:{api.getsockname()[1]}"
        self._session = EmulatedSession(port)
        self._folder = parts.enter_context(bundle.folder())
        self._stack = EmulatedStack(name, self.endpoint, self.api, self.options.timeout)
        repair_moto()
        moto = DomainDispatcherApplication(create_backend_app)
        front = Front(moto, _KEYS, _send)
        self._provision(moto, front)
        parts.callback(Server(front, aws).close)
        code = bundle.unpack(recipe, self._folder)
        mapped = self._stack.only("AWS::Lambda::EventSourceMapping")
        make_room(mapped["ScalingConfig"]["MaximumConcurrency"] + CONCURRENCY)
        for properties in self._stack.properties("AWS::Lambda::Function").values():
            of_images = properties["FunctionName"] == mapped["FunctionName"]
            most = mapped["ScalingConfig"]["MaximumConcurrency"] if of_images else CONCURRENCY
            self._function(properties, code, most, parts)
        functions = {function.name: function for function, _ in self._functions}
        answer_invocations(functions)
        self._map(mapped, functions, parts)
        parts.callback(Server(self._gateway(functions), api).close)
        self.source_bucket = find(self._session, name).output("SourceBucket")
        with wanted("the page"):
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
            **self.options.parameters,
            **bundle.store(session, recipe),
            "DeploymentHash": template.load().digest,
        }

    def _function(self, properties: Mapping[str, Any], code: Path, concurrency: int, parts: ExitStack) -> None:
        name, logging = properties["FunctionName"], properties["LoggingConfig"]
        variables = {
            **properties["Environment"]["Variables"],
            **_CREDENTIALS,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_LAMBDA_LOG_FORMAT": logging["LogFormat"],
            "AWS_LAMBDA_LOG_GROUP_NAME": logging["LogGroup"],
            "AWS_LAMBDA_LOG_LEVEL": logging["ApplicationLogLevel"],
        }
        function = Function(
            name,
            properties["Handler"],
            variables,
            code,
            float(properties["Timeout"]),
            int(properties["MemorySize"]),
            Log(REGION, logging["LogGroup"], self._hear).write,
            concurrency=concurrency,
        )
        parts.callback(function.close)
        self._functions.append((function, variables))

    def _map(self, mapped: Mapping[str, Any], functions: Mapping[str, Function], parts: ExitStack) -> None:
        sqs, name = self._session.client("sqs"), mapped["FunctionName"]
        mapping = EventSourceMapping(
            sqs,
            sqs.get_queue_url(QueueName=mapped["EventSourceArn"].rpartition(":")[2])["QueueUrl"],
            functions[name],
            mapped["BatchSize"],
            mapped["ScalingConfig"]["MaximumConcurrency"],
            mapped.get("MaximumBatchingWindowInSeconds", 0),
            self._tell,
        )
        mapping.start()
        parts.callback(mapping.close)

    def _gateway(self, functions: Mapping[str, Function]) -> Gateway:
        routes = self._stack.properties("AWS::ApiGatewayV2::Route").values()
        integration = self._stack.only("AWS::ApiGatewayV2::Integration")
        called = functions[integration["IntegrationUri"].rpartition(":")[2]]
        cors = self._stack.only("AWS::ApiGatewayV2::Api").get("CorsConfiguration", {})
        timeout = integration["TimeoutInMillis"] / 1000
        return Gateway([route["RouteKey"] for route in routes], called, _KEYS, cors, timeout, self._tell)

    def _tell(self, trouble: Trouble) -> None:
        self._hear([trouble])


def _send(queue: str, body: str) -> None:
    """Put a message on the queue of that ARN, as moto's own notifications do."""
    account, region, name = queue.split(":")[4], queue.split(":")[3], queue.rpartition(":")[2]
    sqs_backends[account][region].send_message(name, body)
