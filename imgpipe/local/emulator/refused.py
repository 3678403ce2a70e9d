"""What AWS says where it refuses a request: a code, a message, and the HTTP status of that code.

The words are S3's own, as its users know and quote them ("Error responses").
"""

from typing import Final

_STATUS: Final = {
    "AccessDenied": 403,
    "AccessForbidden": 403,
    "InternalError": 500,
    "InvalidAccessKeyId": 403,
    "MissingContentLength": 411,
    "NotImplemented": 501,
    "PreconditionFailed": 412,
    "RequestTimeTooSkewed": 403,
    "SignatureDoesNotMatch": 403,
}
"""Codes that are not answered with 400."""


class Refused(Exception):
    """A request that AWS would not carry out: `code`, `message` and other elements of the answer, as S3 names them."""

    def __init__(self, code: str, message: str, **details: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details

    @property
    def status(self) -> int:
        """The HTTP status that goes with the code."""
        return _STATUS.get(self.code, 400)


def unsigned() -> Refused:
    """What is said to a stranger."""
    return Refused("AccessDenied", "Access Denied")


def unknown_key(access_key: str) -> Refused:
    """What is said to an access key that nobody has."""
    return Refused(
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
        AWSAccessKeyId=access_key,
    )


def mismatch(signed: str) -> Refused:
    """What is said where the signature of `signed`, the string to sign, is another."""
    return Refused(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your key and signing "
        "method.",
        StringToSign=signed,
    )


def incomplete() -> Refused:
    """What is said of a body that ends early, or is framed wrongly."""
    return Refused(
        "IncompleteBody", "The request body terminated unexpectedly: it is not what its lengths and chunks announce."
    )


def too_large(size: int, most: int) -> Refused:
    """What is said of an object of more than `most` bytes, of which `size` were announced or have come."""
    return Refused(
        "EntityTooLarge",
        "Your proposed upload exceeds the maximum allowed size",
        ProposedSize=str(size),
        MaxSizeAllowed=str(most),
    )
