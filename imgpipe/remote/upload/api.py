"""Upload by the HTTP API: it makes the key and a presigned form, and the form takes the file straight to S3.

Calls are signed with the person's credentials, or carry a token where the stack's API takes those. Keys are the API's,
a new one each time, so nothing can be there already.
"""

import json
import os
import random
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError

from imgpipe.errors import AwsError, StackError, UsageError
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.upload import digest
from imgpipe.remote.upload.choose import File
from imgpipe.remote.upload.crew import Stopped, Task
from imgpipe.remote.upload.events import Event, Failed, Uploaded, Would
from imgpipe.remote.upload.form import FormBody
from imgpipe.remote.upload.transfer import DAMAGED, Meter, check, failures, read_parts

_LONGEST_WAIT: Final = 20.0
"""Seconds between two tries, as botocore's standard mode has it."""
_MARGIN: Final = 60.0
"""Seconds before a form's end in which no request begins with it."""
_OFFERING: Final = "POST /images of the HTTP API"
_TAGS: Final = (re.compile(rb"<Code>(\w+)</Code>"), re.compile(rb"<Message>([^<]*)</Message>"))
_CODES: Final = {401: "UnauthorizedException", 403: "ForbiddenException", 429: "TooManyRequestsException"}
"""For a gateway that names none."""


class Api:
    """The tasks of one run. Raises UsageError where the API takes tokens and none is given, and AwsError."""

    def __init__(
        self, pipeline: Pipeline, token: str | None, meter: Meter, stopped: threading.Event, *, dry_run: bool
    ) -> None:
        self._is_jwt = pipeline.stack.parameters.get("ApiAuth") == "jwt"
        if self._is_jwt and not token:
            raise UsageError(
                f"The HTTP API of {pipeline.stack.name} takes tokens of its identity provider, not AWS credentials.",
                "Give one with --token or IMGPIPE_TOKEN, or leave --via api out.",
            )
        session = pipeline.session
        self._url = f"{pipeline.api_endpoint}/images"
        self._region = session.region
        self._token = token
        self._credentials: Any = None if token else session.credentials
        self._api = session.http(self._url)
        # Forms lead to the bucket, where the client of S3 finds it too.
        s3 = session.client("s3").meta
        self._s3 = session.http(s3.endpoint_url)
        self._attempts: int = s3.config.retries["total_max_attempts"]
        self._session = session
        self._meter = meter
        self._stopped = stopped
        self._dry_run = dry_run

    def tasks(self, files: Sequence[File]) -> Iterator[Task]:
        """The one task of each file."""
        for file in files:
            yield partial(self._upload, file)

    def close(self) -> None:
        """Nothing is left of a form that was not sent whole."""

    def _upload(self, file: File) -> Sequence[Event]:
        if self._dry_run:
            return [Would(None, file.called, file.bytes, "new")]
        found: list[Failed] = []
        with failures(file, found):
            checksum = digest.whole(read_parts(file, digest.PART, self._stopped)).sha256
            return [self._send(file, checksum)]
        return found

    def _offer(self, file: File, checksum: str) -> "_Offer":
        asked = {
            "name": file.key.rpartition("/")[2],
            "content_type": file.media_type,
            "size": file.bytes,
            "checksum": checksum,
        }

        def request() -> AWSRequest:
            made = AWSRequest("POST", self._url, {"Content-Type": "application/json"}, json.dumps(asked).encode())
            if self._token:
                made.headers["Authorization"] = f"Bearer {self._token}"
            else:
                SigV4Auth(self._credentials.get_frozen_credentials(), "execute-api", self._region).add_auth(made)
            return made

        answer = _document(self._answer(self._api, request, _OFFERING))
        if not answer.keys() >= {"key", "upload", "expires"}:
            raise AwsError("not_aws", f"What answers at {self._url} is no HTTP API of imgpipe's.", "Check the network.")
        expires = datetime.fromisoformat(answer["expires"]).timestamp()
        return _Offer(answer["key"], answer["upload"]["url"], answer["upload"]["fields"], expires)

    def _send(self, file: File, checksum: str) -> Uploaded:
        """Send the file with a form. S3 holds what arrives against `checksum`, so that what changes while it is on its
        way is refused, or whole as it was."""
        offer = self._offer(file, checksum)
        with open(file.path, "rb") as opened:  # noqa: PTH123
            body = FormBody(offer.fields, opened, file.bytes, self._meter, self._stopped)

            def request() -> AWSRequest:
                nonlocal offer, body
                check(file, os.fstat(opened.fileno()))
                body.rewind()
                if offer.expires - self._session.now() < _MARGIN:
                    offer = self._offer(file, checksum)
                    body = FormBody(offer.fields, opened, file.bytes, self._meter, self._stopped)
                return AWSRequest("POST", offer.url, {"Content-Type": body.content_type}, body)

            try:
                answer = self._answer(self._s3, request, "PostObject")
            except Exception:
                check(file, os.fstat(opened.fileno()))
                raise
        version = answer.headers.get("x-amz-version-id") or answer.headers["etag"].strip('"')
        return Uploaded(offer.key, file.called, file.bytes, str(version))

    def _answer(self, http: Any, request: Callable[[], AWSRequest], call: str) -> Any:
        """The answer to `request`, which is made anew for every try: throttling, failures, damage and lost connections
        are tried again, as often as botocore's clients do it. Raises what botocore raises, and ImgpipeError where the
        API says why."""
        attempt = 0
        while True:
            attempt += 1
            made = request()
            try:
                answer = http.send(made.prepare())
            except BotoCoreError:
                if attempt == self._attempts:
                    raise
            else:
                if answer.status_code < 300:
                    return answer
                error = self._refusal(answer, call)
                if attempt == self._attempts or not _passes(error, answer.status_code):
                    raise error
            if self._stopped.wait(random.random() * min(_LONGEST_WAIT, 2**attempt)):  # noqa: S311 - spreads the tries
                raise Stopped

    def _refusal(self, answer: Any, call: str) -> Exception:
        """What was answered in place of success: the API's problem document, a word of its gateway's, or S3's XML."""
        status = answer.status_code
        told = _document(answer)
        if told.keys() >= {"code", "detail", "remedy"} and status < 500:
            error = StackError(told["detail"], told["remedy"])
            error.code = told["code"]
            return error
        code, message = (found[1].decode() if (found := tag.search(answer.content)) else "" for tag in _TAGS)
        code = code or answer.headers.get("x-amzn-errortype", "").partition(":")[0] or _CODES.get(status, str(status))
        message = message or str(told.get("message") or told.get("detail") or "")
        if call == _OFFERING and self._token and status in (401, 403):
            why = f"The HTTP API does not take the token: {message or code}."
            remedy = "Give another with --token or IMGPIPE_TOKEN"
            return AwsError("denied", why, f"{remedy}." if self._is_jwt else f"{remedy}, or none: it takes signatures.")
        refused: Exception = ClientError(
            {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, call
        )
        return refused


class _Offer(NamedTuple):
    """What the API offers: a key, and a form to send the file with until `expires`, in AWS's seconds since the
    epoch."""

    key: str
    url: str
    fields: dict[str, str]
    expires: float


def _passes(error: Exception, status: int) -> bool:
    """Whether the same request may well succeed a moment later."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    return status == 429 or status >= 500 or code == "RequestTimeout" or code in DAMAGED


def _document(answer: Any) -> dict[str, Any]:
    """The JSON object that was answered; an empty one where it was none."""
    try:
        told = json.loads(answer.content)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
