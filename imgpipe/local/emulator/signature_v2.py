"""Whether a presigned URL is signed by S3's older method, which SDKs still choose for us-east-1 unless told otherwise.

It covers the path, some parameters and x-amz- headers with HMAC-SHA1 ("Signing and authenticating REST requests").
"""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from wsgiref.types import WSGIEnvironment

from botocore.auth import HmacV1Auth
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from imgpipe.local.emulator.addresses import Target
from imgpipe.local.emulator.signature import Refused, headers, mismatch, unknown_key


class _Signer(HmacV1Auth):  # type: ignore[misc]
    """botocore's signer of a URL that expires at a given time."""

    def __init__(self, credentials: Credentials, expires: str) -> None:
        super().__init__(credentials)
        self._expires = expires

    def _get_date(self) -> str:
        return self._expires


def is_signed(target: Target) -> bool:
    """Whether the URL says that it is signed so."""
    return {"AWSAccessKeyId", "Signature", "Expires"} <= target.query.keys()


def check(environ: WSGIEnvironment, target: Target, keys: Mapping[str, str]) -> None:
    """Raise Refused unless the URL is signed with one of `keys`, access key -> secret, and holds still."""
    key, expires = target.query["AWSAccessKeyId"], target.query["Expires"]
    if not expires.isdecimal():
        raise Refused("AccessDenied", f"Invalid date (should be seconds since epoch): {expires}")
    if int(expires) < time.time():
        raise Refused("AccessDenied", "Request has expired", Expires=expires)
    if key not in keys:
        raise unknown_key(key)
    # What a client would send as a header may stand in the URL instead.
    signed: Any = HTTPHeaders()
    for name, value in ({name.lower(): value for name, value in target.query.items()} | dict(headers(environ))).items():
        signed[name] = value
    signer = _Signer(Credentials(key, keys[key]), expires)
    text = signer.canonical_string(environ["REQUEST_METHOD"], urlsplit(environ["RAW_URI"]), signed, None, target.path)
    if signer.sign_string(text) != target.query["Signature"]:
        raise mismatch(text)
