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
from functools import partial
from typing import Any, Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from imgpipe.errors import AwsError, ImgpipeError, StackError, UsageError
from imgpipe.remote.pipeline import Pipeline
from imgpipe.remote.session import ATTEMPTS
from imgpipe.remote.upload import digest
from imgpipe.remote.upload.choose import File
from imgpipe.remote.upload.crew import Stopped, Task
from imgpipe.remote.upload.events import Event, Failed, Uploaded, Would
from imgpipe.remote.upload.form import FormBody
from imgpipe.remote.upload.transfer import Meter, check, failures, read_parts

_LONGEST_WAIT: Final = 20.0
"""Seconds between two tries, as botocore's standard mode has it."""
_CODE: Final = re.compile(rb"<Code>(\w+)</Code>")


class Api:
    """The tasks of one run. Raises UsageError where the API takes tokens and none is given, and AwsError."""

    def __init__(
        self, pipeline: Pipeline, token: str | None, meter: Meter, stopped: threading.Event, *, dry_run: bool
    ) -> None:
        if pipeline.stack.parameters.get("ApiAuth") == "jwt" and not token:
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
        self._s3 = session.http(session.client("s3").meta.endpoint_url)
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
            offer = self._offer(file, checksum)
            return [Uploaded(offer["key"], file.called, file.bytes, self._send(file, offer["upload"]))]
        return found

    def _offer(self, file: File, checksum: str) -> dict[str, Any]:
        """What the API answers: `key`, and `upload` with the form's `url` and `fields`."""
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

        offer = _document(self._answer(self._api, request, "The HTTP API"))
        if not offer.keys() >= {"key", "upload"}:
            raise AwsError("not_aws", f"What answers at {self._url} is no HTTP API of imgpipe's.", "Check the network.")
        return offer

    def _send(self, file: File, form: dict[str, Any]) -> str:
        """Send the file with its form; returns the version that it has become."""
        with open(file.path, "rb") as opened:  # noqa: PTH123
            body = FormBody(form["fields"], opened, file.bytes, self._meter, self._stopped)

            def request() -> AWSRequest:
                body.rewind()
                return AWSRequest("POST", form["url"], {"Content-Type": body.content_type}, body)

            answer = self._answer(self._s3, request, "S3")
            check(file, os.fstat(opened.fileno()))
        return str(answer.headers.get("x-amz-version-id") or answer.headers["etag"].strip('"'))

    def _answer(self, http: Any, request: Callable[[], AWSRequest], who: str) -> Any:
        """The answer to `request`, which is made anew for every try: throttling, failures and lost connections are
        tried again, as botocore's clients do it. Raises what botocore raises, and ImgpipeError for a refusal."""
        attempt = 0
        while True:
            attempt += 1
            last = attempt == ATTEMPTS
            try:
                answer = http.send(request().prepare())
            except BotoCoreError:
                if last:
                    raise
            else:
                if answer.status_code < 300:
                    return answer
                if last or (answer.status_code != 429 and answer.status_code < 500):
                    raise _refusal(answer, who)
            if self._stopped.wait(random.random() * min(_LONGEST_WAIT, 2**attempt)):  # noqa: S311 - spreads the tries
                raise Stopped


def _refusal(answer: Any, who: str) -> ImgpipeError:
    """What was answered in place of success: the API's problem document, a word of its gateway's, or S3's XML."""
    status = answer.status_code
    told = _document(answer)
    if told.keys() >= {"code", "detail", "remedy"} and status < 500:
        error = StackError(told["detail"], told["remedy"])
        error.code = told["code"]
        return error
    found = _CODE.search(answer.content)
    why = found[1].decode() if found else told.get("message") or told.get("detail") or f"status {status}"
    if status in (401, 403):
        return AwsError("denied", f"{who} refused the upload ({why}).", "Have it allowed, or take another --profile.")
    if status == 429:
        return AwsError("throttled", f"{who} is throttling ({why}).", "Wait a minute, then try again.")
    if status >= 500:
        return AwsError("unavailable", f"{who} failed ({why}).", "Wait a minute, then try again.")
    return StackError(f"{who} refused the upload ({why}).", "Mend that, then try again.")


def _document(answer: Any) -> dict[str, Any]:
    """The JSON object that was answered; an empty one where it was none."""
    try:
        told = json.loads(answer.content)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
