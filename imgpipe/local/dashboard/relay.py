"""Passes an upload on from the page to the source bucket, as it comes: a few kilobytes of it are here at a time.

So the bucket needs no rule for the page (CORS), and as the page cannot send faster than S3 takes, its progress is true.
"""

import re
from html import unescape
from http import HTTPStatus
from io import BufferedIOBase
from typing import Any, Final

from imgpipe.local.dashboard.answers import Answer, problem
from imgpipe.remote.session import aws_errors

_BLOCK: Final = 1 << 16
_MESSAGE: Final = re.compile(r"<Code>(.*?)</Code>.*?<Message>(.*?)</Message>", re.DOTALL)
"""Of an error document of S3 ("Error responses")."""


class Relay:
    """Uploads to `url`, a bucket's, and to nowhere else, by `session` (botocore's for plain HTTP). Many threads may use
    it."""

    def __init__(self, url: str, session: Any) -> None:
        self._url = url
        self._session = session

    def send(self, body: BufferedIOBase, length: int, media_type: str) -> Answer:
        """Post the form that is in the next `length` bytes of `body`, which are read whatever becomes of them; 204, or
        why S3 refused it. Raises AwsError."""
        from botocore.awsrequest import AWSPreparedRequest, HeadersDict

        headers = HeadersDict({"Content-Type": media_type, "Content-Length": str(length)})
        form = _Part(body, length)
        try:
            with aws_errors():
                answer = self._session.send(AWSPreparedRequest("POST", self._url, headers, form, False))
        finally:
            form.drain()
        if answer.status_code < 300:
            return Answer(HTTPStatus.NO_CONTENT, b"", {})
        return _refused(answer.status_code, answer.content.decode(errors="replace"))


class _Part:
    """The next `length` bytes of a stream, as a file to read."""

    def __init__(self, stream: BufferedIOBase, length: int) -> None:
        self._stream = stream
        self._left = length

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._stream.read(wanted)
        if len(data) < wanted:
            raise ConnectionAbortedError("the page sends no more")
        self._left -= len(data)
        return data

    def drain(self) -> None:
        """Read what is left: a browser that is cut short while it sends sees no answer."""
        while data := self._stream.read(min(_BLOCK, self._left)):
            self._left -= len(data)


def _refused(status: int, text: str) -> Answer:
    """What S3 says, in its own words."""
    found = _MESSAGE.search(text)
    code, message = map(unescape, found.groups()) if found else (f"status {status}", "no reason was given")
    remedy = "Upload it again: an upload has to begin within five minutes, and to be what was announced."
    try:
        standard = HTTPStatus(status if status < 500 else HTTPStatus.SERVICE_UNAVAILABLE)
    except ValueError:
        standard = HTTPStatus.BAD_GATEWAY
    return problem(standard, "upload_refused", f"S3 refused the upload: {message} ({code}).", remedy)
