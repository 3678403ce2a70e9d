"""The API of one stack as the page asks it: the API's own code, with the credentials of whoever runs the server.

A stack may be deployed anew while the page is open, and credentials expire: both are looked after here.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from imgpipe.errors import IMAGE_ERRORS, AwsError, ImgpipeError, StackError
from imgpipe.local.dashboard.answers import Answer, outage
from imgpipe.local.dashboard.relay import Relay
from imgpipe.remote.deployed import deployed_recipe
from imgpipe.remote.pipeline import Pipeline, open_pipeline
from imgpipe.remote.refusals import explained
from imgpipe.remote.session import aws_errors
from imgpipe.worker.api import Ports, respond

LOOK_SECONDS: Final = 10.0
"""How long a deployment may go unnoticed: DescribeStacks is rationed by the account."""
RETRY_SECONDS: Final = 3.0
"""How long the answer stands that there are no good credentials."""
_CREDENTIALS: Final = frozenset({"bad_credentials", "expired", "no_credentials"})

_log = logging.getLogger(__name__)


class Opened(NamedTuple):
    """A deployment of the stack, and the ways to it. `image_origins` are those that links to images have, as a policy's
    sources ("CSP Level 3", 2.3.1)."""

    pipeline: Pipeline
    ports: Ports
    relay: Relay
    image_origins: str


class Desk:
    """Answers for the stack that `connect` opens, which is called again where credentials were refused. Many threads
    may use it. Raises what `connect` raises, StackError where the deployed recipe cannot be read, and AwsError."""

    def __init__(self, connect: Callable[[], Pipeline], clock: Callable[[], float] = time.monotonic) -> None:
        self._connect = connect
        self._clock = clock
        self._lock = threading.Lock()
        """Of what follows; nobody speaks to AWS while they hold it."""
        self.opened = _open(connect())
        self._refused: ImgpipeError | None = None
        self._renewing = False
        self._due = clock() + LOOK_SECONDS

    def answer(self, method: str, path: str, query: Mapping[str, str], body: str) -> Answer:
        """What the API answers; what AWS refused is said as what it is, and not as a fault of the server."""
        failures: list[Exception] = []
        try:
            opened = self._current()
        except ImgpipeError as error:
            return outage(error)
        event = {
            "requestContext": {"http": {"method": method}},
            "rawPath": path,
            "queryStringParameters": query,
            "body": body,
        }
        answer = respond(event, opened.ports, failures.append)
        for failure in failures:
            if told := explained(failure):
                self._note(told, opened)
                return outage(told)
            _log.error("A request of the page failed.", exc_info=failure)
        return Answer(answer["statusCode"], answer["body"].encode(), answer["headers"])

    def about(self) -> dict[str, object]:
        """What the page says of where it is, and of failed images beyond what their records do."""
        pipeline = self.opened.pipeline
        local = urlsplit(pipeline.session.endpoint).hostname in ("127.0.0.1", "localhost", "::1")
        place = "on this machine" if local else pipeline.session.region
        return {"stack": pipeline.stack.name, "place": place, "remedies": IMAGE_ERRORS}

    def now(self) -> float:
        """AWS's time, in seconds since the epoch."""
        return self.opened.pipeline.session.now()

    def _note(self, error: ImgpipeError, opened: Opened) -> None:
        """Have the credentials renewed that `opened` was refused for, unless others are in use by now."""
        with self._lock:
            if error.code in _CREDENTIALS and opened is self.opened:
                self._refused, self._due = error, 0.0

    def _current(self) -> Opened:
        """The stack as it is deployed. One caller looks, while the others go on with what there is."""
        with self._lock:
            if self._renewing or self._clock() < self._due:
                if self._refused:
                    raise self._refused
                return self.opened
            self._renewing = True
            known, refused = self.opened, self._refused
        due = LOOK_SECONDS
        try:
            known, refused = (_open(self._connect()) if refused else self._look(known)), None
        except ImgpipeError as error:
            refused, due = error, RETRY_SECONDS
            raise
        finally:
            with self._lock:
                self.opened, self._refused, self._due = known, refused, self._clock() + due
                self._renewing = False
        return known

    def _look(self, known: Opened) -> Opened:
        """`known`, or the deployment after it. In the midst of one, and where AWS does not tell, what is there still
        works."""
        stack = known.pipeline.stack
        try:
            found = open_pipeline(known.pipeline.session, stack.name)
            if (found.stack.parameters, found.stack.outputs) != (stack.parameters, stack.outputs):
                return _open(found)
        except (StackError, AwsError) as error:
            if error.code in _CREDENTIALS:
                return _open(self._connect())
        return known


def _open(pipeline: Pipeline) -> Opened:
    with aws_errors():
        ports = Ports(
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
        # Where uploads go, whatever their form says.
        url = ports.uploads.form("-", "image/png", 1, None, 1).url
        links = [urlsplit(link.link("-", "image/png", 1)) for link in (ports.source_links, ports.rendition_links)]
        origins = " ".join(dict.fromkeys(f"{link.scheme}://{link.netloc}" for link in links))
        return Opened(pipeline, ports, Relay(url, pipeline.session.http(url)), origins)
