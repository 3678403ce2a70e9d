"""The API of one stack as the page asks it: the API's own code, with the credentials of whoever runs the server.

A stack may be deployed anew while the page is open, and credentials expire: both are looked after here.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from imgpipe.errors import IMAGE_ERRORS, AwsError, ImgpipeError, StackError
from imgpipe.local.dashboard.answers import Answer, outage
from imgpipe.remote.deployed import deployed_recipe
from imgpipe.remote.pipeline import Pipeline, open_pipeline
from imgpipe.remote.refusals import explained
from imgpipe.remote.session import aws_errors
from imgpipe.worker.api import Ports, respond

LOOK_SECONDS: Final = 10.0
"""How long a deployment may go unnoticed: DescribeStacks is rationed by the account."""

_log = logging.getLogger(__name__)


class Desk:
    """Answers for the stack that `connect` opens, which is called again where credentials were refused. Many threads
    may use it. Raises what `connect` raises, StackError where the deployed recipe cannot be read, and AwsError."""

    def __init__(self, connect: Callable[[], Pipeline], clock: Callable[[], float] = time.monotonic) -> None:
        self._connect = connect
        self._clock = clock
        self._lock = threading.Lock()
        self._open()

    def _open(self) -> None:
        self._take(self._connect())
        self._broken = False

    def _take(self, pipeline: Pipeline) -> None:
        """Work with `pipeline` from now on."""
        self._ports = _ports(pipeline)
        self._pipeline = pipeline
        self._looked = self._clock()

    def answer(self, method: str, path: str, query: Mapping[str, str], body: str) -> Answer:
        """What the API answers; what AWS refused is said as what it is, and not as a fault of the server."""
        failures: list[Exception] = []
        try:
            ports = self._current()
        except ImgpipeError as error:
            return outage(error)
        event = {
            "requestContext": {"http": {"method": method}},
            "rawPath": path,
            "queryStringParameters": query,
            "body": body,
        }
        answer = respond(event, ports, failures.append)
        for failure in failures:
            if told := explained(failure):
                self._broken = isinstance(told, AwsError)
                return outage(told)
            _log.error("A request of the page failed: %r", failure)
        return Answer(answer["statusCode"], answer["body"].encode(), answer["headers"])

    def about(self) -> dict[str, object]:
        """What the page says of where it is, and of failed images beyond what their records do."""
        session, name = self._pipeline.session, self._pipeline.stack.name
        local = urlsplit(session.endpoint).hostname in ("127.0.0.1", "localhost", "::1")
        return {"stack": name, "place": "on this machine" if local else session.region, "remedies": IMAGE_ERRORS}

    @property
    def upload_url(self) -> str:
        """Where uploads go, whatever their form says."""
        return self._ports.uploads.form("-", "image/png", 1, None, 1).url

    def image_origins(self) -> str:
        """The origins that links to images have, as a policy's sources ("CSP Level 3", 2.3.1)."""
        links = (self._ports.source_links, self._ports.rendition_links)
        parts = [urlsplit(link.link("-", "image/png", 1)) for link in links]
        return " ".join(dict.fromkeys(f"{part.scheme}://{part.netloc}" for part in parts))

    def _current(self) -> Ports:
        """The ports of the stack as it is deployed."""
        with self._lock:
            if self._broken:
                self._open()
            elif self._clock() - self._looked > LOOK_SECONDS:
                self._look()
            return self._ports

    def _look(self) -> None:
        """Take over a new deployment."""
        known = self._pipeline.stack
        try:
            found = open_pipeline(self._pipeline.session, known.name)
            if (found.stack.parameters, found.stack.outputs) != (known.parameters, known.outputs):
                self._take(found)
        except StackError:
            # In the midst of a deployment, what is there still works.
            pass
        except AwsError:
            self._broken = True
            raise
        self._looked = self._clock()


def _ports(pipeline: Pipeline) -> Ports:
    with aws_errors():
        return Ports(
            recipe=deployed_recipe(pipeline),
            source_bucket=pipeline.source_bucket,
            region=pipeline.session.region,
            sources=pipeline.sources,
            catalog=pipeline.catalog,
            feed=pipeline.catalog,
            uploads=pipeline.source_links,
            source_links=pipeline.source_links,
            rendition_links=pipeline.rendition_links,
            queue=pipeline.queue,
        )
