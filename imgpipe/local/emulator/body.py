"""An upload's bytes as S3 takes them: unwrapped from aws-chunked, and held against every checksum that came with them.

A wrong checksum is found when the last byte is read, which is before moto stores any; Refused then goes through moto
to the front. CRC32C and CRC64NVME are not checked, as no library at hand computes them.
"""

import base64
import binascii
import hashlib
import tempfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Final, Protocol
from wsgiref.types import WSGIEnvironment

from werkzeug.wsgi import get_input_stream

from imgpipe.local.emulator.addresses import Target
from imgpipe.local.emulator.signature import Refused

MEMORY: Final = 1 << 20
"""Bytes of an upload that are held in memory; what is longer goes to a temporary file."""
_PIECE: Final = 1 << 16
_LINE: Final = 1 << 13
"""Bytes of the longest line between two chunks."""
_CHECKSUM: Final = "HTTP_X_AMZ_CHECKSUM_"
_ALGORITHMS: Final = ("SHA256", "SHA1", "CRC32", "CRC32C", "CRC64NVME")
_FRAMED: Final = "STREAMING-"
"""How x-amz-content-sha256 starts where the body is in aws-chunked."""


class Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_HASHES: Final[dict[str, Callable[[], Hash]]] = {
    "HTTP_CONTENT_MD5": lambda: hashlib.md5(usedforsecurity=False),
    "HTTP_X_AMZ_CONTENT_SHA256": hashlib.sha256,
    f"{_CHECKSUM}SHA256": hashlib.sha256,
    f"{_CHECKSUM}SHA1": lambda: hashlib.sha1(usedforsecurity=False),
    f"{_CHECKSUM}CRC32": _Crc32,
}
"""Header that holds a digest -> what computes it."""


class _Checked:
    """A stream of `length` bytes that raises Refused, instead of giving the last of them, where a digest is another."""

    def __init__(self, stream: IO[bytes], length: int, expected: dict[str, bytes]) -> None:
        self._stream = stream
        self._left = length
        self._expected = expected
        self._hashes = {header: _HASHES[header]() for header in expected}
        if not length:
            self._compare()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        for computed in self._hashes.values():
            computed.update(data)
        if not self._left and data:
            self._compare()
        return data

    def _compare(self) -> None:
        for header, computed in self._hashes.items():
            if computed.digest() != self._expected[header]:
                raise _mismatch(header)


def receive(environ: WSGIEnvironment, target: Target) -> None:
    """Make the request's body the plain bytes of the upload, which are checked while they are read.

    Raises Refused where its length, its framing or a checksum's form is wrong.
    """
    if environ.get("HTTP_X_AMZ_CONTENT_SHA256", "").startswith(_FRAMED):
        _unwrap(environ)
    elif "HTTP_TRANSFER_ENCODING" in environ:
        raise Refused("MissingContentLength", "You must provide the Content-Length HTTP header.")
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal():
        raise Refused("MissingContentLength", "You must provide the Content-Length HTTP header.")
    # moto keeps a checksum only where it is also said of which kind it is.
    for algorithm in _ALGORITHMS:
        if f"{_CHECKSUM}{algorithm}" in environ:
            environ.setdefault("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM", algorithm)
    expected = dict(_expected(environ))
    if environ["REQUEST_METHOD"] == "POST" and "uploadId" in target.query:
        # There they are of the object that the parts make, not of the list of parts.
        expected = {header: digest for header, digest in expected.items() if not header.startswith(_CHECKSUM)}
    environ["wsgi.input"] = _Checked(environ["wsgi.input"], int(length), expected)


def _expected(environ: WSGIEnvironment) -> Iterator[tuple[str, bytes]]:
    for header, make in _HASHES.items():
        value = environ.get(header)
        if not value or value == "UNSIGNED-PAYLOAD":
            continue
        try:
            digest = bytes.fromhex(value) if "CONTENT_SHA256" in header else base64.b64decode(value, validate=True)
        except (ValueError, binascii.Error):
            digest = b""
        if len(digest) != len(make().digest()):
            raise _malformed(header)
        yield header, digest


def _unwrap(environ: WSGIEnvironment) -> None:
    """Spool what the chunks hold ("Signature calculations for the authorization header: chunked upload"); what trails
    them becomes headers. The chunks' own signatures are not checked."""
    spool = tempfile.SpooledTemporaryFile(MEMORY)  # noqa: SIM115 - it lives as long as the request
    stream = get_input_stream(environ)
    while size := _size(stream.readline(_LINE)):
        while size:
            piece = stream.read(min(size, _PIECE))
            if not piece:
                raise _incomplete()
            size -= len(piece)
            spool.write(piece)
        stream.readline(_LINE)
    while line := stream.readline(_LINE).strip():
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower().startswith("x-amz-checksum-"):
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value.strip()
    if str(spool.tell()) != environ.get("HTTP_X_AMZ_DECODED_CONTENT_LENGTH"):
        raise _incomplete()
    environ["CONTENT_LENGTH"] = str(spool.tell())
    spool.seek(0)
    environ["wsgi.input"] = spool
    environ["HTTP_X_AMZ_CONTENT_SHA256"] = "UNSIGNED-PAYLOAD"
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ.pop("wsgi.input_terminated", None)
    encodings = [name.strip() for name in environ.pop("HTTP_CONTENT_ENCODING", "").split(",")]
    if kept := ",".join(name for name in encodings if name not in ("", "aws-chunked")):
        environ["HTTP_CONTENT_ENCODING"] = kept


def _size(line: bytes) -> int:
    try:
        return int(line.partition(b";")[0], 16)
    except ValueError:
        raise _incomplete() from None


def _incomplete() -> Refused:
    return Refused(
        "IncompleteBody", "The request body terminated unexpectedly: it is not what its lengths and chunks announce."
    )


def _malformed(header: str) -> Refused:
    if header == "HTTP_CONTENT_MD5":
        return Refused("InvalidDigest", "The Content-MD5 you specified was invalid.")
    name = header.removeprefix("HTTP_").replace("_", "-").lower()
    return Refused("InvalidRequest", f"Value for {name} header is invalid.")


def _mismatch(header: str) -> Refused:
    if header == "HTTP_CONTENT_MD5":
        return Refused("BadDigest", "The Content-MD5 you specified did not match what we received.")
    if header == "HTTP_X_AMZ_CONTENT_SHA256":
        return Refused(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    algorithm = header.rpartition("_")[2]
    return Refused("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")
