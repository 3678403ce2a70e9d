"""Whether a presigned URL is signed by S3's older method, which SDKs still choose for us-east-1 unless told otherwise.

It covers the path, some parameters and x-amz- headers with HMAC-SHA1 ("Signing and authenticating REST requests").
"""

import re
import time
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any
from urllib.parse import SplitResult

from botocore.auth import HmacV1Auth
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from imgpipe.local.emulator.addresses import Target
from imgpipe.local.emulator.refused import Refused, mismatch, unknown_key
from imgpipe.local.emulator.request import Request


class _Signer(HmacV1Auth):  # type: ignore[misc]
    """botocore's signer of a URL that expires at a given time."""

    def __init__(self, credentials: Credentials, expires: str) -> None:
        super().__init__(credentials)
        self._expires = expires

    def _get_date(self) -> str:
        return self._expires


def is_signed(request: Request) -> bool:
    """Whether the URL says that it is signed so."""
    return {"AWSAccessKeyId", "Signature", "Expires"} <= request.parameters.keys()


def check(request: Request, target: Target, keys: Mapping[str, str]) -> None:
    """Raise Refused unless the URL is signed with one of `keys`, access key -> secret, and holds still."""
    key, expires = request.parameters["AWSAccessKeyId"], request.parameters["Expires"]
    if not re.fullmatch("[0-9]{1,18}", expires):
        raise Refused("AccessDenied", "Invalid date (should be seconds since epoch)", Expires=expires)
    if int(expires) < time.time():
        raise Refused("AccessDenied", "Request has expired", Expires=expires)
    if key not in keys:
        raise unknown_key(key)
    # What a client would send as a header may stand in the URL instead.
    signed: Any = HTTPHeaders()
    for name, value in (*request.parameters.items(), *request.headers.items()):
        del signed[name]
        signed[name] = value
    signer = _Signer(Credentials(key, keys[key]), expires)
    place = SplitResult("", "", request.path, request.query, "")
    text = signer.canonical_string(request.method, place, signed, None, target.path)
    if not compare_digest(signer.sign_string(text).encode(), request.parameters["Signature"].encode()):
        raise mismatch(text)
