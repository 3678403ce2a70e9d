"""What the HTTP API says when it cannot do what was asked: problem documents (RFC 9457) with stable codes.

Where a record could have failed for the same reason, the code is the record's.
"""

from http import HTTPStatus
from typing import Final

STATUS: Final = {
    "bad_request": HTTPStatus.BAD_REQUEST,
    "empty": HTTPStatus.BAD_REQUEST,
    "not_found": HTTPStatus.NOT_FOUND,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "too_many_bytes": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported_format": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "internal": HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""Code -> the status it is answered with. New ones are added and never renamed."""
MEDIA_TYPE: Final = "application/problem+json"


class Problem(Exception):
    """Why a request is refused: `code` is a key of STATUS, `detail` and `remedy` are sentences."""

    def __init__(self, code: str, detail: str, remedy: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = STATUS[code]
        self.headers = headers or {}
        self.document = document(self.status, code, detail, remedy)


def document(status: HTTPStatus, code: str, detail: str, remedy: str) -> dict[str, object]:
    """A problem document; `detail` and `remedy` are sentences."""
    return {
        "type": f"urn:imgpipe:problem:{code}",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "code": code,
        "remedy": remedy,
    }
