"""What the page's server answers: a status, headers and bytes; and how it says what is wrong.

Every refusal is a problem document (RFC 9457) of the shape that the API's have.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

import msgspec

from imgpipe.errors import ImgpipeError
from imgpipe.worker import problems

JSON: Final = "application/json"


class Answer(NamedTuple):
    """One response; `headers` are those that not every response has."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Refusal(Exception):
    """Why a request gets no further; `answer` says it."""

    def __init__(self, status: HTTPStatus, code: str, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.answer = problem(status, code, detail, remedy)


def document(value: object) -> Answer:
    """The answer that is `value` as JSON."""
    return Answer(HTTPStatus.OK, msgspec.json.encode(value), {"content-type": JSON})


def problem(status: HTTPStatus, code: str, detail: str, remedy: str) -> Answer:
    """A problem document; `detail` and `remedy` are sentences."""
    return Answer(
        status,
        msgspec.json.encode(problems.document(status, code, detail, remedy)),
        {"content-type": problems.MEDIA_TYPE},
    )


def outage(error: ImgpipeError) -> Answer:
    """What AWS, or the way to it, refused: the page waits and asks again."""
    return problem(HTTPStatus.BAD_GATEWAY, error.code, error.message, error.remedy)
